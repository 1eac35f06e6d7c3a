//! From a push to a durable mark: finding its channel, and marking its resource dirty.
//!
//! A push is checked against its channel's row ([`find_channels`]), which the caller may cache: a channel's id, resource and
//! token digest never change, and Google's resource id does not once it is known. [`mark_pushed`] is one statement for any
//! number of pushes.

use chrono::{DateTime, Utc};
use common::ids::ResourceId;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::connect::{self, Timeouts};

/// A separate connection for [`mark_pushed`], so that pushes never wait for other work of this process. Its statements time
/// out before Google does.
pub async fn connect(database_url: &str) -> sqlx::Result<PgConnection> {
    let options = connect::options(database_url)?.application_name("calwire-intake");
    let mut conn = PgConnection::connect_with(&options).await?;
    connect::set_timeouts(&mut conn, TIMEOUTS).await?;
    Ok(conn)
}

const TIMEOUTS: Timeouts = Timeouts {
    statement: "2s",
    lock: "1s",
    idle_in_transaction: "0",
};

/// The row of a channel, against which pushes are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: String,
    pub resource: ResourceId,
    /// sha256 of the token that the channel was created with.
    pub token_sha256: Vec<u8>,
    /// None until Google has sent it, in its response to `watch` or in the channel's first push.
    pub google_resource_id: Option<String>,
    pub last_message_at: Option<DateTime<Utc>>,
}

/// The channels with these ids that Google may push to. Unknown and stopped ones are left out.
pub async fn find_channels(conn: &mut PgConnection, ids: &[String]) -> sqlx::Result<Vec<Channel>> {
    sqlx::query_as!(
        Channel,
        "select channel_id as id, resource_id as resource, token_sha256, google_resource_id, last_message_at
         from watches where channel_id = any($1) and state <> 'stopped'",
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Stores the resource id and expiry of a channel's first push, unless Google's response to `watch` was stored before. The
/// caller has checked the token. Returns the stored resource id. None: the channel is gone.
pub async fn adopt(
    conn: &mut PgConnection,
    channel_id: &str,
    google_resource_id: &str,
    expires_at: Option<DateTime<Utc>>,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "update watches
         set google_resource_id = coalesce(google_resource_id, $2), expires_at = coalesce(expires_at, $3)
         where channel_id = $1 and state <> 'stopped'
         returning google_resource_id as \"google_resource_id!\"",
        channel_id,
        google_resource_id,
        expires_at,
    )
    .fetch_optional(conn)
    .await
}

/// Why a resource was not marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotMarked {
    /// Another transaction has locked the row; try again.
    Held,
    /// The resource no longer exists.
    Gone,
}

/// The result of [`mark_pushed`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Marked {
    /// A row changed, and the workers were notified.
    pub woke: bool,
    pub exceptions: Vec<(ResourceId, NotMarked)>,
}

/// Marks `resources` dirty, durably when this returns, and notifies the workers. Returns the exceptions. `traceparents` has
/// the trace contexts of the pushes, in the order of `resources`; missing ones at the end are none.
///
/// A row that is dirty already and has no lease token is not changed: its pull will start later, so the committed mark covers
/// the new push too (see [`sync_state`](crate::sync_state)). `last_push_at` is written with a mark, and without one only if
/// it is more than ten seconds old.
///
/// Never waits for a row's lock: the commit of one pull must not delay other users' pushes.
pub async fn mark_pushed(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resources: &[ResourceId],
    traceparents: &[Option<String>],
) -> sqlx::Result<Marked> {
    let resources: Vec<Uuid> = resources.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        "with pushed as materialized (
             select p.resource_id, p.traceparent, s.resource_id is null as gone,
                    s.lease_token is not null or s.dirty_seq <= s.synced_seq as rises,
                    s.last_push_at is null or s.last_push_at < $2::timestamptz - interval '10 seconds'
                        or s.missed_push_at is not null as ages
             from unnest($1::uuid[], $3::text[]) as p(resource_id, traceparent)
             left join sync_state s using (resource_id)
         ), free as (
             select s.resource_id, p.traceparent from pushed p join sync_state s using (resource_id)
             where p.rises or p.ages
             for no key update of s skip locked
         ), marked as (
             update sync_state s
             set (dirty_seq, dirty_at, dirty_cause, traceparent) = (
                     select case when covered then s.dirty_seq else s.dirty_seq + 1 end,
                            case when covered then s.dirty_at else $2 end,
                            case when covered then s.dirty_cause else 'push' end,
                            case when covered then coalesce(s.traceparent, free.traceparent)
                                 else free.traceparent end
                     from (select s.lease_token is null and s.dirty_seq > s.synced_seq as covered) c),
                 last_push_at = $2, missed_push_at = null
             from free where s.resource_id = free.resource_id
             returning s.resource_id
         ), woken as (
             select pg_notify('calwire_dirty', '') where exists (select from marked)
         )
         select p.resource_id, p.gone from pushed p left join marked b using (resource_id)
         where p.gone or (p.rises and b.resource_id is null)
         union all
         select null, null from woken",
        &resources,
        now,
        traceparents as &[Option<String>],
    )
    .fetch_all(conn)
    .await?;
    let mut marked = Marked::default();
    for row in rows {
        match (row.resource_id, row.gone) {
            (Some(resource), Some(true)) => marked.exceptions.push((resource.into(), NotMarked::Gone)),
            (Some(resource), _) => marked.exceptions.push((resource.into(), NotMarked::Held)),
            (None, _) => marked.woke = true,
        }
    }
    Ok(marked)
}

/// Stores when the last push of these channels arrived. It is used to find silent channels, so minutes are exact enough.
pub async fn touch(conn: &mut PgConnection, now: DateTime<Utc>, channel_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query!(
        "update watches set last_message_at = $2
         where channel_id = any($1) and (last_message_at is null or last_message_at < $2)",
        channel_ids,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}
