//! From events to the instances that people see.
//!
//! A series is a master with rules, and exceptions that stand for single instances of it. It is expanded in wall-clock
//! time in the event's own zone: a weekly meeting at nine stays at nine when the clocks change. An all-day event is a span
//! of dates, and is expanded as dates.
//!
//! Everything here is a pure function of what Google said. No rule makes it panic or run long: `generate` bounds the
//! work, and what cannot be read is passed over and told by [`flaws`].

mod generate;
mod recurrence;
mod rule;
mod show;
mod span;
mod window;
pub mod zone;

use std::collections::HashSet;

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use ids::CalendarId;

pub use rule::{Stamp, Unreadable, parse_date_or_time as parse_stamp};
pub use window::{ALL_DAY_SLACK, all_day_overlaps, days_window, horizon, hot_window, overlaps};

use crate::permissions::AccessRole;
use crate::resource::{EventResource, When};
use crate::wire::{Event, Window};
use recurrence::Recurrence;
pub use recurrence::Start;
use show::template;
pub use show::{MAX_DESCRIPTION, MAX_LOCATION, MAX_TITLE, rfc3339};
use span::Span;

/// The most instances that a series has in one window; the earliest are kept. A daily event has 430 in the horizon, one
/// every six hours 1,700.
pub const MAX_INSTANCES: usize = 2_500;

/// What an event needs to know of the calendar it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarContext {
    pub id: CalendarId,
    /// For events that name no zone, and for where a date lies among instants.
    pub time_zone: Tz,
    pub access_role: AccessRole,
    /// It is the account's own.
    pub is_primary: bool,
}

/// One instance of an event within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Google's id of the instance, unique in its calendar.
    pub instance_id: String,
    /// The event that it shows: a single event, an exception, or the master.
    pub event_id: String,
    /// The master's id, or `event_id` where there is none.
    pub series_id: String,
    pub starts_at: DateTime<Utc>,
    /// Not before `starts_at`. For an all-day instance, both are where its dates lie in the calendar's zone.
    pub ends_at: DateTime<Utc>,
    /// The dates of an all-day instance, the second exclusive.
    pub dates: Option<(NaiveDate, NaiveDate)>,
    pub event: Event,
}

/// Something about an event that keeps it from being shown as it was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("an event has no start that can be read, and is not shown")]
    NoStart,
    #[error("an event ends before it starts, and is shown as if it had no length")]
    EndsBeforeStart,
    #[error("a recurrence line is passed over: {0}")]
    Recurrence(#[from] Unreadable),
}

/// What is wrong with an event, for the log and the tests. A cancelled event has nothing to be wrong.
pub fn flaws(event: &EventResource) -> Vec<Flaw> {
    if event.is_cancelled() {
        return Vec::new();
    }
    let Some(start) = event.start else {
        return vec![Flaw::NoStart];
    };
    let backwards = match (start, event.end) {
        (When::AllDay(start), Some(When::AllDay(end))) => end < start,
        (When::Timed(start), Some(When::Timed(end))) => end.instant < start.instant,
        _ => false,
    };
    let zone = start.timed().map(|start| start.zone.unwrap_or(Tz::UTC));
    let lines = Recurrence::parse(&event.recurrence, zone).unreadable;
    backwards
        .then_some(Flaw::EndsBeforeStart)
        .into_iter()
        .chain(lines.into_iter().map(Flaw::from))
        .collect()
}

/// The instances of an event that have a moment within the window, in order of time.
///
/// `exceptions` are all stored exceptions of a master, cancelled ones included; none for another event. Each replaces the
/// instance of its original start, wherever it lies now. An exception whose master is not known (an invitation to one
/// instance of somebody's series) is expanded by itself, as `event`.
///
/// The first start of a series is always an instance, as in Google ("the first instance of the recurring event"), even
/// where the rules do not make it. At most [`MAX_INSTANCES`], and the exceptions.
pub fn occurrences(
    calendar: &CalendarContext,
    event: &EventResource,
    exceptions: &[EventResource],
    window: Window,
) -> Vec<Occurrence> {
    if event.is_cancelled() {
        return Vec::new();
    }
    let mut found: Vec<Occurrence> = exceptions
        .iter()
        .filter(|exception| !exception.is_cancelled() && exception.id != event.id)
        .filter_map(|exception| single(calendar, exception, window))
        .collect();
    if event.is_master() {
        found.extend(instances(calendar, event, exceptions, window));
    } else {
        found.extend(single(calendar, event, window));
    }
    found.sort_by(|a, b| (a.starts_at, &a.instance_id).cmp(&(b.starts_at, &b.instance_id)));
    found
}

/// Whether a series has an instance that begins there, by its rules and before any exception.
pub fn begins(calendar: &CalendarContext, master: &EventResource, start: Start) -> bool {
    Span::of(master, calendar).is_some_and(|span| {
        let day = match start {
            Start::Day(day) => day.and_time(chrono::NaiveTime::MIN).and_utc(),
            Start::At(at) => at,
        };
        let around = Window {
            from: day.checked_sub_days(Days::new(1)).unwrap_or(day),
            to: day.checked_add_days(Days::new(1)).unwrap_or(day),
        };
        span.starts(&master.recurrence, around).contains(&start)
    })
}

/// How many starts before this one the rule of a line makes in a series.
pub fn count_before(calendar: &CalendarContext, master: &EventResource, line: &str, before: Start) -> usize {
    Span::of(master, calendar).map_or(0, |span| span.count(line, before))
}

/// What is wrong with the lines of a series; none if they can be followed. `zone`: none for an all-day series.
pub fn unreadable(lines: &[String], zone: Option<Tz>) -> Option<Unreadable> {
    Recurrence::parse(lines, zone).unreadable.into_iter().next()
}

/// An event that is its own only instance.
fn single(calendar: &CalendarContext, event: &EventResource, window: Window) -> Option<Occurrence> {
    let span = Span::of(event, calendar)?;
    let template = template(calendar, event);
    span.place(calendar, span.start)
        .filter(|place| overlaps(place.starts_at, place.ends_at, window))
        .map(|place| place.occurrence(event.id.clone(), event, &template))
}

/// The instances that a master makes and no exception replaces.
fn instances(
    calendar: &CalendarContext,
    master: &EventResource,
    exceptions: &[EventResource],
    window: Window,
) -> Vec<Occurrence> {
    let Some(span) = Span::of(master, calendar) else {
        return Vec::new();
    };
    // By time and by id: an exception of before the series became all-day still has the other kind of start.
    let replaced: HashSet<Start> = exceptions
        .iter()
        .filter_map(|exception| exception.original_start.map(Start::from))
        .collect();
    let ids: HashSet<&str> = exceptions.iter().map(|exception| exception.id.as_str()).collect();
    let template = template(calendar, master);
    span.starts(&master.recurrence, window)
        .into_iter()
        .filter(|start| !replaced.contains(start))
        .filter_map(|start| {
            let place = span.place(calendar, start)?;
            if !overlaps(place.starts_at, place.ends_at, window) {
                return None;
            }
            let id = start.instance_id(&master.id);
            (!ids.contains(id.as_str())).then(|| place.occurrence(id, master, &template))
        })
        .take(MAX_INSTANCES)
        .collect()
}

#[cfg(test)]
mod tests;
