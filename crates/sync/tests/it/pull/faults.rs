//! What Google refuses, and who may commit.

use std::time::Duration;

use chrono::TimeDelta;
use common::worker::Pass;
use google_emulator::{Fault, Rule};
use sqlx::PgPool;
use sync::pull::{self, Puller};

use crate::world::{ALICE, TEAM, World, alice};

fn error(status: u16, reason: &str) -> Fault {
    Fault::Error {
        status,
        reason: Some(reason.into()),
        message: None,
        retry_after: None,
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_worker_that_lost_its_lease_commits_nothing(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for hour in 8..13 {
        world.add(ALICE, world.event("Event", 1, hour));
    }
    let token = world.sync_token(&alice(), ALICE).await;
    let slow = Fault::Delay {
        ms: 1_000,
        jitter_ms: 0,
    };
    let listings = world.listings();
    world.fault(Rule::new("events.list", slow).of_calendar(ALICE).times(1));
    world.push(&alice()).await;
    let rival = async {
        world.until_asked(listings + 2).await;
        sqlx::query("update sync_state set lease_token = gen_random_uuid()")
            .execute(&world.pool)
            .await
            .unwrap();
    };
    let (pass, ()) = tokio::join!(pull::run_once(&world.ctx), rival);
    assert_eq!(pass.unwrap(), Pass::Worked);
    assert!(world.mirror(&alice(), ALICE).await.is_empty());
    assert_eq!(world.sync_token(&alice(), ALICE).await, token);
    assert!(world.told(&alice()).await.is_empty());
    world.let_time_pass().await;
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_paused_worker_cannot_commit_after_its_lease(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(ALICE, world.event("Event", 1, 8));
    let slow = Fault::Delay {
        ms: 1_000,
        jitter_ms: 0,
    };
    let listings = world.listings();
    world.fault(Rule::new("events.list", slow).of_calendar(ALICE).times(1));
    world.push(&alice()).await;
    let paused = async {
        world.until_asked(listings + 2).await;
        sqlx::query("update sync_state set leased_until = now()")
            .execute(&world.pool)
            .await
            .unwrap();
    };
    let (pass, ()) = tokio::join!(pull::run_once(&world.ctx), paused);
    pass.unwrap();
    assert!(world.mirror(&alice(), ALICE).await.is_empty());
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
}

/// How often Google was asked for the events of a calendar whose id has this in it.
fn asked_for(world: &World, calendar: &str) -> usize {
    let requests = world.google.requests_to("events.list");
    requests
        .iter()
        .filter(|request| request.path.contains(calendar))
        .count()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_403_is_read_by_its_reason(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for (reason, word) in [
        ("rateLimitExceeded", "rate_limited"),
        ("userRateLimitExceeded", "rate_limited"),
        ("quotaExceeded", "quota_spent"),
        ("insufficientPermissions", "scope_missing"),
        ("forbidden", "access_lost"),
    ] {
        world.fault(Rule::new("events.list", error(403, reason)).of_calendar(ALICE));
        world.push_and_settle(&alice()).await;
        assert_eq!(
            world.last_error(&alice(), ALICE).await.as_deref(),
            Some(word),
            "{reason}"
        );
        let before = asked_for(&world, "alice");
        world.push_and_settle(&alice()).await;
        assert_eq!(
            asked_for(&world, "alice"),
            before,
            "{reason}: not asked again before its time"
        );
        world.google.clear_faults();
        // Past every pause that such an answer begins; that of everybody's calls goes by Postgres's clock.
        world.clock.advance(TimeDelta::minutes(61));
        let mut conn = world.pool.acquire().await.unwrap();
        sqlx::query("delete from quota_pauses")
            .execute(&mut *conn)
            .await
            .unwrap();
        let calendar = world.calendar(&alice(), ALICE).await;
        store::sync_state::resume_connection(&mut conn, world.clock.now(), calendar.connection_id)
            .await
            .unwrap();
        drop(conn);
        world.settle().await;
        assert_eq!(
            world.last_error(&alice(), ALICE).await,
            None,
            "{reason}: all is well again"
        );
        assert_eq!(world.calendar(&alice(), ALICE).await.access_lost_at, None);
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_missing_scope_is_told_and_waits_for_the_user(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.fault(Rule::new("events.list", error(403, "insufficientPermissions")));
    for _ in 0..3 {
        world.push_and_settle(&alice()).await;
        world.let_time_pass().await;
    }
    assert_eq!(
        world.told_kinds(&alice()).await.first(),
        Some(&"connection.changed")
    );
    assert_eq!(
        world.listings(),
        4,
        "two calendars, imported once and refused once"
    );
    world.google.clear_faults();
    world.connect(&alice()).await;
    world.add(ALICE, world.event("Event", 1, 9));
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_calendar_that_is_gone_leaves_the_screen_is_told_once_and_comes_back(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, world.event("Together", 1, 11));
    world.push_and_settle(&alice()).await;
    world.told(&alice()).await;
    world.fault(Rule::new("events.list", error(404, "notFound")).of_calendar(TEAM));
    for _ in 0..3 {
        world.push_and_settle(&alice()).await;
        world.let_time_pass().await;
    }
    assert_eq!(world.told_kinds(&alice()).await, ["calendars.changed"]);
    assert!(world.calendar(&alice(), TEAM).await.access_lost_at.is_some());
    assert!(world.day(&alice(), 1).await.is_empty());
    // What has changed meanwhile is not all that a page lacks.
    world.add(TEAM, world.event("New", 1, 13));
    world.google.clear_faults();
    world.let_time_pass().await;
    world.push_and_settle(&alice()).await;
    assert!(world.calendar(&alice(), TEAM).await.access_lost_at.is_none());
    assert_eq!(world.day(&alice(), 1).await.len(), 2);
    assert_eq!(world.told_kinds(&alice()).await, ["calendars.changed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_nobodys_fault_is_tried_again(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(ALICE, world.event("Event", 1, 9));
    for fault in [
        error(500, "backendError"),
        Fault::BadGateway,
        Fault::Reset { after: false },
        Fault::Truncate,
        Fault::Garbage,
    ] {
        world.fault(
            Rule::new("events.list", fault.clone())
                .of_calendar(ALICE)
                .times(1),
        );
        world.push_and_settle(&alice()).await;
        assert_eq!(
            world.last_error(&alice(), ALICE).await.as_deref(),
            Some("transient"),
            "{fault:?}"
        );
        world.let_time_pass().await;
        world.settle().await;
        assert_eq!(world.last_error(&alice(), ALICE).await, None, "{fault:?}");
    }
    world.assert_in_step(&alice(), ALICE).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_access_token_that_google_refuses_is_replaced_once(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(ALICE, world.event("Event", 1, 9));
    world.google.expire_access_tokens(ALICE);
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(world.google.requests_to("oauth.token").len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_slow_calendar_holds_up_no_other(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, world.event("Together", 1, 11));
    world.add(ALICE, world.event("Alone", 1, 12));
    // Longer than any machine takes for the rest; the test ends before the answer.
    let slow = Fault::Delay {
        ms: 600_000,
        jitter_ms: 0,
    };
    world.fault(Rule::new("events.list", slow).of_calendar(TEAM).times(1));
    let asked = asked_for(&world, "team");
    let puller = Puller::new(world.ctx.clone(), 2);
    world.push(&alice()).await;
    // The slow one is taken first, whichever was pulled last before.
    sqlx::query("update sync_state set not_before = '-infinity' where resource_id = $1")
        .bind(world.id(&alice(), TEAM).await.as_uuid())
        .execute(&world.pool)
        .await
        .unwrap();
    while world.mirror(&alice(), ALICE).await.is_empty() {
        puller.run_once().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(asked_for(&world, "team"), asked + 1, "at work");
    assert!(world.mirror(&alice(), TEAM).await.is_empty(), "and still is");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pull_that_ends_one_worker_after_the_other_is_put_off_ever_longer(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(ALICE, world.event("Event", 1, 8));
    world.push(&alice()).await;
    let calendar = world.id(&alice(), ALICE).await;
    let killed = async || {
        let mut conn = world.pool.acquire().await.unwrap();
        let due = store::sync_state::acquire(&mut conn, Duration::from_mins(1), 10)
            .await
            .unwrap();
        let taken = due.iter().any(|pull| pull.lease.key == calendar.into());
        world.let_time_pass().await;
        taken
    };
    let last_error = async || world.last_error(&alice(), ALICE).await;
    assert!(killed().await);
    assert!(killed().await, "one that is gone is nothing");
    for _ in 0..2 {
        pull::run_once(&world.ctx).await.unwrap();
        assert_eq!(last_error().await.as_deref(), Some("worker_lost"));
        assert!(world.mirror(&alice(), ALICE).await.is_empty());
        let waits: bool =
            sqlx::query_scalar("select not_before > now() from sync_state where resource_id = $1")
                .bind(calendar.as_uuid())
                .fetch_one(&world.pool)
                .await
                .unwrap();
        assert!(waits);
        world.let_time_pass().await;
        assert!(killed().await, "it is tried again");
    }
    pull::run_once(&world.ctx).await.unwrap();
    world.let_time_pass().await;
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
    // All is well again: the next one that is gone is nothing.
    world.add(ALICE, world.event("Event", 1, 9));
    world.push(&alice()).await;
    assert!(killed().await);
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
}
