//! Stopping channels: marked as replaced, stopped at Google, deleted.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{ConnectionId, ResourceId};
use common::lease::Lease;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sync_state::interval;

/// Marks the channels of these resources to be stopped: calendars that were deselected.
pub async fn replace_of_resources(conn: &mut PgConnection, resources: &[ResourceId]) -> sqlx::Result<u64> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.as_uuid()).collect();
    let replaced = sqlx::query!(
        "update watches set state = 'replaced', attempts = 0, not_before = '-infinity', lease_token = null,
                            leased_until = null
         where resource_id = any($1) and state in ('pending', 'live')",
        &resources,
    )
    .execute(conn)
    .await?;
    Ok(replaced.rows_affected())
}

/// Marks all channels of these connections to be stopped.
pub async fn replace_of_connections(
    conn: &mut PgConnection,
    connections: &[ConnectionId],
) -> sqlx::Result<u64> {
    let connections: Vec<Uuid> = connections.iter().map(|id| id.as_uuid()).collect();
    let replaced = sqlx::query!(
        "update watches set state = 'replaced', attempts = 0, not_before = '-infinity', lease_token = null,
                            leased_until = null
         where connection_id = any($1) and state in ('pending', 'live')",
        &connections,
    )
    .execute(conn)
    .await?;
    Ok(replaced.rows_affected())
}

/// Marks up to `limit` channels to be stopped: there is no public URL any more.
pub async fn replace_any(conn: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let replaced = sqlx::query!(
        "update watches set state = 'replaced', attempts = 0, not_before = '-infinity', lease_token = null,
                            leased_until = null
         where channel_id in (
             select channel_id from watches where state in ('pending', 'live') limit $1 for update skip locked
         )",
        limit,
    )
    .execute(conn)
    .await?;
    Ok(replaced.rows_affected())
}

/// A channel to be stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToStop {
    pub lease: Lease<String>,
    pub connection_id: ConnectionId,
    pub google_resource_id: String,
}

/// Leases up to `limit` channels to be stopped, of one connection or of all. Channels without a known resource id cannot be
/// stopped and are left out.
pub async fn acquire_to_stop(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    connection: Option<ConnectionId>,
    lease: Duration,
    limit: i64,
) -> sqlx::Result<Vec<ToStop>> {
    let rows = sqlx::query!(
        r#"update watches
           set lease_token = gen_random_uuid(), leased_until = clock_timestamp() + $2, attempts = attempts + 1
           where channel_id in (
               select channel_id from watches
               where state = 'replaced' and google_resource_id is not null and not_before <= $1
                 and ($4::uuid is null or connection_id = $4)
                 and (leased_until is null or leased_until < clock_timestamp())
               order by not_before
               limit $3
               for update skip locked
           )
           returning channel_id, connection_id, google_resource_id as "google_resource_id!",
                     lease_token as "lease_token!", attempts"#,
        now,
        interval(lease),
        limit,
        connection.map(ConnectionId::as_uuid),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ToStop {
            lease: Lease::new(row.channel_id, row.lease_token, row.attempts.unsigned_abs()),
            connection_id: row.connection_id.into(),
            google_resource_id: row.google_resource_id,
        })
        .collect())
}

/// The channels of a connection that are not stopped yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopping {
    /// Channels that Google may still push to.
    pub left: i64,
    /// Of those, the ones that are being stopped or can be now.
    pub under_way: i64,
}

/// Counts the channels of a connection that are not stopped yet.
pub async fn stopping(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    connection: ConnectionId,
) -> sqlx::Result<Stopping> {
    sqlx::query_as!(
        Stopping,
        r#"select count(*) as "left!",
                  count(*) filter (where google_resource_id is not null
                                   and (not_before <= $2 or leased_until > clock_timestamp())) as "under_way!"
           from watches where connection_id = $1 and state <> 'stopped'"#,
        connection.as_uuid(),
        now,
    )
    .fetch_one(conn)
    .await
}

/// Ends an attempt to stop a channel. None: it is stopped. Otherwise it is tried again at `again_at`.
pub async fn settle_stop(
    conn: &mut PgConnection,
    lease: &Lease<String>,
    again_at: Option<DateTime<Utc>>,
) -> sqlx::Result<bool> {
    let settled = sqlx::query!(
        "update watches
         set state = case when $3::timestamptz is null then 'stopped' else state end,
             not_before = coalesce($3, not_before), lease_token = null, leased_until = null
         where channel_id = $1 and lease_token = $2 and state = 'replaced'",
        lease.key,
        lease.token,
        again_at,
    )
    .execute(conn)
    .await?;
    Ok(settled.rows_affected() == 1)
}

/// Marks channels as stopped whose grant has ended: they cannot be stopped any more, and Google no longer pushes to them.
pub async fn write_off_of_connection(conn: &mut PgConnection, connection: ConnectionId) -> sqlx::Result<u64> {
    let written_off = sqlx::query!(
        "update watches set state = 'stopped', lease_token = null, leased_until = null
         where connection_id = $1 and state <> 'stopped'",
        connection.as_uuid(),
    )
    .execute(conn)
    .await?;
    Ok(written_off.rows_affected())
}

/// Marks the channels to be stopped that [`write_off_of_connection`] has written off, for a grant that had ended and is accepted
/// again: a policy that ended it may not have ended them, and Google would push on them beside the new ones. The caller has
/// locked the connection.
pub async fn stop_after_all(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    connection: ConnectionId,
) -> sqlx::Result<u64> {
    let replaced = sqlx::query!(
        "update watches set state = 'replaced', attempts = 0, not_before = '-infinity'
         where connection_id = $1 and state = 'stopped' and (expires_at is null or expires_at > $2)",
        connection.as_uuid(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(replaced.rows_affected())
}

/// Deletes channels that Google no longer has: those that expired before `expired_before`, and those without a known expiry
/// that were created before `unknown_created_before`.
pub async fn purge(
    conn: &mut PgConnection,
    expired_before: DateTime<Utc>,
    unknown_created_before: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from watches
         where state in ('live', 'replaced', 'stopped')
           and (expires_at < $1 or (expires_at is null and created_at < $2))",
        expired_before,
        unknown_created_before,
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected())
}
