//! Statements read only the rows they need, however many rows other users have.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, Utc};
use common::ids::UserId;
use sqlx::{PgConnection, PgPool};
use store::instances::ReadRange;
use store::reading::{self, Load, Request};
use store::{calendars, connections, sync_state, users};

/// Rows of the queue per user.
const RESOURCES: i64 = 4;
const IN_ALL: i64 = 8_000;

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn foreign_keys_have_an_index(pool: PgPool) {
    let without: Vec<String> = sqlx::query_scalar(
        "select conrelid::regclass::text || ': ' || pg_get_constraintdef(c.oid) from pg_constraint c
         where contype = 'f' and connamespace = 'public'::regnamespace
           and not exists (
               select from pg_index i
               where i.indrelid = c.conrelid and i.indisvalid and i.indpred is null
                 and (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(c.conkey)] @> c.conkey)
         order by 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(without.is_empty(), "{without:#?}");
}

/// Pages are opened every second, and the queue is the table with the most writes.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_users_requests_read_only_their_own_queue_rows(pool: PgPool) {
    fill(&pool).await;
    let (alice, now) = (UserId::parse("user-1000").unwrap(), now());
    let own = RESOURCES.unsigned_abs();
    let mut tx = pool.begin().await.unwrap();
    let mut read = vec![("", read_of_queue(&mut tx).await)];
    let opened = sync_state::mark_dirty_on_view(&mut tx, now, &alice)
        .await
        .unwrap();
    read.push(("mark_dirty_on_view", read_of_queue(&mut tx).await));
    sqlx::query("update sync_state set synced_seq = dirty_seq where user_id = 'user-1000'")
        .execute(&mut *tx)
        .await
        .unwrap();
    read.push(("", read_of_queue(&mut tx).await));
    let asked = sync_state::mark_dirty_of_user(&mut tx, now, &alice, None)
        .await
        .unwrap();
    read.push(("mark_dirty_of_user", read_of_queue(&mut tx).await));
    connections::of_user(&mut tx, &alice).await.unwrap();
    read.push(("connections::of_user", read_of_queue(&mut tx).await));
    calendars::evidence(&mut tx, now, &alice, None).await.unwrap();
    read.push(("calendars::evidence", read_of_queue(&mut tx).await));
    users::small_tables(&mut tx, &alice).await.unwrap();
    read.push(("users::small_tables", read_of_queue(&mut tx).await));
    assert_eq!((opened, asked), (own, own));
    for pair in read.windows(2) {
        let (what, rows) = (pair[1].0, pair[1].1 - pair[0].1);
        // Some exist in more than one version, since all of this is one transaction.
        assert!(
            what.is_empty() || rows <= 4 * RESOURCES,
            "{what} has read {rows} rows"
        );
    }
}

/// Many users are read in one statement, which must not make it worth reading a table as a whole.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_statement_for_many_users_reads_by_index(pool: PgPool) {
    fill(&pool).await;
    for sql in [
        "insert into user_stream (user_id, epoch, seq) select 'user-' || n, gen_random_uuid(), n from generate_series(1, 2000) n",
        "insert into instances (user_id, calendar_id, generation, event_id, series_id, is_master, starts_at, ends_at,
                                is_all_day, starts, length)
         select user_id, id, 0, n, n, false, t, t + interval '1 hour', false, array[t], 3600
         from calendars, generate_series(1, 10) n, lateral (select '2026-11-22T09:00:00Z'::timestamptz + n * interval '1 day' t) t",
        "insert into events (calendar_id, generation, event_id, etag, status, raw, view)
         select calendar_id, generation, event_id, '', '', '{}', '{}' from instances",
        "analyze",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let range = ReadRange {
        from: now(),
        to: now() + chrono::TimeDelta::days(5),
    };
    let load = Load {
        unless: None,
        range,
        limit: 20,
    };
    let requests: Vec<Request> = (1..=64)
        .map(|number| Request {
            user: UserId::parse(format!("user-{number}")).unwrap(),
            with_queue: true,
            load: Some(load),
        })
        .collect();
    let mut tx = pool.begin().await.unwrap();
    let before = read_as_a_whole(&mut tx).await;
    // Postgres plans for any parameters after some runs.
    for _ in 0..8 {
        let readings = reading::read(&mut tx, now(), &requests).await.unwrap();
        assert!(
            readings
                .iter()
                .all(|one| one.events.as_ref().is_some_and(|events| events.len() == 20))
        );
    }
    assert_eq!(read_as_a_whole(&mut tx).await, before);
}

/// How many rows this session has read by reading tables as a whole, by the last update of Postgres's statistics.
async fn read_as_a_whole(conn: &mut PgConnection) -> Vec<(String, i64)> {
    sqlx::query_as(
        "select relname::text, seq_tup_read from pg_stat_xact_user_tables where seq_tup_read > 0 order by 1",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-22T09:00:00Z".parse().unwrap()
}

async fn fill(pool: &PgPool) {
    for sql in [
        "insert into connections (id, user_id, google_sub, email, scopes, created_at, updated_at)
         select gen_random_uuid(), 'user-' || n, n, '', '{}', now(), now() from generate_series(1, $1 / $2) n",
        "insert into sync_state (resource_id, kind, connection_id, user_id)
         select gen_random_uuid(), 'events', id, user_id from connections, generate_series(1, $2) where $1 > 0",
        "insert into calendars (id, connection_id, user_id, google_id, summary, time_zone, access_role, selected,
                                created_at, updated_at)
         select resource_id, connection_id, user_id, resource_id, '', 'UTC', 'owner', true, now(), now()
         from sync_state where $1 > $2",
    ] {
        let query = sqlx::query(sql).bind(IN_ALL).bind(RESOURCES);
        query.execute(pool).await.unwrap();
    }
    sqlx::query("analyze").execute(pool).await.unwrap();
}

/// Rows of the queue that this session has read, by the last update of Postgres's statistics; they are not updated within a
/// transaction.
async fn read_of_queue(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables
         where relname = 'sync_state'",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}
