//! The queue of what has to be pulled, and how far each resource has come.
//!
//! One row per resource: the events of a calendar, or the calendar list of a connection. A row is due while
//! `dirty_seq > synced_seq`. All times that decide about work (leases, `not_before`) are the database's, the one clock
//! that all workers share.
//!
//! Who bumps `dirty_seq` may leave a row alone that is dirty already *and has no lease token*: whoever takes it later
//! starts its pull later. An expired lease is not enough: its holder may still be at work on what it saw before.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, ResourceId, UserId};
use common::lease::Lease;
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

mod work;

pub use work::{
    Horizon, Progress, acquire, acquire_behind_horizon, begin_generation, defer, extend_lease, hold_sweep,
    release, settle, settle_horizon, suspend,
};

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The events of one calendar; the resource's id is the calendar's.
    Events,
    /// The list of calendars of one connection; the resource's id is the connection's.
    CalendarList,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::CalendarList => "calendar_list",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        // The column's check constraint knows these two.
        if text == "events" {
            Self::Events
        } else {
            Self::CalendarList
        }
    }
}

/// Why a resource is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Google has told of a change.
    Push,
    /// It had not been asked for long enough.
    Poll,
    /// Somebody looks at it.
    View,
    /// Somebody wants it pulled now, or has connected the account again.
    Manual,
    /// A new push channel: what changed before it is told by nobody.
    Watch,
    /// It begins to be kept current.
    Initial,
}

impl Cause {
    pub const ALL: [Self; 6] = [
        Self::Push,
        Self::Poll,
        Self::View,
        Self::Manual,
        Self::Watch,
        Self::Initial,
    ];

    /// Google's changes since the last pull should have been told by a push.
    pub(crate) const fn is_unprompted(self) -> bool {
        matches!(self, Self::Poll | Self::View | Self::Manual)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Poll => "poll",
            Self::View => "opening",
            Self::Manual => "person",
            Self::Watch => "watch",
            Self::Initial => "first",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        // The columns' check constraints know these.
        match text {
            "push" => Self::Push,
            "opening" => Self::View,
            "person" => Self::Manual,
            "watch" => Self::Watch,
            "first" => Self::Initial,
            _ => Self::Poll,
        }
    }
}

/// A resource taken for a pull, with what the pull needs to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    pub lease: Lease<ResourceId>,
    pub kind: Kind,
    pub connection_id: ConnectionId,
    pub user_id: UserId,
    /// As it was when the lease was taken, so before the first page: what `synced_seq` becomes.
    pub dirty_seq: i64,
    /// Why it is due, and since when. None: nobody has asked.
    pub cause: Cause,
    pub asked_at: Option<DateTime<Utc>>,
    /// Where the last pull ended. None: list everything.
    pub sync_token: Option<String>,
    /// The most events on a page of the listing that the sync token is from. None: as configured.
    pub page_size: Option<u16>,
    /// What readers see; 0 before the first import has ended.
    pub generation: i64,
    /// What the last full listing would have swept, when that was suspiciously much.
    pub sweep_digest: Option<Vec<u8>>,
    /// How far the instances of series are expanded.
    pub horizon_until: Option<DateTime<Utc>>,
    /// When the last full listing after the first took effect.
    pub rebuilt_at: Option<DateTime<Utc>>,
    /// Another worker had it, and its lease ran out.
    pub taken_over: bool,
    /// How often that has happened since a pull of it last succeeded.
    pub lease_losses: u32,
    /// W3C trace context of the push that made it due.
    pub traceparent: Option<String>,
}

/// The generation that readers of a resource see. None: the resource is not known.
pub async fn generation(conn: &mut PgConnection, resource: ResourceId) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select generation from sync_state where resource_id = $1",
        resource.as_uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Begins to keep a resource current. It is due at once. Does nothing when the resource is known already.
pub async fn create(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resource: ResourceId,
    kind: Kind,
    connection: ConnectionId,
    user: &UserId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with resource as (
             insert into sync_state (resource_id, kind, connection_id, user_id, dirty_seq, dirty_at, dirty_cause)
             values ($1, $2, $3, $4, 1, $5, 'first')
             on conflict (resource_id) do nothing
         )
         select pg_notify('calwire_dirty', '')",
        resource.as_uuid(),
        kind.as_str(),
        connection.as_uuid(),
        user.as_str(),
        now,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Asks for a pull of these resources, and wakes the workers when the caller commits. Says how many rows it wrote: a
/// row that is waiting already is left alone.
pub async fn mark_dirty(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resources: &[ResourceId],
    cause: Cause,
) -> sqlx::Result<u64> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.as_uuid()).collect();
    let bumped = sqlx::query!(
        "update sync_state set dirty_seq = dirty_seq + 1, dirty_at = $2, dirty_cause = $3
         where resource_id = any($1) and not (dirty_seq > synced_seq and lease_token is null)",
        &resources,
        now,
        cause.as_str(),
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if bumped > 0 {
        wake(conn).await?;
    }
    Ok(bumped)
}

