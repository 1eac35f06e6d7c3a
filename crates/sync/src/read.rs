//! Reading the events of a window: from Postgres alone, in the reader's zone.
//!
//! Within the horizon, the times of all instances are stored. Beyond it, series are expanded while reading. Those of single
//! events are always stored.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{CalendarId, UserId};
use event_model::duplicates::{self, Deduplicated, Listed};
use event_model::expansion::{self, Occurrence};
use event_model::normal_form::{self, Times};
use event_model::span::Start;
use event_model::wire::{Event, EventView, Series, Window};
use event_model::zone::{self, Zone};
use sqlx::PgConnection;
use store::calendars::{self, Evidence};
use store::events;
use store::instances::{self, FoundEvent, ReadRange};

use crate::pull::{expand_stored, families_of};

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

impl Query<'_> {
    /// With one more, which shows whether there are more, and up to where the answer is complete.
    #[must_use]
    pub fn one_more(self) -> Self {
        Self {
            limit: self.limit.saturating_add(1),
            ..self
        }
    }
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

/// The difference between the starts of a day in two zones, at most.
const ZONES_DIFFER_BY: TimeDelta = TimeDelta::hours(26);

/// An instance in an answer.
#[derive(Debug, Clone)]
struct Found {
    calendar_id: CalendarId,
    occurrence: Occurrence,
}

/// The user's events ordered by start, with all-day events before others that start at the same time.
pub async fn events(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    query: &Query<'_>,
) -> sqlx::Result<Vec<Event>> {
    Ok(Selected(instances(conn, now, user, query).await?).events(query))
}

/// Whether all instances of a window are rows, so that [`Selected::of`] is complete.
pub fn is_kept(now: DateTime<Utc>, window: Window) -> bool {
    // Every expansion, however old, starts no later than this.
    window.from >= expansion::horizon(now).from && window.to <= now + ALWAYS_KEPT
}

/// How many rows to load for a query of this limit.
pub const fn rows_for(limit: usize) -> usize {
    limit.saturating_mul(FIRST_FACTOR)
}

/// The instances that a query selects, in order.
#[derive(Debug)]
pub struct Selected(Vec<Found>);

impl Selected {
    /// From the rows of the selected calendars in a range that contains the query's window ([`is_kept`]), of which [`rows_for`]
    /// were requested. None: more rows are needed.
    pub fn of(events: &[FoundEvent], query: &Query<'_>) -> sqlx::Result<Option<Self>> {
        let Some(mut found) = complete(events, query, rows_for(query.limit))? else {
            return Ok(None);
        };
        found.sort_by(|a, b| order(a, b, query.zone));
        Ok(Some(Self(found)))
    }

    /// When the first of the instances ends that take place at a time, rather than on days. None: there is none.
    pub fn next_end(&self) -> Option<DateTime<Utc>> {
        let timed = self.0.iter().filter(|one| !one.occurrence.span.is_all_day());
        timed.map(|one| one.occurrence.ends_at).min()
    }

    /// At most `limit` events.
    pub fn events(mut self, query: &Query<'_>) -> Vec<Event> {
        let decisions = match query.duplicates {
            Duplicates::Merged => duplicates::deduplicate(&listed(&self.0)),
            Duplicates::Separate => vec![Deduplicated::Unique; self.0.len()],
        };
        let shown = |(found, decision): (Found, Deduplicated)| {
            let event = |found: Found| found.occurrence.event(found.calendar_id);
            match decision {
                Deduplicated::Unique => Some(event(found)),
                Deduplicated::Shown(copies) => Some(Event {
                    copies,
                    ..event(found)
                }),
                Deduplicated::Hidden => None,
            }
        };
        let all = self.0.drain(..).zip(decisions).filter_map(shown);
        all.take(query.limit).collect()
    }

    /// At most `limit` instances, as series. Selected by [`Query::one_more`].
    pub fn snapshot(mut self, query: &Query<'_>) -> Snapshot {
        let first_left_out = self.0.get(query.limit);
        let until = first_left_out.map(|found| start_in(found, query.zone));
        self.0.truncate(query.limit);
        let mut calendars: BTreeMap<CalendarId, Vec<&Occurrence>> = BTreeMap::new();
        for one in &self.0 {
            calendars
                .entry(one.calendar_id)
                .or_default()
                .push(&one.occurrence);
        }
        let series = calendars
            .into_iter()
            .map(|(calendar, instances)| (calendar, normal_form::series(instances.into_iter())));
        Snapshot {
            series: series.collect(),
            until,
        }
    }
}

