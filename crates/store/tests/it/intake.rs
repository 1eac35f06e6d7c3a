//! Marking resources dirty for pushes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::clock::Clock;
use common::ids::ResourceId;
use sqlx::PgPool;
use store::intake::{self, Marked, NotMarked};
use uuid::Uuid;

fn now() -> DateTime<Utc> {
    // Postgres stores microseconds.
    DateTime::from_timestamp_micros(Clock::system().now().timestamp_micros()).unwrap()
}

async fn connection(pool: &PgPool) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into connections (id, user_id, google_sub, email, scopes, created_at, updated_at)
         values ($1, 'alice', $2, '', '{}', now(), now())",
    )
    .bind(id)
    .bind(id.to_string())
    .execute(pool)
    .await
    .unwrap();
    id
}

async fn resource(pool: &PgPool, connection: Uuid, dirty: i64, synced: i64) -> ResourceId {
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into sync_state (resource_id, kind, connection_id, user_id, dirty_seq, synced_seq)
         values ($1, 'events', $2, 'alice', $3, $4)",
    )
    .bind(id)
    .bind(connection)
    .bind(dirty)
    .bind(synced)
    .execute(pool)
    .await
    .unwrap();
    id.into()
}

async fn dirty_seq(pool: &PgPool, resource: ResourceId) -> i64 {
    sqlx::query_scalar("select dirty_seq from sync_state where resource_id = $1")
        .bind(resource.as_uuid())
        .fetch_one(pool)
        .await
        .unwrap()
}

async fn last_push_at(pool: &PgPool, resource: ResourceId) -> Option<DateTime<Utc>> {
    sqlx::query_scalar("select last_push_at from sync_state where resource_id = $1")
        .bind(resource.as_uuid())
        .fetch_one(pool)
        .await
        .unwrap()
}

