//! Creating channels: the pending row is the lease.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::ResourceId;
use common::lease::Lease;
use sqlx::PgConnection;

use super::Wanted;
use crate::connections;
use crate::sync_state::interval;

/// A channel about to be created.
#[derive(Debug)]
pub struct NewWatch<'a> {
    pub channel_id: &'a str,
    pub token_sha256: &'a [u8],
    pub address: &'a str,
}

/// The result of [`begin`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Create the channel. `attempts` counts consecutive attempts, including this one.
    Create(Lease<String>),
    /// An earlier attempt had succeeded, as its first push shows. Its channel is live now.
    Adopted,
    /// Another worker is creating one or is backing off, or none is wanted any more.
    Taken,
}

/// Leases the creation of a resource's channel, in the caller's transaction.
pub async fn begin(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    wanted: &Wanted,
    new: &NewWatch<'_>,
    lease: Duration,
) -> sqlx::Result<Begun> {
    if !lock_wanted(conn, wanted).await? {
        return Ok(Begun::Taken);
    }
    let resource = wanted.resource_id.as_uuid();
    let earlier = sqlx::query!(
        "select channel_id, attempts, google_resource_id, address from watches
         where resource_id = $1 and state = 'pending' and not_before <= $2
           and (leased_until is null or leased_until < clock_timestamp())
         for update skip locked",
        resource,
        now,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let mut attempts = 1;
    if let Some(earlier) = earlier {
        if let (Some(_), true) = (&earlier.google_resource_id, earlier.address == new.address) {
            adopt(conn, now, wanted.resource_id, &earlier.channel_id).await?;
            return Ok(Begun::Adopted);
        }
        attempts = earlier.attempts + 1;
        give_up(conn, &earlier.channel_id).await?;
    }
    let token = sqlx::query_scalar!(
        r#"insert into watches (channel_id, resource_id, connection_id, token_sha256, state, address, attempts,
                                lease_token, leased_until, created_at)
           values ($1, $2, $3, $4, 'pending', $5, $6, gen_random_uuid(), clock_timestamp() + $7, $8)
           on conflict (resource_id) where state = 'pending' do nothing
           returning lease_token as "lease_token!""#,
        new.channel_id,
        resource,
        wanted.connection_id.as_uuid(),
        new.token_sha256,
        new.address,
        attempts,
        interval(lease),
        now,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(token) = token else {
        return Ok(Begun::Taken);
    };
    if overtaken(conn, wanted).await? {
        sqlx::query!("delete from watches where channel_id = $1", new.channel_id)
            .execute(conn)
            .await?;
        return Ok(Begun::Taken);
    }
    let lease = Lease::new(new.channel_id.to_owned(), token, attempts.unsigned_abs());
    Ok(Begun::Create(lease))
}

/// Whether the resource is still to be watched. Locked until the transaction ends: a concurrent disconnect or deselection
/// waits until the pending row is committed, and then has the channel stopped.
async fn lock_wanted(conn: &mut PgConnection, wanted: &Wanted) -> sqlx::Result<bool> {
    let account = connections::is_active(conn, wanted.connection_id).await?;
    // A calendar list has none.
    let calendar = sqlx::query_scalar!(
        r#"select selected and push_supported and access_lost_at is null as "wanted!" from calendars where id = $1 for share"#,
        wanted.resource_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(account && calendar != Some(false))
}

/// Whether another worker has created the channel. Checked after the pending row was inserted: from then on no other worker
/// begins, and earlier ones have committed.
async fn overtaken(conn: &mut PgConnection, wanted: &Wanted) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from watches where resource_id = $1 and state = 'live'
                          and channel_id is distinct from $2) as "overtaken!""#,
        wanted.resource_id.as_uuid(),
        wanted.replaces,
    )
    .fetch_one(conn)
    .await
}

async fn give_up(conn: &mut PgConnection, channel_id: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update watches set state = 'replaced', lease_token = null, leased_until = null, attempts = 0,
                            not_before = '-infinity'
         where channel_id = $1",
        channel_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Renewed after 80 % of the lifetime in its first push, or of one hour if that had none.
async fn adopt(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resource: ResourceId,
    channel_id: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update watches
         set state = 'live', attempts = 0, lease_token = null, leased_until = null, not_before = '-infinity',
             expires_at = coalesce(expires_at, $2::timestamptz + interval '1 hour'),
             renew_at = created_at + (coalesce(expires_at, $2::timestamptz + interval '1 hour') - created_at) * 0.8
         where channel_id = $1",
        channel_id,
        now,
    )
    .execute(&mut *conn)
    .await?;
    replace_others(conn, resource, channel_id).await
}

/// Google's response to a `watch`.
#[derive(Debug, Clone)]
pub struct Granted<'a> {
    pub google_resource_id: &'a str,
    pub expires_at: DateTime<Utc>,
    pub renew_at: DateTime<Utc>,
}

/// Makes a channel live and the resource's other channels `replaced`. False: the lease was lost. Then the channel is
/// recorded to be stopped, and the others are not touched.
pub async fn settle(
    conn: &mut PgConnection,
    lease: &Lease<String>,
    resource: ResourceId,
    granted: &Granted<'_>,
) -> sqlx::Result<bool> {
    let live = sqlx::query_scalar!(
        r#"update watches
           set google_resource_id = $3, expires_at = $4, renew_at = $5,
               state = case when state = 'pending' and lease_token = $2 then 'live' else state end,
               attempts = case when state = 'pending' and lease_token = $2 then 0 else attempts end,
               lease_token = null, leased_until = null, not_before = '-infinity'
           where channel_id = $1
           returning state = 'live' as "live!""#,
        lease.key,
        lease.token,
        granted.google_resource_id,
        granted.expires_at,
        granted.renew_at,
    )
    .fetch_optional(&mut *conn)
    .await?
    .unwrap_or_default();
    if live {
        replace_others(conn, resource, &lease.key).await?;
    }
    Ok(live)
}

async fn replace_others(conn: &mut PgConnection, resource: ResourceId, channel_id: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update watches set state = 'replaced', attempts = 0, not_before = '-infinity'
         where resource_id = $1 and state = 'live' and channel_id <> $2",
        resource.as_uuid(),
        channel_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a failed attempt. The next one starts no earlier than `not_before`. False: the lease was lost.
pub async fn defer(
    conn: &mut PgConnection,
    lease: &Lease<String>,
    not_before: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let deferred = sqlx::query!(
        "update watches set lease_token = null, leased_until = null, not_before = $3
         where channel_id = $1 and lease_token = $2 and state = 'pending'",
        lease.key,
        lease.token,
        not_before,
    )
    .execute(conn)
    .await?;
    Ok(deferred.rows_affected() == 1)
}

/// Deletes a channel that Google refused to create.
pub async fn cancel(conn: &mut PgConnection, lease: &Lease<String>) -> sqlx::Result<bool> {
    let cancelled = sqlx::query!(
        "delete from watches where channel_id = $1 and lease_token = $2 and state = 'pending'",
        lease.key,
        lease.token,
    )
    .execute(conn)
    .await?;
    Ok(cancelled.rows_affected() == 1)
}
