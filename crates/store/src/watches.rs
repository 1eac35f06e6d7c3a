//! Push channels at Google.
//!
//! A row is `pending` before Google is asked, `live` once Google has answered (or its first push has come),
//! `replaced` when it is to be stopped, `stopped` at the end. The pending row is the lease on making a channel: there
//! is one at most per resource, and one whose holder does not come back is taken over.
//!
//! A channel whose making had an unknown outcome keeps its row, so that pushes over it still count, and is stopped as
//! soon as a push has told its resource id; otherwise Google ends it.

mod end;

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, ResourceId, UserId};
use common::lease::Lease;
use sqlx::PgConnection;

use crate::connections;
use crate::sync_state::{Kind, interval};

pub use end::{
    Stopping, ToStop, acquire_to_stop, purge, replace_all, replace_of_connections, replace_of_resources,
    settle_stop, stopping, write_off_of_connection,
};

/// A resource that needs a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub resource_id: ResourceId,
    pub connection_id: ConnectionId,
    pub user_id: UserId,
    pub kind: Kind,
    /// Google's id of the calendar; none for a calendar list.
    pub google_calendar_id: Option<String>,
    /// The live channel that there is, and that is not good enough. Another one in its place means that somebody else was
    /// faster.
    pub replaces: Option<String>,
}

/// Which live channels are as they should be.
#[derive(Debug, Clone, Copy)]
pub struct Healthy<'a> {
    pub now: DateTime<Utc>,
    /// Where pushes must go.
    pub address: &'a str,
    /// A push must have come since then, or the channel be younger.
    pub heard_since: DateTime<Utc>,
    /// A change that a pull found before then, and of which no push has told yet, shows that the channel is deaf.
    pub change_seen_before: DateTime<Utc>,
}

/// Up to `limit` resources without a healthy channel and without one being made, or with one whose maker has not come
/// back: though the old channel may have been heard again since, what became of the other is to be settled. `limit` is
/// looked at in the order of need: those without any live channel first.
pub async fn wanted(conn: &mut PgConnection, healthy: Healthy<'_>, limit: i64) -> sqlx::Result<Vec<Wanted>> {
    let rows = sqlx::query!(
        r#"select s.resource_id, s.connection_id, s.user_id, s.kind, c.google_id as "google_id?", l.channel_id as "replaces?"
           from sync_state s
           join connections n on n.id = s.connection_id
           left join calendars c on c.id = s.resource_id
           left join lateral (
               select w.channel_id, w.expires_at from watches w
               where w.resource_id = s.resource_id and w.state = 'live'
               order by w.created_at desc limit 1
           ) l on true
           where n.grant_ended_at is null and n.disconnected_at is null and s.not_before < 'infinity'
             and (s.kind = 'calendar_list' or (c.selected and c.push_supported and c.access_lost_at is null))
             and not exists (
                 select from watches w
                 where w.resource_id = s.resource_id and w.state = 'pending'
                   and (w.leased_until > clock_timestamp() or w.not_before > $1))
             and (exists (select from watches w where w.resource_id = s.resource_id and w.state = 'pending')
                  or not exists (
                      select from watches w
                      where w.resource_id = s.resource_id and w.state = 'live' and w.address = $2 and w.renew_at > $1
                        and greatest(w.created_at, w.last_message_at, s.last_push_at) > $3
                        and not coalesce(s.missed_push_at < $4
                                         and s.missed_push_at > w.created_at + interval '10 minutes', false)))
           order by l.expires_at nulls first
           limit $5"#,
        healthy.now,
        healthy.address,
        healthy.heard_since,
        healthy.change_seen_before,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Wanted {
                resource_id: row.resource_id.into(),
                connection_id: row.connection_id.into(),
                user_id: crate::user_id(row.user_id)?,
                kind: Kind::parse(&row.kind),
                google_calendar_id: row.google_id,
                replaces: row.replaces,
            })
        })
        .collect()
}

/// A channel about to be made.
#[derive(Debug)]
pub struct NewWatch<'a> {
    pub channel_id: &'a str,
    pub token_sha256: &'a [u8],
    pub address: &'a str,
}

/// A channel on which Google pushes now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub channel_id: String,
    /// Google's opaque id of what is watched.
    pub google_resource_id: String,
    pub expires_at: DateTime<Utc>,
}

