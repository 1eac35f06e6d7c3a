//! Promises 3, 4, 9 and 11 under kill -9: whichever process dies at whichever step, another continues, and no message is lost or
//! out of order.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use e2e::google::{ALICE, timed};
use e2e::oracle::{View, mirror_equals_google};
use e2e::{Options, Stack, wait};
use google_emulator::{Fault, Rule};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn webhook_ingest_is_killed_during_a_pull() -> Result<()> {
    let mut stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let mut view = View::load(&alice).await?;
    stack
        .google
        .fault(Rule::new("events.list", Fault::PageSize { size: 1 }).times(40));
    stack.google.fault(
        Rule::new(
            "events.list",
            Fault::Delay {
                ms: 3000,
                jitter_ms: 0,
            },
        )
        .skipping(1)
        .times(1),
    );
    let lists = stack.google.requests_to("events.list").len();
    for n in 0..3 {
        stack.google.insert(
            ALICE,
            "primary",
            timed(&format!("Event {n}"), TimeDelta::hours(n), "UTC"),
        )?;
    }
    let second_page = async || (stack.google.requests_to("events.list").len() > lists + 1).then_some(());
    wait::until("the pull requests its second page", second_page).await;
    stack.ingests[0].kill().await;
    // No push is lost: either it was committed, or Google retries it.
    stack.google.insert(
        ALICE,
        "primary",
        timed("While it was dead", TimeDelta::hours(4), "UTC"),
    )?;
    stack.ingests[0].start_again().await?;
    mirror_equals_google(&stack, "alice").await?;
    view.catch_up(&mut socket).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_ingest_is_killed_repeatedly_under_load() -> Result<()> {
    let mut stack = Stack::with(Options {
        ingests: 2,
        ..Options::default()
    })
    .await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let mut view = View::load(&alice).await?;
    for round in 0..6 {
        for n in 0..5 {
            let body = timed(
                &format!("Event {round}.{n}"),
                TimeDelta::minutes(round * 5 + n),
                "UTC",
            );
            stack.google.insert(ALICE, "primary", body)?;
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
        let victim = usize::try_from(round % 2)?;
        stack.ingests[victim].kill().await;
        stack.ingests[victim].start_again().await?;
    }
    mirror_equals_google(&stack, "alice").await?;
    view.catch_up(&mut socket).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_worker_cannot_commit_after_losing_its_lease() -> Result<()> {
    let mut stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let mut view = View::load(&alice).await?;
    let lists = stack.google.requests_to("events.list").len();
    stack.google.fault(
        Rule::new(
            "events.list",
            Fault::Delay {
                ms: 1000,
                jitter_ms: 0,
            },
        )
        .times(1),
    );
    let held = stack
        .google
        .insert(ALICE, "primary", timed("Held", TimeDelta::hours(1), "UTC"))?;
    let asked = async || (stack.google.requests_to("events.list").len() > lists).then_some(());
    wait::until("a worker pulls", asked).await;
    // It is paused past its lease, with Google's answer waiting in its socket; another worker takes over and pulls newer changes.
    stack.ingests[0].process()?.signal("STOP").await?;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    stack.google.patch(
        ALICE,
        "primary",
        held["id"].as_str().unwrap(),
        json!({"summary": "Newer"}),
    )?;
    stack.google.insert(
        ALICE,
        "primary",
        timed("After the takeover", TimeDelta::hours(2), "UTC"),
    )?;
    stack.add_ingest().await?;
    mirror_equals_google(&stack, "alice").await?;
    stack.ingests[0].process()?.signal("CONT").await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    mirror_equals_google(&stack, "alice").await?;
    view.catch_up(&mut socket).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_renewer_is_killed_before_committing_a_channel() -> Result<()> {
    let mut stack = Stack::start().await?;
    // Google has made the channel and pushed on it, but its answer is lost.
    stack.google.fault(Rule::new("events.watch", Fault::SyncFirst));
    stack
        .google
        .fault(Rule::new("events.watch", Fault::Stall { ms: 60_000 }).times(1));
    stack.connect("alice").await?;
    let asked = async || (!stack.google.requests_to("events.watch").is_empty()).then_some(());
    wait::until("a watch is requested", asked).await;
    stack.renewers[0].kill().await;
    stack.google.clear_faults();
    stack.renewers[0].start_again().await?;
    // The dead process's row is taken over, and the unknown channel at Google is stopped.
    stack.settled("alice").await;
    stack.watched("alice").await;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn calendar_api_is_killed_while_others_work() -> Result<()> {
    let mut stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    stack.api.kill().await;
    stack.google.insert(
        ALICE,
        "primary",
        timed("Without the API", TimeDelta::hours(1), "UTC"),
    )?;
    let message = socket.next_change().await?;
    assert_eq!(message["upserted"][0]["events"][0]["title"], "Without the API");
    stack.api.start_again().await?;
    let mut view = View::load(&alice).await?;
    view.catch_up(&mut socket).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_stops_cleanly_on_sigterm() -> Result<()> {
    let mut stack = Stack::start().await?;
    stack.connect_and_settle("alice").await?;
    assert_eq!(stack.ingests[0].terminate().await?, Some(0));
    assert_eq!(stack.renewers[0].terminate().await?, Some(0));
    assert_eq!(stack.api.terminate().await?, Some(0));
    stack.end().await
}
