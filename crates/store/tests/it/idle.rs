//! Statements that run on a timer cost next to nothing when nothing is due, however many calendars there are.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::pin::Pin;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection, PgPool};
use store::overview::{self, Counts, Thresholds};
use store::seal::{self, Keyring};
use store::watches::{self, Healthy};
use store::{
    canary, connections, dead_letters, event_versions, events, oauth_states, outbox, poll, quota, sync_state,
    write_intents,
};
use uuid::Uuid;

use crate::support::{LEASE, user};

/// Less than each table that grows with the calendars has.
const ROWS_READ_MAX: i64 = 1_500;
const ACCOUNTS: i64 = 4_000;
/// Resources that a statement examines in their turn.
const IN_TURN: i64 = 100;
const ADDRESS: &str = "https://calwire.example.com/api/calendar/webhook";

type Running<'a> = Pin<Box<dyn Future<Output = sqlx::Result<()>> + 'a>>;

struct Timer {
    name: &'static str,
    run: for<'a> fn(&'a mut PgConnection) -> Running<'a>,
}

macro_rules! timers {
    ($($name:literal: |$conn:ident| $run:expr,)*) => {
        [$(Timer { name: $name, run: |$conn| Box::pin(async move { $run.await.map(drop) }) }),*]
    };
}

/// All statements that `watch-renewer` and `webhook-ingest` run on a timer, and those of scrapes and health checks.
fn timers() -> Vec<Timer> {
    timers![
        "watches::candidates": |conn| watches::candidates(conn, healthy(), Uuid::nil(), IN_TURN),
        "watches::wanted": |conn| async {
            let candidates = watches::candidates(conn, healthy(), Uuid::nil(), IN_TURN).await?;
            let ids: Vec<_> = candidates.iter().map(|candidate| candidate.resource_id).collect();
            let wanted = watches::wanted(conn, healthy(), &ids).await?;
            assert_eq!((ids.len(), wanted.len()), (usize::try_from(IN_TURN).unwrap(), 0));
            Ok::<(), sqlx::Error>(())
        },
        "watches::end_requests": |conn| watches::end_requests(conn, &[(Uuid::max().into(), now())]),
        "watches::acquire_to_stop": |conn| watches::acquire_to_stop(conn, now(), None, LEASE, 8),
        "watches::purge": |conn| watches::purge(conn, now() - TimeDelta::hours(1), now() - TimeDelta::days(31)),
        "poll::active": |conn| poll::active(conn),
        "poll::mark_due": |conn| poll::mark_due(conn, now(), LEASE, LEASE, 500),
        "connections::acquire_disconnecting": |conn| connections::acquire_disconnecting(conn, now(), LEASE, 10),
        "connections::acquire_recheck": |conn| async {
            connections::acquire_recheck(conn, now(), &keyring(), LEASE, LEASE).await
        },
        "sync_state::acquire": |conn| sync_state::acquire(conn, LEASE, 8),
        "sync_state::acquire_behind_horizon": |conn| sync_state::acquire_behind_horizon(conn, now(), LEASE, &[]),
        "outbox::acquire": |conn| outbox::acquire(conn, LEASE, 32, 50),
        "write_intents::acquire": |conn| write_intents::acquire(conn, LEASE, 8),
        "write_intents::purge": |conn| write_intents::purge(conn, now() - TimeDelta::days(1), 1_000),
        "event_versions::purge": |conn| event_versions::purge(conn, now() - TimeDelta::days(1), 1_000),
        "events::purge_stale": |conn| events::purge_stale(conn, 5_000),
        "events::next_unconverted": |conn| events::next_unconverted(conn, Uuid::nil().into(), 50),
        "events::forget_unconverted": |conn| events::forget_unconverted(conn),
        "quota::purge": |conn| quota::purge(conn, now()),
        "oauth_states::purge_expired": |conn| oauth_states::purge_expired(conn, now()),
        "dead_letters::purge": |conn| dead_letters::purge(conn, now() - TimeDelta::days(7)),
        "canary::acquire": |conn| async { canary::acquire(conn, now(), &user("user-7"), LEASE).await },
        "canary::heard_at": |conn| async { canary::heard_at(conn, &user("user-7")).await },
        "seal::missing_keys": |conn| async { seal::missing_keys(conn, &keyring()).await },
        "overview::read": |conn| overview::read(conn, now()),
        "overview::count": |conn| async {
            overview::count(conn, thresholds(), Uuid::nil(), IN_TURN, &mut Counts::default()).await
        },
    ]
    .into()
}

