//! Push channels at Google.
//!
//! A row is `pending` before Google is called, `live` after Google's response (or the first push), `replaced` when it is to
//! be stopped, and finally `stopped`. The pending row is the lease on creating a channel. There is at most one per resource,
//! and an expired one is taken over.
//!
//! A channel whose creation had an unknown outcome keeps its row, so that its pushes still count. It is stopped once a push
//! has delivered its resource id; otherwise it expires at Google.

mod creation;
mod end;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, ResourceId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sync_state::Kind;

pub use creation::{Begun, Granted, NewWatch, begin, cancel, defer, settle};
pub use end::{
    Stopping, ToStop, acquire_to_stop, purge, replace_any, replace_of_connections, replace_of_resources,
    settle_stop, stop_after_all, stopping, write_off_of_connection,
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
    /// The live channel to be replaced. If another one is live by then, another worker was faster.
    pub replaces: Option<String>,
}

/// The criteria for a healthy live channel.
#[derive(Debug, Clone, Copy)]
pub struct Healthy<'a> {
    pub now: DateTime<Utc>,
    /// The address that pushes must go to.
    pub address: &'a str,
    /// A push must have arrived since then, unless the channel is younger.
    pub heard_since: DateTime<Utc>,
    /// A change that a pull found before then, with no push for it since, shows that the channel delivers nothing.
    pub change_seen_before: DateTime<Utc>,
}

/// A resource that may need a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    pub resource_id: ResourceId,
    /// When a channel was requested ([`request_channel`](crate::sync_state::request_channel)). None: it was found for
    /// another reason.
    pub requested_at: Option<DateTime<Utc>>,
    /// It was examined in its turn.
    pub is_in_turn: bool,
}

/// Resources that may need a channel, at most `limit` for each reason, with duplicates: a channel was requested, one could
/// not be created and is due again, one is due to be renewed or has missed a change.
///
/// Other reasons are not indexed: silence, another address, a lost request. Therefore all resources take turns: the `limit`
/// after `after`, in order of their ids, are examined too. With at most `limit` resources, that is all of them each time.
pub async fn candidates(
    conn: &mut PgConnection,
    healthy: Healthy<'_>,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<Candidate>> {
    sqlx::query_as!(
        Candidate,
        r#"(select resource_id as "resource_id!", channel_requested_at as "requested_at?", false as "is_in_turn!"
            from sync_state where channel_requested_at is not null order by channel_requested_at limit $4)
           union all
           (select resource_id, null, false from watches
            where state = 'pending' and not_before <= $1 and (leased_until is null or leased_until <= clock_timestamp())
            limit $4)
           union all
           (select resource_id, null, false from watches where state = 'live' and renew_at <= $1 order by renew_at limit $4)
           union all
           (select resource_id, null, false from sync_state where missed_push_at < $2 order by missed_push_at limit $4)
           union all
           (select resource_id, null, true from sync_state where resource_id > $3 order by resource_id limit $4)"#,
        healthy.now,
        healthy.change_seen_before,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Ends the requests of these resources, unless they were repeated.
pub async fn end_requests(
    conn: &mut PgConnection,
    requests: &[(ResourceId, DateTime<Utc>)],
) -> sqlx::Result<()> {
    let (resources, times): (Vec<Uuid>, Vec<DateTime<Utc>>) = requests
        .iter()
        .map(|(resource, at)| (resource.as_uuid(), *at))
        .unzip();
    sqlx::query!(
        "update sync_state s set channel_requested_at = null
         from (select locked.resource_id from sync_state locked
               join unnest($1::uuid[], $2::timestamptz[]) as request (resource_id, at)
                 on locked.resource_id = request.resource_id and locked.channel_requested_at = request.at
               order by locked.resource_id
               for no key update of locked skip locked) as ended
         where s.resource_id = ended.resource_id",
        &resources,
        &times,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of these resources that have neither a healthy channel nor one being created, or whose pending row has an expired
/// lease: even if the old channel is healthy again, that row has to be settled. Resources without any live channel first.
pub async fn wanted(
    conn: &mut PgConnection,
    healthy: Healthy<'_>,
    among: &[ResourceId],
) -> sqlx::Result<Vec<Wanted>> {
    let among: Vec<Uuid> = among.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        // Each resource by itself: for many of them, Postgres would read the tables as a whole.
        r#"select w.resource_id as "resource_id!", w.connection_id as "connection_id!", w.user_id as "user_id!",
                  w.kind as "kind!", w.google_id as "google_id?", w.channel_id as "replaces?"
           from unnest($5::uuid[]) as among (resource_id)
           cross join lateral (
               select s.resource_id, s.connection_id, s.user_id, s.kind, c.google_id, l.channel_id, l.expires_at
               from sync_state s
               join connections n on n.id = s.connection_id
               left join calendars c on c.id = s.resource_id
               left join lateral (
                   select w.channel_id, w.expires_at from watches w
                   where w.resource_id = s.resource_id and w.state = 'live'
                   order by w.created_at desc limit 1
               ) l on true
               where s.resource_id = among.resource_id
                 and n.grant_ended_at is null and n.disconnected_at is null and s.not_before < 'infinity'
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
               limit 1
           ) w
           order by w.expires_at nulls first"#,
        healthy.now,
        healthy.address,
        healthy.heard_since,
        healthy.change_seen_before,
        &among,
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

/// A live channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub channel_id: String,
    /// Google's opaque id of the watched resource.
    pub google_resource_id: String,
    pub expires_at: DateTime<Utc>,
}

/// The live channel of one of a user's calendars; the newest where two overlap.
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

/// The state of a live channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveState {
    pub calendar_id: CalendarId,
    pub expires_at: DateTime<Utc>,
    /// When it is due to be replaced by a new one.
    pub renew_at: Option<DateTime<Utc>>,
    /// The last push on it, to within some minutes.
    pub last_message_at: Option<DateTime<Utc>>,
    /// The address that Google pushes to.
    pub address: String,
}

/// The newest live channel of each of a user's calendars.
pub async fn live_of_user(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
) -> sqlx::Result<Vec<LiveState>> {
    sqlx::query_as!(
        LiveState,
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

/// Marks a channel of a user to be stopped at Google. False: the user has no such channel.
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
               returning w.resource_id
           ), requested as (
               update sync_state s set channel_requested_at = now() from replaced r where s.resource_id = r.resource_id
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
