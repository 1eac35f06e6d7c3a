//! The state of the whole installation in numbers, for the metrics: counts and ages, no user data.
//!
//! Read at every scrape, so every statement is bounded: by a partial index, by the number of users with unpublished
//! messages, or by a narrow table of one row per calendar. A statement that takes longer than [`STATEMENT_TIMEOUT`] fails
//! the whole overview.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

/// Prometheus waits ten seconds for a scrape.
const STATEMENT_TIMEOUT: &str = "5s";
/// The outbox is counted up to this.
pub const MESSAGES_MAX: i64 = 100_000;

/// The thresholds of an overview.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds<'a> {
    pub now: DateTime<Utc>,
    /// A pull that was due before then is late.
    pub late_before: DateTime<Utc>,
    /// A poll that was due before then was missed.
    pub poll_late_before: DateTime<Utc>,
    /// A change that a pull found before then, with no push for it since, shows that the channel delivers nothing.
    pub missed_before: DateTime<Utc>,
    /// The reason in `last_error` for Google's long limit.
    pub quota_spent: &'a str,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    pub calendars: Vec<Calendars>,
    pub connections: Connections,
    pub waiting: Due,
    pub failing: Due,
    /// Resources for which nothing is tried until a person acts.
    pub suspended: i64,
    pub outbox: Outbox,
    pub watches: Watches,
    pub quota: Quota,
    pub writes: Writes,
}

/// How many of the selected calendars are in a mode, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendars {
    /// As in `sync::freshness`.
    pub mode: String,
    /// A short identifier of the last problem, or `none`.
    pub reason: String,
    pub count: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    pub connected: i64,
    pub reauth_required: i64,
    pub disconnecting: i64,
}

/// Resources that are due: waiting for their first try, or tried and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    pub count: i64,
    pub oldest: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outbox {
    /// Up to [`MESSAGES_MAX`].
    pub messages: i64,
    pub users: i64,
    pub oldest: Option<DateTime<Utc>>,
}

/// Push channels of the resources that should have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watches {
    pub live: i64,
    /// Without a channel that has not expired.
    pub missing: i64,
    /// With a channel that missed a change.
    pub deaf: i64,
    /// The earliest expiry, and the earliest renewal.
    pub expires: Option<DateTime<Utc>>,
    pub renewal: Option<DateTime<Utc>>,
    /// The last genuine push to any of them.
    pub heard: Option<DateTime<Utc>>,
}

/// Calls within the last minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    pub project: f64,
    /// Of the user with the most calls.
    pub user: f64,
    pub project_paused: bool,
    pub users_paused: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writes {
    pub open: i64,
    pub oldest: Option<DateTime<Utc>>,
}

/// Reads everything from one snapshot.
pub async fn read(conn: &mut PgConnection, thresholds: Thresholds<'_>) -> sqlx::Result<Overview> {
    let mut tx = conn
        .begin_with("begin isolation level repeatable read read only")
        .await?;
    sqlx::query!(
        "select set_config('statement_timeout', $1, true)",
        STATEMENT_TIMEOUT
    )
    .fetch_one(&mut *tx)
    .await?;
    let (waiting, failing, suspended) = due(&mut tx).await?;
    let overview = Overview {
        calendars: calendars(&mut tx, thresholds).await?,
        connections: connections(&mut tx).await?,
        waiting,
        failing,
        suspended,
        outbox: outbox(&mut tx).await?,
        watches: watches(&mut tx, thresholds).await?,
        quota: quota(&mut tx, thresholds.now).await?,
        writes: writes(&mut tx).await?,
    };
    tx.rollback().await?;
    Ok(overview)
}

/// The same derivation as `sync::freshness`, over all calendars. A test there compares the two.
async fn calendars(conn: &mut PgConnection, thresholds: Thresholds<'_>) -> sqlx::Result<Vec<Calendars>> {
    sqlx::query_as!(
        Calendars,
        r#"with live as (
               select resource_id, max(expires_at) as expires_at from watches where state = 'live' group by resource_id
           ), calendar as (
               select case
                          when n.grant_ended_at is not null or n.disconnected_at is not null
                               or c.access_lost_at is not null or s.resource_id is null
                               or s.not_before = 'infinity' or s.last_error = $5
                               then 'paused'
                          when s.last_pull_at is null
                               or s.dirty_seq > s.synced_seq and coalesce(s.due_since, s.dirty_at) < $2
                               or isfinite(s.poll_at) and s.poll_at < $3
                               then 'stale'
                          when l.expires_at > $1 and (s.missed_push_at is null or s.missed_push_at >= $4)
                               then 'push'
                          else 'polling'
                      end as mode,
                      case
                          when n.disconnected_at is not null then 'disconnected'
                          when n.grant_ended_at is not null then 'reauth_required'
                          when c.access_lost_at is not null then 'access_lost'
                          when s.last_error is not null then s.last_error
                          when s.last_pull_at is null then 'importing'
                          when not c.push_supported then 'push_not_supported'
                          when s.missed_push_at < $4 then 'push_missed'
                          else 'none'
                      end as reason
               from calendars c
               join connections n on n.id = c.connection_id
               left join sync_state s on s.resource_id = c.id
               left join live l on l.resource_id = c.id
               where c.selected
           )
           select mode as "mode!", reason as "reason!", count(*) as "count!" from calendar group by mode, reason"#,
        thresholds.now,
        thresholds.late_before,
        thresholds.poll_late_before,
        thresholds.missed_before,
        thresholds.quota_spent,
    )
    .fetch_all(conn)
    .await
}