/// Without a public URL there are no channels, but those that Google still has.
fn timers_without_push() -> Vec<Timer> {
    timers!["watches::replace_any": |conn| watches::replace_any(conn, 5_000),].into()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn statements_on_a_timer_read_only_their_work(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    fill(&mut conn).await;
    check(&mut conn, &timers()).await;
    sqlx::raw_sql("update watches set state = 'stopped'; analyze watches")
        .execute(&mut *conn)
        .await
        .unwrap();
    check(&mut conn, &timers_without_push()).await;
}

async fn check(conn: &mut PgConnection, timers: &[Timer]) {
    let mut found = Vec::new();
    for Timer { name, run } in timers {
        // Postgres plans for any parameters after some runs.
        for n in 0..8 {
            let before = rows_read(conn).await;
            run(conn).await.unwrap();
            let read = rows_read(conn).await - before;
            if read > ROWS_READ_MAX {
                found.push(format!("{name}, run {n}: {read} rows"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Rows that were read from the tables, by all sessions.
async fn rows_read(conn: &mut PgConnection) -> i64 {
    for sql in [
        "select pg_stat_force_next_flush()",
        "select pg_stat_clear_snapshot()",
    ] {
        sqlx::query(sql).execute(&mut *conn).await.unwrap();
    }
    sqlx::query_scalar(
        "select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint from pg_stat_user_tables",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-22T09:00:00Z".parse().unwrap()
}

fn healthy() -> Healthy<'static> {
    Healthy {
        now: now(),
        address: ADDRESS,
        heard_since: now() - TimeDelta::hours(12),
        change_seen_before: now() - TimeDelta::minutes(5),
    }
}

fn thresholds() -> Thresholds<'static> {
    Thresholds {
        now: now(),
        late_before: now() - TimeDelta::minutes(2),
        poll_late_before: now() - TimeDelta::minutes(5),
        missed_before: now() - TimeDelta::minutes(5),
        quota_spent: "quota_spent",
    }
}

fn keyring() -> Keyring {
    "1:4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=".parse().unwrap()
}

/// Accounts with four watched calendars each, all of which are current.
async fn fill(conn: &mut PgConnection) {
    let mut tx = conn.begin().await.unwrap();
    for sql in [
        "insert into connections (id, user_id, google_sub, email, scopes, refresh_token, created_at, updated_at)
         select gen_random_uuid(), 'user-' || n, n, '', '{}', '\\x010000000100', now(), now() from generate_series(1, $1) n
         where $2 is not null and $3 is not null",
        "insert into calendars (id, connection_id, user_id, google_id, summary, time_zone, access_role, selected,
                                created_at, updated_at)
         select gen_random_uuid(), id, user_id, n, '', 'UTC', 'owner', true, $2, $2 from connections, generate_series(1, 4) n
         where $1 > 0 and $3 is not null",
        "insert into sync_state (resource_id, kind, connection_id, user_id, dirty_seq, synced_seq, sync_token, generation,
                                 poll_at, last_push_at, last_pull_at, horizon_until)
         select id, 'events', connection_id, user_id, 1, 1, 'token', 1, $2 + interval '10 minutes', $2, $2,
                $2 + interval '1 year'
         from calendars where $1 > 0 and $3 is not null
         union all
         select id, 'calendar_list', id, user_id, 1, 1, 'token', 0, $2 + interval '10 minutes', $2, $2, null
         from connections",
        "insert into watches (channel_id, resource_id, connection_id, token_sha256, google_resource_id, expires_at, renew_at,
                              state, address, created_at)
         select resource_id, resource_id, connection_id, '', '', $2 + interval '7 days', $2 + interval '5 days', 'live', $3, $2
         from sync_state where $1 > 0",
        "insert into user_stream (user_id, epoch, seq)
         select user_id, gen_random_uuid(), 1 from connections where $1 > 0 and $2 is not null and $3 is not null",
        "insert into sync_rounds (calendar_id, number, user_id, cause, asked_at, started_at, committed_at, outcome, pages,
                                  changed, deleted, last_at)
         select id, 1, user_id, 'push', $2, $2, $2, 'ok', 1, 1, 0, $2 from calendars where $1 > 0 and $3 is not null",
        "insert into events (calendar_id, generation, event_id, etag, status, raw, view)
         select id, 1, 'event', '', 'confirmed', '{}', '{}' from calendars where $1 > 0 and $2 is not null and $3 is not null",
        "insert into event_versions (calendar_id, event_id, etag, raw, replaced_at)
         select id, 'event', '', '{}', $2 from calendars where $1 > 0 and $3 is not null",
        "insert into write_intents (id, user_id, idempotency_key, request_sha256, connection_id, calendar_id, operation,
                                    event_id, work, state, created_at)
         select gen_random_uuid(), user_id, id, '', connection_id, id, 'create', '', '{}', 'done', $2
         from calendars where $1 > 0 and $3 is not null",
    ] {
        let query = sqlx::query(sql).bind(ACCOUNTS).bind(now()).bind(ADDRESS);
        query.execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    sqlx::query("analyze").execute(conn).await.unwrap();
}

/// A request that is repeated while the first is examined is not lost.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_requested_channel_is_examined_out_of_turn(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    fill(&mut conn).await;
    let last: Uuid =
        sqlx::query_scalar("select resource_id from sync_state order by resource_id desc limit 1")
            .fetch_one(&mut *conn)
            .await
            .unwrap();
    let requested = async |conn: &mut PgConnection| {
        let candidates = watches::candidates(conn, healthy(), Uuid::nil(), 10)
            .await
            .unwrap();
        candidates
            .iter()
            .find(|candidate| candidate.resource_id.as_uuid() == last)
            .and_then(|candidate| candidate.requested_at)
    };
    assert_eq!(requested(&mut conn).await, None);
    sync_state::resume(&mut conn, now(), &[last.into()])
        .await
        .unwrap();
    let first = requested(&mut conn).await.unwrap();
    // Repeated while it is examined.
    sync_state::request_channel(&mut conn, last.into()).await.unwrap();
    watches::end_requests(&mut conn, &[(last.into(), first)])
        .await
        .unwrap();
    let second = requested(&mut conn).await.unwrap();
    assert!(second > first);
    watches::end_requests(&mut conn, &[(last.into(), second)])
        .await
        .unwrap();
    assert_eq!(requested(&mut conn).await, None);
}
