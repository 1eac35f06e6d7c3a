//! Counts and limits for the operator of an installation (`calendar-api doctor`). No content of any calendar.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// The server itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// For example 170002 for 17.2.
    pub version_num: i32,
    pub max_connections: i32,
    /// Its clock.
    pub now: DateTime<Utc>,
}

pub async fn server(conn: &mut PgConnection) -> sqlx::Result<Server> {
    sqlx::query_as!(
        Server,
        r#"select current_setting('server_version_num')::int as "version_num!",
                  current_setting('max_connections')::int as "max_connections!", clock_timestamp() as "now!""#,
    )
    .fetch_one(conn)
    .await
}

/// The scope sets of active grants, with the number of connections that have each.
pub async fn granted_scopes(conn: &mut PgConnection) -> sqlx::Result<Vec<(Vec<String>, i64)>> {
    let rows = sqlx::query!(
        r#"select scopes, count(*) as "connections!" from connections
           where disconnected_at is null and grant_ended_at is null
           group by scopes"#,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.scopes, row.connections))
        .collect())
}

/// Lifetimes of grants. Grants that end after seven days indicate a consent screen in "Testing".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantLives {
    /// Grants that ended in the last 30 days, seven days after the consent.
    pub ended_at_seven_days: i64,
    /// All grants that ended in the last 30 days.
    pub ended: i64,
    /// Grants that were refreshed more than eight days after their consent.
    pub outlived: i64,
}

pub async fn grant_lives(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<GrantLives> {
    sqlx::query_as!(
        GrantLives,
        // An end is noticed at the next refresh, up to an hour later, and then confirmed.
        r#"select count(*) filter (where grant_ended_at - granted_at between interval '6 days 20 hours'
                                                                         and interval '7 days 12 hours')
                      as "ended_at_seven_days!",
                  count(*) filter (where grant_ended_at is not null) as "ended!",
                  count(*) filter (where grant_ended_at is null and access_expires_at - granted_at > interval '8 days')
                      as "outlived!"
           from connections
           where disconnected_at is null and coalesce(grant_ended_at, $1) > $1::timestamptz - interval '30 days'"#,
        now,
    )
    .fetch_one(conn)
    .await
}

/// How the selected calendars of active grants are kept current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watching {
    pub selected: i64,
    /// Google supports pushes for them.
    pub watchable: i64,
    /// Of those, with a live channel to the current address.
    pub watched: i64,
    /// Of those, with none for longer than it takes to create one.
    pub unwatched: i64,
    /// Of those, with a channel that was silent although a poll found changes.
    pub silent: i64,
}

/// `address`: where Google currently has to push to.
pub async fn watching(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    address: Option<&str>,
) -> sqlx::Result<Watching> {
    sqlx::query_as!(
        Watching,
        r#"with calendar as (
               select c.push_supported, l.channel_id is not null as watched,
                      l.channel_id is null and greatest(c.created_at, c.updated_at) < $1::timestamptz - interval '10 minutes'
                          as unwatched,
                      coalesce(s.last_change_at < $1::timestamptz - interval '2 minutes'
                               and s.last_change_at > greatest(l.created_at + interval '10 minutes', l.last_message_at,
                                                               s.last_push_at), false) as silent
               from calendars c
               join connections n on n.id = c.connection_id
               join sync_state s on s.resource_id = c.id
               left join lateral (
                   select w.channel_id, w.created_at, w.last_message_at from watches w
                   where w.resource_id = c.id and w.state = 'live' and w.expires_at > $1 and w.address = $2
                   order by w.created_at desc limit 1
               ) l on true
               where c.selected and c.access_lost_at is null and n.disconnected_at is null and n.grant_ended_at is null
           )
           select count(*) as "selected!",
                  count(*) filter (where push_supported) as "watchable!",
                  count(*) filter (where push_supported and watched) as "watched!",
                  count(*) filter (where push_supported and unwatched) as "unwatched!",
                  count(*) filter (where push_supported and watched and silent) as "silent!"
           from calendar"#,
        now,
        address,
    )
    .fetch_one(conn)
    .await
}

/// Usage of the project's quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaUsage {
    /// Calls of the whole project in the last complete minute.
    pub used: i64,
    /// Users that are paused, by Google or by us.
    pub users_paused: i64,
    /// Until when all calls are paused.
    pub project_paused_until: Option<DateTime<Utc>>,
}

pub async fn quota(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<QuotaUsage> {
    sqlx::query_as!(
        QuotaUsage,
        r#"select (select coalesce(max(used), 0)::bigint from quota_usage where bucket = 'project' and minute > $1) as "used!",
                  (select count(distinct split_part(bucket, ':', 2)) from quota_pauses where bucket <> 'project' and until > clock_timestamp()) as "users_paused!",
                  (select until from quota_pauses where bucket = 'project' and until > clock_timestamp()) as project_paused_until"#,
        now - TimeDelta::minutes(2),
    )
    .fetch_one(conn)
    .await
}
