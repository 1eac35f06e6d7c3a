//! Incoming events as rows of the mirror, and series as rows of instances.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use common::ids::CalendarId;
use event_model::calendar::{AccessRole, CalendarContext};
use event_model::expansion::{Flaw, MAX_INSTANCES, Occurrence, all_occurrences, flaws, stored_view};
use event_model::normal_form;
use event_model::resource::{self, EventResource, clean};
use event_model::span::first_series;
use event_model::wire::Window;
use event_model::zone::Zone;
use google::RawEvent;
use sqlx::PgConnection;
use store::calendars::Calendar;
use store::events::{self, NewEvent, Stored};
use store::instances::NewInstances;
use tracing::warn;

use crate::metrics;

/// Google's ids have at most 1,024 characters. A longer one would not fit into an index, so its event is skipped.
const EVENT_ID_MAX_LEN: usize = 1_024;

/// An event from Google, parsed once: the row to store and the event to expand.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub row: NewEvent,
    /// None: unreadable. It is stored as Google sent it, and not shown.
    pub event: Option<EventResource>,
}

impl Incoming {
    /// None for an event that cannot be stored under its id.
    pub fn parse(event: RawEvent) -> Option<Self> {
        if event.id.is_empty() || event.id.len() > EVENT_ID_MAX_LEN || event.id.contains('\0') {
            return None;
        }
        let raw = clean(event.raw.get()).into_owned();
        let read = match resource::parse(&raw) {
            Ok(read) if read.series_id().len() <= EVENT_ID_MAX_LEN => read,
            read => return Some(Self::unreadable(event.id, raw, read.ok())),
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
                view: String::new(),
                problem: flaws(&read).first().map(Into::into),
            },
            event: Some(read),
        })
    }

    /// `read`: its fields, as far as they are readable.
    fn unreadable(event_id: String, raw: String, read: Option<EventResource>) -> Self {
        let is_cancelled = read.as_ref().is_some_and(EventResource::is_cancelled);
        Self {
            row: NewEvent {
                event_id,
                status: if is_cancelled { "cancelled" } else { "confirmed" }.to_owned(),
                updated: read.as_ref().and_then(|read| read.updated),
                etag: read.map(|read| read.etag).unwrap_or_default(),
                ical_uid: None,
                recurring_event_id: None,
                original_start: None,
                recurrence: Vec::new(),
                raw,
                view: String::new(),
                problem: Some("unreadable"),
            },
            event: None,
        }
    }

    /// The row, with what the calendar shows of the event.
    pub fn into_row(self, calendar: &CalendarContext) -> NewEvent {
        let view = self.event.as_ref().map(|event| stored_view(calendar, event));
        NewEvent {
            view: view.unwrap_or_default(),
            ..self.row
        }
    }

    pub fn is_cancelled(&self) -> bool {
        self.row.status == "cancelled"
    }

    /// An event that neither repeats nor is part of a series.
    pub fn is_single(&self) -> bool {
        self.row.recurrence.is_empty() && self.row.recurring_event_id.is_none()
    }

    pub fn has_unknown_zone(&self) -> bool {
        self.row.problem == Some(Flaw::UnknownZone.into())
    }

    /// The series that a change of it replaces as a whole.
    pub fn series_id(&self) -> &str {
        self.row
            .recurring_event_id
            .as_deref()
            .unwrap_or(&self.row.event_id)
    }
}

/// The calendar's properties that expansion depends on. An unknown zone has the clock of UTC.
pub(crate) fn context(calendar: &Calendar) -> CalendarContext {
    CalendarContext {
        id: calendar.id,
        time_zone: Zone::of_name(&calendar.time_zone).unwrap_or_default(),
        access_role: AccessRole::from(calendar.access_role.as_str()),
        is_primary: calendar.is_primary,
    }
}

/// The instances of series, given all their stored events. Those of a recurring event lie within `horizon`.
pub(crate) fn expand_stored(
    calendar: &CalendarContext,
    stored: Vec<Stored>,
    horizon: Window,
) -> Vec<Occurrence> {
    expand(calendar, stored, &mut HashMap::new(), horizon)
}

