//! Disconnecting an account.
//!
//! [`disconnect`] commits the user's request. From then on nothing is read from the account and nothing of it is shown. The
//! remaining steps need the lease. An expired lease is taken over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{ConnectionId, UserId};
use common::lease::Lease;
use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

use super::open;
use crate::seal::{Keyring, Unsealable};
use crate::sync_state::interval;

/// A connection that is being disconnected, with the lease on its remaining steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnecting {
    pub lease: Lease<ConnectionId>,
    pub email: String,
    pub disconnected_at: DateTime<Utc>,
}

struct DisconnectingRow {
    id: Uuid,
    email: String,
    disconnected_at: DateTime<Utc>,
    lease: Uuid,
    attempts: i32,
}

impl From<DisconnectingRow> for Disconnecting {
    fn from(row: DisconnectingRow) -> Self {
        Self {
            lease: Lease::new(row.id.into(), row.lease, row.attempts.unsigned_abs()),
            email: row.email,
            disconnected_at: row.disconnected_at,
        }
    }
}

/// Starts to disconnect one of a user's accounts, or all, and leases the remaining steps: stop the channels, revoke the
/// grant, delete the data. Returns those that were not being disconnected already, oldest first.
pub async fn disconnect(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    id: Option<ConnectionId>,
    lease: Duration,
) -> sqlx::Result<Vec<Disconnecting>> {
    let mut rows = sqlx::query_as!(
        DisconnectingRow,
        r#"update connections
           set disconnected_at = $3, updated_at = $3, leave_attempts = 1, leave_not_before = '-infinity',
               leave_lease = gen_random_uuid(), leave_leased_until = clock_timestamp() + $4
           where user_id = $1 and ($2::uuid is null or id = $2) and disconnected_at is null
           returning id, email, disconnected_at as "disconnected_at!", leave_lease as "lease!",
                     leave_attempts as attempts"#,
        user.as_str(),
        id.map(ConnectionId::as_uuid),
        now,
        interval(lease),
    )
    .fetch_all(conn)
    .await?;
    rows.sort_by_key(|row| row.id);
    Ok(rows.into_iter().map(Disconnecting::from).collect())
}

/// Leases up to `limit` connections that are being disconnected and that no worker holds.
pub async fn acquire_disconnecting(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    lease: Duration,
    limit: i64,
) -> sqlx::Result<Vec<Disconnecting>> {
    let rows = sqlx::query_as!(
        DisconnectingRow,
        r#"update connections
           set leave_lease = gen_random_uuid(), leave_leased_until = clock_timestamp() + $2,
               leave_attempts = leave_attempts + 1
           where id in (
               select id from connections
               where disconnected_at is not null and leave_not_before <= $1
                 and (leave_leased_until is null or leave_leased_until < clock_timestamp())
               order by leave_not_before, disconnected_at
               limit $3
               for update skip locked
           )
           returning id, email, disconnected_at as "disconnected_at!", leave_lease as "lease!",
                     leave_attempts as attempts"#,
        now,
        interval(lease),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Disconnecting::from).collect())
}

/// Extends the lease. False: it was lost, or the connection is gone.
pub async fn extend_disconnecting(
    conn: &mut PgConnection,
    lease: &Lease<ConnectionId>,
    until: Duration,
) -> sqlx::Result<bool> {
    let kept = sqlx::query!(
        "update connections set leave_leased_until = clock_timestamp() + $3
         where id = $1 and leave_lease = $2 and leave_leased_until > clock_timestamp()",
        lease.key.as_uuid(),
        lease.token,
        interval(until),
    )
    .execute(conn)
    .await?;
    Ok(kept.rows_affected() == 1)
}

/// Ends the lease; another worker takes the remaining steps, not before `not_before`.
pub async fn defer_disconnecting(
    conn: &mut PgConnection,
    lease: &Lease<ConnectionId>,
    not_before: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update connections set leave_lease = null, leave_leased_until = null, leave_not_before = $3
         where id = $1 and leave_lease = $2",
        lease.key.as_uuid(),
        lease.token,
        not_before,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether another connection uses the same Google account. Revoking the grant would end that one, too, also where a policy
/// has ended it and may allow it again.
pub async fn account_is_shared(conn: &mut PgConnection, id: ConnectionId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from connections n join connections o on o.google_sub = n.google_sub and o.id <> n.id
                          where n.id = $1 and o.disconnected_at is null
                            and (o.grant_ended_at is null or o.grant_ended_reason is not null)) as "shared!""#,
        id.as_uuid(),
    )
    .fetch_one(conn)
    .await
}

