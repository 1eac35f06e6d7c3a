//! When the instances of events take place. With the events' views, every read is answered from this table.

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

/// The range of a read: events with an instance that overlaps it, including one that is running at `from`.
///
/// An all-day instance has no instants. It is matched by the days that the range covers in the reader's zone, so the search is
/// wider by as much as zones differ, and the caller compares each instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReadRange {
    pub from: DateTime<Utc>,
    /// Exclusive.
    pub to: DateTime<Utc>,
}

/// An event with all its instances within the horizon, and what they show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEvent {
    pub calendar_id: CalendarId,
    pub calendar_zone: String,
    pub event_id: String,
    pub series_id: String,
    pub is_master: bool,
    /// The first start. An all-day event is placed in the calendar's zone.
    pub starts_at: DateTime<Utc>,
    pub is_all_day: bool,
    /// In order; midnights in UTC of the dates of an all-day event.
    pub starts: Vec<DateTime<Utc>>,
    /// Seconds from each start to its end.
    pub length: i64,
    /// The event's view, as JSON.
    pub view: String,
    /// Found by its start, as one of at most `limit`; others are found by their end, all of them.
    pub is_short: bool,
}

/// Events of a user within a range. They include the first `limit` of those that last at most 36 hours, in order of their
/// start, and all longer ones, which a series is. From the selected calendars, or from those named, but never from another
/// user's, from one that Google no longer shows to its account, or from an account that is being disconnected.
pub async fn within(
    conn: &mut PgConnection,
    user: &UserId,
    range: ReadRange,
    calendars: Option<&[CalendarId]>,
    limit: i64,
) -> sqlx::Result<Vec<FoundEvent>> {
    let ids: Option<Vec<Uuid>> = calendars.map(|ids| ids.iter().map(|id| id.as_uuid()).collect());
    sqlx::query_as!(
        FoundEvent,
        // Zones differ by up to 26 hours.
        r#"with shown as (
             select c.id, c.time_zone, s.generation
             from calendars c join sync_state s on s.resource_id = c.id
             join connections n on n.id = c.connection_id
             where c.user_id = $1 and c.access_lost_at is null and n.disconnected_at is null
               and (c.id = any($2) or ($2::uuid[] is null and c.selected))
         ), found as (
             (select i.*, shown.time_zone, true as is_short
              from instances i join shown on shown.id = i.calendar_id and shown.generation = i.generation
              where i.user_id = $1 and i.ends_at - i.starts_at <= interval '36 hours'
                and i.starts_at >= $3::timestamptz - interval '62 hours'
                and i.starts_at < $4::timestamptz + interval '26 hours'
                and (i.is_all_day or i.ends_at > $3 or i.starts_at >= $3)
              order by i.starts_at limit $5)
             union all
             (select i.*, shown.time_zone, false
              from instances i join shown on shown.id = i.calendar_id and shown.generation = i.generation
              where i.user_id = $1 and i.ends_at - i.starts_at > interval '36 hours'
                and i.ends_at > $3::timestamptz - interval '26 hours'
                and i.starts_at < $4::timestamptz + interval '26 hours')
         )
         select f.calendar_id as "calendar_id!", f.time_zone as "calendar_zone!", f.event_id as "event_id!", f.series_id as "series_id!",
                f.is_master as "is_master!", f.starts_at as "starts_at!",
                f.is_all_day as "is_all_day!", f.starts as "starts!", f.length as "length!", e.view as "view!",
                f.is_short as "is_short!"
         from found f join events e using (calendar_id, generation, event_id)
         where e.view <> ''"#,
        user.as_str(),
        ids.as_deref(),
        range.from,
        range.to,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The instances of an event, to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInstances {
    pub event_id: String,
    pub series_id: String,
    pub is_master: bool,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub is_all_day: bool,
    /// In order, at least one.
    pub starts: Vec<DateTime<Utc>>,
    /// Seconds from each start to its end.
    pub length: i64,
    /// The start of the last instance that is kept, if there are more.
    pub cut_at: Option<DateTime<Utc>>,
}

/// The user, calendar and generation that instances are written to.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub user: &'a UserId,
    pub calendar: CalendarId,
    pub generation: i64,
}

