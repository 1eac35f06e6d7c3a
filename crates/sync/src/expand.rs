//! From events to the instances that people see.
//!
//! A series is a master with rules, and exceptions that stand for single instances of it. It is expanded in wall-clock
//! time in the event's own zone: a weekly meeting at nine stays at nine when the clocks change. An all-day event is a span
//! of dates, and is expanded as dates.
//!
//! Everything here is a pure function of what Google said. No rule makes it panic or run long: [`generate`] bounds the
//! work, and what cannot be read is passed over and told by [`flaws`].

mod generate;
mod recurrence;
mod rule;
mod window;
pub mod zone;

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use chrono::{
    DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc,
};
use chrono_tz::Tz;
use common::ids::CalendarId;

pub use rule::Unreadable;
pub use window::{ALL_DAY_SLACK, all_day_overlaps, days_window, horizon, hot_window, overlaps};

use crate::payload::{Event, Window};
use crate::view::{AccessRole, EventResource, When, can_edit, cut};
use recurrence::{Recurrence, Start};
use rule::{Frequency, Rule, Until};

/// The most that goes to a browser of a text, in characters: more than Google's own pages let a person type, so that a
/// megabyte in a title, which the API takes, does not crowd out everything else. The mirror keeps it whole.
const MAX_TITLE: usize = 1_024;
const MAX_LOCATION: usize = 1_024;
const MAX_DESCRIPTION: usize = 8_192;

/// The most instances that one rule makes in one window, the earliest: a daily event has 430 in the horizon, and one every
/// six hours 1,700.
pub const MAX_INSTANCES: usize = 2_500;

/// What an event needs to know of the calendar it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarContext {
    pub id: CalendarId,
    /// For events that name no zone, and for where a date lies among instants.
    pub time_zone: Tz,
    pub access_role: AccessRole,
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
/// where the rules do not make it. At most [`MAX_INSTANCES`] for each rule.
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
        .collect()
}

/// How an event lies in time: what an instance of it has in common with its siblings.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: Start,
    length: Length,
}

#[derive(Debug, Clone, Copy)]
enum Length {
    /// At least one.
    Days(u64),
    /// Exact, however the clocks change meanwhile; not negative. The zones are those that the start and the end are told in.
    Time {
        length: TimeDelta,
        zone: Tz,
        end_zone: Tz,
    },
}

impl Span {
    /// None: the event has no start. A missing or impossible end makes it as short as it can be.
    fn of(event: &EventResource, calendar: &CalendarContext) -> Option<Self> {
        Some(match event.start? {
            When::AllDay(start) => {
                let end = event.end.and_then(|end| end.date()).unwrap_or(start);
                let days = u64::try_from((end - start).num_days()).unwrap_or(0).max(1);
                Self {
                    start: Start::Day(start),
                    length: Length::Days(days),
                }
            }
            When::Timed(start) => {
                let end = event.end.and_then(|end| end.timed()).unwrap_or(start);
                let zone = start.zone.unwrap_or(calendar.time_zone);
                Self {
                    start: Start::At(start.instant),
                    length: Length::Time {
                        length: (end.instant - start.instant).max(TimeDelta::zero()),
                        zone,
                        end_zone: end.zone.unwrap_or(zone),
                    },
                }
            }
        })
    }

    /// The zone in which the rules run; none for dates.
    fn zone(&self) -> Option<Tz> {
        match self.length {
            Length::Days(_) => None,
            Length::Time { zone, .. } => Some(zone),
        }
    }

    /// Where a series' instances begin, as far as they may touch the window.
    fn starts(&self, lines: &[String], window: Window) -> BTreeSet<Start> {
        let recurrence = Recurrence::parse(lines, self.zone());
        let mut starts: BTreeSet<Start> = recurrence.added.iter().copied().collect();
        starts.insert(self.start);
        for rule in &recurrence.rules {
            let mut left = MAX_INSTANCES;
            self.each(rule, window, |start| {
                starts.insert(start);
                left -= 1;
                break_if(left == 0)
            });
        }
        for rule in &recurrence.excluded_rules {
            self.each(rule, window, |start| {
                starts.remove(&start);
                ControlFlow::Continue(())
            });
        }
        starts.retain(|start| !recurrence.excluded.contains(start));
        starts
    }

    /// The wall-clock times between which an instance that touches the window begins, generously.
    fn reach(&self, window: Window) -> (NaiveDateTime, NaiveDateTime) {
        // A zone is up to 14 hours from UTC, and a gap up to a day.
        let slack = TimeDelta::days(2);
        let length = match self.length {
            Length::Days(days) => TimeDelta::try_days(i64::try_from(days).unwrap_or(i64::MAX)),
            Length::Time { length, .. } => Some(length),
        };
        let back = length.and_then(|length| length.checked_add(&slack));
        (
            back.and_then(|back| window.from.naive_utc().checked_sub_signed(back))
                .unwrap_or(NaiveDateTime::MIN),
            window
                .to
                .naive_utc()
                .checked_add_signed(slack)
                .unwrap_or(NaiveDateTime::MAX),
        )
    }

