//! Promise 9 while the broker is down: no message is lost, repeated or out of order.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use e2e::Stack;
use e2e::google::{ALICE, timed};
use e2e::oracle::{View, mirror_equals_google};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_centrifugo_is_down() -> Result<()> {
    let mut stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, before) = stack.browser(&alice).await?;
    let mut view = View::load(&alice).await?;
    stack
        .google
        .insert(ALICE, "primary", timed("Before", TimeDelta::hours(1), "UTC"))?;
    view.apply(&socket.next_change().await?).await?;

    stack.broker.kill();
    for n in 0..5 {
        stack.google.insert(
            ALICE,
            "primary",
            timed(&format!("Away {n}"), TimeDelta::hours(n), "UTC"),
        )?;
        mirror_equals_google(&stack, "alice").await?;
    }
    // The API still works; only the position on the channel is unknown.
    let answer = alice
        .query("calendar.google.getUpcomingEvents", json!({"maxResults": 50}))
        .await?;
    assert!(
        answer["events"]
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["title"] == "Away 0")
    );
    // Long enough for every immediate retry to fail.
    tokio::time::sleep(Duration::from_mins(1)).await;
    stack.broker.start_again()?;

    // A browser that resumes from its old position cannot be recovered, and reloads.
    let (mut socket, after) = stack.browser(&alice).await?;
    assert_ne!(after.epoch, before.epoch, "the broker started empty");
    view.catch_up(&mut socket).await?;
    stack.settled("alice").await;
    stack
        .google
        .insert(ALICE, "primary", timed("After", TimeDelta::hours(1), "UTC"))?;
    view.catch_up(&mut socket).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn seq_rises_by_one_from_message_to_message() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    for n in 0..20 {
        stack.google.insert(
            ALICE,
            "primary",
            timed(&format!("Event {n}"), TimeDelta::minutes(n), "UTC"),
        )?;
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    mirror_equals_google(&stack, "alice").await?;
    stack.settled("alice").await;
    let mut seqs = Vec::new();
    while let Some(message) = socket.next_within(Duration::from_millis(500)).await? {
        seqs.push(message["seq"].as_i64().unwrap());
    }
    assert!(!seqs.is_empty());
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?}");
    stack.end().await
}