/// Replaces all instances of these series in one statement. Events whose instances are unchanged are not touched. Event ids must
/// be unique within a call. Returns how many events it wrote or deleted.
pub async fn replace_series(
    conn: &mut PgConnection,
    place: Place<'_>,
    series_ids: &[String],
    events: &[NewInstances],
) -> sqlx::Result<u64> {
    let column = |field: fn(&NewInstances) -> &str| -> Vec<&str> { events.iter().map(field).collect() };
    let time = |field: fn(&NewInstances) -> DateTime<Utc>| -> Vec<DateTime<Utc>> {
        events.iter().map(field).collect()
    };
    let flag = |field: fn(&NewInstances) -> bool| -> Vec<bool> { events.iter().map(field).collect() };
    let lengths: Vec<i64> = events.iter().map(|event| event.length).collect();
    let cuts: Vec<Option<DateTime<Utc>>> = events.iter().map(|event| event.cut_at).collect();
    // unnest cannot take a list of lists: each start comes with the position of its event, from 1.
    let (positions, starts): (Vec<i32>, Vec<DateTime<Utc>>) = (1..)
        .zip(events)
        .flat_map(|(position, event)| event.starts.iter().map(move |&start| (position, start)))
        .unzip();
    let written = sqlx::query_scalar!(
        r#"with n as (
             select * from unnest($5::text[], $6::text[], $7::bool[], $8::timestamptz[], $9::timestamptz[], $10::bool[],
                                  $11::bigint[], $12::timestamptz[]) with ordinality
               as n (event_id, series_id, is_master, starts_at, ends_at, is_all_day, length, cut_at, position)
         ), times as (
             select position, array_agg(start order by start) as starts
             from unnest($13::int[], $14::timestamptz[]) as t (position, start) group by position
         ), gone as (
             delete from instances
             where calendar_id = $2 and generation = $3 and series_id = any($4)
               and event_id not in (select event_id from n)
             returning 1
         ), written as (
             insert into instances as i (user_id, calendar_id, generation, event_id, series_id, is_master, starts_at, ends_at,
                    is_all_day, starts, length, cut_at)
             select $1, $2, $3, event_id, series_id, is_master, starts_at, ends_at, is_all_day, starts, length, cut_at
             from n join times using (position)
             on conflict (calendar_id, generation, event_id) do update
             set series_id = excluded.series_id, is_master = excluded.is_master, starts_at = excluded.starts_at,
                 ends_at = excluded.ends_at, is_all_day = excluded.is_all_day, starts = excluded.starts,
                 length = excluded.length, cut_at = excluded.cut_at
             where (i.series_id, i.is_master, i.starts_at, i.ends_at, i.is_all_day, i.starts, i.length, i.cut_at)
                is distinct from (excluded.series_id, excluded.is_master, excluded.starts_at, excluded.ends_at,
                                  excluded.is_all_day, excluded.starts, excluded.length, excluded.cut_at)
             returning 1
         )
         select (select count(*) from gone) + (select count(*) from written) as "touched!""#,
        place.user.as_str(),
        place.calendar.as_uuid(),
        place.generation,
        series_ids,
        &column(|e| &e.event_id) as &[&str],
        &column(|e| &e.series_id) as &[&str],
        &flag(|e| e.is_master),
        &time(|e| e.starts_at),
        &time(|e| e.ends_at),
        &flag(|e| e.is_all_day),
        &lengths,
        &cuts as &[Option<DateTime<Utc>>],
        &positions,
        &starts,
    )
    .fetch_one(conn)
    .await?;
    Ok(written.unsigned_abs())
}
