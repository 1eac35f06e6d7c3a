//! From a push notification to a durable mark: which channel is it, and which resource is due now.
//!
//! A push is judged by its channel's row ([`find_channels`]), of which the caller may keep a copy: the id, the resource
//! and the token's digest of a channel never change, and Google's resource id does not once it is known. What a push
//! leaves behind is [`bump`], one statement for however many wait.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use common::ids::ResourceId;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// A connection of its own for [`bump`], so that pushes never wait behind anything else of this process. Its statements
/// give up before Google does.
pub async fn connect(database_url: &str) -> sqlx::Result<PgConnection> {
    let options = PgConnectOptions::from_str(database_url)?
        .application_name("calwire-intake")
        .options([("statement_timeout", "2s"), ("lock_timeout", "1s")]);
    PgConnection::connect_with(&options).await
}

/// What tells a genuine push of a channel from a forged one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: String,
    pub resource: ResourceId,
    /// sha256 of the token that the channel was made with.
    pub token_sha256: Vec<u8>,
    /// None before Google has said it, in its answer to `watch` or in the channel's first push.
    pub google_resource_id: Option<String>,
    pub last_message_at: Option<DateTime<Utc>>,
}

/// The channels with these ids on which Google may push. An unknown id, or one that was stopped, is not in the answer.
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

/// Takes over what a channel's first push says, unless Google's answer to `watch` said it before. The caller has checked
/// the token. Answers Google's resource id as it is in the row now; none when the channel is gone.
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

/// Why a resource was not bumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBumped {
    /// Another transaction has the row at this moment; ask again.
    Held,
    /// There is no such resource any more.
    Gone,
}

/// What became of one [`bump`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Bumped {
    /// Something is due that was not, or something changed under a worker's hands.
    pub woke: bool,
    pub exceptions: Vec<(ResourceId, NotBumped)>,
}

/// Makes all of `resources` due, durably when this returns, and says which of them it could not. Wakes the workers.
///
/// A row that is dirty already and has no lease token is left alone: whoever takes it later starts its pull later, so
/// its committed dirtiness covers the new push too (see [`sync_state`](crate::sync_state)). `last_push_at` is written
/// with a bump, and apart from one when it is more than ten seconds old.
///
/// Never waits for a row's lock: one pull's commit must not hold up the pushes of everybody else.
pub async fn bump(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resources: &[ResourceId],
) -> sqlx::Result<Bumped> {
    bump_traced(conn, now, resources, &[]).await
}

/// As [`bump`], with the trace contexts of the pushes, in the order of `resources`; those at the end may be left out.
pub async fn bump_traced(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resources: &[ResourceId],
    traceparents: &[Option<String>],
) -> sqlx::Result<Bumped> {
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
         ), bumped as (
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
             select pg_notify('calwire_dirty', '') where exists (select from bumped)
         )
         select p.resource_id, p.gone from pushed p left join bumped b using (resource_id)
         where p.gone or (p.rises and b.resource_id is null)
         union all
         select null, null from woken",
        &resources,
        now,
        traceparents as &[Option<String>],
    )
    .fetch_all(conn)
    .await?;
    let mut bumped = Bumped::default();
    for row in rows {
        match (row.resource_id, row.gone) {
            (Some(resource), Some(true)) => bumped.exceptions.push((resource.into(), NotBumped::Gone)),
            (Some(resource), _) => bumped.exceptions.push((resource.into(), NotBumped::Held)),
            (None, _) => bumped.woke = true,
        }
    }
    Ok(bumped)
}

/// Notes when channels were last heard of. A channel that falls silent is replaced, so minutes are exact enough.
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