/// As [`mark_dirty`], because a user asks: for all that the user has, or for the calendars named. A calendar of somebody else is not touched.
///
/// A user's rows are found by the user's accounts, here and in [`mark_dirty_on_view`]: an index by user would be one
/// more to write to with every bump.
pub async fn mark_dirty_of_user(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    calendars: Option<&[CalendarId]>,
) -> sqlx::Result<u64> {
    let calendars: Option<Vec<Uuid>> = calendars.map(|ids| ids.iter().map(|id| id.as_uuid()).collect());
    let bumped = sqlx::query!(
        "update sync_state set dirty_seq = dirty_seq + 1, dirty_at = $3, dirty_cause = 'person'
         where connection_id in (select id from connections where user_id = $1) and user_id = $1
           and ($2::uuid[] is null or resource_id = any($2))
           and not (dirty_seq > synced_seq and lease_token is null)",
        user.as_str(),
        calendars.as_deref(),
        now,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if bumped > 0 {
        wake(conn).await?;
    }
    Ok(bumped)
}

/// Asks for a pull of what a user looks at and push does not keep current: calendars without a live channel whose last
/// pull is more than a minute old. Says how many. What is suspended stays so.
pub async fn mark_dirty_on_view(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
) -> sqlx::Result<u64> {
    let bumped = sqlx::query!(
        "update sync_state s set dirty_seq = dirty_seq + 1, dirty_at = $2, dirty_cause = 'opening'
         where connection_id in (select id from connections where user_id = $1) and user_id = $1
           and kind = 'events' and dirty_seq = synced_seq and lease_token is null
           and not_before < 'infinity' and (last_pull_at is null or last_pull_at < $2::timestamptz - interval '60 s')
           and (missed_push_at is not null
                or not exists (select from watches w
                               where w.resource_id = s.resource_id and w.state = 'live' and w.expires_at > $2))",
        user.as_str(),
        now,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if bumped > 0 {
        wake(conn).await?;
    }
    Ok(bumped)
}

/// Asks for one more pull of a resource that is being pulled: what the pull has read of it may be older than what was
/// written meanwhile.
pub async fn mark_dirty_if_pulled(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resource: ResourceId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update sync_state set dirty_seq = dirty_seq + 1, dirty_at = $2
         where resource_id = $1 and (lease_token is not null or building is not null)",
        resource.as_uuid(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Up to which sync token each of these has been pulled; it is another one after every pull that had something to tell.
pub async fn sync_tokens(
    conn: &mut PgConnection,
    resources: &[ResourceId],
) -> sqlx::Result<Vec<(ResourceId, Option<String>)>> {
    let ids: Vec<Uuid> = resources.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        "select resource_id, sync_token from sync_state where resource_id = any($1)",
        &ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.resource_id.into(), row.sync_token))
        .collect())
}

async fn wake(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify('calwire_dirty', '')")
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Stops pulling these resources until [`resume`]; a pull that has begun cannot commit any more. For calendars that a
/// user no longer wants to see.
pub async fn pause(conn: &mut PgConnection, resources: &[ResourceId]) -> sqlx::Result<u64> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.as_uuid()).collect();
    let paused = sqlx::query!(
        "update sync_state set not_before = 'infinity', lease_token = null, leased_until = null
         where resource_id = any($1)",
        &resources,
    )
    .execute(conn)
    .await?;
    Ok(paused.rows_affected())
}

/// Makes these resources due at once, whatever kept them waiting.
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
             last_error = null, last_error_at = null
         where resource_id = any($1)",
        &resources,
        now,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    wake(conn).await?;
    Ok(resumed)
}

/// As [`resume`], for all that a connection has and its user wants to see. For the moment when a user has connected
/// again, perhaps with more scopes.
pub async fn resume_connection(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    connection: ConnectionId,
) -> sqlx::Result<u64> {
    let resumed = sqlx::query!(
        "update sync_state s
         set not_before = '-infinity', attempts = 0, dirty_seq = dirty_seq + 1, dirty_at = $2, dirty_cause = 'person',
             last_error = null, last_error_at = null
         where connection_id = $1
           and not exists (select from calendars c where c.id = s.resource_id and not c.selected)",
        connection.as_uuid(),
        now,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    wake(conn).await?;
    Ok(resumed)
}

/// The instances of these calendars were expanded for another zone or role: they are expanded anew by whoever extends
/// the horizon.
pub async fn invalidate_expansion(conn: &mut PgConnection, calendars: &[CalendarId]) -> sqlx::Result<u64> {
    let calendars: Vec<Uuid> = calendars.iter().map(|id| id.as_uuid()).collect();
    let marked = sqlx::query!(
        "update sync_state set horizon_until = null where resource_id = any($1)",
        &calendars,
    )
    .execute(conn)
    .await?;
    Ok(marked.rows_affected())
}

/// Whether the last try of any resource of a connection ended with this word.
pub async fn any_failed_with(
    conn: &mut PgConnection,
    connection: ConnectionId,
    error: &str,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from sync_state where connection_id = $1 and last_error = $2) as "any!""#,
        connection.as_uuid(),
        error,
    )
    .fetch_one(conn)
    .await
}

/// A duration for Postgres. Ours are at most days, so microseconds always fit.
pub(crate) fn interval(duration: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
    }
}
