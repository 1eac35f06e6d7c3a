//! The end of a connection that its user no longer wants.
//!
//! [`disconnect`] is the user's wish, committed. From then on nothing is read from the account and nothing of it is shown.
//! Whoever holds the lease takes the steps that are left; a holder that does not come back is taken over.

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

/// A connection on its way out, and the right to see to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnecting {
    pub lease: Lease<ConnectionId>,
    pub user_id: UserId,
    pub email: String,
    pub disconnected_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    user_id: String,
    email: String,
    disconnected_at: DateTime<Utc>,
    lease: Uuid,
    attempts: i32,
}

impl TryFrom<Row> for Disconnecting {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            lease: Lease::new(row.id.into(), row.lease, row.attempts.unsigned_abs()),
            user_id: crate::user_id(row.user_id)?,
            email: row.email,
            disconnected_at: row.disconnected_at,
        })
    }
}

/// Begins to end a user's connection, or all of them, and takes the right to see to it. Returns those that were not on
/// their way out already, the oldest first. Their channels are to be stopped, then the grant to be ended, then the data.
pub async fn disconnect(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    id: Option<ConnectionId>,
    lease: Duration,
) -> sqlx::Result<Vec<Disconnecting>> {
    let mut rows = sqlx::query_as!(
        Row,
        r#"update connections
           set disconnected_at = $3, updated_at = $3, leave_attempts = 1, leave_not_before = '-infinity',
               leave_lease = gen_random_uuid(), leave_leased_until = clock_timestamp() + $4
           where user_id = $1 and ($2::uuid is null or id = $2) and disconnected_at is null
           returning id, user_id, email, disconnected_at as "disconnected_at!", leave_lease as "lease!",
                     leave_attempts as attempts"#,
        user.as_str(),
        id.map(ConnectionId::as_uuid),
        now,
        interval(lease),
    )
    .fetch_all(conn)
    .await?;
    rows.sort_by_key(|row| row.id);
    rows.into_iter().map(Disconnecting::try_from).collect()
}

/// Takes up to `limit` connections that are on their way out and that nobody sees to.
pub async fn acquire_disconnecting(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    lease: Duration,
    limit: i64,
) -> sqlx::Result<Vec<Disconnecting>> {
    let rows = sqlx::query_as!(
        Row,
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
           returning id, user_id, email, disconnected_at as "disconnected_at!", leave_lease as "lease!",
                     leave_attempts as attempts"#,
        now,
        interval(lease),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Disconnecting::try_from).collect()
}

/// Prolongs the right to see to a connection. False: somebody else has it, or the connection is gone.
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

/// Leaves the rest to whoever comes, not before some moment.
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

/// Somebody else, or the user anew, is connected to the Google account of a connection: revoking its grant would end
/// theirs.
pub async fn account_is_shared(conn: &mut PgConnection, id: ConnectionId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from connections n join connections o on o.google_sub = n.google_sub and o.id <> n.id
                          where n.id = $1 and o.disconnected_at is null and o.grant_ended_at is null) as "shared!""#,
        id.as_uuid(),
    )
    .fetch_one(conn)
    .await
}

/// The refresh token of a connection that leaves, for its revocation. None: its grant has ended before.
pub async fn refresh_token(
    conn: &mut PgConnection,
    keyring: &Keyring,
    id: ConnectionId,
) -> sqlx::Result<Option<Result<SecretString, Unsealable>>> {
    let row = sqlx::query!(
        "select user_id, google_sub, refresh_token from connections where id = $1",
        id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    let Some((row, record)) = row.and_then(|mut row| row.refresh_token.take().map(|record| (row, record)))
    else {
        return Ok(None);
    };
    let user_id = crate::user_id(row.user_id)?;
    Ok(Some(open(
        keyring,
        "refresh_token",
        id,
        &user_id,
        &row.google_sub,
        &record,
    )))
}

/// What is mirrored of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mirrored {
    pub calendars: i64,
    pub events: i64,
}

/// What there is of a connection in the mirror, as its readers see it.
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

/// Keeps of a connection on its way out what it takes to stop its channels and to revoke its grant. What is being pulled
/// or written for it cannot be committed any more; what was mirrored goes by [`purge_mirror`].
pub async fn strip(conn: &mut PgConnection, lease: &Lease<ConnectionId>) -> sqlx::Result<bool> {
    let stripped = sqlx::query!(
        "with leaving as (
             update connections set email = '', scopes = '{}'
             where id = $1 and leave_lease = $2 and disconnected_at is not null
             returning id
         ), gone_queue as (
             delete from sync_state using leaving where connection_id = leaving.id
         ), gone_intents as (
             delete from write_intents using leaving where connection_id = leaving.id
         )
         select id from leaving",
        lease.key.as_uuid(),
        lease.token,
    )
    .fetch_optional(conn)
    .await?;
    Ok(stripped.is_some())
}

/// Deletes up to `limit` rows of each of the large tables of what was mirrored of a connection on its way out, and once
/// they have none, its calendars. Returns how many went; 0: nothing is left.
pub async fn purge_mirror(conn: &mut PgConnection, id: ConnectionId, limit: i64) -> sqlx::Result<u64> {
    let purged = sqlx::query_scalar!(
        r#"with leaving as (
               select c.id from calendars c join connections n on n.id = c.connection_id
               where n.id = $1 and n.disconnected_at is not null
           ), gone_events as (
               delete from events where (calendar_id, generation, event_id) in (
                   select calendar_id, generation, event_id from events
                   where calendar_id in (select id from leaving) limit $2)
               returning 1
           ), gone_versions as (
               delete from event_versions where (calendar_id, event_id, etag) in (
                   select calendar_id, event_id, etag from event_versions
                   where calendar_id in (select id from leaving) limit $2)
               returning 1
           ), gone_occurrences as (
               delete from occurrences where (calendar_id, generation, instance_id) in (
                   select calendar_id, generation, instance_id from occurrences
                   where calendar_id in (select id from leaving) limit $2)
               returning 1
           )
           select (select count(*) from gone_events) + (select count(*) from gone_versions)
                  + (select count(*) from gone_occurrences) as "purged!""#,
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

/// Deletes a connection that was disconnected, with all that is left of it, and where nobody else is connected to the
/// account, how often Google was called for it. False: the lease was lost.
pub async fn purge(conn: &mut PgConnection, lease: &Lease<ConnectionId>) -> sqlx::Result<bool> {
    let purged = sqlx::query!(
        "with gone as (
             delete from connections where id = $1 and leave_lease = $2 and disconnected_at is not null
             returning id, google_sub
         ), unused as (
             select 'user:' || g.google_sub as bucket from gone g
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
