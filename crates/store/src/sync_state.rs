//! The queue of pulls, and the progress of each resource.
//!
//! One row per resource: the events of a calendar, or the calendar list of a connection. A row is due while
//! `dirty_seq > synced_seq`. All times that control work (leases, `not_before`) use the database's clock, which all workers
//! share.
//!
//! A row that is dirty *and has no lease token* need not be marked again: its pull will start later than now. An expired
//! lease is not enough: its holder may still be working with what it read before.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, ResourceId, UserId};
use common::lease::Lease;
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

mod due;
mod work;

pub use due::{
    lock, lock_connection, mark_dirty, mark_dirty_if_pulled, mark_dirty_of_user, mark_dirty_on_view, pause,
    request_channel, resume, resume_connection,
};
pub use work::{
    Horizon, Progress, acquire, acquire_behind_horizon, begin_generation, defer, extend_lease, hold_sweep,
    release, settle, settle_horizon, suspend,
};

/// The kind of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Kind {
    /// The events of one calendar; the resource's id is the calendar's.
    Events,
    /// The list of calendars of one connection; the resource's id is the connection's.
    CalendarList,
}

impl Kind {
    pub(crate) fn parse(text: &str) -> Self {
        // The column's check constraint allows only these two.
        text.parse().unwrap_or(Self::CalendarList)
    }
}

/// Why a resource is due.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Cause {
    /// A push arrived.
    Push,
    /// Its poll was due.
    Poll,
    /// A user looks at it.
    #[strum(serialize = "opening")]
    View,
    /// A user requested a pull, or connected the account again.
    #[strum(serialize = "person")]
    Manual,
    /// A new push channel: no push covers the changes before it.
    Watch,
    /// It is new.
    #[strum(serialize = "first")]
    Initial,
}

impl Cause {
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Whether a push should already have arrived for any change since the last pull.
    pub(crate) const fn is_unprompted(self) -> bool {
        matches!(self, Self::Poll | Self::View | Self::Manual)
    }

    pub(crate) fn parse(text: &str) -> Self {
        // The columns' check constraints allow only these.
        text.parse().unwrap_or(Self::Poll)
    }
}

/// A resource leased for a pull, with the state that the pull starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    pub lease: Lease<ResourceId>,
    pub kind: Kind,
    pub connection_id: ConnectionId,
    pub user_id: UserId,
    /// As read with the lease, so before the first page. Becomes `synced_seq`.
    pub dirty_seq: i64,
    /// Why it is due, and since when. None: it is not due.
    pub cause: Cause,
    pub asked_at: Option<DateTime<Utc>>,
    /// From the last pull. None: list everything.
    pub sync_token: Option<String>,
    /// The page size of the listing that the sync token is from. None: as configured.
    pub page_size: Option<u16>,
    /// The generation that readers see; 0 until the first import is finished.
    pub generation: i64,
    /// The digest of a held sweep: the last full listing lacked suspiciously many events.
    pub sweep_digest: Option<Vec<u8>>,
    /// How far series are expanded.
    pub horizon_until: Option<DateTime<Utc>>,
    /// The start of the last successful pull.
    pub last_pull_at: Option<DateTime<Utc>>,
    /// When the last full listing after the first took effect.
    pub rebuilt_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed. None: it succeeded.
    pub last_error: Option<String>,
    /// Another worker's lease on it expired.
    pub taken_over: bool,
    /// How often that happened since the last successful pull.
    pub lease_losses: u32,
    /// W3C trace context of the push that made it due.
    pub traceparent: Option<String>,
}

/// The generation that readers of a resource see. None: there is no such resource.
pub async fn generation(conn: &mut PgConnection, resource: ResourceId) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select generation from sync_state where resource_id = $1",
        resource.as_uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Inserts a resource. It is due at once, and a push channel is requested. Does nothing if it exists already.
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
             insert into sync_state (resource_id, kind, connection_id, user_id, dirty_seq, dirty_at, dirty_cause,
                                     channel_requested_at)
             values ($1, $2, $3, $4, 1, $5, 'first', now())
             on conflict (resource_id) do nothing
         )
         select pg_notify('calwire_dirty', '')",
        resource.as_uuid(),
        kind.into_str(),
        connection.as_uuid(),
        user.as_str(),
        now,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// The sync token of each of these resources. It changes with every pull that found a change.
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

/// Marks these calendars to be expanded again, because their zone or role has changed. Done with the next extension of the
/// horizon.
pub async fn invalidate_expansion(conn: &mut PgConnection, calendars: &[CalendarId]) -> sqlx::Result<u64> {
    let calendars: Vec<Uuid> = calendars.iter().map(|id| id.as_uuid()).collect();
    let marked = sqlx::query!(
        "update sync_state set horizon_until = null
         where resource_id in (
             select resource_id from sync_state where resource_id = any($1) order by resource_id for no key update
         )",
        &calendars,
    )
    .execute(conn)
    .await?;
    Ok(marked.rows_affected())
}

/// Whether the last attempt for any resource of a connection failed with this reason.
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

/// Whether the last pull of a connection's calendar list succeeded, and started after this calendar became due.
pub async fn list_pulled_since_due(
    conn: &mut PgConnection,
    connection: ConnectionId,
    calendar: ResourceId,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from sync_state list join sync_state calendar on calendar.resource_id = $2
                          where list.resource_id = $1 and list.last_error is null
                            and list.last_pull_at >= calendar.due_since) as "pulled!""#,
        ResourceId::from(connection).as_uuid(),
        calendar.as_uuid(),
    )
    .fetch_one(conn)
    .await
}

/// A duration for Postgres. Durations here are at most days, so microseconds always fit.
pub(crate) fn interval(duration: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
    }
}
