//! The numbers behind the metrics: they measure the thing itself, and the totals agree with the single calendars.

use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::ResourceId;
use event_model::wire::Mode;
use sqlx::PgPool;
use store::overview::{Counts, Overview};
use store::sync_state;
use store::{calendars, intake, poll};
use sync::freshness::freshness;
use sync::metrics::overview;

use crate::world::{ALICE, TEAM, World, alice};

async fn read(world: &World) -> Overview {
    overview::read(&world.ctx).await.unwrap()
}

async fn count(world: &World) -> Counts {
    overview::count(&world.ctx, 0, &Mutex::default()).await.unwrap()
}

/// The modes of Alice's calendars.
async fn modes(world: &World) -> Vec<Mode> {
    let mut conn = world.pool.acquire().await.unwrap();
    let now = world.clock.now();
    let evidence = calendars::evidence(&mut conn, now, &alice(), None).await.unwrap();
    let late = world.ctx.settings.push_late;
    evidence
        .iter()
        .map(|each| freshness(each, now, late).mode)
        .collect()
}

async fn run(world: &World, sql: &str, at: DateTime<Utc>) {
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .bind(at)
        .execute(&world.pool)
        .await
        .unwrap();
}

/// Google pushes Alice's calendar.
async fn push(world: &World, resource: ResourceId) {
    let mut conn = world.pool.acquire().await.unwrap();
    intake::mark_pushed(&mut conn, world.clock.now(), &[resource], &[])
        .await
        .unwrap();
}

async fn poll_now(world: &World) {
    run(world, "update sync_state set poll_at = $1", world.clock.now()).await;
    let mut conn = world.pool.acquire().await.unwrap();
    let (often, rarely) = (Duration::from_mins(1), Duration::from_mins(15));
    poll::mark_due(&mut conn, world.clock.now(), rarely, often, 100)
        .await
        .unwrap();
    drop(conn);
    world.settle().await;
}

/// A channel on each of Alice's calendars, created an hour ago.
async fn watch_all(world: &World) {
    let sql = "insert into watches (channel_id, resource_id, connection_id, token_sha256, state, address, expires_at, \
               renew_at, created_at) select 'channel-' || resource_id, resource_id, connection_id, '', 'live', '', \
               $1 + interval '7 days', $1 + interval '5 days', $1 - interval '1 hour' from sync_state";
    run(world, sql, world.clock.now()).await;
}

/// Conditions of a calendar, as statements about Alice's team calendar; `$1` is now. A calendar without access is not
/// shown to the user, so there is no mode to compare with.
const CONDITIONS: [&str; 10] = [
    "update sync_state set last_pull_at = null where resource_id = :team and $1 is not null",
    "update sync_state set dirty_seq = synced_seq + 1, dirty_at = $1 - interval '91 s' where resource_id = :team",
    "update sync_state set dirty_seq = synced_seq + 1, dirty_at = $1, due_since = $1 - interval '2 min' where resource_id = :team",
    "update sync_state set poll_at = $1 - interval '6 min' where resource_id = :team",
    "update sync_state set last_error = 'quota_spent' where resource_id = :team and $1 is not null",
    "update sync_state set last_error = 'transient' where resource_id = :team and $1 is not null",
    "update sync_state set not_before = 'infinity' where resource_id = :team and $1 is not null",
    "update watches set expires_at = $1 - interval '1 s' where resource_id = :team",
    "update sync_state set missed_push_at = $1 - interval '4 min' where resource_id = :team",
    "update sync_state set missed_push_at = $1 - interval '6 min' where resource_id = :team",
];
const HEALTHY: [&str; 2] = [
    "update sync_state set last_pull_at = $1, dirty_seq = synced_seq, dirty_at = null, due_since = null, \
     poll_at = $1 + interval '1 min', last_error = null, not_before = '-infinity', missed_push_at = null",
    "update watches set expires_at = $1 + interval '7 days'",
];

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn overview_counts_agree_with_each_calendars_mode(pool: PgPool) {
    let world = World::of_alice(pool).await;
    watch_all(&world).await;
    let team = world.id(&alice(), TEAM).await.to_string();
    let now = world.clock.now();
    let mut seen = Vec::new();
    // Every pair of conditions, and each alone.
    for first in CONDITIONS {
        for second in CONDITIONS {
            for sql in HEALTHY {
                run(&world, sql, now).await;
            }
            for condition in [first, second] {
                run(&world, &condition.replace(":team", &format!("'{team}'")), now).await;
            }
            let modes = modes(&world).await;
            let counted = count(&world).await.calendars;
            for (mode, word) in [
                (Mode::Push, "push"),
                (Mode::Polling, "polling"),
                (Mode::Stale, "stale"),
                (Mode::Paused, "paused"),
            ] {
                let each = modes.iter().filter(|found| **found == mode).count();
                let all: i64 = counted
                    .iter()
                    .filter(|row| row.mode == word)
                    .map(|row| row.count)
                    .sum();
                assert_eq!(
                    all,
                    i64::try_from(each).unwrap(),
                    "{word}: {first} + {second}: {counted:?}"
                );
                if each == 1 {
                    seen.push(word);
                }
            }
        }
    }
    for word in ["push", "polling", "stale", "paused"] {
        assert!(
            seen.contains(&word),
            "{word} was never the team calendar's mode: {seen:?}"
        );
    }
}