/// Marks the grants among `ids` that are kept at Google: those with other scopes than `ours`, or all without `ours`.
pub async fn keep_grants(
    conn: &mut PgConnection,
    ids: &[ConnectionId],
    ours: Option<&[&str]>,
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    sqlx::query!(
        "update connections set keep_grant = true
         where id = any($1) and ($2::text[] is null or not scopes <@ $2)",
        &ids,
        ours as Option<&[&str]>,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a grant was marked by [`keep_grants`].
pub async fn keeps_grant(conn: &mut PgConnection, id: ConnectionId) -> sqlx::Result<bool> {
    let kept = sqlx::query_scalar!("select keep_grant from connections where id = $1", id.as_uuid())
        .fetch_optional(conn)
        .await?;
    Ok(kept.unwrap_or(false))
}

/// The refresh token of a connection.
#[derive(Debug)]
pub enum RefreshToken {
    Opened(SecretString),
    Sealed(Unsealable),
    /// The grant has already ended.
    Missing,
}

/// The refresh token of a connection that is being disconnected, to be revoked.
pub async fn refresh_token(
    conn: &mut PgConnection,
    keyring: &Keyring,
    id: ConnectionId,
) -> sqlx::Result<RefreshToken> {
    let row = sqlx::query!(
        "select user_id, google_sub, refresh_token from connections where id = $1",
        id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    let Some((row, record)) = row.and_then(|mut row| row.refresh_token.take().map(|record| (row, record)))
    else {
        return Ok(RefreshToken::Missing);
    };
    let user_id = crate::user_id(row.user_id)?;
    let opened = open(keyring, "refresh_token", id, &user_id, &row.google_sub, &record);
    Ok(match opened {
        Ok(token) => RefreshToken::Opened(token),
        Err(unsealable) => RefreshToken::Sealed(unsealable),
    })
}

/// The size of a connection's mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mirrored {
    pub calendars: i64,
    pub events: i64,
}

/// Counts the calendars and events that readers see of a connection.
pub async fn mirrored(conn: &mut PgConnection, id: ConnectionId) -> sqlx::Result<Mirrored> {
    sqlx::query_as!(
        Mirrored,
        r#"select (select count(*) from calendars where connection_id = $1) as "calendars!",
                  (select count(*) from sync_state s
                   join events e on e.calendar_id = s.resource_id and e.generation = s.generation
                   where s.connection_id = $1 and e.status <> 'cancelled') as "events!""#,
        id.as_uuid(),
    )
    .fetch_one(conn)
    .await
}

/// Deletes everything of a connection except what is needed to stop its channels and revoke its grant. Pulls and writes in
/// progress cannot commit any more. The mirror is deleted by [`purge_mirror`].
pub async fn strip(conn: &mut PgConnection, lease: &Lease<ConnectionId>) -> sqlx::Result<bool> {
    let stripped = sqlx::query!(
        "with disconnecting as (
             update connections set email = '', scopes = '{}'
             where id = $1 and leave_lease = $2 and disconnected_at is not null
             returning id
         ), gone_queue as (
             delete from sync_state where resource_id in (
                 select s.resource_id from sync_state s join disconnecting d on s.connection_id = d.id
                 order by s.resource_id
                 for update of s
             )
         ), gone_intents as (
             delete from write_intents using disconnecting where connection_id = disconnecting.id
         )
         select id from disconnecting",
        lease.key.as_uuid(),
        lease.token,
    )
    .fetch_optional(conn)
    .await?;
    Ok(stripped.is_some())
}

/// Deletes up to `limit` mirrored rows from each of the large tables, and once there are none, the calendars. Returns the
/// number of rows deleted; 0 when nothing is left.
pub async fn purge_mirror(conn: &mut PgConnection, id: ConnectionId, limit: i64) -> sqlx::Result<u64> {
    let purged = sqlx::query_scalar!(
        r#"with disconnecting as (
               select c.id from calendars c join connections n on n.id = c.connection_id
               where n.id = $1 and n.disconnected_at is not null
           ), gone_events as (
               delete from events where (calendar_id, generation, event_id) in (
                   select calendar_id, generation, event_id from events
                   where calendar_id in (select id from disconnecting) limit $2)
               returning 1
           ), gone_versions as (
               delete from event_versions where (calendar_id, event_id, etag) in (
                   select calendar_id, event_id, etag from event_versions
                   where calendar_id in (select id from disconnecting) limit $2)
               returning 1
           ), gone_instances as (
               delete from instances where (calendar_id, generation, event_id) in (
                   select calendar_id, generation, event_id from instances
                   where calendar_id in (select id from disconnecting) limit $2)
               returning 1
           )
           select (select count(*) from gone_events) + (select count(*) from gone_versions)
                  + (select count(*) from gone_instances) as "purged!""#,
        id.as_uuid(),
        limit,
    )
    .fetch_one(&mut *conn)
    .await?;
    if purged > 0 {
        return Ok(purged.unsigned_abs());
    }
    let calendars = sqlx::query!(
        "delete from calendars c using connections n
         where n.id = $1 and n.disconnected_at is not null and c.connection_id = n.id",
        id.as_uuid(),
    )
    .execute(conn)
    .await?;
    Ok(calendars.rows_affected())
}

/// Deletes a disconnected connection with the rest of its data, and the quota usage of the account if no other connection
/// uses it. False: the lease was lost.
pub async fn purge(conn: &mut PgConnection, lease: &Lease<ConnectionId>) -> sqlx::Result<bool> {
    let purged = sqlx::query!(
        "with gone as (
             delete from connections where id = $1 and leave_lease = $2 and disconnected_at is not null
             returning id, google_sub
         ), unused as (
             select kind || ':' || g.google_sub as bucket from gone g, unnest(array['user', 'writes', 'channels']) kind
             where not exists (select from connections o where o.google_sub = g.google_sub and o.id <> g.id)
         ), gone_usage as (
             delete from quota_usage q using unused u where q.bucket = u.bucket
         ), gone_pauses as (
             delete from quota_pauses q using unused u where q.bucket = u.bucket
         )
         select id from gone",
        lease.key.as_uuid(),
        lease.token,
    )
    .fetch_optional(conn)
    .await?;
    Ok(purged.is_some())
}