    /// The starts that a rule makes, as far as they may touch the window, until the visitor breaks off.
    fn each(&self, rule: &Rule, window: Window, mut visitor: impl FnMut(Start) -> ControlFlow<()>) {
        let mut visit = |start: Option<Start>, is_over: bool| {
            break_if(is_over)?;
            match start.filter(|&start| self.may_touch(start, window)) {
                Some(start) => visitor(start),
                None => ControlFlow::Continue(()),
            }
        };
        let reach = self.reach(window);
        match (self.start, self.length) {
            (Start::At(first), Length::Time { zone, .. }) => {
                let first_local = zone::local(zone, first);
                generate::visit(rule, first_local, reach, |local| {
                    // The first start is an instant that Google gave; of a time that comes twice it may be the second.
                    let start = if local == first_local {
                        Some(first)
                    } else {
                        zone::instant(zone, local)
                    };
                    let is_over = match rule.until {
                        None => false,
                        Some(Until::Date(until)) => local.date() > until,
                        Some(Until::Local(until)) => local > until,
                        Some(Until::Utc(until)) => start.is_none_or(|start| start.naive_utc() > until),
                    };
                    visit(start.map(Start::At), is_over)
                });
            }
            (Start::Day(first), Length::Days(_)) => {
                let rule = of_days(rule);
                generate::visit(&rule, first.and_time(NaiveTime::MIN), reach, |day| {
                    let is_over = rule.until.is_some_and(|until| day.date() > until.date());
                    visit(Some(Start::Day(day.date())), is_over)
                });
            }
            (Start::Day(_), Length::Time { .. }) | (Start::At(_), Length::Days(_)) => {}
        }
    }

    /// False: an instance that begins there has no moment in the window. Dates are told more exactly once they are placed.
    fn may_touch(&self, start: Start, window: Window) -> bool {
        match (start, self.length) {
            (Start::At(start), Length::Time { length, .. }) => start
                .checked_add_signed(length)
                .is_some_and(|end| overlaps(start, end, window)),
            _ => true,
        }
    }

    fn place(&self, calendar: &CalendarContext, start: Start) -> Option<Place> {
        match (start, self.length) {
            (Start::Day(start), Length::Days(days)) => {
                let end = start.checked_add_days(Days::new(days))?;
                Some(Place {
                    starts_at: zone::day_start(calendar.time_zone, start)?,
                    ends_at: zone::day_start(calendar.time_zone, end)?,
                    dates: Some((start, end)),
                    shown: (start.to_string(), end.to_string()),
                    zone: None,
                })
            }
            (
                Start::At(starts_at),
                Length::Time {
                    length,
                    zone,
                    end_zone,
                },
            ) => {
                let ends_at = starts_at.checked_add_signed(length)?;
                Some(Place {
                    starts_at,
                    ends_at,
                    dates: None,
                    shown: (rfc3339(starts_at, zone), rfc3339(ends_at, end_zone)),
                    zone: Some(zone),
                })
            }
            // An RDATE is read as what its series is, so the two are never mixed.
            (Start::Day(_), Length::Time { .. }) | (Start::At(_), Length::Days(_)) => None,
        }
    }
}

impl From<When> for Start {
    fn from(when: When) -> Self {
        match when {
            When::AllDay(date) => Self::Day(date),
            When::Timed(timed) => Self::At(timed.instant),
        }
    }
}

fn break_if(condition: bool) -> ControlFlow<()> {
    if condition {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// The rule without times of day, which mean nothing to dates.
fn of_days(rule: &Rule) -> Rule {
    Rule {
        frequency: rule.frequency.max(Frequency::Daily),
        by_hour: Vec::new(),
        by_minute: Vec::new(),
        by_second: Vec::new(),
        ..rule.clone()
    }
}

/// Where one instance lies.
struct Place {
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    dates: Option<(NaiveDate, NaiveDate)>,
    /// Start and end as the browser gets them.
    shown: (String, String),
    zone: Option<Tz>,
}

impl Place {
    fn occurrence(self, instance_id: String, event: &EventResource, template: &Event) -> Occurrence {
        let (start, end) = self.shown;
        Occurrence {
            event: Event {
                id: instance_id.clone(),
                start,
                end,
                all_day: self.dates.is_some(),
                time_zone: self.zone.map(|zone| zone.name().to_owned()),
                ..template.clone()
            },
            instance_id,
            event_id: event.id.clone(),
            series_id: event.series_id().to_owned(),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            dates: self.dates,
        }
    }
}

/// With the zone's offset at that instant. Before clocks went by zones, an offset had seconds, which RFC 3339 cannot say.
fn rfc3339(instant: DateTime<Utc>, zone: Tz) -> String {
    let offset = zone::offset(zone, instant);
    let offset = if offset.local_minus_utc() % 60 == 0 {
        offset
    } else {
        FixedOffset::east_opt(0).unwrap_or(offset)
    };
    instant
        .with_timezone(&offset)
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What all instances of an event have in common.
fn template(calendar: &CalendarContext, event: &EventResource) -> Event {
    Event {
        id: String::new(),
        title: cut(event.title.as_deref().unwrap_or_default(), MAX_TITLE),
        start: String::new(),
        end: String::new(),
        all_day: false,
        time_zone: None,
        description: event
            .description
            .as_deref()
            .map(|text| cut(text, MAX_DESCRIPTION)),
        location: event.location.as_deref().map(|text| cut(text, MAX_LOCATION)),
        html_link: event.html_link.clone(),
        calendar_id: calendar.id,
        event_id: event.id.clone(),
        recurring_event_id: event
            .recurring_event_id
            .clone()
            .or_else(|| event.is_master().then(|| event.id.clone())),
        status: event.payload_status(),
        event_type: event.event_type.clone(),
        color_id: event.color_id.clone(),
        attendees: event.attendees.clone(),
        organizer: event.organizer.clone(),
        conference_url: event.conference_url.clone(),
        can_edit: can_edit(event, &calendar.access_role),
        etag: event.etag.clone(),
        ical_uid: event.ical_uid.clone(),
    }
}

#[cfg(test)]
mod tests;
