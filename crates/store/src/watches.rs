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

use crate::sync_state::Kind;

pub use creation::{Begun, Granted, NewWatch, begin, cancel, defer, settle};
pub use end::{
    Stopping, ToStop, acquire_to_stop, purge, replace_all, replace_of_connections, replace_of_resources,
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

/// Up to `limit` resources that have neither a healthy channel nor one being created, or whose pending row has an expired
/// lease: even if the old channel is healthy again, that row has to be settled. Resources without any live channel first.
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
