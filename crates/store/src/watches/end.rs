//! The end of channels: asked for, stopped at Google, forgotten.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{ConnectionId, ResourceId};
use common::lease::Lease;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sync_state::interval;

/// Asks for the channels of these resources to be stopped: calendars that a user no longer wants.
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

/// Asks for all channels of these connections to be stopped.
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

/// Asks for every channel to be stopped: there is no public URL any more.
pub async fn replace_all(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let replaced = sqlx::query!(
        "update watches set state = 'replaced', attempts = 0, not_before = '-infinity', lease_token = null,
                            leased_until = null
         where state in ('pending', 'live')",
    )
    .execute(conn)
    .await?;
    Ok(replaced.rows_affected())
}

/// A channel that is to be stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToStop {
    pub lease: Lease<String>,
    pub connection_id: ConnectionId,
    pub google_resource_id: String,
}

/// Takes up to `limit` channels that are to be stopped for `lease`: of a connection, or of any. Those whose resource id
/// nobody knows cannot be.
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

/// How far the channels of a connection are from being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopping {
    /// Channels that Google may still push on.
    pub left: i64,
    /// Those among them that are being stopped, or can be now.
    pub under_way: i64,
}

/// How far the channels of a connection are from being stopped.
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

/// Ends a stop: done with (`None`), or to be tried again at some moment.
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

/// The grant of these channels is gone: nobody can stop them any more, and Google does not push over them.
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

/// Deletes the rows of channels that Google no longer has: expired since before `expired_before`, or, where nobody knows
/// their expiry, made before `unknown_made_before`.
pub async fn purge(
    conn: &mut PgConnection,
    expired_before: DateTime<Utc>,
    unknown_made_before: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from watches
         where state <> 'pending' and (expires_at < $1 or (expires_at is null and created_at < $2))",
        expired_before,
        unknown_made_before,
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected())
}
