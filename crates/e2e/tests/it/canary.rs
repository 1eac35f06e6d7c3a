//! The canary, which detects a dead push path while everything else looks healthy.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use e2e::google::{ALICE, timed};
use e2e::oracle::mirror_equals_google;
use e2e::{Options, Stack, wait};
use google_emulator::{Fault, Rule};
use serde_json::Value;

use super::observability::counted;

/// The next poll, which would find a lost push, can be a quarter of an hour away.
#[tokio::test(flavor = "multi_thread")]
async fn the_canary_pulls_when_its_push_is_late() -> Result<()> {
    let options = Options::default()
        .set("CANARY_USER", "carol")
        .tune("canary_seconds", 1)
        .tune("canary_patience_seconds", 3);
    let stack = Stack::with(options).await?;
    stack.connect_and_settle("carol").await?;
    let canary = async |result: &str| {
        let scrape = stack.renewers[0].scrape().await.ok()?;
        scrape.sum("calwire_canary_results_total", &[&format!("result=\"{result}\"")])
    };
    wait::until("the canary's push arrives", async || {
        (canary("push").await? >= 1.0).then_some(())
    })
    .await;
    for endpoint in ["push", "push.sync"] {
        stack.google.fault(Rule::new(endpoint, Fault::Drop));
    }
    // A push within the last ten seconds may be the one of the change.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (polled, late) = (canary("poll").await.unwrap_or_default(), canary("late").await);
    wait::until("the canary reports it", async || {
        (canary("poll").await? >= polled + 2.0).then_some(())
    })
    .await;
    assert_eq!(canary("late").await, late, "only the push is missing");
    stack.end().await
}

/// The push path dies while everything else looks healthy: the canary, the silence and the mode report it, and polls keep
/// calendars fresh.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_push_path_is_reported_while_polls_continue() -> Result<()> {
    let options = Options::default()
        .set("CANARY_USER", "carol")
        .tune("canary_seconds", 1)
        .tune("canary_patience_seconds", 10)
        .tune("push_late_seconds", 2)
        .tune("poll_watched_seconds", 2)
        .tune("poll_unwatched_seconds", 2);
    let stack = Stack::with(options).await?;
    let alice = stack.connect_and_settle("alice").await?;
    stack.connect_and_settle("carol").await?;
    let (mut socket, _) = stack.browser(&alice).await?;
    let calendar = stack.calendar_id("alice", ALICE).await?;
    let renewer = &stack.renewers[0];
    let canary = async |result: &str| {
        let scrape = renewer.scrape().await.ok()?;
        scrape.sum("calwire_canary_results_total", &[&format!("result=\"{result}\"")])
    };
    let mode = async || {
        let state = alice.query("realtime.getState", Value::Null).await.ok()?;
        let all = state["calendars"].as_array()?.clone();
        let of = all
            .into_iter()
            .find(|each| each["calendarId"] == calendar.as_str())?;
        Some(of["mode"].as_str()?.to_owned())
    };
    wait::until("the canary's push arrives", async || {
        (canary("push").await? >= 1.0).then_some(())
    })
    .await;
    assert_eq!(mode().await.as_deref(), Some("push"));
    // A poll may have found the first change, before the calendar's channel existed.
    let polled = canary("poll").await.unwrap_or_default();

    for endpoint in ["push", "push.sync"] {
        stack.google.fault(Rule::new(endpoint, Fault::Drop));
    }
    let died = std::time::Instant::now();
    // Ten seconds of grace for pushes under way, then a poll and the delay that a push may have.
    tokio::time::sleep(Duration::from_secs(12)).await;
    stack
        .google
        .insert(ALICE, "primary", timed("Polled", TimeDelta::hours(1), "UTC"))?;
    socket.next_titled("Polled").await?;
    mirror_equals_google(&stack, "alice").await?;
    wait::until("the canary reports it", async || {
        (canary("poll").await? >= polled + 2.0).then_some(())
    })
    .await;
    wait::until("the mode shows it", async || {
        (mode().await? == "polling").then_some(())
    })
    .await;
    println!(
        "reported {:.1} s after the push path died",
        died.elapsed().as_secs_f64()
    );
    let scrape = renewer.scrape().await?;
    counted(&scrape, "calwire_watches", &["state=\"deaf\""]);
    counted(
        &scrape,
        "calwire_calendars",
        &["mode=\"polling\"", "reason=\"push_missed\""],
    );
    wait::until("both silences are reported", async || {
        let scrape = renewer.scrape().await.ok()?;
        let of = |name: &str| scrape.sum(&format!("calwire_{name}_silence_seconds"), &[]);
        (of("push")? >= 12.0 && of("canary")? >= 12.0).then_some(())
    })
    .await;
    // Everything else looks healthy.
    assert_eq!(scrape.sum("calwire_overview_success", &[]), Some(1.0));
    assert!(
        scrape.sum("calwire_dirty_age_seconds", &[]) < Some(5.0),
        "{}",
        scrape.text()
    );
    let health = reqwest::get(format!("{}/readyz", stack.ingests[0].url())).await?;
    assert_eq!(health.status(), 200);

    // The push path recovers, and that is reported too.
    stack.google.clear_faults();
    let before = canary("push").await.unwrap_or_default();
    wait::until("the canary's push arrives again", async || {
        (canary("push").await? > before).then_some(())
    })
    .await;
    stack
        .google
        .insert(ALICE, "primary", timed("Pushed", TimeDelta::hours(2), "UTC"))?;
    socket.next_titled("Pushed").await?;
    wait::until("the mode is push again", async || {
        (mode().await? == "push").then_some(())
    })
    .await;
    drop(socket);
    stack.end().await
}
