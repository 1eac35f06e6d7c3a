//! The instances of events. Every read is answered from this table.

use chrono::{DateTime, NaiveDate, Utc};
use common::ids::{CalendarId, UserId};
use serde_json::value::RawValue;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::cut_series::{self, Cut};

/// The range of a read: instances that overlap it, including one that is running at `from`.
///
/// An all-day instance has no instants. It is matched by the days that the range covers in the reader's zone.
#[derive(Debug, Clone, Copy)]
pub struct ReadRange {
    pub from: DateTime<Utc>,
    /// Exclusive.
    pub to: DateTime<Utc>,
    pub first_day: NaiveDate,
    /// Exclusive.
    pub day_after_last: NaiveDate,
}

/// One instance, with its `Event` as the JSON of the response.
#[derive(Debug, Clone)]
pub struct FoundInstance {
    /// The scan of [`within`] that found it. Each scan runs in order of start and stops after `limit` rows.
    pub scan: i32,
    pub calendar_id: CalendarId,
    pub starts_at: DateTime<Utc>,
    /// For an all-day instance.
    pub start_date: Option<NaiveDate>,
    pub instance_id: String,
    pub payload: Box<RawValue>,
}

/// Instances of a user within a range, in no order. They include the first `limit` timed and the first `limit` all-day ones,
/// to be merged in the reader's zone (`sync::read::events`). `types`: events of these types alone. From the selected
/// calendars, or from those named, but never from another user's, from one that Google no longer shows to its account, or
/// from an account that is being disconnected.
pub async fn within(
    conn: &mut PgConnection,
    user: &UserId,
    range: ReadRange,
    calendars: Option<&[CalendarId]>,
    types: Option<&[String]>,
    limit: i64,
) -> sqlx::Result<Vec<FoundInstance>> {
    let ids: Option<Vec<Uuid>> = calendars.map(|ids| ids.iter().map(|id| id.as_uuid()).collect());
    let rows = sqlx::query!(
        // Instances that started less than 36 hours before the range are found by an index of starts. Those that started
        // earlier are longer than that and found by their end. Zones differ by up to 26 hours, so the search for days is
        // wider by as much.
        r#"with shown as (
             select c.id, s.generation
             from calendars c join sync_state s on s.resource_id = c.id
             join connections n on n.id = c.connection_id
             where c.user_id = $1 and c.access_lost_at is null and n.disconnected_at is null
               and (c.id = any($2) or ($2::uuid[] is null and c.selected))
         )
         (select 1 as "scan!", o.calendar_id as "calendar_id!", o.starts_at as "starts_at!", o.start_date,
                 o.instance_id as "instance_id!", o.payload as "payload!: Json<Box<RawValue>>"
          from occurrences o join shown on shown.id = o.calendar_id and shown.generation = o.generation
          where o.user_id = $1 and o.starts_at >= $3::timestamptz - interval '36 hours' and o.starts_at < $4
            and o.start_date is null and (o.ends_at > $3 or o.starts_at >= $3)
            and ($8::text[] is null or o.payload->>'eventType' = any($8))
          order by o.starts_at limit $7)
         union all
         (select 2, o.calendar_id, o.starts_at, o.start_date, o.instance_id, o.payload
          from occurrences o join shown on shown.id = o.calendar_id and shown.generation = o.generation
          where o.user_id = $1 and o.ends_at - o.starts_at > interval '36 hours' and o.ends_at > $3
            and o.starts_at < $3::timestamptz - interval '36 hours' and o.start_date is null
            and ($8::text[] is null or o.payload->>'eventType' = any($8))
          order by o.starts_at limit $7)
         union all
         (select 3, o.calendar_id, o.starts_at, o.start_date, o.instance_id, o.payload
          from occurrences o join shown on shown.id = o.calendar_id and shown.generation = o.generation
          where o.user_id = $1 and o.start_date >= $5::date - 2 and o.start_date < $6 and o.end_date > $5
            and ($8::text[] is null or o.payload->>'eventType' = any($8))
          order by o.start_date limit $7)
         union all
         (select 4, o.calendar_id, o.starts_at, o.start_date, o.instance_id, o.payload
          from occurrences o join shown on shown.id = o.calendar_id and shown.generation = o.generation
          where o.user_id = $1 and o.ends_at - o.starts_at > interval '36 hours'
            and o.ends_at > $3::timestamptz - interval '26 hours'
            and o.start_date < $5::date - 2 and o.end_date > $5
            and ($8::text[] is null or o.payload->>'eventType' = any($8))
          order by o.start_date limit $7)"#,
        user.as_str(),
        ids.as_deref(),
        range.from,
        range.to,
        range.first_day,
        range.day_after_last,
        limit,
        types,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| FoundInstance {
            scan: row.scan,
            calendar_id: row.calendar_id.into(),
            starts_at: row.starts_at,
            start_date: row.start_date,
            instance_id: row.instance_id,
            payload: row.payload.0,
        })
        .collect())
}

