//! Answering "what is in my calendar then": from Postgres alone, in the reader's zone.
//!
//! Within the horizon every instance is a row. Series beyond it are expanded while reading; events that do not repeat are
//! rows wherever they are.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use common::ids::{CalendarId, UserId};
use event_model::expansion::{self, Occurrence, zone};
use event_model::wire::Window;
use serde_json::value::RawValue;
use sqlx::PgConnection;
use store::events;
use store::occurrences::{self, Found, Span};

use crate::copies;
use crate::pull::expand_series;

/// Every calendar is expanded at least so far, or is about to be: the horizon, less what it may lag behind. The longest
/// question of `getUpcomingEvents` is within.
const ALWAYS_KEPT: TimeDelta = TimeDelta::days(380);

/// What a reader asks for.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Events that touch it are found, those that are running when it begins included.
    pub window: Window,
    /// The reader's zone: it decides which days an all-day event has to have to be found.
    pub zone: Tz,
    /// None: the selected calendars.
    pub calendars: Option<&'a [CalendarId]>,
    /// The most events, of those that begin first. At least 1.
    pub limit: usize,
    pub copies: Copies,
}

/// What becomes of a meeting that several calendars have a copy of ([`copies`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// Each is an event: for a reader that follows the calendars one by one.
    Each,
    /// The meeting is one event.
    Merged,
}

/// How many rows a scan brings for each meeting that is asked for, since meetings have copies.
const AT_FIRST: usize = 2;
/// How much further it goes when that were too few.
const FURTHER: usize = 4;

/// The user's events in order of their start, all-day events before others that begin at the same time. Each is a
/// [`Event`](event_model::wire::Event) as JSON.
pub async fn events(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    query: &Query<'_>,
) -> sqlx::Result<Vec<Box<RawValue>>> {
    let mut found = within(conn, user, query).await?;
    found.extend(beyond_horizon(conn, now, user, query, &found).await?);
    found.sort_by(|a, b| order(a, b, query.zone));
    if query.copies == Copies::Merged {
        found = copies::merge(found).map_err(|error| sqlx::Error::Decode(error.into()))?;
    }
    found.truncate(query.limit);
    Ok(found.into_iter().map(|found| found.payload).collect())
}

/// The rows, as many as it takes to have `limit` meetings with all their copies.
async fn within(conn: &mut PgConnection, user: &UserId, query: &Query<'_>) -> sqlx::Result<Vec<Found>> {
    let mut limit = match query.copies {
        Copies::Each => query.limit,
        Copies::Merged => query.limit.saturating_mul(AT_FIRST),
    };
    loop {
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = occurrences::within(conn, user, span(query), query.calendars, rows).await?;
        if query.copies == Copies::Each || is_enough(&found, limit, query.limit) {
            return Ok(found);
        }
        limit = limit.saturating_mul(FURTHER);
    }
}

/// Each scan has come to its end, or has brought as many meetings as are wanted at all. Those that begin together with the
/// last row do not count: rows of theirs may come after it.
fn is_enough(found: &[Found], limit: usize, wanted: usize) -> bool {
    let mut scans: HashMap<i32, Vec<&Found>> = HashMap::new();
    for event in found {
        scans.entry(event.scan).or_default().push(event);
    }
    scans.into_values().all(|mut rows| {
        if rows.len() < limit {
            return true;
        }
        // A scan has timed or all-day events, not both.
        let start = |event: &Found| {
            (
                event.start_date,
                event.start_date.is_none().then_some(event.starts_at),
            )
        };
        let last = rows.iter().copied().map(start).max();
        rows.retain(|event| Some(start(event)) < last);
        copies::count(&rows) >= wanted
    })
}

fn span(query: &Query<'_>) -> Span {
    let Window { from, to } = query.window;
    // The end is exclusive: at midnight, the day that begins then is not asked for.
    let last = to
        .checked_sub_signed(TimeDelta::nanoseconds(1))
        .unwrap_or(to)
        .max(from);
    let last_day = zone::local(query.zone, last).date();
    Span {
        from,
        to,
        first_day: zone::local(query.zone, from).date(),
        day_after_last: last_day.succ_opt().unwrap_or(last_day),
    }
}

fn order(a: &Found, b: &Found, zone: Tz) -> Ordering {
    let start = |found: &Found| {
        found
            .start_date
            .and_then(|date| zone::day_start(zone, date))
            .unwrap_or(found.starts_at)
    };
    (start(a), a.start_date.is_none(), &a.instance_id, a.calendar_id).cmp(&(
        start(b),
        b.start_date.is_none(),
        &b.instance_id,
        b.calendar_id,
    ))
}

/// Instances of series where there are no rows: before the horizon, and after how far each calendar has come.
async fn beyond_horizon(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    query: &Query<'_>,
    found: &[Found],
) -> sqlx::Result<Vec<Found>> {
    let Window { from, to } = query.window;
    // Whatever was expanded at whatever time reaches back at least to here.
    let kept_from = expansion::horizon(now).from;
    if from >= kept_from && to <= now + ALWAYS_KEPT {
        return Ok(Vec::new());
    }
    let horizons = events::horizons(conn, user, query.calendars).await?;
    let mut more = Vec::new();
    for horizon in horizons {
        // Unknown while they are expanded anew; until then the rows are there as they were.
        let kept_until = horizon.until.unwrap_or(now + ALWAYS_KEPT);
        let missing = [
            Window {
                from,
                to: to.min(kept_from),
            },
            Window {
                from: from.max(kept_until),
                to,
            },
        ];
        let missing = missing.into_iter().filter(|window| window.from < window.to);
        for window in missing {
            let calendar = crate::pull::context(&horizon.calendar);
            let stored = events::recurring(conn, calendar.id, horizon.generation).await?;
            more.extend(expand_series(&calendar, stored, window));
        }
    }
    let mut known: HashSet<(CalendarId, String)> = found
        .iter()
        .map(|found| (found.calendar_id, found.instance_id.clone()))
        .collect();
    let mut beyond = Vec::new();
    for occurrence in more {
        let touches = match occurrence.dates {
            Some(dates) => expansion::all_day_overlaps(dates, query.window, query.zone),
            None => expansion::overlaps(occurrence.starts_at, occurrence.ends_at, query.window),
        };
        if touches && known.insert((occurrence.event.calendar_id, occurrence.instance_id.clone())) {
            beyond.push(as_found(occurrence)?);
        }
    }
    Ok(beyond)
}

fn as_found(occurrence: Occurrence) -> sqlx::Result<Found> {
    let payload = serde_json::value::to_raw_value(&occurrence.event)
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(Found {
        scan: 0,
        calendar_id: occurrence.event.calendar_id,
        starts_at: occurrence.starts_at,
        start_date: occurrence.dates.map(|(first, _)| first),
        instance_id: occurrence.instance_id,
        payload,
    })
}
