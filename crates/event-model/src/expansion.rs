//! From events to the instances that people see.
//!
//! A series is a master with rules, and exceptions that replace single instances. It is expanded in wall-clock time in the
//! event's own zone: a weekly meeting at nine stays at nine when the clocks change. An all-day event is expanded as dates.
//!
//! No rule causes a panic or a long run: `generate` bounds the work, and [`flaws`] reports what cannot be followed.

mod filter;
mod generate;
mod instance;
mod series;
mod window;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Days, Utc};

use crate::calendar::CalendarContext;
use crate::recurrence::{Recurrence, Unreadable};
use crate::resource::{EventResource, When};
use crate::span::{Span, Start};
use crate::wire::Window;
use crate::zone::Zone;
pub use instance::{Occurrence, stored_view, whole};
use instance::{Placement, view};
pub use series::MAX_INSTANCES;
pub use window::{all_day_overlaps, days_window, horizon, hot_window, overlaps};

/// Single events are expanded wherever they are.
const EVER: Window = Window {
    from: DateTime::<Utc>::MIN_UTC,
    to: DateTime::<Utc>::MAX_UTC,
};

/// A reason why an event is not shown as it was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Flaw {
    #[error("the event has no readable start and is not shown")]
    NoStart,
    #[error("the event ends before it starts and is shown without length")]
    EndsBeforeStart,
    #[error("the event's time zone is unknown, and its series follows the calendar's clock")]
    UnknownZone,
    #[error("a recurrence line is ignored: {0}")]
    Recurrence(#[from] Unreadable),
}

/// Why an event is not shown as it was meant. Empty for a sound event and for a cancelled one.
pub fn flaws(event: &EventResource) -> Vec<Flaw> {
    if event.is_cancelled() {
        return Vec::new();
    }
    let Some(start) = event.start else {
        return vec![Flaw::NoStart];
    };
    let is_backwards = match (start, event.end) {
        (When::AllDay(start), Some(When::AllDay(end))) => end < start,
        (When::Timed(start), Some(When::Timed(end))) => end.instant < start.instant,
        _ => false,
    };
    let has_unknown_zone = [Some(start), event.end]
        .into_iter()
        .flatten()
        .filter_map(|when| when.timed()?.zone)
        .any(|zone| !zone.is_known());
    let zone = start.timed().map(|start| start.zone.unwrap_or(Zone::UTC));
    let lines = Recurrence::parse(&event.recurrence, zone).unreadable;
    is_backwards
        .then_some(Flaw::EndsBeforeStart)
        .into_iter()
        .chain(has_unknown_zone.then_some(Flaw::UnknownZone))
        .chain(lines.into_iter().map(Flaw::from))
        .collect()
}

/// The instances of an event that have a moment within the window, in order of time.
///
/// `exceptions` are all stored exceptions of a master, cancelled ones included, and empty for other events. Each replaces
/// the instance of its original start, whenever it takes place now. An exception without its master (an invitation to one
/// instance of another person's series) is expanded by itself, as `event`.
///
/// As in Google, the first start of a series is always an instance, even if the rules do not generate it. At most
/// [`MAX_INSTANCES`], plus the exceptions.
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

/// The instance of an event that does not repeat. None: the event is cancelled or has no start.
pub fn single_occurrence(calendar: &CalendarContext, event: &EventResource) -> Option<Occurrence> {
    single(calendar, event, EVER).filter(|_| !event.is_cancelled())
}

/// The instances of many events, each given with the id of its series: within the window for recurring events, and wherever
/// they are for others. An exception without its master stands alone. Of instances with the same id, there is one.
pub fn all_occurrences(
    calendar: &CalendarContext,
    events: impl IntoIterator<Item = (String, EventResource)>,
    window: Window,
) -> Vec<Occurrence> {
    let mut all: BTreeMap<String, (Option<EventResource>, Vec<EventResource>)> = BTreeMap::new();
    for (series_id, event) in events {
        let (master, exceptions) = all.entry(series_id).or_default();
        if event.recurring_event_id.is_none() {
            *master = Some(event);
        } else {
            exceptions.push(event);
        }
    }
    let instances = all
        .into_values()
        .flat_map(|(master, exceptions)| match master {
            Some(event) if event.is_master() || !exceptions.is_empty() => {
                occurrences(calendar, &event, &exceptions, window)
            }
            Some(event) => single_occurrence(calendar, &event).into_iter().collect(),
            // A guest who was invited to single instances has exceptions without a master.
            None => exceptions
                .iter()
                .filter_map(|exception| single_occurrence(calendar, exception))
                .collect(),
        })
        .collect();
    one_of_each_id(instances)
}