/// An instance to be written. Instance ids must be unique within a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOccurrence {
    pub instance_id: String,
    pub event_id: String,
    pub series_id: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// First day and the day after the last, for an all-day instance.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// The `Event` of the API, as JSON.
    pub payload: String,
}

/// The user, calendar and generation that instances are written to.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub user: &'a UserId,
    pub calendar: CalendarId,
    pub generation: i64,
}

/// Writes instances in one statement. Unchanged ones are not touched.
pub async fn upsert(
    conn: &mut PgConnection,
    place: Place<'_>,
    occurrences: &[NewOccurrence],
) -> sqlx::Result<u64> {
    if occurrences.is_empty() {
        return Ok(0);
    }
    let column = |field: fn(&NewOccurrence) -> &str| -> Vec<&str> { occurrences.iter().map(field).collect() };
    let time = |field: fn(&NewOccurrence) -> DateTime<Utc>| -> Vec<DateTime<Utc>> {
        occurrences.iter().map(field).collect()
    };
    let day = |field: fn((NaiveDate, NaiveDate)) -> NaiveDate| -> Vec<Option<NaiveDate>> {
        occurrences.iter().map(|o| o.days.map(field)).collect()
    };
    let written = sqlx::query!(
        "insert into occurrences as o (user_id, calendar_id, generation, instance_id, event_id, series_id, starts_at,
                ends_at, start_date, end_date, payload)
         select $1, $2, $3, instance_id, event_id, series_id, starts_at, ends_at, start_date, end_date, payload::jsonb
         from unnest($4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::date[], $10::date[],
                     $11::text[])
           as n (instance_id, event_id, series_id, starts_at, ends_at, start_date, end_date, payload)
         on conflict (calendar_id, generation, instance_id) do update
         set event_id = excluded.event_id, series_id = excluded.series_id, starts_at = excluded.starts_at,
             ends_at = excluded.ends_at, start_date = excluded.start_date, end_date = excluded.end_date,
             payload = excluded.payload
         where (o.event_id, o.series_id, o.starts_at, o.ends_at, o.start_date, o.end_date, o.payload)
            is distinct from (excluded.event_id, excluded.series_id, excluded.starts_at, excluded.ends_at,
                              excluded.start_date, excluded.end_date, excluded.payload)",
        place.user.as_str(),
        place.calendar.as_uuid(),
        place.generation,
        &column(|o| &o.instance_id) as &[&str],
        &column(|o| &o.event_id) as &[&str],
        &column(|o| &o.series_id) as &[&str],
        &time(|o| o.starts_at),
        &time(|o| o.ends_at),
        &day(|(first, _)| first) as &[Option<NaiveDate>],
        &day(|(_, after_last)| after_last) as &[Option<NaiveDate>],
        &column(|o| &o.payload) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(written.rows_affected())
}

/// Instances per statement, so that no statement takes long.
const ROWS_AT_ONCE: usize = 1_000;

/// Replaces all instances of these series, [`ROWS_AT_ONCE`] at a time. `cuts`: the series that have more of them.
pub async fn replace_series(
    conn: &mut PgConnection,
    place: Place<'_>,
    series_ids: &[String],
    occurrences: &[NewOccurrence],
    cuts: &[Cut],
) -> sqlx::Result<u64> {
    cut_series::replace(conn, place.calendar, place.generation, series_ids, cuts).await?;
    let kept: Vec<&str> = occurrences.iter().map(|o| o.instance_id.as_str()).collect();
    let mut touched = delete_others(conn, place, series_ids, &kept).await?;
    for rows in occurrences.chunks(ROWS_AT_ONCE) {
        touched += upsert(conn, place, rows).await?;
    }
    Ok(touched)
}

/// Deletes the instances of these series, except those to be kept.
async fn delete_others(
    conn: &mut PgConnection,
    place: Place<'_>,
    series_ids: &[String],
    kept: &[&str],
) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "delete from occurrences
         where calendar_id = $1 and generation = $2 and series_id = any($3) and instance_id <> all($4)",
        place.calendar.as_uuid(),
        place.generation,
        series_ids,
        kept as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}
