//! Promises 1, 2 and 7: pushes that are lost, repeated, late or forged, and that 200 means committed.

use anyhow::Result;
use chrono::TimeDelta;
use e2e::google::{ALICE, timed};
use e2e::oracle::{View, mirror_equals_google};
use e2e::{Options, Stack, wait};
use google_emulator::{Fault, Rule};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_push_during_a_pull_is_not_lost() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    // Pages of one event, the second page late: a change in between is on neither page.
    stack
        .google
        .fault(Rule::new("events.list", Fault::PageSize { size: 1 }).times(2));
    stack.google.fault(
        Rule::new(
            "events.list",
            Fault::Delay {
                ms: 1500,
                jitter_ms: 0,
            },
        )
        .skipping(1)
        .times(1),
    );
    let lists = || stack.google.requests_to("events.list").len();
    let before = lists();
    stack
        .google
        .insert(ALICE, "primary", timed("First", TimeDelta::hours(1), "UTC"))?;
    stack
        .google
        .insert(ALICE, "primary", timed("First, too", TimeDelta::hours(1), "UTC"))?;
    wait::until("the second page is requested", async || {
        (lists() > before + 1).then_some(())
    })
    .await;
    stack
        .google
        .insert(ALICE, "primary", timed("Second", TimeDelta::hours(2), "UTC"))?;
    mirror_equals_google(&stack, "alice").await?;
    let mut titles = Vec::new();
    while titles.len() < 3 {
        let message = socket.next_change().await?;
        for series in message["upserted"].as_array().into_iter().flatten() {
            titles.push(
                series["events"][0]["title"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
    }
    titles.sort();
    assert_eq!(titles, ["First", "First, too", "Second"]);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_repeated_and_reordered_pushes_end_in_the_same_view() -> Result<()> {
    let options = Options::default()
        .tune("poll_watched_seconds", 2)
        .tune("poll_unwatched_seconds", 2);
    let stack = Stack::with(options).await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let mut view = View::load(&alice).await?;
    for fault in [
        Rule::new("push", Fault::Drop).with_probability(0.3),
        Rule::new("push", Fault::Duplicate { copies: 2 }).with_probability(0.3),
        Rule::new(
            "push",
            Fault::Delay {
                ms: 10,
                jitter_ms: 300,
            },
        )
        .with_probability(0.5),
        Rule::new("push", Fault::Reorder).with_probability(0.3),
    ] {
        stack.google.fault(fault);
    }
    let mut ids = Vec::new();
    for n in 0..30 {
        let body = timed(&format!("Event {n}"), TimeDelta::minutes(10 * n), "UTC");
        ids.push(
            stack.google.insert(ALICE, "primary", body)?["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        if n % 3 == 2 {
            stack.google.patch(
                ALICE,
                "primary",
                &ids[ids.len() - 2],
                json!({"summary": "Renamed"}),
            )?;
            stack.google.delete(ALICE, "primary", &ids.remove(0))?;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // The last change has no push at all: the poll finds it.
    stack.google.clear_faults();
    stack.google.fault(Rule::new("push", Fault::Drop));
    stack.google.insert(
        ALICE,
        "primary",
        timed("Without a push", TimeDelta::hours(9), "UTC"),
    )?;
    mirror_equals_google(&stack, "alice").await?;
    view.catch_up(&mut socket).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_push_is_refused_and_changes_nothing() -> Result<()> {
    let stack = Stack::start().await?;
    stack.connect_and_settle("alice").await?;
    let dirt = || async {
        sqlx::query_scalar::<_, Option<i64>>("select sum(dirty_seq)::bigint from sync_state")
            .fetch_one(&stack.database.pool)
            .await
    };
    let (channel, resource): (String, String) =
        sqlx::query_as("select channel_id, google_resource_id from watches where state = 'live' limit 1")
            .fetch_one(&stack.database.pool)
            .await?;
    let before = dirt().await?;
    let push =
        async |channel: Option<&str>, token: &str, resource: &str| -> Result<(u16, serde_json::Value)> {
            let mut request = reqwest::Client::new()
                .post(format!("{}/api/calendar/webhook", stack.ingests[0].url()))
                .header("X-Goog-Channel-Token", token)
                .header("X-Goog-Message-Number", "7")
                .header("X-Goog-Resource-ID", resource)
                .header("X-Goog-Resource-State", "exists")
                .header(
                    "X-Goog-Resource-URI",
                    "https://www.googleapis.com/calendar/v3/calendars/x/events",
                );
            if let Some(channel) = channel {
                request = request.header("X-Goog-Channel-ID", channel);
            }
            let response = request.send().await?;
            Ok((response.status().as_u16(), response.json().await?))
        };
    let (status, body) = push(Some("00000000-0000-0000-0000-000000000000"), "guess", &resource).await?;
    assert_eq!(status, 404, "an unknown channel: {body}");
    let (status, body) = push(Some(&channel), "guess", &resource).await?;
    assert_eq!(status, 403, "a wrong token: {body}");
    let (status, body) = push(None, "guess", &resource).await?;
    assert_eq!(status, 400, "a missing header: {body}");
    assert!(
        body["message"]
            .as_str()
            .unwrap_or_default()
            .to_lowercase()
            .contains("x-goog-channel-id"),
        "{body}"
    );
    assert_eq!(dirt().await?, before);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_push_survives_a_crash_of_postgres() -> Result<()> {
    let mut postgres = e2e::database::Private::start().await?;
    let options = Options {
        database_server: Some(postgres.url()),
        ..Options::default()
    };
    let stack = Stack::with(options).await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    postgres.pause().await?;
    stack.google.insert(
        ALICE,
        "primary",
        timed("While it was away", TimeDelta::hours(1), "UTC"),
    )?;
    let refused = async || {
        stack
            .google
            .pushes()
            .iter()
            .any(|push| push.status == Some(503))
            .then_some(())
    };
    wait::until("a push has been refused with 503", refused).await;
    postgres.resume().await?;
    // Only Google's retry can deliver it.
    let message = socket.next_change().await?;
    assert_eq!(message["upserted"][0]["events"][0]["title"], "While it was away");
    // A crash, not a shutdown: sessions end in the middle of their work.
    for n in 0..10 {
        stack.google.insert(
            ALICE,
            "primary",
            timed(&format!("Crash {n}"), TimeDelta::hours(2), "UTC"),
        )?;
    }
    postgres.crash_and_restart().await?;
    mirror_equals_google(&stack, "alice").await?;
    drop(socket);
    stack.end().await
}
