//! The pull log: one row per pull of a calendar, shown to its user. It has no content of the calendar.

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sync_state::{Cause, Pull};

/// Entries kept per calendar.
const KEPT: i64 = 100;

/// The result of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Something had changed.
    Ok,
    NoChange,
    /// A full listing: the first, or one that Google required.
    Listed,
    /// Failed for now, with the reason that is also in `sync_state.last_error`.
    Failed(&'a str),
}

impl<'a> Outcome<'a> {
    const fn as_str(self) -> &'a str {
        match self {
            Self::Ok => "ok",
            Self::NoChange => "no_change",
            Self::Listed => "listed",
            Self::Failed(reason) => reason,
        }
    }
}

/// An entry to be written.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// When the pull started.
    pub started_at: DateTime<Utc>,
    pub at: DateTime<Utc>,
    pub outcome: Outcome<'a>,
    /// Pages that Google returned.
    pub pages: u32,
    /// Events written and events deleted.
    pub changed: usize,
    pub deleted: usize,
    /// The message that describes it. None: it wrote none.
    pub seq: Option<i64>,
}

/// Writes an entry, in the transaction that settles the pull and before it settles. An entry without a message, with the
/// same cause and outcome as the previous one, is counted there instead.
///
/// The lease allows one writer per calendar. If it was lost, two writers may use the same number: then nothing is written
/// here, and the caller rolls back when it settles.
pub async fn record(conn: &mut PgConnection, pull: &Pull, entry: NewEntry<'_>) -> sqlx::Result<()> {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    sqlx::query!(
        "with last as (
             select number, cause, outcome, seq from sync_rounds where calendar_id = $1 order by number desc limit 1
         ), counted as (
             update sync_rounds r set times = r.times + 1, last_at = $6, pages = r.pages + $8
             from last
             where r.calendar_id = $1 and r.number = last.number and $11::bigint is null
               and last.seq is null and last.cause = $3 and last.outcome = $7
             returning r.number
         ), dropped as (
             delete from sync_rounds r using last
             where r.calendar_id = $1 and r.number <= last.number + 1 - $12 and not exists (select from counted)
         )
         insert into sync_rounds (calendar_id, number, user_id, cause, asked_at, started_at, committed_at, outcome,
                                  pages, changed, deleted, seq, last_at)
         select id, coalesce((select number from last), 0) + 1, user_id, $3, least($4::timestamptz, $5), $5, $6, $7, $8,
                $9, $10, $11, $6
         from calendars where id = $1 and user_id = $2 and not exists (select from counted)
         for key share
         on conflict (calendar_id, number) do nothing",
        pull.lease.key.as_uuid(),
        pull.user_id.as_str(),
        pull.cause.into_str(),
        pull.asked_at,
        entry.started_at,
        entry.at,
        entry.outcome.as_str(),
        entry.pages.cast_signed(),
        count(entry.changed),
        count(entry.deleted),
        entry.seq,
        KEPT,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A finished pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub calendar_id: CalendarId,
    /// Numbered within the calendar.
    pub number: i64,
    pub cause: Cause,
    pub asked_at: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub committed_at: DateTime<Utc>,
    pub outcome: String,
    pub pages: u32,
    pub changed: u32,
    pub deleted: u32,
    pub seq: Option<i64>,
    pub published_at: Option<DateTime<Utc>>,
    pub times: u32,
    pub last_at: DateTime<Utc>,
}

/// The last `limit` entries of each of a user's calendars, newest first: of the selected ones, or of those named.
pub async fn recent(
    conn: &mut PgConnection,
    user: &UserId,
    calendars: Option<&[CalendarId]>,
    limit: i64,
) -> sqlx::Result<Vec<Entry>> {
    let calendars: Option<Vec<Uuid>> = calendars.map(|ids| ids.iter().map(|id| id.as_uuid()).collect());
    let rows = sqlx::query!(
        "select r.calendar_id, r.number, r.cause, r.asked_at, r.started_at, r.committed_at, r.outcome, r.pages,
                r.changed, r.deleted, r.seq, r.published_at, r.times, r.last_at
         from calendars c cross join lateral (
             select * from sync_rounds where calendar_id = c.id and user_id = $1 order by number desc limit $3
         ) r
         where c.user_id = $1 and (c.id = any($2) or ($2::uuid[] is null and c.selected))
         order by r.calendar_id, r.number desc",
        user.as_str(),
        calendars.as_deref(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Entry {
            calendar_id: row.calendar_id.into(),
            number: row.number,
            cause: Cause::parse(&row.cause),
            asked_at: row.asked_at,
            started_at: row.started_at,
            committed_at: row.committed_at,
            outcome: row.outcome,
            pages: row.pages.unsigned_abs(),
            changed: row.changed.unsigned_abs(),
            deleted: row.deleted.unsigned_abs(),
            seq: row.seq,
            published_at: row.published_at,
            times: row.times.unsigned_abs(),
            last_at: row.last_at,
        })
        .collect())
}
