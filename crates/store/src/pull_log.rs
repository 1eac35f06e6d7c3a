//! What was done for each calendar, for the people whose calendar it is: one row per pull, no word of what is in it.

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sync_state::{Cause, Pull};

/// How many rounds of a calendar are kept.
const KEPT: i64 = 100;

/// How a round ended when it was not given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Something was news.
    Ok,
    NoChange,
    /// Everything was listed anew: the first time, or because Google asked for it.
    Listed,
    /// Given up for now, with the word that is also in `sync_state.last_error`.
    Failed(&'a str),
}

impl<'a> Outcome<'a> {
    const fn as_str(self) -> &'a str {
        match self {
            Self::Ok => "ok",
            Self::NoChange => "no_change",
            Self::Listed => "listed",
            Self::Failed(word) => word,
        }
    }
}

/// What a round came to.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// When the pull began.
    pub started_at: DateTime<Utc>,
    pub at: DateTime<Utc>,
    pub outcome: Outcome<'a>,
    /// Pages that Google answered.
    pub pages: u32,
    /// Events that were written, and that went.
    pub changed: usize,
    pub deleted: usize,
    /// The message that tells of it, if it told.
    pub seq: Option<i64>,
}

/// Writes a round down, in the transaction that ends its pull and before that lets go of the row. A round without a
/// message that ended as the one before it, for the same cause, is counted there.
///
/// The lease makes it one writer per calendar. Should it have been lost, two may take the same number: then nothing is
/// written, and the caller, who finds out next, rolls back.
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
        pull.cause.as_str(),
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

/// A round that has entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub calendar_id: CalendarId,
    /// Counts within the calendar.
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

/// The last `limit` rounds of each of a user's calendars, newest first: of the selected ones, or of those named.
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
