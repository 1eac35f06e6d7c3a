//! Several calendars and accounts: changes to an account's list, and duplicates of a meeting.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, FixedOffset, TimeDelta};
use e2e::google::{self, ALICE, BOB, timed};
use e2e::normal_form::HeldEvents;
use e2e::rpc::Api;
use e2e::socket::Socket;
use e2e::{Options, Stack, wait};
use google_emulator::seed::SeedCalendar;
use google_emulator::{Fault, Rule};
use serde_json::{Value, json};

const TEAM: &str = "team-calwire@group.calendar.google.com";
const HOLIDAYS: &str = "en.ch#holiday@group.v.calendar.google.com";

/// Waits until the calendar lists of a user's accounts are watched too.
async fn lists_are_watched(stack: &Stack, user: &str) {
    wait::until("the lists of calendars are watched", async || {
        let missing: i64 = sqlx::query_scalar(
            "select count(*) from connections n where user_id = $1 and not exists \
             (select from watches w where w.resource_id = n.id and w.state = 'live')",
        )
        .bind(user)
        .fetch_one(&stack.database.pool)
        .await
        .ok()?;
        (missing == 0).then_some(())
    })
    .await;
    stack.settled(user).await;
}

pub async fn next_of(socket: &mut Socket, kind: &str) -> Result<Value> {
    loop {
        let message = socket.next().await?;
        if message["type"] == kind {
            return Ok(message);
        }
    }
}

async fn calendar(api: &Api, google_id: &str) -> Result<Value> {
    let list = api.query("calendar.google.listCalendars", Value::Null).await?;
    let calendars = list["calendars"].as_array().context("no calendars")?;
    let found = calendars.iter().find(|each| each["googleId"] == google_id);
    found.cloned().with_context(|| format!("there is no {google_id}"))
}

/// The events of the next thirty days, by getEvents.
pub async fn events(api: &Api) -> Result<Vec<Value>> {
    let now = google::now();
    let range = json!({"from": now - TimeDelta::days(1), "to": now + TimeDelta::days(30)});
    let answer = api.query("calendar.google.getEvents", range).await?;
    Ok(answer["events"].as_array().context("no events")?.clone())
}

pub async fn titled(api: &Api, title: &str) -> Result<Vec<Value>> {
    let mut events = events(api).await?;
    events.retain(|event| event["title"] == title);
    Ok(events)
}

pub async fn status(api: &Api) -> Result<Value> {
    api.query("calendar.google.status", Value::Null).await
}