/// A series and one that Google split off it give the same ids, and may overlap until the changes of both have arrived. An
/// exception is the event of its id; otherwise the instance is the later series'.
fn one_of_each_id(instances: Vec<Occurrence>) -> Vec<Occurrence> {
    let rank = |instance: &Occurrence| {
        (
            instance.event_id == instance.instance_id,
            instance.series_id.clone(),
        )
    };
    let mut chosen: HashMap<&str, usize> = HashMap::with_capacity(instances.len());
    for (index, instance) in instances.iter().enumerate() {
        chosen
            .entry(&instance.instance_id)
            .and_modify(|best| {
                if rank(instance) > rank(&instances[*best]) {
                    *best = index;
                }
            })
            .or_insert(index);
    }
    if chosen.len() == instances.len() {
        return instances;
    }
    let chosen: HashSet<usize> = chosen.into_values().collect();
    instances
        .into_iter()
        .enumerate()
        .filter_map(|(index, instance)| chosen.contains(&index).then_some(instance))
        .collect()
}

/// Whether a series has an instance with this start, by its rules and before any exception.
pub fn has_start(calendar: &CalendarContext, master: &EventResource, start: Start) -> bool {
    Span::of(master, calendar).is_some_and(|first| {
        let at = start.as_utc();
        let around = Window {
            from: at.checked_sub_days(Days::new(1)).unwrap_or(at),
            to: at.checked_add_days(Days::new(1)).unwrap_or(at),
        };
        series::starts(first, &master.recurrence, around, 0).contains(&start)
    })
}

/// How many starts before this one the rule of a line generates in a series.
pub fn count_before(calendar: &CalendarContext, master: &EventResource, line: &str, before: Start) -> usize {
    Span::of(master, calendar).map_or(0, |first| series::count(first, line, before))
}

/// An event that is its own only instance.
fn single(calendar: &CalendarContext, event: &EventResource, window: Window) -> Option<Occurrence> {
    let span = Span::of(event, calendar)?;
    Placement::of(span, calendar)
        .filter(|place| overlaps(place.starts_at, place.ends_at, window))
        .map(|place| place.occurrence(event.id.clone(), event, Arc::new(view(calendar, event, span))))
}

/// The instances that a master generates and no exception replaces.
fn instances(
    calendar: &CalendarContext,
    master: &EventResource,
    exceptions: &[EventResource],
    window: Window,
) -> Vec<Occurrence> {
    let Some(first) = Span::of(master, calendar) else {
        return Vec::new();
    };
    // By time and by id: an exception from before the series became all-day still has the other kind of start.
    let replaced: HashSet<Start> = exceptions
        .iter()
        .filter_map(|exception| exception.original_start.map(Start::from))
        .collect();
    let ids: HashSet<&str> = exceptions.iter().map(|exception| exception.id.as_str()).collect();
    let view = Arc::new(view(calendar, master, first));
    series::starts(first, &master.recurrence, window, exceptions.len())
        .into_iter()
        .filter(|start| !replaced.contains(start))
        .filter_map(|start| {
            // An RDATE is read as the kind of its series, so the kinds never mix.
            let place = Placement::of(first.at(start)?, calendar)?;
            if !overlaps(place.starts_at, place.ends_at, window) {
                return None;
            }
            let id = start.instance_id(&master.id);
            (!ids.contains(id.as_str())).then(|| place.occurrence(id, master, view.clone()))
        })
        .take(MAX_INSTANCES)
        .collect()
}

#[cfg(test)]
mod tests;
