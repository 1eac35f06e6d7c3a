//! From what Google sent to the rows of the mirror and of the calendar that people see.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use event_model::expansion::{CalendarContext, Flaw, Occurrence, flaws, occurrences};
use event_model::permissions::AccessRole;
use event_model::resource::{EventResource, clean, parse};
use event_model::wire::Window;
use google::RawEvent;
use store::calendars::Calendar;
use store::events::{NewEvent, Stored};
use store::occurrences::NewOccurrence;

/// Google's ids have at most 1,024 characters. A longer one would not fit an index, so its event is passed over.
const EVENT_ID_MAX_LEN: usize = 1_024;

/// For events that do not repeat: they are kept wherever they are.
const EVER: Window = Window {
    from: DateTime::<Utc>::MIN_UTC,
    to: DateTime::<Utc>::MAX_UTC,
};

/// An event of a listing, read as far as it can be read.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
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
        is_primary: calendar.is_primary,
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

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::CalendarId;
    use serde_json::value::RawValue;

    fn sent(id: &str, json: &str) -> RawEvent {
        RawEvent {
            id: id.to_owned(),
            status: Some("confirmed".into()),
            etag: Some("\"1\"".into()),
            updated: None,
            raw: RawValue::from_string(json.to_owned()).expect("JSON"),
        }
    }

    fn berlin() -> CalendarContext {
        CalendarContext {
            id: CalendarId::generate(),
            time_zone: chrono_tz::Europe::Berlin,
            access_role: AccessRole::Owner,
            is_primary: true,
        }
    }

    fn stored(series: &str, json: &str) -> Stored {
        Stored {
            event_id: "of no interest".into(),
            series_id: series.into(),
            raw: json.into(),
        }
    }

    #[test]
    fn what_cannot_be_read_is_kept_flagged_and_what_cannot_be_kept_is_passed_over() {
        let read = |id: &str, json: &str| Incoming::read(sent(id, json));
        let without_start = read("a", r#"{"id":"a","etag":"e"}"#).expect("kept");
        assert_eq!(without_start.row.problem, Some("no_start"));
        let no_object = read("b", "17").expect("kept");
        assert_eq!(
            (no_object.row.problem, no_object.event.is_none()),
            (Some("unreadable"), true)
        );
        let long = "x".repeat(EVENT_ID_MAX_LEN + 1);
        let of_long_series =
            read("c", &format!(r#"{{"id":"c","recurringEventId":"{long}"}}"#)).expect("kept");
        assert_eq!(
            (of_long_series.row.problem, of_long_series.series_id()),
            (Some("unreadable"), "c")
        );
        assert!(read(&long, "{}").is_none());
        assert!(read("", "{}").is_none());
        let nul = read("d", r#"{"id":"d","summary":"a\u0000b"}"#).expect("kept");
        assert!(!nul.row.raw.contains("u0000"), "{}", nul.row.raw);
    }

    #[test]
    fn a_bare_tombstone_of_an_instance_belongs_to_its_series() {
        let bare = r#"{"id":"m_20261123T090000Z","status":"cancelled"}"#;
        let incoming = Incoming::read(sent("m_20261123T090000Z", bare)).expect("kept");
        assert!(incoming.is_cancelled() && !incoming.is_single());
        assert_eq!(incoming.series_id(), "m");
    }

    #[test]
    fn an_exception_without_its_master_is_shown_by_itself_however_far_away() {
        let exception = r#"{"id":"m_1","recurringEventId":"m","summary":"Guest",
            "start":{"dateTime":"2031-01-01T09:00:00Z"},"end":{"dateTime":"2031-01-01T10:00:00Z"}}"#;
        let never = Window {
            from: DateTime::UNIX_EPOCH,
            to: DateTime::UNIX_EPOCH,
        };
        let expanded = expand_stored(&berlin(), vec![stored("m", exception), stored("z", "17")], never);
        assert_eq!(expanded.len(), 1);
        assert_eq!(
            (expanded[0].series_id.as_str(), expanded[0].event.title.as_str()),
            ("m", "Guest")
        );
    }

    #[test]
    fn an_instance_id_that_comes_twice_becomes_one_row() {
        let event = r#"{"id":"a","start":{"date":"2026-11-23"},"end":{"date":"2026-11-24"}}"#;
        let mut expanded = expand_stored(&berlin(), vec![stored("a", event)], EVER);
        expanded.extend(expanded.clone());
        assert_eq!(rows(&expanded).expect("JSON").len(), 1);
    }
}
