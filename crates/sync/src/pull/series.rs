//! From what Google sent to the rows of the mirror and of the calendar that people see.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use google::RawEvent;
use store::calendars::Calendar;
use store::events::{NewEvent, Stored};
use store::occurrences::NewOccurrence;

use crate::expand::{CalendarContext, Flaw, Occurrence, flaws, occurrences};
use crate::payload::Window;
use crate::view::{AccessRole, EventResource, clean, parse};

/// Google's ids have at most 1,024 characters. A longer one would not fit an index, so its event is passed over.
const EVENT_ID_MAX_LEN: usize = 1_024;

/// For events that do not repeat: they are kept wherever they are.
const EVER: Window = Window {
    from: DateTime::<Utc>::MIN_UTC,
    to: DateTime::<Utc>::MAX_UTC,
};

/// An event of a listing, read as far as it can be read.
#[derive(Debug)]
pub(super) struct Incoming {
    pub row: NewEvent,
    /// None: it cannot be read at all. It is kept as Google sent it, and not shown.
    pub event: Option<EventResource>,
}

impl Incoming {
    /// None for an event that could not be stored under its id.
    pub fn read(event: RawEvent) -> Option<Self> {
        if event.id.is_empty() || event.id.len() > EVENT_ID_MAX_LEN || event.id.contains('\0') {
            return None;
        }
        let raw = clean(event.raw.get()).into_owned();
        let fits = |read: &EventResource| read.series_id().len() <= EVENT_ID_MAX_LEN;
        let Some(read) = parse(&raw).ok().filter(fits) else {
            return Some(Self::unreadable(event, raw));
        };
        Some(Self {
            row: NewEvent {
                event_id: read.id.clone(),
                etag: read.etag.clone(),
                status: read.status.clone(),
                updated: read.updated,
                ical_uid: read.ical_uid.clone(),
                recurring_event_id: read.recurring_event_id.clone(),
                original_start: read.original_start.map(|start| start.to_string()),
                recurrence: read.recurrence.clone(),
                raw,
                problem: flaws(&read).first().map(problem),
            },
            event: Some(read),
        })
    }

    fn unreadable(event: RawEvent, raw: String) -> Self {
        Self {
            row: NewEvent {
                event_id: event.id,
                etag: event.etag.unwrap_or_default().replace('\0', ""),
                // As Google has it, unless it is no status at all.
                status: if event.status.as_deref() == Some("cancelled") {
                    "cancelled"
                } else {
                    "confirmed"
                }
                .to_owned(),
                updated: event.updated,
                ical_uid: None,
                recurring_event_id: None,
                original_start: None,
                recurrence: Vec::new(),
                raw,
                problem: Some("unreadable"),
            },
            event: None,
        }
    }

    pub fn is_cancelled(&self) -> bool {
        self.row.status == "cancelled"
    }

    /// An event that neither repeats nor is part of a series.
    pub fn is_single(&self) -> bool {
        self.row.recurrence.is_empty() && self.row.recurring_event_id.is_none()
    }

    /// What a change of it replaces as a whole.
    pub fn series_id(&self) -> &str {
        self.row
            .recurring_event_id
            .as_deref()
            .unwrap_or(&self.row.event_id)
    }
}

fn problem(flaw: &Flaw) -> &'static str {
    match flaw {
        Flaw::NoStart => "no_start",
        Flaw::EndsBeforeStart => "ends_before_start",
        Flaw::Recurrence(_) => "recurrence",
    }
}

/// What expansion needs to know of a calendar. A zone that the IANA database lacks counts as UTC.
pub(crate) fn context(calendar: &Calendar) -> CalendarContext {
    CalendarContext {
        id: calendar.id,
        time_zone: calendar.time_zone.parse().unwrap_or_default(),
        access_role: AccessRole::from(calendar.access_role.as_str()),
    }
}

/// The one instance of an event that does not repeat.
pub(super) fn expand_single(calendar: &CalendarContext, event: &EventResource) -> Vec<Occurrence> {
    occurrences(calendar, event, &[], EVER)
}

/// The instances of series, given all that is stored of them. Those of a repeating event lie within `horizon`.
pub(crate) fn expand_stored(
    calendar: &CalendarContext,
    stored: Vec<Stored>,
    horizon: Window,
) -> Vec<Occurrence> {
    let mut series: BTreeMap<String, (Option<EventResource>, Vec<EventResource>)> = BTreeMap::new();
    for row in stored {
        // What cannot be read was flagged when it was stored.
        let Ok(event) = parse(&row.raw) else { continue };
        let (master, exceptions) = series.entry(row.series_id).or_default();
        if event.recurring_event_id.is_none() {
            *master = Some(event);
        } else {
            exceptions.push(event);
        }
    }
    series
        .into_values()
        .flat_map(|(master, exceptions)| match master {
            Some(event) if event.is_master() || !exceptions.is_empty() => {
                occurrences(calendar, &event, &exceptions, horizon)
            }
            Some(event) => expand_single(calendar, &event),
            // A guest who was invited to single instances has them without their master.
            None => exceptions
                .iter()
                .flat_map(|exception| expand_single(calendar, exception))
                .collect(),
        })
        .collect()
}

/// Instances as rows, each id once: should Google ever use one for two, the first stays.
pub(super) fn rows(occurrences: &[Occurrence]) -> serde_json::Result<Vec<NewOccurrence>> {
    let mut seen = HashSet::new();
    occurrences
        .iter()
        .filter(|occurrence| seen.insert(occurrence.instance_id.as_str()))
        .map(|occurrence| {
            Ok(NewOccurrence {
                instance_id: occurrence.instance_id.clone(),
                event_id: occurrence.event_id.clone(),
                series_id: occurrence.series_id.clone(),
                starts_at: occurrence.starts_at,
                ends_at: occurrence.ends_at,
                days: occurrence.dates,
                payload: serde_json::to_string(&occurrence.event)?,
            })
        })
        .collect()
}
