//! Pulls under Google's errors and lost leases.

use std::time::Duration;

use chrono::TimeDelta;
use common::worker::Pass;
use google_emulator::{Fault, Rule};
use sqlx::PgPool;
use sync::pull::Puller;

use crate::world::{ALICE, TEAM, World, alice, pull_once};

fn error(status: u16, reason: &str) -> Fault {
    Fault::Error {
        status,
        reason: Some(reason.into()),
        message: None,
        retry_after: None,
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn worker_without_lease_commits_nothing(pool: PgPool) {
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
    let (pass, ()) = tokio::join!(pull_once(&world.ctx), rival);
    assert_eq!(pass.unwrap(), Pass::Worked);
    assert!(world.mirror(&alice(), ALICE).await.is_empty());
    assert_eq!(world.sync_token(&alice(), ALICE).await, token);
    assert!(world.messages(&alice()).await.is_empty());
    world.let_time_pass().await;
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn paused_worker_cannot_commit_after_its_lease(pool: PgPool) {
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
    let (pass, ()) = tokio::join!(pull_once(&world.ctx), paused);
    pass.unwrap();
    assert!(world.mirror(&alice(), ALICE).await.is_empty());
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
}

/// The number of event listings for calendars whose id contains `calendar`.
fn listings_of(world: &World, calendar: &str) -> usize {
    let requests = world.google.requests_to("events.list");
    requests
        .iter()
        .filter(|request| request.path.contains(calendar))
        .count()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn forbidden_is_classified_by_its_reason(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for (reason, word) in [
        ("rateLimitExceeded", "rate_limited"),
        ("userRateLimitExceeded", "rate_limited"),
        ("quotaExceeded", "quota_spent"),
        ("insufficientPermissions", "scope_missing"),
        ("forbidden", "access_doubtful"),
    ] {
        world.fault(Rule::new("events.list", error(403, reason)).of_calendar(ALICE));
        world.push_and_settle(&alice()).await;
        assert_eq!(
            world.last_error(&alice(), ALICE).await.as_deref(),
            Some(word),
            "{reason}"
        );
        let before = listings_of(&world, "alice");
        world.push_and_settle(&alice()).await;
        assert_eq!(
            listings_of(&world, "alice"),
            before,
            "{reason}: not asked again before its time"
        );
        world.google.clear_faults();
        // Past every pause that such a response starts; the project's pause uses Postgres's clock.
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
async fn missing_scope_suspends_pulls_and_sends_one_message(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.fault(Rule::new("events.list", error(403, "insufficientPermissions")));
    for _ in 0..3 {
        world.push_and_settle(&alice()).await;
        world.let_time_pass().await;
    }
    assert_eq!(
        world.message_types(&alice()).await.first(),
        Some(&"connection.changed")
    );
    assert_eq!(
        world.listings(),
        4,
        "two calendars, each imported once and rejected once"
    );
    world.google.clear_faults();
    world.connect(&alice()).await;
    world.add(ALICE, world.event("Event", 1, 9));
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn lost_calendar_is_hidden_reported_once_and_restored(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, world.event("Together", 1, 11));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    world.fault(Rule::new("events.list", error(404, "notFound")).of_calendar(TEAM));
    for _ in 0..3 {
        world.push_and_settle(&alice()).await;
        world.let_time_pass().await;
    }
    assert_eq!(world.message_types(&alice()).await, ["calendars.changed"]);
    assert!(world.calendar(&alice(), TEAM).await.access_lost_at.is_some());
    assert!(world.day(&alice(), 1).await.is_empty());
    // A page that dropped the calendar needs all of it, not only the changes since.
    world.add(TEAM, world.event("New", 1, 13));
    world.google.clear_faults();
    world.let_time_pass().await;
    world.push_and_settle(&alice()).await;
    assert!(world.calendar(&alice(), TEAM).await.access_lost_at.is_none());
    assert_eq!(world.day(&alice(), 1).await.len(), 2);
    assert_eq!(world.message_types(&alice()).await, ["calendars.changed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn transient_failures_are_retried(pool: PgPool) {
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
async fn rejected_access_token_is_refreshed_once(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(ALICE, world.event("Event", 1, 9));
    world.google.expire_access_tokens(ALICE);
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(world.google.requests_to("oauth.token").len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn slow_calendar_delays_no_other(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(TEAM, world.event("Together", 1, 11));
    world.add(ALICE, world.event("Alone", 1, 12));
    // Longer than the rest of the test takes on any machine.
    let slow = Fault::Delay {
        ms: 600_000,
        jitter_ms: 0,
    };
    world.fault(Rule::new("events.list", slow).of_calendar(TEAM).times(1));
    let before = listings_of(&world, "team");
    let puller = Puller::new(world.ctx.clone(), 2);
    world.push(&alice()).await;
    // The slow one is leased first.
    sqlx::query("update sync_state set not_before = '-infinity' where resource_id = $1")
        .bind(world.id(&alice(), TEAM).await.as_uuid())
        .execute(&world.pool)
        .await
        .unwrap();
    while world.mirror(&alice(), ALICE).await.is_empty() {
        puller.run_once().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(listings_of(&world, "team"), before + 1, "the pull has started");
    assert!(
        world.mirror(&alice(), TEAM).await.is_empty(),
        "and is still running"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn slow_answer_does_not_lose_the_lease(pool: PgPool) {
    let mut world = World::of_alice(pool).await;
    world.add(ALICE, world.event("Event", 1, 8));
    let mut settings = sync::Settings::clone(&world.ctx.settings);
    settings.lease = Duration::from_secs(2);
    world.ctx.settings = settings.into();
    let slow = Fault::Delay {
        ms: 4_000,
        jitter_ms: 0,
    };
    world.fault(Rule::new("events.list", slow).of_calendar(ALICE).times(1));
    let before = listings_of(&world, "alice");
    let puller = Puller::new(world.ctx.clone(), 8);
    world.push(&alice()).await;
    while world.mirror(&alice(), ALICE).await.is_empty() {
        puller.run_once().await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        listings_of(&world, "alice"),
        before + 1,
        "no other worker took over"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn pull_that_kills_workers_is_delayed_with_backoff(pool: PgPool) {
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
    assert!(killed().await, "a single lost worker causes no delay");
    for _ in 0..2 {
        pull_once(&world.ctx).await.unwrap();
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
        assert!(killed().await, "it is retried");
    }
    pull_once(&world.ctx).await.unwrap();
    world.let_time_pass().await;
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
    // After a success, a single lost worker is normal again.
    world.add(ALICE, world.event("Event", 1, 9));
    world.push(&alice()).await;
    assert!(killed().await);
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
}