async fn lease(pool: &PgPool, resource: ResourceId, until: &str) {
    let sql = format!(
        "update sync_state set lease_token = gen_random_uuid(), leased_until = now() + interval '{until}'
         where resource_id = $1"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(resource.as_uuid())
        .execute(pool)
        .await
        .unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_push_is_written_unless_a_mark_covers_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let owner = connection(&pool).await;
    let at = now();
    let clean = resource(&pool, owner, 3, 3).await;
    let waiting = resource(&pool, owner, 4, 3).await;
    let pulled = resource(&pool, owner, 4, 3).await;
    lease(&pool, pulled, "1 minute").await;
    let paused = resource(&pool, owner, 4, 3).await;
    lease(&pool, paused, "-1 minute").await;

    let all = [clean, waiting, pulled, paused];
    let marked = intake::mark_pushed(&mut conn, at, &all, &[]).await.unwrap();
    assert_eq!(
        marked,
        Marked {
            woke: true,
            exceptions: vec![]
        }
    );
    assert_eq!(dirty_seq(&pool, clean).await, 4);
    assert_eq!(dirty_seq(&pool, waiting).await, 4, "its pull will start later");
    assert_eq!(
        dirty_seq(&pool, pulled).await,
        5,
        "its pull may have begun before this push"
    );
    assert_eq!(
        dirty_seq(&pool, paused).await,
        5,
        "a worker past its lease may still be at work"
    );
    for resource in all {
        assert_eq!(last_push_at(&pool, resource).await, Some(at));
    }

    // Now two of them are waiting: a push writes nothing, except last_push_at now and then.
    let soon = at + TimeDelta::seconds(5);
    let marked = intake::mark_pushed(&mut conn, soon, &[clean, waiting], &[])
        .await
        .unwrap();
    assert_eq!(marked, Marked::default());
    assert_eq!(last_push_at(&pool, clean).await, Some(at));
    let later = at + TimeDelta::seconds(11);
    intake::mark_pushed(&mut conn, later, &[clean, waiting], &[])
        .await
        .unwrap();
    assert_eq!(last_push_at(&pool, waiting).await, Some(later));
    assert_eq!(dirty_seq(&pool, waiting).await, 4);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_locked_or_missing_row_delays_no_other(pool: PgPool) {
    let owner = connection(&pool).await;
    let (held, free) = (
        resource(&pool, owner, 0, 0).await,
        resource(&pool, owner, 0, 0).await,
    );
    let gone = ResourceId::from(Uuid::now_v7());
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("select 1 from sync_state where resource_id = $1 for update")
        .bind(held.as_uuid())
        .execute(&mut *holder)
        .await
        .unwrap();

    let mut conn = pool.acquire().await.unwrap();
    let all = [held, free, gone];
    let bump = intake::mark_pushed(&mut conn, now(), &all, &[]);
    let marked = tokio::time::timeout(Duration::from_secs(2), bump)
        .await
        .unwrap()
        .unwrap();
    assert!(marked.woke);
    let mut exceptions = marked.exceptions;
    exceptions.sort_by_key(|(resource, _)| *resource != held);
    assert_eq!(exceptions, [(held, NotMarked::Held), (gone, NotMarked::Gone)]);
    assert_eq!(dirty_seq(&pool, free).await, 1);

    holder.commit().await.unwrap();
    let marked = intake::mark_pushed(&mut conn, now(), &[held], &[]).await.unwrap();
    assert_eq!(marked.exceptions, []);
    assert_eq!(dirty_seq(&pool, held).await, 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_first_resource_id_of_a_channel_is_kept(pool: PgPool) {
    let owner = connection(&pool).await;
    let resource = resource(&pool, owner, 0, 0).await;
    for (id, state) in [("pending", "pending"), ("stopped", "stopped")] {
        sqlx::query(
            "insert into watches (channel_id, resource_id, connection_id, token_sha256, state, address, created_at)
             values ($1, $2, $3, '\\x01', $4, 'https://example.com', now())",
        )
        .bind(id)
        .bind(resource.as_uuid())
        .bind(owner)
        .bind(state)
        .execute(&pool)
        .await
        .unwrap();
    }
    let mut conn = pool.acquire().await.unwrap();
    let ids = ["pending", "stopped", "unknown"].map(String::from);
    let found = intake::find_channels(&mut conn, &ids).await.unwrap();
    assert_eq!(
        found.len(),
        1,
        "Google may not push on a stopped channel: {found:?}"
    );
    assert_eq!((found[0].id.as_str(), found[0].resource), ("pending", resource));
    assert_eq!(found[0].google_resource_id, None);

    let expires_at = now() + TimeDelta::days(7);
    let adopt = intake::adopt(&mut conn, "pending", "first", Some(expires_at));
    assert_eq!(adopt.await.unwrap().as_deref(), Some("first"));
    let again = intake::adopt(&mut conn, "pending", "second", None).await.unwrap();
    assert_eq!(again.as_deref(), Some("first"));
    assert_eq!(
        intake::adopt(&mut conn, "stopped", "first", None).await.unwrap(),
        None
    );
    intake::touch(&mut conn, now(), &ids).await.unwrap();
    let row: (DateTime<Utc>, Option<DateTime<Utc>>) =
        sqlx::query_as("select expires_at, last_message_at from watches where channel_id = 'pending'")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(row.0 == expires_at && row.1.is_some(), "{row:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn concurrent_marks_neither_deadlock_nor_get_lost(pool: PgPool) {
    let owner = connection(&pool).await;
    let mut resources = Vec::new();
    for _ in 0..50 {
        resources.push(resource(&pool, owner, 1, 0).await);
    }
    for resource in &resources {
        // Leased, so that every push is written.
        lease(&pool, *resource, "1 minute").await;
    }
    let bump_all = |order: Vec<ResourceId>| {
        let pool = pool.clone();
        async move {
            let mut conn = pool.acquire().await.unwrap();
            for _ in 0..20 {
                let mut rest = order.clone();
                while !rest.is_empty() {
                    let marked = intake::mark_pushed(&mut conn, now(), &rest, &[]).await.unwrap();
                    rest = marked
                        .exceptions
                        .into_iter()
                        .map(|(resource, _)| resource)
                        .collect();
                }
            }
        }
    };
    let backwards = resources.iter().rev().copied().collect();
    tokio::join!(bump_all(resources.clone()), bump_all(backwards));
    for resource in resources {
        assert_eq!(dirty_seq(&pool, resource).await, 41);
    }
}