/// The channel of one of a user's calendars; the newest where two overlap.
pub async fn live_of_calendar(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    calendar: CalendarId,
) -> sqlx::Result<Option<Live>> {
    sqlx::query_as!(
        Live,
        r#"select w.channel_id, w.google_resource_id as "google_resource_id!", w.expires_at as "expires_at!"
           from watches w join calendars c on c.id = w.resource_id
           where c.user_id = $1 and c.id = $2 and w.state = 'live' and w.expires_at > $3
             and w.google_resource_id is not null
           order by w.created_at desc limit 1"#,
        user.as_str(),
        calendar.as_uuid(),
        now,
    )
    .fetch_optional(conn)
    .await
}

/// How a channel does on which Google pushes now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    pub calendar_id: CalendarId,
    pub expires_at: DateTime<Utc>,
    /// When another one is made in its place.
    pub renew_at: Option<DateTime<Utc>>,
    /// The last push over it; exact to some minutes.
    pub last_message_at: Option<DateTime<Utc>>,
    /// Where Google pushes to.
    pub address: String,
}

/// The channels of a user's calendars; of each calendar the newest.
pub async fn live_of_user(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
) -> sqlx::Result<Vec<Doing>> {
    sqlx::query_as!(
        Doing,
        r#"select distinct on (c.id) c.id as calendar_id, w.expires_at as "expires_at!", w.renew_at,
                  w.last_message_at, w.address
           from watches w join calendars c on c.id = w.resource_id
           where c.user_id = $1 and w.state = 'live' and w.expires_at > $2
           order by c.id, w.created_at desc"#,
        user.as_str(),
        now,
    )
    .fetch_all(conn)
    .await
}

/// A user wants no more pushes on a channel: it is stopped at Google as soon as somebody gets round to it. False: the
/// user has no such channel.
pub async fn replace_of_user(
    conn: &mut PgConnection,
    user: &UserId,
    channel_id: &str,
    google_resource_id: &str,
) -> sqlx::Result<bool> {
    let known = sqlx::query_scalar!(
        r#"with known as (
               select w.channel_id, w.state from watches w join connections n on n.id = w.connection_id
               where n.user_id = $1 and w.channel_id = $2 and w.google_resource_id = $3
           ), replaced as (
               update watches w set state = 'replaced', not_before = '-infinity'
               from known where w.channel_id = known.channel_id and known.state = 'live'
           )
           select exists (select from known) as "known!""#,
        user.as_str(),
        channel_id,
        google_resource_id,
    )
    .fetch_one(conn)
    .await?;
    Ok(known)
}

/// What [`begin`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Make the channel. `attempts` counts the tries in a row, this one included.
    Make(Lease<String>),
    /// An earlier try had worked after all, as its first push shows: its channel is live now.
    Adopted,
    /// Somebody else is making one, or waits to try again; or none is wanted any more.
    Taken,
}

/// Takes the right to make a resource's channel for `lease`, in the caller's transaction.
pub async fn begin(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    wanted: &Wanted,
    new: &NewWatch<'_>,
    lease: Duration,
) -> sqlx::Result<Begun> {
    if !held_to(conn, wanted).await? {
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
    Ok(Begun::Make(lease))
}

/// Whether the resource is still to be watched, held to until the transaction ends: who disconnects the account or drops
/// the calendar meanwhile waits for the pending row, to have the channel stopped, or is waited for.
async fn held_to(conn: &mut PgConnection, wanted: &Wanted) -> sqlx::Result<bool> {
    let account = connections::lives(conn, wanted.connection_id).await?;
    // There is none for the list of calendars.
    let calendar = sqlx::query_scalar!(
        r#"select selected and push_supported and access_lost_at is null as "wanted!" from calendars where id = $1 for share"#,
        wanted.resource_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(account && calendar != Some(false))
}

/// Somebody else has made the channel meanwhile. To be asked once the pending row is there: from then on nobody else
/// begins, and who was before has committed.
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

/// Renewed at four fifths of what its first push said of its life; an hour where that said nothing.
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

/// What Google answered to a `watch`.
#[derive(Debug, Clone)]
pub struct Granted<'a> {
    pub google_resource_id: &'a str,
    pub expires_at: DateTime<Utc>,
    pub renew_at: DateTime<Utc>,
}

/// Makes a channel live and the resource's other ones `replaced`. False: it was taken over meanwhile; then it is on
/// record for being stopped, and the other channels are left alone.
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

/// Ends a try that failed: the next one comes not before `not_before`. False: it was taken over meanwhile.
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

/// Forgets a channel that Google has said it did not make.
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
