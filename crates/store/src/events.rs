//! The mirror: events as Google has them. Readers see one generation of a calendar; another may be under construction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::calendars::{self, Calendar};

/// An event to be written. Of each id there is at most one in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub event_id: String,
    pub etag: String,
    pub status: String,
    pub updated: Option<DateTime<Utc>>,
    pub ical_uid: Option<String>,
    pub recurring_event_id: Option<String>,
    pub original_start: Option<String>,
    /// RRULE, EXDATE and RDATE lines; empty on all but masters.
    pub recurrence: Vec<String>,
    /// JSON that `jsonb` takes.
    pub raw: String,
    /// Why it is kept but not shown.
    pub problem: Option<&'static str>,
}

/// Which version of an event is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub event_id: String,
    pub etag: String,
    pub status: String,
    pub updated: Option<DateTime<Utc>>,
    pub recurring_event_id: Option<String>,
}

/// An event as it is stored, to be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub event_id: String,
    /// The master's id, or its own.
    pub series_id: String,
    pub raw: String,
}

/// An event as readers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    pub etag: String,
    pub status: String,
    pub raw: String,
}

/// The stored versions of these events; those that are not stored are missing.
pub async fn versions(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    event_ids: &[String],
) -> sqlx::Result<Vec<Version>> {
    sqlx::query_as!(
        Version,
        "select event_id, etag, status, updated, recurring_event_id from events
         where calendar_id = $1 and generation = $2 and event_id = any($3)",
        calendar.as_uuid(),
        generation,
        event_ids,
    )
    .fetch_all(conn)
    .await
}

/// Writes events in one statement. A stored version that Google changed later than the given one stays. What is replaced
/// is kept for a while among the [`event_versions`](crate::event_versions).
pub async fn upsert(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    events: &[NewEvent],
) -> sqlx::Result<u64> {
    if events.is_empty() {
        return Ok(0);
    }
    // A list of lists cannot be unnested; recurrence lines hold no line feed, so they travel joined.
    let recurrence: Vec<Option<String>> = events
        .iter()
        .map(|event| Some(event.recurrence.join("\n")).filter(|lines| !lines.is_empty()))
        .collect();
    let column = |field: fn(&NewEvent) -> &str| -> Vec<&str> { events.iter().map(field).collect() };
    let maybe =
        |field: fn(&NewEvent) -> Option<&str>| -> Vec<Option<&str>> { events.iter().map(field).collect() };
    let updated: Vec<Option<DateTime<Utc>>> = events.iter().map(|event| event.updated).collect();
    let written = sqlx::query!(
        "with n as (
             select * from unnest($3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
                                  $9::text[], $10::text[], $11::text[], $12::text[])
               as n (event_id, etag, status, updated, ical_uid, recurring_event_id, original_start, recurrence, raw,
                     problem)
         ), kept as (
             insert into event_versions (calendar_id, event_id, etag, raw, replaced_at)
             select $1, e.event_id, e.etag, e.raw, now()
             from events e join n on n.event_id = e.event_id
             where e.calendar_id = $1 and e.generation = $2 and e.etag <> n.etag and e.etag <> ''
             on conflict do nothing
         )
         insert into events as e (calendar_id, generation, event_id, etag, status, updated, ical_uid,
                recurring_event_id, original_start, recurrence, raw, problem)
         select $1, $2, event_id, etag, status, updated, ical_uid, recurring_event_id, original_start,
                string_to_array(recurrence, E'\\n'), raw::jsonb, problem
         from n
         on conflict (calendar_id, generation, event_id) do update
         set etag = excluded.etag, status = excluded.status, updated = excluded.updated, ical_uid = excluded.ical_uid,
             recurring_event_id = excluded.recurring_event_id, original_start = excluded.original_start,
             recurrence = excluded.recurrence, raw = excluded.raw, problem = excluded.problem
         where e.updated is null or excluded.updated is null or excluded.updated >= e.updated",
        calendar.as_uuid(),
        generation,
        &column(|e| &e.event_id) as &[&str],
        &column(|e| &e.etag) as &[&str],
        &column(|e| &e.status) as &[&str],
        &updated as &[Option<DateTime<Utc>>],
        &maybe(|e| e.ical_uid.as_deref()) as &[Option<&str>],
        &maybe(|e| e.recurring_event_id.as_deref()) as &[Option<&str>],
        &maybe(|e| e.original_start.as_deref()) as &[Option<&str>],
        &recurrence as &[Option<String>],
        &column(|e| &e.raw) as &[&str],
        &maybe(|e| e.problem) as &[Option<&str>],
    )
    .execute(conn)
    .await?;
    Ok(written.rows_affected())
}

