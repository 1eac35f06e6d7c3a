//! Marking resources dirty, and pausing and resuming their pulls.
//!
//! A statement that changes several rows locks them in the order of their ids first, and a transaction that changes rows
//! with several statements calls [`lock`] before: otherwise two of them can each hold a row that the other one waits for.

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, ResourceId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Cause;

/// Locks the rows of these resources until the caller commits.
pub async fn lock(conn: &mut PgConnection, resources: &[ResourceId]) -> sqlx::Result<()> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.as_uuid()).collect();
    sqlx::query!(
        "select from sync_state where resource_id = any($1) order by resource_id for no key update",
        &resources,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// As [`lock`], for the calendar list and the calendars of a connection.
pub async fn lock_connection(conn: &mut PgConnection, connection: ConnectionId) -> sqlx::Result<()> {
    sqlx::query!(
        "select from sync_state where connection_id = $1 order by resource_id for no key update",
        connection.as_uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks these resources dirty, and wakes the workers when the caller commits. Returns the number of rows changed; a row
/// that is waiting already is not changed.
pub async fn mark_dirty(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resources: &[ResourceId],
    cause: Cause,
) -> sqlx::Result<u64> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.as_uuid()).collect();
    let marked = sqlx::query!(
        "update sync_state set dirty_seq = dirty_seq + 1, dirty_at = $2, dirty_cause = $3
         where resource_id in (
             select resource_id from sync_state
             where resource_id = any($1) and not (dirty_seq > synced_seq and lease_token is null)
             order by resource_id
             for no key update
         )",
        &resources,
        now,
        cause.into_str(),
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if marked > 0 {
        wake(conn).await?;
    }
    Ok(marked)
}

/// As [`mark_dirty`], requested by a user: for everything the user has, or for the calendars named. Another user's calendars
/// are not touched.
///
/// The rows are found by the user's accounts, here and in [`mark_dirty_on_view`]. An index by user would add a write to
/// every mark.
pub async fn mark_dirty_of_user(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    calendars: Option<&[CalendarId]>,
) -> sqlx::Result<u64> {
    let calendars: Option<Vec<Uuid>> = calendars.map(|ids| ids.iter().map(|id| id.as_uuid()).collect());
    let marked = sqlx::query!(
        "update sync_state set dirty_seq = dirty_seq + 1, dirty_at = $3, dirty_cause = 'person'
         where resource_id in (
             select resource_id from sync_state
             where connection_id in (select id from connections where user_id = $1) and user_id = $1
               and ($2::uuid[] is null or resource_id = any($2))
               and not (dirty_seq > synced_seq and lease_token is null)
             order by resource_id
             for no key update
         )",
        user.as_str(),
        calendars.as_deref(),
        now,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if marked > 0 {
        wake(conn).await?;
    }
    Ok(marked)
}

/// Marks what a user looks at and pushes do not keep current: calendars without a live channel whose last pull is more than
/// a minute old. Returns how many. Suspended calendars are not changed.
pub async fn mark_dirty_on_view(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
) -> sqlx::Result<u64> {
    let marked = sqlx::query!(
        "update sync_state set dirty_seq = dirty_seq + 1, dirty_at = $2, dirty_cause = 'opening'
         where resource_id in (
             select resource_id from sync_state s
             where connection_id in (select id from connections where user_id = $1) and user_id = $1
               and kind = 'events' and dirty_seq = synced_seq and lease_token is null
               and not_before < 'infinity' and (last_pull_at is null or last_pull_at < $2::timestamptz - interval '60 s')
               and (missed_push_at is not null
                    or not exists (select from watches w
                                   where w.resource_id = s.resource_id and w.state = 'live' and w.expires_at > $2))
             order by resource_id
             for no key update
         )",
        user.as_str(),
        now,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if marked > 0 {
        wake(conn).await?;
    }
    Ok(marked)
}

/// Marks those of these resources that are being pulled, because the pull may have read an older state than the one just
/// written.
pub async fn mark_dirty_if_pulled(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resources: &[ResourceId],
) -> sqlx::Result<()> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.as_uuid()).collect();
    sqlx::query!(
        "update sync_state set dirty_seq = dirty_seq + 1, dirty_at = $2
         where resource_id in (
             select resource_id from sync_state
             where resource_id = any($1) and (lease_token is not null or building is not null)
             order by resource_id
             for no key update
         )",
        &resources,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn wake(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify('calwire_dirty', '')")
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Stops pulling these resources until [`resume`]. A pull in progress cannot commit any more. For deselected calendars.
pub async fn pause(conn: &mut PgConnection, resources: &[ResourceId]) -> sqlx::Result<u64> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.as_uuid()).collect();
    let paused = sqlx::query!(
        "update sync_state set not_before = 'infinity', lease_token = null, leased_until = null
         where resource_id in (
             select resource_id from sync_state where resource_id = any($1) order by resource_id for no key update
         )",
        &resources,
    )
    .execute(conn)
    .await?;
    Ok(paused.rows_affected())
}

/// Makes these resources due at once, ends any back-off or suspension, and requests push channels for them.
pub async fn resume(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resources: &[ResourceId],
) -> sqlx::Result<u64> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.as_uuid()).collect();
    let resumed = sqlx::query!(
        "update sync_state
         set not_before = '-infinity', attempts = 0, dirty_seq = dirty_seq + 1, dirty_at = $2,
             dirty_cause = case when generation = 0 then 'first' else 'person' end,
             last_error = null, last_error_at = null, channel_requested_at = now()
         where resource_id in (
             select resource_id from sync_state where resource_id = any($1) order by resource_id for no key update
         )",
        &resources,
        now,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    wake(conn).await?;
    Ok(resumed)
}

/// As [`resume`], for the calendar list and the selected calendars of a connection. For an account that was connected again,
/// perhaps with more scopes.
pub async fn resume_connection(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    connection: ConnectionId,
) -> sqlx::Result<u64> {
    let resumed = sqlx::query!(
        "update sync_state
         set not_before = '-infinity', attempts = 0, dirty_seq = dirty_seq + 1, dirty_at = $2, dirty_cause = 'person',
             last_error = null, last_error_at = null, channel_requested_at = now()
         where resource_id in (
             select resource_id from sync_state s
             where connection_id = $1
               and not exists (select from calendars c where c.id = s.resource_id and not c.selected)
             order by resource_id
             for no key update
         )",
        connection.as_uuid(),
        now,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    wake(conn).await?;
    Ok(resumed)
}

/// Requests a push channel for a resource. The search for resources that need one examines it next
/// ([`watches::candidates`](crate::watches::candidates)).
pub async fn request_channel(conn: &mut PgConnection, resource: ResourceId) -> sqlx::Result<()> {
    sqlx::query!(
        "update sync_state set channel_requested_at = now() where resource_id = $1",
        resource.as_uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
