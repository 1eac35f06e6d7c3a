//! The main job: a change in Google arrives in the browser's socket as a typed change, and the API reads it back.
//!
//! Run with one of each service here, and with several in `scale.rs`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use e2e::google::{self, timed};
use e2e::normal_form::upserted;
use e2e::{Stack, wait};
use google_emulator::{Fault, Rule};
use serde_json::{Value, json};

pub async fn a_change_in_google_reaches_socket_and_api(stack: Stack) -> Result<()> {
    let alice = stack.connect_and_settle("alice").await?;
    let calendar = stack.calendar_id("alice", google::ALICE).await?;
    let (mut socket, _) = stack.browser(&alice).await?;

    let event = timed("Lunch with Bob", TimeDelta::hours(2), "Europe/Zurich");
    let created = stack.google.insert(google::ALICE, "primary", event)?;
    let id = created["id"].as_str().unwrap();

    let message = socket.next_change().await?;
    assert_eq!(message["v"], 2);
    assert_eq!(message["type"], "events.changed");
    assert_eq!(message["calendarId"], calendar.as_str());
    assert_eq!(message["upserted"][0]["seriesId"], id);
    let occurrence = &upserted(&message)[0];
    assert_eq!(occurrence["title"], "Lunch with Bob");
    assert_eq!(occurrence["timeZone"], "Europe/Zurich");
    assert_eq!(
        occurrence["start"], created["start"]["dateTime"],
        "the event's own offset is kept"
    );

    // The API answers the same event as the socket, field by field.
    let answer = alice
        .query(
            "calendar.google.getUpcomingEvents",
            json!({"days": 1, "maxResults": 50}),
        )
        .await?;
    assert_eq!(
        (&answer["connected"], &answer["hasCalendarAccess"]),
        (&json!(true), &json!(true))
    );
    let read = answer["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["eventId"] == id);
    assert_eq!(read, Some(occurrence));
    let freshness = answer["calendars"].as_array().unwrap();
    let mode = freshness
        .iter()
        .find(|each| each["calendarId"] == calendar.as_str())
        .map(|each| &each["mode"]);
    assert_eq!(mode, Some(&json!("push")));

    // Renamed, moved, deleted: each one message, `seq` rising by one.
    let seq = message["seq"].as_i64().unwrap();
    stack.google.patch(
        google::ALICE,
        "primary",
        id,
        json!({"summary": "Dinner with Bob"}),
    )?;
    let renamed = socket.next_change().await?;
    assert_eq!(renamed["seq"], seq + 1);
    assert_eq!(renamed["upserted"][0]["events"][0]["title"], "Dinner with Bob");
    stack.google.delete(google::ALICE, "primary", id)?;
    let deleted = socket.next_change().await?;
    assert_eq!(
        (&deleted["seq"], &deleted["deleted"]),
        (&json!(seq + 2), &json!([id]))
    );
    let answer = alice
        .query(
            "calendar.google.getUpcomingEvents",
            json!({"days": 1, "maxResults": 50}),
        )
        .await?;
    assert!(
        answer["events"]
            .as_array()
            .unwrap()
            .iter()
            .all(|event| event["eventId"] != id)
    );
    stack.end().await
}

pub async fn a_series_is_one_change_with_its_instances(stack: Stack) -> Result<()> {
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;

    let mut weekly = timed("Choir", TimeDelta::hours(1), "America/New_York");
    weekly["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=30"]);
    let master = stack.google.insert(google::ALICE, "primary", weekly)?;
    let message = socket.next_change().await?;
    assert_eq!(message["upserted"][0]["seriesId"], master["id"]);
    assert_eq!(message["upserted"][0]["events"].as_array().map(Vec::len), Some(1));
    let occurrences = upserted(&message);
    assert!(
        (6..=7).contains(&occurrences.len()),
        "the hot window has six weeks ahead: {}",
        occurrences.len()
    );

    // One instance changes: the whole series is published again, with the exception in its place.
    let instance = occurrences[1]["id"].as_str().unwrap();
    stack.google.patch(
        google::ALICE,
        "primary",
        instance,
        json!({"summary": "Choir, with guests"}),
    )?;
    let message = socket.next_change().await?;
    let mut after = upserted(&message);
    after.sort_by_key(|instance| instance["start"].as_str().map(str::to_owned));
    assert_eq!(after.len(), occurrences.len());
    assert_eq!(after[1]["id"], instance);
    assert_eq!(after[1]["title"], "Choir, with guests");
    assert_eq!(after[1]["recurringEventId"], master["id"]);
    assert_eq!(after[2]["title"], "Choir");

    let created = stack
        .google
        .insert(google::ALICE, "primary", google::all_day("Day off", 3))?;
    let message = socket.next_change().await?;
    let occurrence = &upserted(&message)[0];
    assert_eq!(occurrence["allDay"], true);
    assert_eq!(
        (&occurrence["start"], &occurrence["end"]),
        (&created["start"]["date"], &created["end"]["date"])
    );
    stack.end().await
}