/// The series of a window, by calendar, as a snapshot has them.
#[derive(Debug)]
pub struct Snapshot {
    pub series: BTreeMap<CalendarId, Vec<Series>>,
    /// There are more instances than requested: all that start before this are there.
    pub until: Option<DateTime<Utc>>,
}

/// As [`events()`], in the form of a snapshot.
pub async fn snapshot(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    query: &Query<'_>,
) -> sqlx::Result<Snapshot> {
    let found = instances(conn, now, user, &query.one_more()).await?;
    Ok(Selected(found).snapshot(query))
}

/// All instances that a query selects, in order, up to those that the limit needs.
async fn instances(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    query: &Query<'_>,
) -> sqlx::Result<Vec<Found>> {
    let mut found = within(conn, user, query).await?;
    replace_unconverted(conn, user, query, &mut found).await?;
    add_beyond_horizon(conn, now, user, query, &mut found).await?;
    found.sort_by(|a, b| order(a, b, query.zone));
    Ok(found)
}

/// Whether a series may have more instances in this window than are kept. Those after the horizon are expanded while reading,
/// and are complete.
pub fn may_lack_instances(evidence: &[Evidence], now: DateTime<Utc>, window: Window) -> bool {
    let kept_until = expansion::horizon(now).to;
    let cut_at = evidence.iter().filter_map(|calendar| calendar.cut_at).min();
    window.from < kept_until && cut_at.is_some_and(|cut_at| cut_at < window.to)
}

/// As many rows as it takes to have `limit` meetings with all their duplicates.
async fn within(conn: &mut PgConnection, user: &UserId, query: &Query<'_>) -> sqlx::Result<Vec<Found>> {
    let range = ReadRange {
        from: query.window.from,
        to: query.window.to,
    };
    let mut limit = query.limit.saturating_mul(FIRST_FACTOR);
    loop {
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let events = instances::within(conn, user, range, query.calendars, most).await?;
        if let Some(found) = complete(&events, query, limit)? {
            return Ok(found);
        }
        limit = limit.saturating_mul(GROWTH_FACTOR);
    }
}

/// The instances that a query selects from these rows, of which `limit` were requested. None: more rows are needed.
fn complete(events: &[FoundEvent], query: &Query<'_>, limit: usize) -> sqlx::Result<Option<Vec<Found>>> {
    let short = events.iter().filter(|event| event.is_short);
    let (count, last) = short.fold((0, None), |(count, last), event| {
        (count + 1, last.max(Some(event.starts_at)))
    });
    let is_cut = count >= limit;
    let mut found = Vec::new();
    for event in events {
        add_instances(event, query, &mut found)?;
    }
    if is_cut && let Some(last) = last {
        // Later starts are not complete, nor are all-day events that another zone places up to this much earlier.
        found.retain(|one| one.occurrence.starts_at < last - ZONES_DIFFER_BY);
    }
    let is_complete = !is_cut || meetings(&found, query.duplicates) >= query.limit;
    Ok(is_complete.then_some(found))
}

fn meetings(found: &[Found], duplicates: Duplicates) -> usize {
    match duplicates {
        Duplicates::Separate => found.len(),
        Duplicates::Merged => duplicates::count(&listed(found)),
    }
}

fn listed(found: &[Found]) -> Vec<Listed<'_>> {
    found
        .iter()
        .map(|one| Listed::new(one.calendar_id, &one.occurrence))
        .collect()
}

/// Adds those instances of an event that the query selects.
fn add_instances(event: &FoundEvent, query: &Query<'_>, found: &mut Vec<Found>) -> sqlx::Result<()> {
    let starts = starts_near(event, query.window);
    if starts.is_empty() {
        return Ok(());
    }
    let view: EventView =
        serde_json::from_str(&event.view).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let calendar_zone = Zone::of_name(&event.calendar_zone).unwrap_or_default();
    let (zone, end_zone) = normal_form::zones(&view, calendar_zone);
    let times = Times {
        is_all_day: event.is_all_day,
        starts: starts.to_vec(),
        length: TimeDelta::seconds(event.length),
    };
    let view = Arc::new(view);
    for span in times.spans(zone, end_zone) {
        let start = span.start();
        let original = if common::mutant!("id_of_end") {
            Start::At(start.as_utc() + span.length())
        } else {
            start
        };
        let occurrence = Occurrence {
            instance_id: normal_form::instance_id(&event.event_id, event.is_master, original),
            event_id: event.event_id.clone(),
            series_id: event.series_id.clone(),
            starts_at: start.as_utc(),
            ends_at: start.as_utc() + span.length(),
            span,
            is_of_master: event.is_master,
            view: view.clone(),
        };
        if selects(query, &occurrence) {
            found.push(Found {
                calendar_id: event.calendar_id,
                occurrence,
            });
        }
    }
    Ok(())
}

