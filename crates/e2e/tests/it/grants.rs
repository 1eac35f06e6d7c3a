//! Promises 5, 6, 11, 12 and 14: grants that end, calendars that cannot be watched, listings that break off.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use e2e::google::{self, ALICE, timed};
use e2e::oracle::{View, mirror_equals_google};
use e2e::{Options, Stack, wait};
use google_emulator::{Fault, Rule};
use serde_json::{Value, json};

const HOLIDAYS: &str = "en.ch#holiday@group.v.calendar.google.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_is_reported_and_the_data_stays() -> Result<()> {
    let options = Options::default().tune("grant_confirm_seconds", 1);
    let stack = Stack::with(options).await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    stack.google.revoke(ALICE);
    alice.mutate("calendar.google.syncNow", Value::Null).await?;
    let message = loop {
        let message = socket.next().await?;
        if message["type"] == "connection.changed" {
            break message;
        }
    };
    assert_eq!(message["state"], "reauth_required");
    let answer = alice
        .query(
            "calendar.google.getUpcomingEvents",
            json!({"days": 30, "maxResults": 50}),
        )
        .await?;
    assert_eq!(
        (&answer["connected"], &answer["mode"]),
        (&json!(true), &json!("paused"))
    );
    assert!(
        !answer["events"].as_array().unwrap().is_empty(),
        "the mirrored events stay readable"
    );

    // Connecting again restores it in place.
    google::consent(&stack.google, &alice, ALICE, None).await?;
    stack
        .google
        .insert(ALICE, "primary", timed("Back again", TimeDelta::hours(1), "UTC"))?;
    mirror_equals_google(&stack, "alice").await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_at_the_token_endpoint_never_ends_a_grant() -> Result<()> {
    let stack = Stack::with(Options::default().tune("grant_confirm_seconds", 1)).await?;
    let alice = stack.connect_and_settle("alice").await?;
    let broken = Fault::Error {
        status: 503,
        reason: None,
        message: None,
        retry_after: None,
    };
    stack.google.fault(Rule::new("oauth.token", broken).times(3));
    stack.google.expire_access_tokens(ALICE);
    stack.google.insert(
        ALICE,
        "primary",
        timed("In spite of it", TimeDelta::hours(1), "UTC"),
    )?;
    mirror_equals_google(&stack, "alice").await?;
    let status = alice.query("calendar.google.status", Value::Null).await?;
    assert_eq!(status["connections"][0]["state"], "healthy", "{status}");
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_google_cannot_watch_is_polled_and_healthy() -> Result<()> {
    let stack = Stack::with(Options::default().tune("poll_unwatched_seconds", 2)).await?;
    // The holidays are such a calendar; here the primary calendar is another.
    stack
        .google
        .fault(Rule::new("events.watch", Fault::Unwatchable).of_calendar(ALICE));
    let alice = stack.connect_and_settle("alice").await?;
    let unwatched = [
        stack.calendar_id("alice", HOLIDAYS).await?,
        stack.calendar_id("alice", ALICE).await?,
    ];
    let polled = async || {
        let status = alice.query("calendar.google.status", Value::Null).await.ok()?;
        let calendars = status["calendars"].as_array()?;
        let modes = calendars
            .iter()
            .filter(|each| unwatched.iter().any(|id| each["calendarId"] == id.as_str()));
        let healthy = status["connections"][0]["state"] == "healthy";
        (healthy && modes.filter(|each| each["mode"] == "polling").count() == 2).then_some(())
    };
    wait::until("both are polled and the connection is healthy", polled).await;
    // There is no push, yet a change there is published.
    let (mut socket, _) = stack.browser(&alice).await?;
    stack.google.insert(
        ALICE,
        "primary",
        timed("Found by a poll", TimeDelta::hours(1), "UTC"),
    )?;
    assert_eq!(
        socket.next_change().await?["upserted"][0]["events"][0]["title"],
        "Found by a poll"
    );
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_public_url_calwire_polls() -> Result<()> {
    let options = Options {
        push: false,
        ..Options::default()
    }
    .tune("poll_unwatched_seconds", 1);
    let stack = Stack::with(options).await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    stack
        .google
        .insert(ALICE, "primary", timed("Polled", TimeDelta::hours(1), "UTC"))?;
    assert_eq!(
        socket.next_change().await?["upserted"][0]["events"][0]["title"],
        "Polled"
    );
    let answer = alice
        .query("calendar.google.getUpcomingEvents", Value::Null)
        .await?;
    assert_eq!(answer["mode"], "polling");
    assert_eq!(stack.google.channels().len(), 0, "no channel without an address");
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_after_410_keeps_old_data_readable() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let mut view = View::load(&alice).await?;
    let doomed = stack.google.insert(
        ALICE,
        "primary",
        timed("Deleted in between", TimeDelta::hours(1), "UTC"),
    )?;
    view.catch_up(&mut socket).await?;
    // The tombstone is never listed: the deletion is between a dead token and a full listing. The full listing breaks off too:
    // its second page answers another 410.
    stack.google.fault(Rule::new("push", Fault::Drop).times(1));
    stack
        .google
        .delete(ALICE, "primary", doomed["id"].as_str().unwrap())?;
    stack.google.expire_sync_tokens(None);
    stack
        .google
        .fault(Rule::new("events.list", Fault::PageSize { size: 3 }).times(6));
    stack
        .google
        .fault(Rule::new("events.list", Fault::EmptyPage { page: 2 }).times(1));
    stack
        .google
        .fault(Rule::new("events.list", Fault::Gone { page: 2 }).times(1));
    stack.google.insert(
        ALICE,
        "primary",
        timed("After the token's end", TimeDelta::hours(2), "UTC"),
    )?;
    // Old data stays readable until the new is complete.
    let shown = async || {
        let answer = alice
            .query(
                "calendar.google.getUpcomingEvents",
                json!({"days": 30, "maxResults": 50}),
            )
            .await
            .ok()?;
        Some(answer["events"].as_array()?.len())
    };
    for _ in 0..20 {
        assert!(
            shown().await.is_some_and(|events| events > 5),
            "readers never see an empty calendar"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    mirror_equals_google(&stack, "alice").await?;
    view.catch_up(&mut socket).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_renewers_keep_one_channel_for_each_calendar() -> Result<()> {
    let options = Options {
        renewers: 2,
        ..Options::default()
    };
    let stack = Stack::with(options).await?;
    // Google grants twenty seconds, so there are two renewals within the test.
    stack
        .google
        .fault(Rule::new("events.watch", Fault::ShortExpiry { seconds: 20 }));
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    for n in 0..25 {
        stack.google.insert(
            ALICE,
            "primary",
            timed(&format!("Event {n}"), TimeDelta::minutes(n), "UTC"),
        )?;
        assert!(
            socket.next_within(Duration::from_secs(10)).await?.is_some(),
            "change {n} arrived by a push"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let pending_or_double: i64 = sqlx::query_scalar(
        "select count(*) from (select resource_id from watches where state = 'live' group by 1 having count(*) > 1) n",
    )
    .fetch_one(&stack.database.pool)
    .await?;
    assert_eq!(pending_or_double, 0);
    assert!(
        !stack.google.requests_to("channels.stop").is_empty(),
        "replaced channels are stopped"
    );
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnecting_stops_channels_then_revokes_then_deletes() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let channels = async || (!stack.google.channels().is_empty()).then_some(());
    wait::until("the calendars are watched", channels).await;
    let status = alice.query("calendar.google.status", Value::Null).await?;
    let connection = status["connections"][0]["id"].clone();
    alice
        .mutate("calendar.google.disconnect", json!({"connectionId": connection}))
        .await?;
    let gone = async || {
        let rows: i64 = sqlx::query_scalar("select count(*) from connections where user_id = 'alice'")
            .fetch_one(&stack.database.pool)
            .await
            .ok()?;
        (rows == 0 && stack.google.channels().is_empty()).then_some(())
    };
    wait::until("the account is deleted and its channels are stopped", gone).await;
    assert!(!stack.google.requests_to("oauth.revoke").is_empty());
    let answer = alice
        .query("calendar.google.getUpcomingEvents", Value::Null)
        .await?;
    assert_eq!(answer["connected"], false);
    stack.end().await
}