fn extra() -> SeedCalendar {
    let seed = json!({"id": "extra@group.calendar.google.com", "summary": "Extra", "timeZone": "Europe/Zurich",
        "accessRole": "owner", "backgroundColor": "#000000", "foregroundColor": "#ffffff"});
    serde_json::from_value(seed).expect("a calendar")
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_to_the_calendar_list_reach_pages_by_push() -> Result<()> {
    // No poll within the test: changes arrive only by push.
    let hour = 3_600;
    let options = Options::default()
        .tune("poll_watched_seconds", hour)
        .tune("poll_unwatched_seconds", hour);
    let stack = Stack::with(options).await?;
    let alice = stack.connect_and_settle("alice").await?;
    lists_are_watched(&stack, "alice").await;
    let (mut socket, _) = stack.browser(&alice).await?;

    let change = json!({"summaryOverride": "Colleagues", "backgroundColor": "#123456"});
    stack.google.patch_calendar(ALICE, TEAM, change)?;
    next_of(&mut socket, "calendars.changed").await?;
    let team = calendar(&alice, TEAM).await?;
    assert_eq!(
        (&team["summary"], &team["backgroundColor"]),
        (&json!("Colleagues"), &json!("#123456"))
    );

    let extra = extra();
    stack.google.add_calendar(ALICE, &extra)?;
    stack
        .google
        .insert(ALICE, &extra.id, timed("Elsewhere", TimeDelta::hours(5), "UTC"))?;
    next_of(&mut socket, "calendars.changed").await?;
    let seen = async || (titled(&alice, "Elsewhere").await.ok()?.len() == 1).then_some(());
    wait::until("the new calendar's event is there", seen).await;
    // Its first import.
    next_of(&mut socket, "events.changed").await?;

    stack.google.remove_calendar(ALICE, &extra.id)?;
    next_of(&mut socket, "calendars.changed").await?;
    assert!(titled(&alice, "Elsewhere").await?.is_empty());
    let lost = calendar(&alice, &extra.id).await?;
    assert_eq!(
        (&lost["accessLost"], &lost["freshness"]["mode"]),
        (&json!(true), &json!("paused"))
    );
    let status = status(&alice).await?;
    assert_eq!(status["connections"][0]["state"], "healthy");
    let calendars = status["calendars"].as_array().unwrap();
    assert!(calendars.iter().all(|each| each["calendarId"] != lost["id"]));

    stack.google.add_calendar(ALICE, &extra)?;
    next_of(&mut socket, "calendars.changed").await?;
    wait::until("the calendar is back", seen).await;
    assert_eq!(calendar(&alice, &extra.id).await?["accessLost"], false);

    // Another role changes the permissions, and open pages are notified.
    let editable = async || {
        let events = events(&alice).await.ok()?;
        let of_team = events.iter().filter(|event| event["calendarId"] == team["id"]);
        Some(of_team.filter(|event| event["canEdit"] != json!([])).count())
    };
    assert!(editable().await.is_some_and(|events| events > 0));
    stack
        .google
        .patch_calendar(ALICE, TEAM, json!({"accessRole": "reader"}))?;
    next_of(&mut socket, "calendars.changed").await?;
    wait::until("nothing of it can be edited", async || {
        (editable().await? == 0).then_some(())
    })
    .await;
    next_of(&mut socket, "events.changed").await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unwatchable_list_is_polled_and_healthy() -> Result<()> {
    let stack = Stack::with(Options::default().tune("poll_unwatched_seconds", 2)).await?;
    let refused = Fault::Error {
        status: 400,
        reason: Some("pushNotSupportedForRequestedResource".to_owned()),
        message: None,
        retry_after: None,
    };
    stack.google.fault(Rule::new("calendarList.watch", refused));
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let change = json!({"summaryOverride": "Found by a poll"});
    stack.google.patch_calendar(ALICE, TEAM, change)?;
    next_of(&mut socket, "calendars.changed").await?;
    assert_eq!(calendar(&alice, TEAM).await?["summary"], "Found by a poll");

    let holidays = calendar(&alice, HOLIDAYS).await?;
    assert_eq!(
        (&holidays["pushSupported"], &holidays["freshness"]["mode"]),
        (&json!(false), &json!("polling"))
    );
    let before = holidays["freshness"]["asOf"].clone();
    wait::until("a poll has made it newer", async || {
        let holidays = calendar(&alice, HOLIDAYS).await.ok()?;
        assert_eq!(holidays["freshness"]["mode"], "polling");
        (holidays["freshness"]["asOf"].as_str()? > before.as_str()?).then_some(())
    })
    .await;
    assert_eq!(calendar(&alice, TEAM).await?["freshness"]["mode"], "push");
    assert_eq!(status(&alice).await?["connections"][0]["state"], "healthy");
    stack.end().await
}

/// Connects alice to the Google accounts of alice and of bob.
pub async fn two_accounts(stack: &Stack) -> Result<Api> {
    let alice = stack.connect_and_settle("alice").await?;
    let landed = google::consent(&stack.google, &alice, BOB, None).await?;
    ensure!(landed.contains("connected"), "{landed}");
    let listed = async || {
        let bob = calendar(&alice, BOB).await.ok()?;
        (!bob["freshness"]["asOf"].is_null()).then_some(())
    };
    wait::until("the other account's calendars are there", listed).await;
    stack.settled("alice").await;
    stack.watched("alice").await;
    stack.settled("alice").await;
    Ok(alice)
}

/// A meeting tomorrow.
fn joint(id: &str, more: &Value) -> Value {
    let mut body = timed(&format!("Joint {id}"), TimeDelta::hours(26), "Europe/Zurich");
    if let (Some(fields), Some(more)) = (body.as_object_mut(), more.as_object()) {
        fields.insert("id".to_owned(), json!(id));
        fields.extend(more.clone());
    }
    body
}

fn answer_in_google(stack: &Stack, account: &str, id: &str) -> Value {
    let event = stack.google.event(account, id).unwrap_or_default();
    let guests = event["attendees"].as_array().cloned().unwrap_or_default();
    let own = guests.into_iter().find(|guest| guest["email"] == account);
    own.map_or(Value::Null, |guest| guest["responseStatus"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_of_two_accounts_is_shown_once() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = two_accounts(&stack).await?;
    // The same account again is the same connection.
    google::consent(&stack.google, &alice, ALICE, None).await?;
    let accounts = status(&alice).await?["connections"].as_array().unwrap().len();
    assert_eq!(accounts, 2);

    let (mut socket, _) = stack.browser(&alice).await?;
    // Google adds the invitation to bob's calendar.
    let guests = json!({"attendees": [{"email": ALICE}, {"email": BOB}]});
    stack
        .google
        .insert(ALICE, "primary", joint("jointmeeting", &guests))?;
    // Changes are per calendar: each duplicate is published.
    let first = socket.next_titled("Joint jointmeeting").await?;
    let second = socket.next_titled("Joint jointmeeting").await?;
    assert_ne!(first["calendarId"], second["calendarId"]);
    let (in_alices, in_bobs) = (
        calendar(&alice, ALICE).await?["id"].clone(),
        calendar(&alice, BOB).await?["id"].clone(),
    );
    let shown = async || -> Result<Value> {
        let mut found = titled(&alice, "Joint jointmeeting").await?;
        ensure!(found.len() == 1, "{found:?}");
        Ok(found.remove(0))
    };
    let event = shown().await?;
    let copies = event["copies"].as_array().context("no copies")?;
    let calendars: Vec<_> = copies.iter().map(|copy| copy["calendarId"].clone()).collect();
    assert_eq!(calendars, [in_alices.clone(), in_bobs.clone()]);
    assert_eq!(event["calendarId"], in_alices);
    let snapshot = alice.query("realtime.getState", Value::Null).await?;
    let events = HeldEvents::of_state(&snapshot);
    let kept = events.iter().filter(|each| each["title"] == "Joint jointmeeting");
    assert_eq!(kept.count(), 2);

    // Each account answers its own invitation: first the shown one, then the unanswered one.
    for (account, calendar, other) in [(ALICE, &in_alices, BOB), (BOB, &in_bobs, ALICE)] {
        let event = shown().await?;
        assert_eq!(&event["calendarId"], calendar);
        let before = answer_in_google(&stack, other, "jointmeeting");
        let input = json!({"idempotencyKey": format!("answer-{account}"), "calendarId": event["calendarId"],
            "eventId": event["id"], "responseStatus": "accepted"});
        alice.mutate("calendar.google.respondToEvent", input).await?;
        assert_eq!(answer_in_google(&stack, account, "jointmeeting"), "accepted");
        assert_eq!(answer_in_google(&stack, other, "jointmeeting"), before);
    }
    // Both are answered: the organizer's duplicate is first again, and has all answers.
    let event = shown().await?;
    let answers = event["copies"].as_array().unwrap().iter();
    let answers: Vec<_> = answers.map(|copy| copy["responseStatus"].clone()).collect();
    assert_eq!(answers, ["accepted", "accepted"]);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_of_instances_match_by_original_start() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = two_accounts(&stack).await?;
    // As if both had imported the same invitation of a stranger.
    let series = json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=5"], "iCalUID": "joint@elsewhere.example"});
    for (account, id) in [(ALICE, "jointseries"), (BOB, "bobsseries")] {
        let mut body = joint(id, &series);
        body["summary"] = json!("Joint jointseries");
        stack.google.insert(account, "primary", body)?;
    }
    let series = async |expected: usize| {
        wait::until("both copies of the series are there", async || {
            let found = titled(&alice, "Joint jointseries").await.ok()?;
            let whole = found
                .iter()
                .filter(|event| event["copies"].as_array().is_some_and(|all| all.len() == 2));
            (whole.count() == expected && found.len() == 5).then_some(found)
        })
        .await
    };
    let before = series(5).await;
    // One account moves its duplicate of the second and deletes the third.
    let id = |n: usize| before[n]["id"].as_str().unwrap_or_default().to_owned();
    let (mut start, mut end) = (before[1]["start"].clone(), before[1]["end"].clone());
    for time in [&mut start, &mut end] {
        let at: DateTime<FixedOffset> = time.as_str().unwrap().parse()?;
        *time = json!((at + TimeDelta::hours(3)).to_rfc3339());
    }
    let later: DateTime<FixedOffset> = start.as_str().unwrap().parse()?;
    let moved = json!({"start": {"dateTime": start}, "end": {"dateTime": end}});
    let bobs = |n: usize| id(n).replace("jointseries", "bobsseries");
    stack.google.patch(BOB, "primary", &bobs(1), moved)?;
    stack.google.delete(BOB, "primary", &bobs(2))?;
    let after = series(4).await;
    let starts =
        |events: &[Value]| -> Vec<Value> { events.iter().map(|event| event["start"].clone()).collect() };
    assert_eq!(
        starts(&after),
        starts(&before),
        "the duplicates of alice's account are shown"
    );
    assert!(after[2].get("copies").is_none(), "{}", after[2]);
    // If alice's account is hidden, the moved duplicate is shown.
    stack.google.delete(ALICE, "primary", &id(1))?;
    let moved = async || {
        let found = titled(&alice, "Joint jointseries").await.ok()?;
        let second = found.iter().find(|event| event["id"] == bobs(1).as_str())?;
        let start: DateTime<FixedOffset> = second["start"].as_str()?.parse().ok()?;
        (found.len() == 5 && second.get("copies").is_none() && start == later).then_some(())
    };
    wait::until("the other account's moved copy is shown", moved).await;

    // The team's calendar is in both accounts' lists; the limit counts meetings.
    let all = alice
        .query(
            "calendar.google.getUpcomingEvents",
            json!({"days": 14, "maxResults": 50}),
        )
        .await?;
    let all = all["events"].as_array().unwrap();
    ensure!(all.iter().filter(|event| event.get("copies").is_some()).count() > 5);
    for limit in [1, 3, 10, 20] {
        let some = alice
            .query(
                "calendar.google.getUpcomingEvents",
                json!({"days": 14, "maxResults": limit}),
            )
            .await?;
        assert_eq!(some["events"].as_array().unwrap()[..], all[..limit]);
        assert_eq!(some["truncated"], true);
    }
    stack.end().await
}