pub async fn an_echo_is_silent(stack: Stack) -> Result<()> {
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    // Every push arrives eleven times: ten find nothing new and publish nothing.
    stack
        .google
        .fault(Rule::new("push", Fault::Duplicate { copies: 10 }));
    stack.google.insert(
        google::ALICE,
        "primary",
        timed("News", TimeDelta::hours(1), "UTC"),
    )?;
    assert_eq!(
        socket.next_change().await?["upserted"][0]["events"][0]["title"],
        "News"
    );
    let delivered = async || {
        (stack
            .google
            .pushes()
            .iter()
            .filter(|push| push.status == Some(200))
            .count()
            > 10)
            .then_some(())
    };
    wait::until("the duplicates have been delivered", delivered).await;
    stack.settled("alice").await;
    assert_eq!(socket.next_within(Duration::from_millis(500)).await?, None);
    stack.end().await
}

pub async fn no_user_sees_another_users_calendar(stack: Stack) -> Result<()> {
    let alice = stack.connect_and_settle("alice").await?;
    let bob = stack.connect_and_settle("bob").await?;
    let (mut socket, _) = stack.browser(&bob).await?;

    // The API grants no user another user's channel, and the broker grants no channel without the API's token.
    let refused = bob
        .query(
            "realtime.getSubscriptionToken",
            json!({"channel": "calendar:alice"}),
        )
        .await;
    assert!(refused.unwrap_err().to_string().contains("FORBIDDEN"));
    let own = bob
        .query(
            "realtime.getSubscriptionToken",
            json!({"channel": "calendar:bob"}),
        )
        .await?;
    let own = own["token"].as_str().unwrap();
    assert!(socket.subscribe("calendar:alice", own, None).await.is_err());

    let (mut socket, _) = stack.browser(&bob).await?;
    stack.google.insert(
        google::ALICE,
        "primary",
        timed("Secret of alice", TimeDelta::hours(1), "UTC"),
    )?;
    assert_eq!(
        socket.next_within(Duration::from_secs(2)).await?,
        None,
        "bob receives nothing of alice"
    );
    let calendar = stack.calendar_id("alice", google::ALICE).await?;
    let range =
        json!({"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z", "calendarIds": [calendar]});
    let theft = bob.query("calendar.google.getEvents", range.clone()).await;
    let stolen = theft.map(|answer| answer["events"].as_array().cloned().unwrap_or_default());
    assert!(stolen.map_or(true, |events| events.is_empty()));
    let own = alice.query("calendar.google.getEvents", range).await?;
    assert!(!own["events"].as_array().unwrap().is_empty());
    stack.end().await
}

pub async fn no_connection_and_no_access_are_answers(stack: Stack) -> Result<()> {
    let carol = stack.as_user("carol")?;
    let answer = carol
        .query("calendar.google.getUpcomingEvents", Value::Null)
        .await?;
    assert_eq!(
        (&answer["connected"], &answer["events"]),
        (&json!(false), &json!([]))
    );

    // Consent with the calendar boxes unticked.
    let landed = google::consent(&stack.google, &carol, google::CAROL, Some(&["openid", "email"])).await?;
    assert!(
        landed.contains("scope"),
        "the address names the missing scope: {landed}"
    );
    let answer = carol
        .query("calendar.google.getUpcomingEvents", Value::Null)
        .await?;
    assert_eq!(
        (&answer["connected"], &answer["hasCalendarAccess"]),
        (&json!(true), &json!(false))
    );
    stack.end().await
}