async fn connections(conn: &mut PgConnection) -> sqlx::Result<Connections> {
    sqlx::query_as!(
        Connections,
        r#"select count(*) filter (where disconnected_at is null and grant_ended_at is null) as "connected!",
                  count(*) filter (where disconnected_at is null and grant_ended_at is not null) as "reauth_required!",
                  count(*) filter (where disconnected_at is not null) as "disconnecting!"
           from connections"#
    )
    .fetch_one(conn)
    .await
}

/// Uses the partial index of due rows.
async fn due(conn: &mut PgConnection) -> sqlx::Result<(Due, Due, i64)> {
    let row = sqlx::query!(
        r#"select count(*) filter (where tried and not failed) as "waiting!",
                  min(since) filter (where tried and not failed) as waiting_since,
                  count(*) filter (where tried and failed) as "failing!",
                  min(since) filter (where tried and failed) as failing_since,
                  count(*) filter (where not tried) as "suspended!"
           from (select s.not_before < 'infinity' as tried, s.last_error is not null as failed,
                        coalesce(s.due_since, s.dirty_at) as since
                 from sync_state s join connections n on n.id = s.connection_id
                 where s.dirty_seq > s.synced_seq and n.grant_ended_at is null and n.disconnected_at is null) due"#
    )
    .fetch_one(conn)
    .await?;
    let due = |count, oldest| Due { count, oldest };
    Ok((
        due(row.waiting, row.waiting_since),
        due(row.failing, row.failing_since),
        row.suspended,
    ))
}

/// The oldest message is the first of its user: the query jumps from user to user in the primary key.
async fn outbox(conn: &mut PgConnection) -> sqlx::Result<Outbox> {
    sqlx::query_as!(
        Outbox,
        r#"with recursive head as (
               (select user_id, created_at from outbox order by user_id, seq limit 1)
               union all
               select next.user_id, next.created_at
               from head h cross join lateral (
                   select user_id, created_at from outbox where user_id > h.user_id order by user_id, seq limit 1
               ) next
           )
           select (select count(*) from (select from outbox limit $1) counted) as "messages!",
                  count(*) as "users!", min(created_at) as oldest
           from head"#,
        MESSAGES_MAX,
    )
    .fetch_one(conn)
    .await
}

async fn watches(conn: &mut PgConnection, thresholds: Thresholds<'_>) -> sqlx::Result<Watches> {
    sqlx::query_as!(
        Watches,
        r#"with live as (
               select resource_id, max(expires_at) as expires_at, max(renew_at) as renew_at
               from watches where state = 'live' group by resource_id
           )
           select count(*) filter (where l.expires_at > $1) as "live!",
                  count(*) filter (where l.expires_at is null or l.expires_at <= $1) as "missing!",
                  count(*) filter (where l.expires_at > $1 and s.missed_push_at < $2) as "deaf!",
                  min(l.expires_at) as expires, min(l.renew_at) as renewal, max(s.last_push_at) as heard
           from sync_state s
           join connections n on n.id = s.connection_id
           left join calendars c on c.id = s.resource_id
           left join live l on l.resource_id = s.resource_id
           where n.grant_ended_at is null and n.disconnected_at is null and s.not_before < 'infinity'
             and (s.kind = 'calendar_list' or (c.selected and c.push_supported and c.access_lost_at is null))"#,
        thresholds.now,
        thresholds.missed_before,
    )
    .fetch_one(conn)
    .await
}

async fn quota(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Quota> {
    let (minute, carried) = crate::quota::window(now);
    sqlx::query_as!(
        Quota,
        r#"with recent as (
               select bucket, sum(used * case when minute = $1 then 1 else $2::float8 end) as used
               from quota_usage where minute >= $1 - $3::interval group by bucket
           ), paused as (
               select bucket from quota_pauses where until > clock_timestamp()
           )
           select coalesce((select used from recent where bucket = 'project'), 0) as "project!",
                  coalesce((select max(used) from recent where bucket <> 'project'), 0) as "user!",
                  exists (select from paused where bucket = 'project') as "project_paused!",
                  (select count(distinct split_part(bucket, ':', 2)) from paused where bucket <> 'project') as "users_paused!""#,
        minute,
        carried,
        crate::sync_state::interval(Duration::from_mins(1)),
    )
    .fetch_one(conn)
    .await
}

async fn writes(conn: &mut PgConnection) -> sqlx::Result<Writes> {
    sqlx::query_as!(
        Writes,
        r#"select count(*) as "open!", min(created_at) as oldest from write_intents where state in ('pending', 'sent')"#
    )
    .fetch_one(conn)
    .await
}