/// Forgets these events, and the exceptions of those that are masters.
pub async fn delete(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    event_ids: &[String],
) -> sqlx::Result<u64> {
    if event_ids.is_empty() {
        return Ok(0);
    }
    let deleted = sqlx::query!(
        "delete from events
         where calendar_id = $1 and generation = $2 and (event_id = any($3) or recurring_event_id = any($3))",
        calendar.as_uuid(),
        generation,
        event_ids,
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}

/// One event as it is stored, in the generation that readers see.
pub async fn get(
    conn: &mut PgConnection,
    calendar: CalendarId,
    event_id: &str,
) -> sqlx::Result<Option<Current>> {
    sqlx::query_as!(
        Current,
        r#"select e.etag, e.status, e.raw::text as "raw!"
           from events e join sync_state s on s.resource_id = e.calendar_id and s.generation = e.generation
           where e.calendar_id = $1 and e.event_id = $2"#,
        calendar.as_uuid(),
        event_id,
    )
    .fetch_optional(conn)
    .await
}

/// Marks exceptions of a series as cancelled whose instances begin at `from` (as the store keeps it) or later, because the
/// series ends before. Google does the same, and what it tells of them then is no news.
pub async fn cancel_exceptions(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    series_id: &str,
    from: &str,
) -> sqlx::Result<u64> {
    let cancelled = sqlx::query!(
        r#"update events set status = 'cancelled', raw = raw || '{"status": "cancelled"}'
           where calendar_id = $1 and generation = $2 and recurring_event_id = $3
             and original_start collate "C" >= $4 and status <> 'cancelled'"#,
        calendar.as_uuid(),
        generation,
        series_id,
        from,
    )
    .execute(conn)
    .await?;
    Ok(cancelled.rows_affected())
}

/// All that is stored of these series: masters with their exceptions, or single events.
pub async fn of_series(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    series_ids: &[String],
) -> sqlx::Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select event_id as "event_id!", event_id as "series_id!", raw::text as "raw!"
           from events
           where calendar_id = $1 and generation = $2 and event_id = any($3) and recurring_event_id is null
           union all
           select event_id, recurring_event_id, raw::text
           from events
           where calendar_id = $1 and generation = $2 and recurring_event_id = any($3)"#,
        calendar.as_uuid(),
        generation,
        series_ids,
    )
    .fetch_all(conn)
    .await
}

/// Which series a walk over a calendar visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Those whose instances depend on the horizon.
    Recurring,
    Everything,
}

/// The next series ids in order after `after` (the empty string at first), at most `limit`.
pub async fn series_after(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    walk: Walk,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    // An exception may come without its master: a guest who was invited to one instance has nothing else.
    sqlx::query_scalar!(
        r#"select series_id as "series_id!" from (
             (select event_id as series_id from events
              where calendar_id = $1 and generation = $2 and event_id > $3 and recurring_event_id is null
                and ($4 or recurrence is not null)
              order by event_id limit $5)
             union
             (select distinct recurring_event_id from events
              where calendar_id = $1 and generation = $2 and recurring_event_id > $3
              order by recurring_event_id limit $5)
           ) as s order by series_id limit $5"#,
        calendar.as_uuid(),
        generation,
        after,
        walk == Walk::Everything,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// How far the instances of a calendar's series are rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Horizon {
    pub calendar: Calendar,
    pub generation: i64,
    /// None: they are being expanded anew, or for the first time.
    pub until: Option<DateTime<Utc>>,
}

