//! The queue of pulls: leases, marks, settling, generations.

use std::time::Duration;

use common::ids::ResourceId;
use common::lease::Settled;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use store::sync_state::{Cause, Horizon};
use store::{calendars, events, sync_state};

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
