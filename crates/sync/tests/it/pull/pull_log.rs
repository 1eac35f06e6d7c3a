//! The pull log: the cause, the duration of each step, and the outcome of each pull.

use std::time::Duration;

use centrifugo::testing::Server;
use chrono::{SubsecRound, TimeDelta};
use google_emulator::{Fault, Rule};
use sqlx::PgPool;
use store::pull_log::{self, Entry};
use store::sync_state::Cause;
use store::{intake, poll};
use sync::relay;

use crate::world::{ALICE, World, alice, bob, pull_once};

/// The log entries of Alice's own calendar, newest first.
async fn recent(world: &World) -> Vec<Entry> {
    let mut conn = world.pool.acquire().await.unwrap();
    let calendar = world.id(&alice(), ALICE).await;
    pull_log::recent(&mut conn, &alice(), Some(&[calendar]), 100)
        .await
        .unwrap()
}

/// Google pushes Alice's own calendar.
async fn google_pushes(world: &World) {
    let calendar = world.id(&alice(), ALICE).await;
    let mut conn = world.pool.acquire().await.unwrap();
    intake::mark_pushed(&mut conn, world.clock.now(), &[calendar.into()], &[])
        .await
        .unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn push_can_be_traced_to_the_broker(pool: PgPool) {
    let server = Server::start().await;
    let world = World::new(pool).await;
    world.connect(&alice()).await;
    world.settle().await;
    let [first] = &recent(&world).await[..] else {
        panic!("one entry, the import")
    };
    assert_eq!((first.cause, first.outcome.as_str()), (Cause::Initial, "listed"));
    assert_eq!(first.published_at, None);

    let step = || world.clock.advance(TimeDelta::milliseconds(300));
    let id = world.add(ALICE, world.event("Secret lunch", 1, 11));
    world.add(ALICE, world.event("Dinner", 1, 18));
    google_pushes(&world).await;
    // Postgres keeps microseconds.
    let pushed_at = world.clock.now().trunc_subsecs(6);
    step();
    world.settle().await;
    step();
    relay::run_once(&world.pool, &server.client(), world.clock.now())
        .await
        .unwrap();

    let entries = recent(&world).await;
    let [entry, import] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert_eq!((entry.cause, entry.outcome.as_str()), (Cause::Push, "ok"));
    assert_eq!((entry.changed, entry.deleted, entry.pages), (2, 0, 1));
    assert_eq!(entry.asked_at, pushed_at);
    assert_eq!(entry.started_at, pushed_at + TimeDelta::milliseconds(300));
    assert!(entry.started_at <= entry.committed_at && entry.committed_at < entry.published_at.unwrap());
    assert!(import.published_at.is_some(), "the import was published too");
    assert!(entry.seq > import.seq, "{entries:?}");

    world.google.delete(ALICE, ALICE, &id).unwrap();
    google_pushes(&world).await;
    world.settle().await;
    let entry = &recent(&world).await[0];
    assert_eq!((entry.changed, entry.deleted, entry.published_at), (0, 1, None));
    let kept: Vec<String> = sqlx::query_scalar("select r::text from sync_rounds r")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    assert!(
        !kept.iter().any(|row| row.contains("lunch") || row.contains(&id)),
        "must not contain calendar data: {kept:?}"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn polls_without_changes_share_one_row(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let every = Duration::from_mins(5);
    for _ in 0..4 {
        world.clock.advance(TimeDelta::minutes(10));
        let mut conn = world.pool.acquire().await.unwrap();
        poll::mark_due(&mut conn, world.clock.now(), every, every, 10)
            .await
            .unwrap();
        drop(conn);
        world.settle().await;
    }
    let entries = recent(&world).await;
    let [polls, _import] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert_eq!((polls.cause, polls.outcome.as_str()), (Cause::Poll, "no_change"));
    assert_eq!((polls.times, polls.seq), (4, None));
    assert_eq!(polls.last_at - polls.committed_at, TimeDelta::minutes(30));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn failed_pull_records_reason_and_overtaken_pull_records_nothing(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.connect(&bob()).await;
    world.settle().await;
    let unavailable = Fault::Error {
        status: 503,
        reason: None,
        message: None,
        retry_after: None,
    };
    world.fault(Rule::new("events.list", unavailable).of_calendar(ALICE).times(2));
    google_pushes(&world).await;
    for _ in 0..3 {
        world.settle().await;
        world.let_time_pass().await;
    }
    let entries = recent(&world).await;
    let [ok, failed, _import] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert_eq!((failed.outcome.as_str(), failed.times), ("transient", 2));
    assert_eq!((failed.pages, failed.changed, failed.seq), (0, 0, None));
    assert_eq!((ok.outcome.as_str(), ok.asked_at), ("no_change", failed.asked_at));

    // The lease expires during the call to Google: the worker's log entry is rolled back too.
    world.add(ALICE, world.event("Lunch", 1, 11));
    google_pushes(&world).await;
    let listings = world.listings();
    let slow = Fault::Delay {
        ms: 500,
        jitter_ms: 0,
    };
    world.fault(Rule::new("events.list", slow).of_calendar(ALICE).times(1));
    let overtaken = async {
        world.until_asked(listings + 1).await;
        sqlx::query("update sync_state set leased_until = now() where lease_token is not null")
            .execute(&world.pool)
            .await
            .unwrap();
    };
    let (pass, ()) = tokio::join!(pull_once(&world.ctx), overtaken);
    pass.unwrap();
    assert_eq!(recent(&world).await.len(), 3);
    world.settle().await;
    assert_eq!(recent(&world).await[0].outcome, "ok");
}
