use serde_json::{Value, json};

use super::*;
use crate::view;

fn utc(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn window(from: &str, to: &str) -> Window {
    Window {
        from: utc(from),
        to: utc(to),
    }
}

fn calendar(zone: Tz) -> CalendarContext {
    CalendarContext {
        id: CalendarId::generate(),
        time_zone: zone,
        access_role: AccessRole::Owner,
    }
}

fn event(raw: &Value) -> EventResource {
    view::parse(&raw.to_string()).unwrap()
}

fn timed(start: &str, end: &str, zone: &str, recurrence: &[&str]) -> Value {
    json!({
        "id": "m", "etag": "\"1\"", "summary": "Stand-up",
        "start": {"dateTime": start, "timeZone": zone}, "end": {"dateTime": end, "timeZone": zone},
        "recurrence": recurrence,
    })
}

/// Start and end as the browser gets them.
fn shown(found: &[Occurrence]) -> Vec<String> {
    found
        .iter()
        .map(|one| format!("{}/{}", one.event.start, one.event.end))
        .collect()
}

#[test]
fn a_weekly_meeting_keeps_its_hour_when_the_clocks_change() {
    let master = timed(
        "2026-10-18T09:00:00+02:00",
        "2026-10-18T10:30:00+02:00",
        "Europe/Zurich",
        &["RRULE:FREQ=WEEKLY"],
    );
    let found = occurrences(
        &calendar(Tz::UTC),
        &event(&master),
        &[],
        window("2026-10-20T00:00:00Z", "2026-11-05T00:00:00Z"),
    );
    assert_eq!(
        shown(&found),
        [
            "2026-10-25T09:00:00+01:00/2026-10-25T10:30:00+01:00",
            "2026-11-01T09:00:00+01:00/2026-11-01T10:30:00+01:00",
        ]
    );
    assert_eq!(found[0].instance_id, "m_20261025T080000Z");
    assert_eq!(found[0].event_id, "m");
    assert_eq!(found[0].series_id, "m");
    assert_eq!(found[0].event.recurring_event_id.as_deref(), Some("m"));
    assert_eq!(found[0].event.time_zone.as_deref(), Some("Europe/Zurich"));
    assert_eq!(found[0].dates, None);
}
