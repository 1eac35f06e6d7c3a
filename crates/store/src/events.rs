//! The mirror: events as Google has them. Readers see one generation of a calendar while the next may be being built.

mod difference;
mod generation;
mod series;

use chrono::{DateTime, Utc};
use common::ids::CalendarId;
use sqlx::PgConnection;

pub use difference::{Comparison, DifferentSeries, differences};
pub use generation::{Sweep, purge_stale, sweep};
pub use series::{
    CalendarHorizon, Stored, Unconverted, Walk, forget_unconverted, horizons, next_unconverted, of_series,
    recurring, series_after, settle_unconverted, split_off, unconverted,
};

/// An event to be written. Ids must be unique within a call.
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
    /// JSON without the characters that `jsonb` rejects.
    pub raw: String,
    /// Its view, as JSON. Empty: it is not shown.
    pub view: String,
    /// Why it is stored but not shown.
    pub problem: Option<&'static str>,
}

/// The stored version of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub event_id: String,
    pub etag: String,
    pub status: String,
    pub updated: Option<DateTime<Utc>>,
    pub recurring_event_id: Option<String>,
    /// Its JSON equals the incoming event's.
    pub has_same_content: bool,
}

/// An event as readers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    pub etag: String,
    pub status: String,
    pub raw: String,
}

/// The stored versions of the events that are incoming. Events that are not stored are left out.
pub async fn versions<'a>(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    incoming: impl Iterator<Item = &'a NewEvent>,
) -> sqlx::Result<Vec<Version>> {
    let (ids, raws): (Vec<&str>, Vec<&str>) = incoming.map(|event| (&*event.event_id, &*event.raw)).unzip();
    sqlx::query_as!(
        Version,
        r#"select e.event_id, e.etag, e.status, e.updated, e.recurring_event_id, e.raw = n.raw::jsonb as "has_same_content!"
           from unnest($3::text[], $4::text[]) as n (event_id, raw)
           join events e on e.calendar_id = $1 and e.generation = $2 and e.event_id = n.event_id"#,
        calendar.as_uuid(),
        generation,
        &ids as &[&str],
        &raws as &[&str],
    )
    .fetch_all(conn)
    .await
}

/// The ids among these that are stored.
pub async fn stored_ids(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    event_ids: &[String],
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select event_id from events where calendar_id = $1 and generation = $2 and event_id = any($3)",
        calendar.as_uuid(),
        generation,
        event_ids,
    )
    .fetch_all(conn)
    .await
}

/// Writes events in one statement, except over a version that Google changed later. Replaced versions are kept for a while
/// as [`event_versions`](crate::event_versions).
pub async fn upsert(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    events: &[NewEvent],
) -> sqlx::Result<u64> {
    if events.is_empty() {
        return Ok(0);
    }
    // unnest cannot take a list of lists. Recurrence lines contain no line feed, so they are joined by it.
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
                                  $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
               as n (event_id, etag, status, updated, ical_uid, recurring_event_id, original_start, recurrence, raw,
                     problem, view)
         ), kept as (
             insert into event_versions (calendar_id, event_id, etag, raw, replaced_at)
             select $1, e.event_id, e.etag, e.raw, now()
             from events e join n on n.event_id = e.event_id
             where e.calendar_id = $1 and e.generation = $2 and e.etag <> n.etag and e.etag <> ''
             on conflict do nothing
         )
         insert into events as e (calendar_id, generation, event_id, etag, status, updated, ical_uid,
                recurring_event_id, original_start, recurrence, raw, problem, view)
         select $1, $2, event_id, etag, status, updated, ical_uid, recurring_event_id, original_start,
                string_to_array(recurrence, E'\\n'), raw::jsonb, problem, view
         from n
         on conflict (calendar_id, generation, event_id) do update
         set etag = excluded.etag, status = excluded.status, updated = excluded.updated, ical_uid = excluded.ical_uid,
             recurring_event_id = excluded.recurring_event_id, original_start = excluded.original_start,
             recurrence = excluded.recurrence, raw = excluded.raw, problem = excluded.problem,
             view = excluded.view
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
        &column(|e| &e.view) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(written.rows_affected())
}

/// Writes the views of events, by id, where they differ.
pub async fn set_views(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    views: &[(String, String)],
) -> sqlx::Result<()> {
    let (ids, views): (Vec<&str>, Vec<&str>) = views
        .iter()
        .map(|(id, view)| (id.as_str(), view.as_str()))
        .unzip();
    sqlx::query!(
        "update events e set view = n.view
         from unnest($3::text[], $4::text[]) as n (event_id, view)
         where e.calendar_id = $1 and e.generation = $2 and e.event_id = n.event_id and e.view is distinct from n.view",
        calendar.as_uuid(),
        generation,
        &ids as &[&str],
        &views as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes these events, and the exceptions of those that are masters.
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

/// One event, in the generation that readers see.
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

/// The ids of a series' exceptions, in the generation that readers see, whose original start (as stored) is `from` or later
/// and that are not cancelled.
pub async fn exceptions_from(
    conn: &mut PgConnection,
    calendar: CalendarId,
    series_id: &str,
    from: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select e.event_id from events e
           join sync_state s on s.resource_id = e.calendar_id and s.generation = e.generation
           where e.calendar_id = $1 and e.recurring_event_id = $2
             and e.original_start collate "C" >= $3 and e.status <> 'cancelled'
           order by e.original_start
           limit $4"#,
        calendar.as_uuid(),
        series_id,
        from,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Marks the exceptions of a series as cancelled whose original start (as stored) is `from` or later, because the series
/// ends before.
pub async fn cancel_exceptions(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    series_id: &str,
    from: &str,
) -> sqlx::Result<u64> {
    let cancelled = sqlx::query!(
        r#"update events set status = 'cancelled', raw = raw || '{"status": "cancelled"}', view = ''
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
