//! The state of the whole installation in numbers, for the metrics: counts and ages, no user data.
//!
//! [`read`] is for every scrape: each statement is bounded by a partial index, or by the number of users with unpublished
//! messages. One that takes longer than [`STATEMENT_TIMEOUT`] fails the whole overview. The cost of [`count`] is the number of
//! resources, so it counts some at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

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
    /// Accounts that are being disconnected.
    pub disconnecting: i64,
    pub waiting: Due,
    pub failing: Due,
    /// Resources for which nothing is tried until a person acts.
    pub suspended: i64,
    pub outbox: Outbox,
    pub next_channels: NextChannels,
    pub quota: Quota,
    pub writes: Writes,
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

/// Among the live push channels of the resources that should have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextChannels {
    /// The earliest expiry, and the earliest renewal.
    pub expires: Option<DateTime<Utc>>,
    pub renewal: Option<DateTime<Utc>>,
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
pub async fn read(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Overview> {
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
        disconnecting: disconnecting(&mut tx).await?,
        waiting,
        failing,
        suspended,
        outbox: outbox(&mut tx).await?,
        next_channels: next_channels(&mut tx).await?,
        quota: quota(&mut tx, now).await?,
        writes: writes(&mut tx).await?,
    };
    tx.rollback().await?;
    Ok(overview)
}

async fn disconnecting(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from connections where disconnected_at is not null"#)
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
                 from sync_state s cross join lateral (
                     select from connections n
                     where n.id = s.connection_id and n.grant_ended_at is null and n.disconnected_at is null limit 1
                 ) active
                 where s.dirty_seq > s.synced_seq) due"#
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

/// Looks at channels in the order of each index, up to the first of a resource that should have one.
async fn next_channels(conn: &mut PgConnection) -> sqlx::Result<NextChannels> {
    sqlx::query_as!(
        NextChannels,
        r#"select (select w.expires_at from watches w cross join lateral (
                       select from sync_state s join connections n on n.id = s.connection_id
                       left join calendars c on c.id = s.resource_id
                       where s.resource_id = w.resource_id and s.not_before < 'infinity'
                         and n.grant_ended_at is null and n.disconnected_at is null
                         and (s.kind = 'calendar_list' or (c.selected and c.push_supported and c.access_lost_at is null))
                       limit 1
                   ) needed
                   where w.state = 'live' order by w.expires_at limit 1) as expires,
                  (select w.renew_at from watches w cross join lateral (
                       select from sync_state s join connections n on n.id = s.connection_id
                       left join calendars c on c.id = s.resource_id
                       where s.resource_id = w.resource_id and s.not_before < 'infinity'
                         and n.grant_ended_at is null and n.disconnected_at is null
                         and (s.kind = 'calendar_list' or (c.selected and c.push_supported and c.access_lost_at is null))
                       limit 1
                   ) needed
                   where w.state = 'live' order by w.renew_at limit 1) as renewal"#
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

/// Counts over all resources.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    pub calendars: Vec<Calendars>,
    pub connected: i64,
    pub reauth_required: i64,
    pub watches: Watches,
    /// The last genuine push to any resource that should have a channel.
    pub heard: Option<DateTime<Utc>>,
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

/// Push channels of the resources that should have one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Watches {
    pub live: i64,
    /// Without a channel that has not expired.
    pub missing: i64,
    /// With a channel that missed a change.
    pub deaf: i64,
}

/// Adds the counts of up to `limit` resources, after this one in order of their ids. Returns the last of them; none at the
/// end.
pub async fn count(
    conn: &mut PgConnection,
    thresholds: Thresholds<'_>,
    after: Uuid,
    limit: i64,
    counts: &mut Counts,
) -> sqlx::Result<Option<Uuid>> {
    let last = sqlx::query_scalar!(
        "select resource_id from sync_state where resource_id > $1 order by resource_id offset $2 limit 1",
        after,
        limit - 1,
    )
    .fetch_optional(&mut *conn)
    .await?;
    // The derivation of `mode` is that of `sync::freshness`; a test there compares the two. Each resource by itself: for many
    // of them, Postgres would read the tables as a whole.
    let rows = sqlx::query!(
        r#"with judged as (
               select case when s.kind = 'calendar_list' then 'list' when c.selected then 'shown' else 'hidden' end as kind,
                      case
                          when n.grant_ended_at is not null or n.disconnected_at is not null
                               or c.access_lost_at is not null or s.not_before = 'infinity' or s.last_error = $5
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
                      end as reason,
                      case when n.disconnected_at is not null then 'disconnecting'
                           when n.grant_ended_at is not null then 'reauth_required'
                           else 'connected' end as account,
                      case when n.grant_ended_at is not null or n.disconnected_at is not null or s.not_before = 'infinity'
                                or (s.kind = 'events'
                                    and not coalesce(c.selected and c.push_supported and c.access_lost_at is null, false))
                                then 'none'
                           when l.expires_at is null or l.expires_at <= $1 then 'missing'
                           when s.missed_push_at < $4 then 'deaf'
                           else 'live' end as channel,
                      s.last_push_at
               from sync_state s
               cross join lateral (
                   select n.grant_ended_at, n.disconnected_at from connections n where n.id = s.connection_id limit 1
               ) n
               left join lateral (
                   select c.selected, c.push_supported, c.access_lost_at from calendars c where c.id = s.resource_id limit 1
               ) c on true
               left join lateral (
                   select max(w.expires_at) as expires_at from watches w
                   where w.resource_id = s.resource_id and w.state = 'live'
               ) l on true
               where s.resource_id > $6 and s.resource_id <= $7
           )
           select kind as "kind!", mode as "mode!", reason as "reason!", account as "account!", channel as "channel!",
                  count(*) as "count!", max(last_push_at) as heard
           from judged group by kind, mode, reason, account, channel"#,
        thresholds.now,
        thresholds.late_before,
        thresholds.poll_late_before,
        thresholds.missed_before,
        thresholds.quota_spent,
        after,
        last.unwrap_or(Uuid::max()),
    )
    .fetch_all(conn)
    .await?;
    let mut calendars: BTreeMap<(String, String), i64> = std::mem::take(&mut counts.calendars)
        .into_iter()
        .map(|row| ((row.mode, row.reason), row.count))
        .collect();
    for row in rows {
        match (row.kind.as_str(), row.account.as_str()) {
            ("list", "connected") => counts.connected += row.count,
            ("list", "reauth_required") => counts.reauth_required += row.count,
            ("shown", _) => *calendars.entry((row.mode, row.reason)).or_default() += row.count,
            _ => {}
        }
        match row.channel.as_str() {
            "live" => counts.watches.live += row.count,
            "missing" => counts.watches.missing += row.count,
            "deaf" => {
                counts.watches.live += row.count;
                counts.watches.deaf += row.count;
            }
            _ => continue,
        }
        counts.heard = counts.heard.max(row.heard);
    }
    counts.calendars = calendars
        .into_iter()
        .map(|((mode, reason), count)| Calendars { mode, reason, count })
        .collect();
    Ok(last)
}
