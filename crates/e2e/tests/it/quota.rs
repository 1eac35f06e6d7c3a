//! Promise 13: when Google limits the rate, Calwire waits for as long as requested, and then catches up.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use e2e::google::{ALICE, BOB, timed};
use e2e::oracle::mirror_equals_google;
use e2e::{Stack, wait};
use google_emulator::{Fault, Rule};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_quota_delays_only_its_own_user() -> Result<()> {
    let stack = Stack::start().await?;
    let alice = stack.connect_and_settle("alice").await?;
    let bob = stack.connect_and_settle("bob").await?;
    let (mut socket, _) = stack.browser(&bob).await?;
    let spent = stack.google.fault(
        Rule::new(
            "events.list",
            Fault::Error {
                status: 403,
                reason: Some("userRateLimitExceeded".to_owned()),
                message: None,
                retry_after: Some(3),
            },
        )
        .of_user(ALICE),
    );
    stack
        .google
        .insert(ALICE, "primary", timed("Must wait", TimeDelta::hours(1), "UTC"))?;
    let refusals = || {
        let lists = stack.google.requests_to("events.list");
        lists
            .iter()
            .filter(|list| list.user.as_deref() == Some(ALICE) && list.status == Some(403))
            .count()
    };
    wait::until("Google has refused alice", async || {
        (refusals() > 0).then_some(())
    })
    .await;

    // Only alice's budget is spent: bob's change is published at once.
    stack
        .google
        .insert(BOB, "primary", timed("Need not wait", TimeDelta::hours(1), "UTC"))?;
    assert_eq!(
        socket.next_change().await?["upserted"][0]["events"][0]["title"],
        "Need not wait"
    );

    // More pushes and an impatient user do not make Calwire call Google any sooner.
    let before = refusals();
    for n in 0..5 {
        stack.google.insert(
            ALICE,
            "primary",
            timed(&format!("Event {n}"), TimeDelta::hours(n), "UTC"),
        )?;
        alice.mutate("calendar.google.syncNow", Value::Null).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        refusals() <= before + 1,
        "{} refusals within two seconds",
        refusals() - before
    );

    stack.google.clear_fault(&spent);
    mirror_equals_google(&stack, "alice").await?;
    stack.end().await
}