/// The horizons of a user's selected calendars, or of those named.
pub async fn horizons(
    conn: &mut PgConnection,
    user: &UserId,
    calendars: Option<&[CalendarId]>,
) -> sqlx::Result<Vec<Horizon>> {
    let ids: Option<Vec<Uuid>> = calendars.map(|ids| ids.iter().map(|id| id.as_uuid()).collect());
    let known = calendars::of_user(conn, user).await?;
    let rows = sqlx::query!(
        "select s.resource_id, s.generation, s.horizon_until
         from sync_state s join calendars c on c.id = s.resource_id
         where c.user_id = $1 and c.access_lost_at is null and (c.id = any($2) or ($2::uuid[] is null and c.selected))",
        user.as_str(),
        ids.as_deref(),
    )
    .fetch_all(conn)
    .await?;
    let mut known: HashMap<_, _> = known
        .into_iter()
        .map(|calendar| (calendar.id.as_uuid(), calendar))
        .collect();
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(Horizon {
                calendar: known.remove(&row.resource_id)?,
                generation: row.generation,
                until: row.horizon_until,
            })
        })
        .collect())
}

/// All masters of a calendar, with their exceptions.
pub async fn recurring(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
) -> sqlx::Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"with masters as (
             select event_id, raw from events
             where calendar_id = $1 and generation = $2 and recurrence is not null
           )
           select event_id as "event_id!", event_id as "series_id!", raw::text as "raw!" from masters
           union all
           select e.event_id, e.recurring_event_id, e.raw::text
           from events e join masters m on m.event_id = e.recurring_event_id
           where e.calendar_id = $1 and e.generation = $2"#,
        calendar.as_uuid(),
        generation,
    )
    .fetch_all(conn)
    .await
}

/// What readers would no longer see if the new generation took the place of the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Events of the old generation that are not cancelled.
    pub before: i64,
    /// How many of them the new one lacks.
    pub lost: i64,
    /// sha256 of the ids of the lost ones, in order: two listings that lack the same agree.
    pub digest: Vec<u8>,
}

pub async fn sweep(conn: &mut PgConnection, calendar: CalendarId, old: i64, new: i64) -> sqlx::Result<Sweep> {
    sqlx::query_as!(
        Sweep,
        r#"select count(*) as "before!", count(*) filter (where n.event_id is null) as "lost!",
                  sha256(convert_to(coalesce(string_agg(o.event_id, ' ' order by o.event_id)
                      filter (where n.event_id is null), ''), 'UTF8')) as "digest!"
           from events o
           left join events n on n.calendar_id = $1 and n.generation = $3 and n.event_id = o.event_id
                             and n.status <> 'cancelled'
           where o.calendar_id = $1 and o.generation = $2 and o.status <> 'cancelled'"#,
        calendar.as_uuid(),
        old,
        new,
    )
    .fetch_one(conn)
    .await
}

/// Deletes up to `limit` rows each of events and occurrences that belong to a generation which no reader sees. Returns
/// how many went; 0 when there is nothing left anywhere.
pub async fn purge_stale(conn: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let Some(stale) =
        sqlx::query!("select calendar_id, generation from stale_generations limit 1 for update skip locked")
            .fetch_optional(&mut *conn)
            .await?
    else {
        return Ok(0);
    };
    let purged = sqlx::query_scalar!(
        r#"with gone_events as (
             delete from events where (calendar_id, generation, event_id) in (
                 select calendar_id, generation, event_id from events where calendar_id = $1 and generation = $2
                 limit $3)
             returning 1
         ), gone_occurrences as (
             delete from occurrences where (calendar_id, generation, instance_id) in (
                 select calendar_id, generation, instance_id from occurrences where calendar_id = $1 and generation = $2
                 limit $3)
             returning 1
         )
         select (select count(*) from gone_events) + (select count(*) from gone_occurrences) as "purged!""#,
        stale.calendar_id,
        stale.generation,
        limit,
    )
    .fetch_one(&mut *conn)
    .await?;
    if purged > 0 {
        return Ok(purged.unsigned_abs());
    }
    // Its last rows went the last time; what counts now is that the entry goes, so that the next call sees the next one.
    sqlx::query!(
        "delete from stale_generations where calendar_id = $1 and generation = $2",
        stale.calendar_id,
        stale.generation,
    )
    .execute(conn)
    .await?;
    Ok(1)
}
