mod names;
mod properties;
mod series;
mod windows;
mod zones;

use chrono::{DateTime, NaiveDate, Utc};
use ids::CalendarId;
use serde_json::{Value, json};

use super::*;
use crate::calendar::{AccessRole, CalendarContext};
use crate::zone::Zone;
use crate::{resource, zone};

fn utc(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// From the start of one UTC day to the start of another.
fn days(from: &str, to: &str) -> Window {
    Window {
        from: utc(&format!("{from}T00:00:00Z")),
        to: utc(&format!("{to}T00:00:00Z")),
    }
}

fn calendar(zone: Zone) -> CalendarContext {
    CalendarContext {
        id: CalendarId::generate(),
        time_zone: zone,
        access_role: AccessRole::Owner,
        is_primary: true,
    }
}

fn event(raw: &Value) -> EventResource {
    resource::parse(&raw.to_string()).unwrap()
}

/// A master named `m`, from `start` to `end` as RFC 3339 in a zone.
fn timed(start: &str, end: &str, zone: &str, recurrence: &[&str]) -> Value {
    json!({
        "id": "m", "etag": "\"1\"", "summary": "Stand-up",
        "start": {"dateTime": start, "timeZone": zone},
        "end": {"dateTime": end, "timeZone": zone},
        "recurrence": recurrence,
    })
}

/// A master named `m` of whole days, `end` exclusive.
fn all_day(start: &str, end: &str, recurrence: &[&str]) -> Value {
    json!({"id": "m", "start": {"date": start}, "end": {"date": end}, "recurrence": recurrence})
}

/// The starts as the browser gets them, in a calendar of UTC.
fn starts(master: &Value, exceptions: &[Value], window: Window) -> Vec<String> {
    let exceptions: Vec<EventResource> = exceptions.iter().map(event).collect();
    occurrences(&calendar(Zone::UTC), &event(master), &exceptions, window)
        .into_iter()
        .map(|one| one.span.texts().0)
        .collect()
}
