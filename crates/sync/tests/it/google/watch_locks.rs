//! Changes of channels and of calendars that lock the same rows.

use chrono::TimeDelta;
use google_emulator::seed::SeedCalendar;
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use store::sync_state::{Cause, Kind};
use store::watches::{self, Begun, Granted, NewWatch, Wanted};
use store::{connections, sync_state, user_stream};
use sync::{Context, calendar_list};

use super::stage::{ALICE, WEBHOOK, create_channels, user_id, watched};
use crate::world::pull_once;

/// Waits until another transaction waits for this one.
async fn until_waited_for(conn: &mut PgConnection) {
    // Not pg_stat_activity: a transaction reads it once, and would never see a session that connects later.
    let waited_for = "select exists (select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid)))";
    while !sqlx::query_scalar::<_, bool>(waited_for)
        .fetch_one(&mut *conn)
        .await
        .unwrap()
    {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

async fn deselect(ctx: Context, calendar: uuid::Uuid) -> sqlx::Result<()> {
    let mut tx = ctx.pool.begin().await?;
    calendar_list::select(
        &mut tx,
        ctx.clock.now(),
        &user_id("alice"),
        &[calendar.into()],
        false,
    )
    .await?;
    tx.commit().await
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn granted_channel_and_deselected_calendar_do_not_deadlock(pool: PgPool) {
    let stage = watched(pool).await;
    stage.pull_all().await;
    let primary: uuid::Uuid = stage.one("select id from calendars where is_primary").await;
    let wanted = Wanted {
        resource_id: primary.into(),
        connection_id: stage.one::<uuid::Uuid>("select id from connections").await.into(),
        user_id: user_id("alice"),
        kind: Kind::Events,
        google_calendar_id: Some(ALICE.into()),
        replaces: Some(
            sqlx::query_scalar("select channel_id from watches where resource_id = $1")
                .bind(primary)
                .fetch_one(&stage.ctx.pool)
                .await
                .unwrap(),
        ),
    };
    let new = NewWatch {
        channel_id: "new",
        token_sha256: &[1],
        address: WEBHOOK,
    };
    let mut tx = stage.ctx.pool.begin().await.unwrap();
    let lease = std::time::Duration::from_mins(1);
    let begun = watches::begin(&mut tx, stage.now(), &wanted, &new, lease)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let Begun::Create(lease) = begun else {
        panic!("{begun:?}")
    };
    let mut tx = stage.ctx.pool.begin().await.unwrap();
    let granted = Granted {
        google_resource_id: "res",
        expires_at: stage.now() + TimeDelta::days(7),
        renew_at: stage.now() + TimeDelta::days(5),
    };
    assert!(
        watches::settle(&mut tx, &lease, primary.into(), &granted)
            .await
            .unwrap()
    );
    let dropping = tokio::spawn(deselect(stage.ctx.clone(), primary));
    until_waited_for(&mut tx).await;
    let due = sync_state::mark_dirty(&mut tx, stage.now(), &[primary.into()], Cause::Watch).await;
    assert_eq!(due.unwrap(), 1);
    tx.commit().await.unwrap();
    dropping.await.unwrap().unwrap();
    // The calendar list's channel is left.
    assert_eq!(
        (
            stage.count_channels("live").await,
            stage.count_channels("replaced").await
        ),
        (1, 2)
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn disconnected_account_and_dropped_calendar_do_not_deadlock(pool: PgPool) {
    let stage = watched(pool).await;
    let team = json!({"id": "team@group.calendar.google.com", "summary": "Team"});
    let team: SeedCalendar = serde_json::from_value(team).unwrap();
    stage.google.add_calendar(ALICE, &team).unwrap();
    stage
        .execute("update sync_state set dirty_seq = dirty_seq + 1")
        .await;
    stage.pull_all().await;
    create_channels(&stage).await;
    stage.pull_all().await;
    assert_eq!(stage.count_channels("live").await, 3);
    let primary: uuid::Uuid = stage.one("select id from calendars where is_primary").await;
    stage.google.remove_calendar(ALICE, &team.id).unwrap();
    stage
        .execute("update sync_state set dirty_seq = dirty_seq + 1 where kind = 'calendar_list'")
        .await;

    // By the user, then by Google.
    for by_google in [false, true] {
        let mut tx = stage.ctx.pool.begin().await.unwrap();
        let lease = std::time::Duration::from_mins(1);
        let disconnecting = connections::disconnect(&mut tx, stage.now(), &user_id("alice"), None, lease)
            .await
            .unwrap();
        watches::replace_of_connections(&mut tx, &[disconnecting[0].lease.key])
            .await
            .unwrap();
        let ctx = stage.ctx.clone();
        let dropping = tokio::spawn(async move {
            if by_google {
                pull_once(&ctx).await.map(drop)
            } else {
                deselect(ctx, primary).await
            }
        });
        until_waited_for(&mut tx).await;
        user_stream::next_seq(&mut tx, &user_id("alice")).await.unwrap();
        // The account stays for the second round.
        tx.rollback().await.unwrap();
        dropping.await.unwrap().unwrap();
    }
    let failed: i64 = stage
        .one("select count(*) from sync_state where last_error is not null or attempts > 0")
        .await;
    assert_eq!(failed, 0);
    assert_eq!(
        (
            stage.count_channels("live").await,
            stage.count_channels("replaced").await
        ),
        (1, 2)
    );
}
