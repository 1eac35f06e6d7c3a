//! The queue of pulls: leases, marks, settling, generations.

use std::time::Duration;

use common::ids::{CalendarId, ConnectionId, ResourceId};
use common::lease::Settled;
use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool};
use store::sync_state::{Cause, Horizon, Kind};
use store::{calendars, events, sync_state};

use strum::IntoEnumIterator;

use crate::support::{LEASE, calendar_of, event, now, progress, take, user};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_push_during_a_pull_makes_it_due_again(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id: ResourceId = calendar_of(&mut conn, "alice").await.into();
    // Dirty and not leased: its pull will cover this too, so nothing is written.
    assert_eq!(
        sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Watch)
            .await
            .unwrap(),
        0
    );
    let pull = take(&mut conn).await.unwrap();
    assert!(take(&mut conn).await.is_none(), "a row is leased once");
    assert_eq!(
        sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Watch)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        sync_state::settle(&mut conn, &pull, progress(1)).await.unwrap(),
        Settled::Again
    );
    let pull = take(&mut conn).await.unwrap();
    assert_eq!(
        (pull.sync_token.as_deref(), pull.generation, pull.lease.attempts),
        (Some("token"), 1, 1)
    );
    assert_eq!(
        sync_state::settle(&mut conn, &pull, progress(1)).await.unwrap(),
        Settled::Done
    );
    assert!(take(&mut conn).await.is_none());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_mark_under_an_expired_lease_is_written(pool: PgPool) {
    // Its holder may still be working with an older state. Without the mark, its settle would cover the change.
    let mut conn = pool.acquire().await.unwrap();
    let id: ResourceId = calendar_of(&mut conn, "alice").await.into();
    take(&mut conn).await.unwrap();
    sqlx::query("update sync_state set leased_until = now() - interval '1 second'")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(
        sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Watch)
            .await
            .unwrap(),
        1
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_worker_that_lost_its_lease_changes_nothing(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    calendar_of(&mut conn, "alice").await;
    let slow = take(&mut conn).await.unwrap();
    sqlx::query("update sync_state set leased_until = now() - interval '1 second'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let quick = take(&mut conn).await.unwrap();
    assert_eq!(quick.lease.attempts, 2);
    assert!(
        !sync_state::extend_lease(&mut conn, &slow.lease, LEASE)
            .await
            .unwrap()
    );
    assert_eq!(
        sync_state::begin_generation(&mut conn, &slow.lease)
            .await
            .unwrap(),
        None
    );
    assert!(
        !sync_state::hold_sweep(&mut conn, &slow.lease, b"digest")
            .await
            .unwrap()
    );
    assert!(
        !sync_state::defer(&mut conn, &slow.lease, LEASE, "transient")
            .await
            .unwrap()
    );
    assert_eq!(
        sync_state::settle(&mut conn, &slow, progress(1)).await.unwrap(),
        Settled::Lost
    );
    assert_eq!(
        sync_state::settle(&mut conn, &quick, progress(1)).await.unwrap(),
        Settled::Done
    );
}

/// A push during a pull notifies workers that find the resource leased. Without a second notification it would wait for a
/// poll.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_resource_due_again_notifies_the_workers(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id: ResourceId = calendar_of(&mut conn, "alice").await.into();
    let pull = take(&mut conn).await.unwrap();
    sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Watch)
        .await
        .unwrap();
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("calwire_dirty").await.unwrap();
    let settled = sync_state::settle(&mut conn, &pull, progress(1)).await.unwrap();
    assert_eq!(settled, Settled::Again);
    let woken = tokio::time::timeout(Duration::from_secs(20), listener.recv()).await;
    assert!(woken.is_ok_and(|woken| woken.is_ok()), "no worker is notified");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_resource_due_after_an_expansion_notifies_the_workers(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id: ResourceId = calendar_of(&mut conn, "alice").await.into();
    let pull = take(&mut conn).await.unwrap();
    sync_state::settle(&mut conn, &pull, progress(1)).await.unwrap();
    let expanding = sync_state::acquire_behind_horizon(&mut conn, now(), LEASE, &[])
        .await
        .unwrap()
        .unwrap();
    sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Push)
        .await
        .unwrap();
    assert!(take(&mut conn).await.is_none());
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("calwire_dirty").await.unwrap();
    let settled = sync_state::settle_horizon(&mut conn, &expanding.lease, Horizon::Unchanged)
        .await
        .unwrap();
    assert_eq!(settled, Settled::Again);
    let woken = tokio::time::timeout(Duration::from_secs(20), listener.recv()).await;
    assert!(woken.is_ok_and(|woken| woken.is_ok()), "no worker is notified");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deferred_and_suspended_resources_wait(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id: ResourceId = calendar_of(&mut conn, "alice").await.into();
    let pull = take(&mut conn).await.unwrap();
    assert!(
        sync_state::defer(&mut conn, &pull.lease, LEASE, "transient")
            .await
            .unwrap()
    );
    assert!(take(&mut conn).await.is_none());
    sync_state::resume(&mut conn, now(), &[id]).await.unwrap();
    let pull = take(&mut conn).await.unwrap();
    assert!(
        sync_state::suspend(&mut conn, &pull.lease, "scope_missing")
            .await
            .unwrap()
    );
    sync_state::mark_dirty(&mut conn, now(), &[id], Cause::Watch)
        .await
        .unwrap();
    assert!(take(&mut conn).await.is_none());
    let evidence = calendars::evidence(&mut conn, now(), &user("alice"), None)
        .await
        .unwrap();
    assert!(evidence[0].suspended);
    assert_eq!(evidence[0].last_error.as_deref(), Some("scope_missing"));
    sync_state::resume_connection(&mut conn, now(), pull.connection_id)
        .await
        .unwrap();
    assert_eq!(take(&mut conn).await.unwrap().lease.attempts, 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn events_written_before_the_first_listing_are_purged(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    events::upsert(&mut conn, id, 0, &[event("written", "1", 0)])
        .await
        .unwrap();
    let pull = take(&mut conn).await.unwrap();
    let built = sync_state::begin_generation(&mut conn, &pull.lease)
        .await
        .unwrap()
        .unwrap();
    events::upsert(&mut conn, id, built, &[event("written", "1", 0)])
        .await
        .unwrap();
    sync_state::settle(&mut conn, &pull, progress(built))
        .await
        .unwrap();

    while events::purge_stale(&mut conn, 1).await.unwrap() > 0 {}
    let left: Vec<i64> = sqlx::query_scalar("select generation from events")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert_eq!(left, [built]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_abandoned_generation_is_purged_and_never_reused(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = calendar_of(&mut conn, "alice").await;
    let pull = take(&mut conn).await.unwrap();
    let given_up = sync_state::begin_generation(&mut conn, &pull.lease)
        .await
        .unwrap()
        .unwrap();
    events::upsert(&mut conn, id, given_up, &[event("a", "1", 0)])
        .await
        .unwrap();
    let built = sync_state::begin_generation(&mut conn, &pull.lease)
        .await
        .unwrap()
        .unwrap();
    assert!(built > given_up);
    events::upsert(&mut conn, id, built, &[event("a", "1", 0)])
        .await
        .unwrap();
    assert_eq!(
        sync_state::settle(&mut conn, &pull, progress(built))
            .await
            .unwrap(),
        Settled::Done
    );

    // A pull by the sync token, which is valid after all, abandons a generation as well.
    sync_state::mark_dirty(&mut conn, now(), &[id.into()], Cause::Manual)
        .await
        .unwrap();
    let pull = take(&mut conn).await.unwrap();
    let given_up = sync_state::begin_generation(&mut conn, &pull.lease)
        .await
        .unwrap()
        .unwrap();
    events::upsert(
        &mut conn,
        id,
        given_up,
        &[event("deleted during the rebuild", "1", 0)],
    )
    .await
    .unwrap();
    sync_state::settle(&mut conn, &pull, progress(built))
        .await
        .unwrap();
    sync_state::mark_dirty(&mut conn, now(), &[id.into()], Cause::Manual)
        .await
        .unwrap();
    let pull = take(&mut conn).await.unwrap();
    let next = sync_state::begin_generation(&mut conn, &pull.lease)
        .await
        .unwrap()
        .unwrap();
    assert!(next > given_up, "its rows may still be there");

    while events::purge_stale(&mut conn, 1).await.unwrap() > 0 {}
    let left: Vec<i64> = sqlx::query_scalar("select generation from events")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert_eq!(left, [built]);
}

const WAITING: &str = "select exists (select from pg_stat_activity
                                      where datname = current_database() and wait_event_type = 'Lock')";

/// Rows are inserted in the reverse order of their ids, so that a statement that locks them in the order of the table does
/// not wait for the first id before it holds the others.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn several_rows_are_locked_in_the_order_of_their_ids(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let first: ResourceId = calendar_of(&mut conn, "alice").await.into();
    let connection: ConnectionId = sqlx::query_scalar::<_, uuid::Uuid>("select id from connections")
        .fetch_one(&mut *conn)
        .await
        .unwrap()
        .into();
    sqlx::query("delete from sync_state")
        .execute(&mut *conn)
        .await
        .unwrap();
    let mut ids: Vec<ResourceId> = (0..6).map(|_| CalendarId::generate().into()).collect();
    ids.push(first);
    ids.sort_by_key(|id| std::cmp::Reverse(id.as_uuid()));
    for id in &ids {
        sync_state::create(&mut conn, now(), *id, Kind::Events, connection, &user("alice"))
            .await
            .unwrap();
    }
    sqlx::query("update sync_state set synced_seq = dirty_seq, building = 2")
        .execute(&mut *conn)
        .await
        .unwrap();
    for change in Changing::iter() {
        let mut holder = pool.begin().await.unwrap();
        let lowest = ids.last().copied().unwrap();
        sync_state::lock(&mut holder, &[lowest]).await.unwrap();
        let (pool, ids) = (pool.clone(), ids.clone());
        let waiter = tokio::spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            change.run(&mut tx, &ids, connection).await.unwrap();
        });
        loop {
            let waiting: bool = sqlx::query_scalar(WAITING).fetch_one(&mut *conn).await.unwrap();
            if waiting {
                break;
            }
            assert!(!waiter.is_finished(), "{change:?} did not wait");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let free = sqlx::query("select from sync_state for update skip locked")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        assert_eq!(free.len(), 6, "{change:?} holds rows while it waits");
        holder.rollback().await.unwrap();
        waiter.await.unwrap();
    }
}

#[derive(Debug, Clone, Copy, strum::EnumIter)]
enum Changing {
    Lock,
    LockConnection,
    MarkDirty,
    MarkDirtyOfUser,
    MarkDirtyOnView,
    MarkDirtyIfPulled,
    MarkAllDirty,
    Pause,
    Resume,
    ResumeConnection,
    InvalidateExpansion,
}

impl Changing {
    async fn run(
        self,
        conn: &mut PgConnection,
        ids: &[ResourceId],
        connection: ConnectionId,
    ) -> sqlx::Result<()> {
        let alice = user("alice");
        match self {
            Self::Lock => sync_state::lock(conn, ids).await,
            Self::LockConnection => sync_state::lock_connection(conn, connection).await,
            Self::MarkDirty => sync_state::mark_dirty(conn, now(), ids, Cause::Poll)
                .await
                .map(drop),
            Self::MarkDirtyOfUser => sync_state::mark_dirty_of_user(conn, now(), &alice, None)
                .await
                .map(drop),
            Self::MarkDirtyOnView => sync_state::mark_dirty_on_view(conn, now(), &alice)
                .await
                .map(drop),
            Self::MarkDirtyIfPulled => sync_state::mark_dirty_if_pulled(conn, now(), ids).await,
            Self::MarkAllDirty => store::restored::mark_all_dirty(conn, now()).await.map(drop),
            Self::Pause => sync_state::pause(conn, ids).await.map(drop),
            Self::Resume => sync_state::resume(conn, now(), ids).await.map(drop),
            Self::ResumeConnection => sync_state::resume_connection(conn, now(), connection)
                .await
                .map(drop),
            Self::InvalidateExpansion => {
                let calendars: Vec<CalendarId> = ids.iter().map(|id| id.as_uuid().into()).collect();
                sync_state::invalidate_expansion(conn, &calendars).await.map(drop)
            }
        }
    }
}
