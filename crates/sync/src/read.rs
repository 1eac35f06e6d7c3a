//! Reading the events of a window: from Postgres alone, in the reader's zone.
//!
//! Within the horizon, every instance is a row. Beyond it, series are expanded while reading. Single events are always
//! rows.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{CalendarId, UserId};
use event_model::duplicates::{self, Deduplicated, Listed};
use event_model::expansion::{self, Occurrence};
use event_model::wire::Window;
use event_model::zone::{self, Zone};
use serde_json::value::RawValue;
use sqlx::PgConnection;
use store::calendars::Evidence;
use store::events;
use store::occurrences::{self, FoundInstance, ReadRange};

use crate::pull::expand_stored;

/// Every calendar is expanded at least this far ahead, or is about to be: the horizon less its allowed lag. The longest
/// window of `getUpcomingEvents` lies within it.
const ALWAYS_KEPT: TimeDelta = TimeDelta::days(380);

#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Events that overlap it.
    pub window: Window,
    /// The reader's zone: decides which days of an all-day event overlap the window.
    pub zone: Zone,
    /// None: the selected calendars.
    pub calendars: Option<&'a [CalendarId]>,
    /// Google's `eventType`s. None: all.
    pub types: Option<&'a [String]>,
    /// At most this many events, the first ones by start. At least 1.
    pub limit: usize,
    pub duplicates: Duplicates,
}

/// How a meeting with duplicates in several calendars is returned ([`duplicates`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// Each duplicate is an event, for a reader that processes calendars separately.
    Separate,
    /// As one event.
    Merged,
}

/// Rows per requested meeting in the first scan, since meetings may have duplicates.
const FIRST_FACTOR: usize = 2;
/// How much larger the next scan is if those were too few.
const GROWTH_FACTOR: usize = 4;

/// The user's events ordered by start, with all-day events before others that start at the same time. Each is an
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
    if query.duplicates == Duplicates::Merged {
        found = deduplicate(found).map_err(|error| sqlx::Error::Decode(error.into()))?;
    }
    found.truncate(query.limit);
    Ok(found.into_iter().map(|found| found.payload).collect())
}

/// Whether a series may have more instances in this window than are kept. Those after the horizon are expanded while reading,
/// and are complete.
pub fn may_lack_instances(evidence: &[Evidence], now: DateTime<Utc>, window: Window) -> bool {
    let kept_until = expansion::horizon(now).to;
    let cut_at = evidence.iter().filter_map(|calendar| calendar.cut_at).min();
    window.from < kept_until && cut_at.is_some_and(|cut_at| cut_at < window.to)
}

/// As many rows as it takes to have `limit` meetings with all their duplicates.
async fn within(
    conn: &mut PgConnection,
    user: &UserId,
    query: &Query<'_>,
) -> sqlx::Result<Vec<FoundInstance>> {
    let mut limit = match query.duplicates {
        Duplicates::Separate => query.limit,
        Duplicates::Merged => query.limit.saturating_mul(FIRST_FACTOR),
    };
    loop {
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = occurrences::within(conn, user, range(query), query.calendars, query.types, rows).await?;
        if query.duplicates == Duplicates::Separate || is_enough(&found, limit, query.limit) {
            return Ok(found);
        }
        limit = limit.saturating_mul(GROWTH_FACTOR);
    }
}

/// Whether each scan has no more rows or has returned enough meetings. Those that start with the last row do not count,
/// because the scan may have cut off their duplicates.
fn is_enough(found: &[FoundInstance], limit: usize, wanted: usize) -> bool {
    let mut scans: HashMap<i32, Vec<&FoundInstance>> = HashMap::new();
    for event in found {
        scans.entry(event.scan).or_default().push(event);
    }
    scans.into_values().all(|mut rows| {
        if rows.len() < limit {
            return true;
        }
        // A scan has timed or all-day events, not both.
        let start = |event: &FoundInstance| {
            (
                event.start_date,
                event.start_date.is_none().then_some(event.starts_at),
            )
        };
        let last = rows.iter().copied().map(start).max();
        rows.retain(|event| Some(start(event)) < last);
        let rows: Vec<Listed<'_>> = rows.into_iter().map(listed).collect();
        duplicates::count(&rows) >= wanted
    })
}

fn listed(found: &FoundInstance) -> Listed<'_> {
    Listed {
        calendar_id: found.calendar_id,
        payload: &found.payload,
    }
}

/// Keeps one event of each meeting, with its copies.
fn deduplicate(found: Vec<FoundInstance>) -> serde_json::Result<Vec<FoundInstance>> {
    let decisions = duplicates::deduplicate(&found.iter().map(listed).collect::<Vec<_>>())?;
    let kept = |(event, decision)| match decision {
        Deduplicated::Unique => Some(event),
        Deduplicated::Shown(payload) => Some(FoundInstance { payload, ..event }),
        Deduplicated::Hidden => None,
    };
    Ok(found.into_iter().zip(decisions).filter_map(kept).collect())
}

fn range(query: &Query<'_>) -> ReadRange {
    let Window { from, to } = query.window;
    // The end is exclusive: a window that ends at midnight does not include the day that starts then.
    let last = to
        .checked_sub_signed(TimeDelta::nanoseconds(1))
        .unwrap_or(to)
        .max(from);
    let last_day = zone::local(query.zone, last).date();
    ReadRange {
        from,
        to,
        first_day: zone::local(query.zone, from).date(),
        day_after_last: last_day.succ_opt().unwrap_or(last_day),
    }
}

fn order(a: &FoundInstance, b: &FoundInstance, zone: Zone) -> Ordering {
    let start = |found: &FoundInstance| {
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

/// Instances of series where there are no rows: before the horizon's start, and after each calendar's horizon.
async fn beyond_horizon(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    query: &Query<'_>,
    found: &[FoundInstance],
) -> sqlx::Result<Vec<FoundInstance>> {
    let Window { from, to } = query.window;
    // Every expansion, however old, starts no later than this.
    let kept_from = expansion::horizon(now).from;
    if from >= kept_from && to <= now + ALWAYS_KEPT {
        return Ok(Vec::new());
    }
    let horizons = events::horizons(conn, user, query.calendars).await?;
    let mut more = Vec::new();
    for horizon in horizons {
        // None while the calendar is re-expanded; its old rows are there until then.
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
            more.extend(expand_stored(&calendar, stored, window));
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
        let is_asked_for = query
            .types
            .is_none_or(|types| types.contains(&occurrence.event.event_type));
        if touches
            && is_asked_for
            && known.insert((occurrence.event.calendar_id, occurrence.instance_id.clone()))
        {
            beyond.push(as_found(occurrence)?);
        }
    }
    Ok(beyond)
}

fn as_found(occurrence: Occurrence) -> sqlx::Result<FoundInstance> {
    let payload = serde_json::value::to_raw_value(&occurrence.event)
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(FoundInstance {
        scan: 0,
        calendar_id: occurrence.event.calendar_id,
        starts_at: occurrence.starts_at,
        start_date: occurrence.dates.map(|(first, _)| first),
        instance_id: occurrence.instance_id,
        payload,
    })
}
