//! The cost of a change for a page: a small message, and a small answer when it returns.

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use e2e::google::{ALICE, BOB, timed};
use e2e::oracle::View;
use e2e::rpc::Api;
use e2e::socket::Socket;
use e2e::{Stack, wait};
use google_emulator::Emulator;
use serde_json::{Value, json};

/// A message about a weekday series with eight guests and a long description, in bytes of JSON.
const MESSAGE_MAX: usize = 8 * 1024;
/// The answer to a page that has everything, in bytes with its envelope.
const NOTHING_NEW_MAX: usize = 1024;

const TITLE: &str = "Weekday round";

/// Several times a day in a team's calendar: one answer must not make every open page load everything.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_an_invitation_is_one_small_message() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut first, _) = stack.browser(&alice).await?;
    let series = stack.google.insert(ALICE, "primary", weekday_round())?;
    let id = series["id"].as_str().context("an event has an id")?;
    first.next_titled(TITLE).await?;
    let instance = an_instance(&stack.google, id)?;
    settle(&stack).await;

    let away = alice.query("realtime.getState", Value::Null).await?;
    let (mut first, _) = stack.browser(&alice).await?;
    let (mut second, _) = stack.browser(&alice).await?;
    let mut views = [View::load(&alice).await?, View::load(&alice).await?];
    // To the series, and to one instance, which becomes an exception.
    for (event, answer) in [(id, "accepted"), (&*instance, "declined")] {
        respond(&stack.google, event, answer)?;
        let mut sockets = [&mut first, &mut second];
        for (socket, view) in sockets.iter_mut().zip(&mut views) {
            let message = the_one_message(socket, view.seq + 1).await?;
            view.apply(&message).await?;
            assert_eq!(view.difference().await?, None);
        }
    }
    assert_eq!(views.each_ref().map(|view| view.reloads), [0, 0]);

    // A page that was away gets both messages, and one that has them next to nothing.
    let back = state_since(&alice, &away).await?;
    assert_eq!(back["snapshot"], Value::Null);
    assert_eq!(back["messages"].as_array().map(Vec::len), Some(2));
    let nothing = state_since(&alice, &back).await?;
    assert_eq!(
        (&nothing["snapshot"], &nothing["messages"]),
        (&Value::Null, &json!([]))
    );
    let bytes = alice
        .request("realtime.getState", &held(&back))
        .send()
        .await?
        .bytes()
        .await?;
    ensure!(bytes.len() < NOTHING_NEW_MAX, "{} bytes: {nothing}", bytes.len());
    stack.end().await
}

/// A series on weekdays that began before the window of messages.
fn weekday_round() -> Value {
    let mut event = timed(TITLE, TimeDelta::days(-10), "Europe/Zurich");
    let guest = |n: usize| json!({"email": format!("guest{n}@elsewhere.example"), "displayName": format!("Guest {n}")});
    let mut guests: Vec<Value> = (1..8).map(guest).collect();
    guests.push(json!({"email": BOB, "displayName": "Bob"}));
    event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"]);
    event["attendees"] = guests.into();
    event["description"] = "Agenda, ".repeat(100).into();
    event
}

fn an_instance(google: &Emulator, series: &str) -> Result<String> {
    let instances = google.instances(ALICE, series);
    let instance = instances.get(12).context("a series has more instances")?;
    Ok(instance["id"]
        .as_str()
        .context("an instance has an id")?
        .to_owned())
}

/// Bob answers in Google, in his own calendar.
fn respond(google: &Emulator, event: &str, answer: &str) -> Result<()> {
    let event_in_bobs = google.event(BOB, event).context("bob is invited")?;
    let mut guests = event_in_bobs["attendees"].clone();
    for guest in guests.as_array_mut().into_iter().flatten() {
        if guest["email"] == BOB {
            guest["responseStatus"] = answer.into();
        }
    }
    google.patch(BOB, "primary", event, json!({ "attendees": guests }))?;
    Ok(())
}

/// Waits until no message of an earlier change is on its way.
async fn settle(stack: &Stack) {
    stack.settled("alice").await;
    wait::until("everything is published", async || {
        let waiting = sqlx::query_scalar("select count(*) from outbox").fetch_one(&stack.database.pool);
        let waiting: i64 = waiting.await.ok()?;
        (waiting == 0).then_some(())
    })
    .await;
}

async fn the_one_message(socket: &mut Socket, seq: i64) -> Result<Value> {
    let message = socket.next().await?;
    ensure!(
        message["type"] == "events.changed" && message["seq"] == seq,
        "{message}"
    );
    let length = message.to_string().len();
    ensure!(length <= MESSAGE_MAX, "{length} bytes: {message}");
    Ok(message)
}

/// The input of a page that holds what this answer led to.
fn held(state: &Value) -> Value {
    let held = json!({"streamEpoch": state["streamEpoch"], "seq": state["seq"], "window": state["window"]});
    json!({ "held": held })
}

async fn state_since(api: &Api, state: &Value) -> Result<Value> {
    api.query("realtime.getState", held(state)).await
}