/// The instances of these events that overlap a window, for a reader in this zone.
pub(crate) fn occurrences(
    events: &[FoundEvent],
    window: Window,
    zone: Zone,
) -> sqlx::Result<Vec<Occurrence>> {
    let query = Query {
        window,
        zone,
        calendars: None,
        types: None,
        limit: usize::MAX,
        duplicates: Duplicates::Separate,
    };
    let mut found = Vec::new();
    for event in events {
        add_instances(event, &query, &mut found)?;
    }
    Ok(found.into_iter().map(|one| one.occurrence).collect())
}

/// Those starts of an event that may lie in the window, wherever the reader is. A series has hundreds.
fn starts_near(event: &FoundEvent, window: Window) -> &[DateTime<Utc>] {
    let wide = wider(window);
    let from = wide.from - TimeDelta::seconds(event.length);
    let first = event.starts.partition_point(|start| *start < from);
    let end = event.starts.partition_point(|start| *start < wide.to);
    event.starts.get(first..end).unwrap_or_default()
}

fn selects(query: &Query<'_>, occurrence: &Occurrence) -> bool {
    let touches = match occurrence.dates() {
        Some(dates) => expansion::all_day_overlaps(dates, query.window, query.zone),
        None => expansion::overlaps(occurrence.starts_at, occurrence.ends_at, query.window),
    };
    touches
        && query
            .types
            .is_none_or(|types| types.contains(&occurrence.view.event_type))
}

fn start_in(found: &Found, zone: Zone) -> DateTime<Utc> {
    found
        .occurrence
        .dates()
        .and_then(|(first, _)| zone::day_start(zone, first))
        .unwrap_or(found.occurrence.starts_at)
}

fn order(a: &Found, b: &Found, zone: Zone) -> Ordering {
    let key = |found: &Found| (start_in(found, zone), !found.occurrence.span.is_all_day());
    let id = |found: &'_ Found| (found.occurrence.instance_id.clone(), found.calendar_id);
    key(a).cmp(&key(b)).then_with(|| id(a).cmp(&id(b)))
}

/// Expands series that a version before this one wrote and that are not converted yet.
async fn replace_unconverted(
    conn: &mut PgConnection,
    user: &UserId,
    query: &Query<'_>,
    found: &mut Vec<Found>,
) -> sqlx::Result<()> {
    for pending in events::unconverted(conn, user, query.calendars).await? {
        let Some(calendar) = calendars::get(conn, user, pending.calendar).await? else {
            continue;
        };
        let ids = families_of(conn, calendar.id, pending.generation, &pending.series).await?;
        let series: HashSet<&str> = ids.iter().map(String::as_str).collect();
        found.retain(|one| {
            one.calendar_id != pending.calendar || !series.contains(one.occurrence.series_id.as_str())
        });
        let calendar = crate::pull::context(&calendar);
        let stored = events::of_series(conn, calendar.id, pending.generation, &ids).await?;
        let expanded = expand_stored(&calendar, stored, wider(query.window));
        let selected = expanded.into_iter().filter(|one| selects(query, one));
        found.extend(selected.map(|occurrence| Found {
            calendar_id: calendar.id,
            occurrence,
        }));
    }
    Ok(())
}

/// With the days that another zone places in the window.
fn wider(window: Window) -> Window {
    Window {
        from: window.from - ZONES_DIFFER_BY,
        to: window.to + ZONES_DIFFER_BY,
    }
}

/// Adds instances of series where there are no rows: before the horizon's start, and after each calendar's horizon.
async fn add_beyond_horizon(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    query: &Query<'_>,
    found: &mut Vec<Found>,
) -> sqlx::Result<()> {
    if is_kept(now, query.window) {
        return Ok(());
    }
    let Window { from, to } = query.window;
    let kept_from = expansion::horizon(now).from;
    let mut known: HashSet<(CalendarId, String)> = found
        .iter()
        .map(|one| (one.calendar_id, one.occurrence.instance_id.clone()))
        .collect();
    for horizon in events::horizons(conn, user, query.calendars).await? {
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
            let expanded = expand_stored(&calendar, stored, window);
            let selected = expanded
                .into_iter()
                .filter(|one| selects(query, one) && known.insert((calendar.id, one.instance_id.clone())));
            found.extend(selected.map(|occurrence| Found {
                calendar_id: calendar.id,
                occurrence,
            }));
        }
    }
    Ok(())
}