/// As [`expand_stored`], where some of the stored events were parsed before: they are taken out of `parsed`.
pub(super) fn expand(
    calendar: &CalendarContext,
    stored: Vec<Stored>,
    parsed: &mut HashMap<String, EventResource>,
    horizon: Window,
) -> Vec<Occurrence> {
    let events = stored.into_iter().filter_map(|row| {
        // An unreadable event was flagged when it was stored.
        let event = parsed
            .remove(&row.event_id)
            .or_else(|| resource::parse(&row.raw).ok())?;
        Some((row.series_id, event))
    });
    let expanded = all_occurrences(calendar, events, horizon);
    for series_id in cuts(&expanded).keys() {
        metrics::series_cut();
        warn!(
            calendar.id = %calendar.id,
            event.id = series_id,
            "A series has more than {MAX_INSTANCES} instances; the latest are not shown"
        );
    }
    expanded
}

/// The series that have as many instances as are kept, and most likely more, with the start of the last one.
fn cuts(occurrences: &[Occurrence]) -> HashMap<&str, DateTime<Utc>> {
    let mut kept: HashMap<&str, (usize, DateTime<Utc>)> = HashMap::new();
    // Exceptions do not count towards the limit.
    for occurrence in occurrences.iter().filter(|o| o.event_id == o.series_id) {
        let (count, last) = kept
            .entry(&occurrence.series_id)
            .or_insert((0, occurrence.starts_at));
        *count += 1;
        *last = occurrence.starts_at.max(*last);
    }
    kept.into_iter()
        .filter(|(_, (count, _))| *count >= MAX_INSTANCES)
        .map(|(series_id, (_, at))| (series_id, at))
        .collect()
}

/// These series, and those that share ids of instances with them: Google split one off the other. They are expanded together.
pub(crate) async fn families_of(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    series: &[String],
) -> sqlx::Result<Vec<String>> {
    let firsts: BTreeSet<String> = series.iter().map(|id| first_series(id).to_owned()).collect();
    let firsts: Vec<String> = firsts.into_iter().collect();
    let split_off = events::split_off(conn, calendar, generation, &firsts).await?;
    let mut all: BTreeSet<String> = split_off.into_iter().collect();
    all.extend(firsts);
    all.extend(series.iter().cloned());
    Ok(all.into_iter().collect())
}

/// The views of stored events, by event id.
pub(super) fn views(calendar: &CalendarContext, stored: &[Stored]) -> Vec<(String, String)> {
    let view = |row: &Stored| {
        resource::parse(&row.raw).map_or_else(|_| String::new(), |event| stored_view(calendar, &event))
    };
    stored
        .iter()
        .map(|row| (row.event_id.clone(), view(row)))
        .collect()
}