/// Guards against a gauge of a field that every new push resets: it would look healthy for days.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn age_grows_through_failing_pulls_and_new_pushes(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let resource = ResourceId::from(world.id(&alice(), ALICE).await);
    assert_eq!(read(&world).await.waiting.count, 0);
    push(&world, resource).await;
    let since = world.clock.now();
    let same = |oldest: Option<DateTime<Utc>>| (oldest.unwrap() - since).abs() < TimeDelta::milliseconds(1);
    for _ in 0..3 {
        world.clock.advance(TimeDelta::seconds(40));
        let mut conn = world.pool.acquire().await.unwrap();
        let taken = sync_state::acquire(&mut conn, Duration::from_mins(1), 10)
            .await
            .unwrap();
        // A push during the pull marks it dirty again.
        push(&world, resource).await;
        let deferred = sync_state::defer(&mut conn, &taken[0].lease, Duration::ZERO, "transient").await;
        assert!(deferred.unwrap());
        let failing = read(&world).await.failing;
        assert_eq!(failing.count, 1);
        assert!(same(failing.oldest), "{failing:?} instead of {since}");
    }
    let mut conn = world.pool.acquire().await.unwrap();
    let evidence = calendars::evidence(&mut conn, world.clock.now(), &alice(), None)
        .await
        .unwrap();
    assert!(
        evidence
            .iter()
            .any(|each| each.due_since.is_some_and(|at| same(Some(at))))
    );
    drop(conn);
    assert!(modes(&world).await.contains(&Mode::Stale));
    world.settle().await;
    let after = read(&world).await;
    assert_eq!((after.waiting.count, after.failing.count), (0, 0));
    assert_eq!((after.waiting.oldest, after.failing.oldest), (None, None));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn worker_taking_over_sees_the_expired_lease(pool: PgPool) {
    let world = World::of_alice(pool).await;
    push(&world, world.id(&alice(), ALICE).await.into()).await;
    let mut conn = world.pool.acquire().await.unwrap();
    let first = sync_state::acquire(&mut conn, Duration::ZERO, 10).await.unwrap();
    assert!(!first[0].taken_over);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let second = sync_state::acquire(&mut conn, Duration::from_mins(1), 10)
        .await
        .unwrap();
    assert!(second[0].taken_over && second[0].lease.attempts == 2);
    sync_state::defer(&mut conn, &second[0].lease, Duration::ZERO, "transient")
        .await
        .unwrap();
    let third = sync_state::acquire(&mut conn, Duration::from_mins(1), 10)
        .await
        .unwrap();
    assert!(!third[0].taken_over, "it was released");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn missed_push_makes_calendar_polled_until_push_works_again(pool: PgPool) {
    let world = World::of_alice(pool).await;
    watch_all(&world).await;
    let resource = ResourceId::from(world.id(&alice(), ALICE).await);
    world.clock.advance(TimeDelta::minutes(1));
    poll_now(&world).await;

    // A change that a push reported is not missed, however long ago the push was.
    world.add(ALICE, world.event("Pushed", 1, 11));
    push(&world, resource).await;
    world.clock.advance(TimeDelta::seconds(1));
    world.settle().await;
    world.clock.advance(TimeDelta::minutes(20));
    poll_now(&world).await;
    assert_eq!(count(&world).await.watches.deaf, 0);
    assert_eq!(modes(&world).await, [Mode::Push, Mode::Push]);

    // Nor is a change that a poll finds just before its push.
    world.add(ALICE, world.event("Pushed late", 1, 12));
    poll_now(&world).await;
    world.clock.advance(TimeDelta::minutes(4));
    assert_eq!(
        modes(&world).await,
        [Mode::Push, Mode::Push],
        "the push may still arrive"
    );
    push(&world, resource).await;
    world.settle().await;
    world.clock.advance(TimeDelta::minutes(2));
    poll_now(&world).await;
    assert_eq!(count(&world).await.watches.deaf, 0);

    // A change without any push is missed.
    world.clock.advance(TimeDelta::minutes(20));
    world.add(ALICE, world.event("Not pushed", 1, 13));
    poll_now(&world).await;
    world.clock.advance(TimeDelta::minutes(6));
    poll_now(&world).await;
    let counts = count(&world).await;
    assert_eq!(counts.watches.deaf, 1);
    assert!(
        counts
            .calendars
            .iter()
            .any(|row| row.mode == "polling" && row.reason == "push_missed")
    );
    assert!(modes(&world).await.contains(&Mode::Polling));
    let next: DateTime<Utc> = sqlx::query_scalar("select poll_at from sync_state where resource_id = $1")
        .bind(resource.as_uuid())
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert!(
        next - world.clock.now() < TimeDelta::minutes(2),
        "polled as if it were not watched"
    );

    push(&world, resource).await;
    world.settle().await;
    poll_now(&world).await;
    assert_eq!(count(&world).await.watches.deaf, 0);
    assert_eq!(modes(&world).await, [Mode::Push, Mode::Push]);
}