/// Instances as rows, one for each event.
pub(super) fn rows(occurrences: &[Occurrence]) -> Vec<NewInstances> {
    let cuts = cuts(occurrences);
    normal_form::by_event(occurrences)
        .into_iter()
        .map(|event| NewInstances {
            cut_at: cuts
                .get(event.event_id.as_str())
                .copied()
                .filter(|_| event.is_master),
            event_id: event.event_id,
            series_id: event.series_id,
            is_master: event.is_master,
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            is_all_day: event.times.is_all_day,
            starts: event.times.starts,
            length: event.times.length.num_seconds(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    const NEVER: Window = Window {
        from: DateTime::UNIX_EPOCH,
        to: DateTime::UNIX_EPOCH,
    };

    fn sent(id: &str, json: &str) -> RawEvent {
        RawEvent {
            id: id.to_owned(),
            raw: RawValue::from_string(json.to_owned()).expect("JSON"),
        }
    }

    fn berlin() -> CalendarContext {
        CalendarContext {
            id: CalendarId::generate(),
            time_zone: "Europe/Berlin".parse().expect("a zone"),
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
    fn unreadable_events_are_flagged_and_unstorable_ones_skipped() {
        let read = |id: &str, json: &str| Incoming::parse(sent(id, json));
        let without_start = read("a", r#"{"id":"a","etag":"e"}"#).expect("kept");
        assert_eq!(without_start.row.problem, Some("no_start"));
        let odd = r#"{"dateTime":"2026-11-25T09:00:00+01:00","timeZone":"Mars/Olympus"}"#;
        let of_mars = read("m", &format!(r#"{{"id":"m","start":{odd},"end":{odd}}}"#)).expect("kept");
        assert_eq!(of_mars.row.problem, Some("unknown_zone"));
        assert!(of_mars.has_unknown_zone() && !without_start.has_unknown_zone());
        let no_object = read("b", "17").expect("kept");
        assert_eq!(
            (no_object.row.problem, no_object.event.is_none()),
            (Some("unreadable"), true)
        );
        let long = "x".repeat(EVENT_ID_MAX_LEN + 1);
        let of_long_series = format!(
            r#"{{"id":"c","etag":"e","status":"cancelled","updated":"x","recurringEventId":"{long}"}}"#
        );
        let of_long_series = read("c", &of_long_series).expect("kept");
        assert_eq!(
            (of_long_series.row.problem, of_long_series.series_id()),
            (Some("unreadable"), "c")
        );
        let row = &of_long_series.row;
        assert_eq!(
            (row.etag.as_str(), row.status.as_str(), row.updated),
            ("e", "cancelled", None)
        );
        assert!(read(&long, "{}").is_none());
        assert!(read("", "{}").is_none());
        let nul = read("d", r#"{"id":"d","summary":"a\u0000b"}"#).expect("kept");
        assert!(!nul.row.raw.contains("u0000"), "{}", nul.row.raw);
    }

    #[test]
    fn bare_tombstone_of_an_instance_belongs_to_its_series() {
        let bare = r#"{"id":"m_20261123T090000Z","status":"cancelled"}"#;
        let incoming = Incoming::parse(sent("m_20261123T090000Z", bare)).expect("kept");
        assert!(incoming.is_cancelled() && !incoming.is_single());
        assert_eq!(incoming.series_id(), "m");
    }

    #[test]
    fn a_series_with_too_many_instances_is_reported() {
        let hours: Vec<String> = (0..24).map(|hour| hour.to_string()).collect();
        let series = |id: &str, rule: &str| {
            let event = format!(
                r#"{{"id":"{id}","recurrence":["RRULE:FREQ=DAILY{rule}","EXDATE:20260102T090000Z"],"start":{{"dateTime":"2026-01-01T09:00:00Z",
                "timeZone":"UTC"}},"end":{{"dateTime":"2026-01-01T10:00:00Z","timeZone":"UTC"}}}}"#
            );
            stored(id, &event)
        };
        let moved = r#"{"id":"hourly_x","recurringEventId":"hourly","originalStartTime":{"dateTime":"2026-01-03T09:00:00Z"},
            "start":{"dateTime":"2026-01-03T09:30:00Z"},"end":{"dateTime":"2026-01-03T10:00:00Z"}}"#;
        let rows = vec![
            series("daily", ""),
            series("hourly", &format!(";BYHOUR={}", hours.join(","))),
            stored("hourly", moved),
        ];
        let year = Window {
            from: "2026-01-01T00:00:00Z".parse().unwrap(),
            to: "2027-01-01T00:00:00Z".parse().unwrap(),
        };
        let expanded = expand_stored(&berlin(), rows, year);
        // The 5,003rd hour: one before it is excluded, and one is another event.
        let at = "2026-07-28T19:00:00Z".parse().unwrap();
        assert_eq!(cuts(&expanded), HashMap::from([("hourly", at)]));
    }

    #[test]
    fn exception_without_master_is_expanded_at_any_distance() {
        let exception = r#"{"id":"m_1","recurringEventId":"m","summary":"Guest",
            "start":{"dateTime":"2031-01-01T09:00:00Z"},"end":{"dateTime":"2031-01-01T10:00:00Z"}}"#;
        let expanded = expand_stored(&berlin(), vec![stored("m", exception), stored("z", "17")], NEVER);
        assert_eq!(expanded.len(), 1);
        assert_eq!(
            (expanded[0].series_id.as_str(), expanded[0].view.title.as_str()),
            ("m", "Guest")
        );
    }
}
