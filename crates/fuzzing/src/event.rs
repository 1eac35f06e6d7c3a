//! Events as Google sends them, and the recurrence of one.

use chrono::{DateTime, Utc};
use common::ids::CalendarId;
use event_model::calendar::{AccessRole, CalendarContext};
use event_model::expansion::{
    MAX_INSTANCES, Occurrence, count_before, flaws, has_start, horizon, occurrences,
};
use event_model::recurrence::unreadable;
use event_model::resource::{EventResource, clean, parse};
use event_model::span::Start;
use google::RawEvent;
use serde_json::json;

use crate::Target;
use event_model::zone::Zone;

pub const EVENT: Target = Target {
    name: "event_json",
    run: event,
    words: &[
        r#""id":"#,
        r#""status":"cancelled""#,
        r#""recurringEventId":"#,
        r#""originalStartTime":"#,
        r#""start":{"dateTime":"2026-11-22T12:00:00+01:00","timeZone":"Europe/Zurich"}"#,
        r#""end":{"date":"2026-11-23"}"#,
        r#""recurrence":["RRULE:FREQ=DAILY"]"#,
        r#""attendees":[{"email":"#,
        r#""conferenceData":{"entryPoints":[{"entryPointType":"video","uri":"#,
        r#""reminders":{"useDefault":false,"overrides":[{"#,
        "\\u0000",
        "\\ud800",
        "0001-01-01T00:00:00Z",
        "9999-12-31",
        "javascript:alert(1)",
        "null",
    ],
};

pub const RECURRENCE: Target = Target {
    name: "recurrence",
    run: recurrence,
    words: &[
        "RRULE:",
        "EXRULE:",
        "RDATE;TZID=Europe/Zurich:",
        "EXDATE;VALUE=DATE:",
        "FREQ=SECONDLY",
        "FREQ=YEARLY",
        ";INTERVAL=",
        ";COUNT=",
        ";UNTIL=20261231T235959Z",
        ";BYMONTH=2",
        ";BYMONTHDAY=-31",
        ";BYDAY=-53MO,2TU",
        ";BYSETPOS=-366",
        ";BYWEEKNO=53",
        ";BYYEARDAY=366",
        ";BYHOUR=23;BYMINUTE=59;BYSECOND=60",
        ";WKST=SU",
        "18446744073709551616",
        "\n",
    ],
};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_348_800, 0).unwrap_or_default()
}

fn calendar() -> CalendarContext {
    CalendarContext {
        id: CalendarId::generate(),
        time_zone: Zone::named("Europe/Zurich").unwrap_or_default(),
        access_role: AccessRole::Owner,
        is_primary: true,
    }
}

fn event(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let cleaned = clean(text);
    if serde_json::from_str::<serde_json::Value>(text).is_ok() {
        assert_eq!(clean(&cleaned), cleaned, "cleaning twice changes nothing");
    }
    let raw = RawEvent::read(text);
    let Ok(event) = parse(text) else { return };
    assert!(!event.id.is_empty());
    if let Some(raw) = raw
        && !text.contains('\\')
    {
        assert_eq!(raw.id, event.id, "both parsers read the same id");
    }
    let schemes = |url: &Option<String>, allowed: &[&str]| {
        url.as_ref().is_none_or(|url| {
            allowed
                .iter()
                .any(|scheme| url.to_ascii_lowercase().starts_with(scheme))
        })
    };
    assert!(
        schemes(&event.html_link, &["https://", "http://"]),
        "{:?}",
        event.html_link
    );
    assert!(
        schemes(&event.conference_url, &["https://"]),
        "{:?}",
        event.conference_url
    );
    expand(&event);
}

/// The first line is the start, the second the zone, the others are the lines.
fn recurrence(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let (start, zone) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    let place = if start.contains('T') {
        json!({"dateTime": start, "timeZone": zone})
    } else {
        json!({"date": start})
    };
    let event = json!({"id": "series", "start": place, "end": place, "recurrence": lines});
    let Ok(event) = parse(&event.to_string()) else {
        return;
    };
    if let Some(line) = unreadable(&lines, zone.parse().ok()) {
        assert!(line.to_string().len() < 1_000, "{line}");
    }
    let found = expand(&event);
    if let Some(first) = found.first() {
        let start = match first.dates() {
            Some((day, _)) => Start::Day(day),
            None => Start::At(first.starts_at),
        };
        let _ = has_start(&calendar(), &event, start);
        for line in event.recurrence.iter().take(3) {
            let _ = count_before(&calendar(), &event, line, start);
        }
    }
}

fn expand(event: &EventResource) -> Vec<Occurrence> {
    let _ = flaws(event);
    let window = horizon(now());
    let found = occurrences(&calendar(), event, &[], window);
    assert!(found.len() <= MAX_INSTANCES, "{} instances", found.len());
    assert!(found.is_sorted_by_key(|found| found.starts_at));
    for occurrence in &found {
        assert!(occurrence.starts_at <= occurrence.ends_at, "{occurrence:?}");
        assert!(
            occurrence.dates().is_none_or(|(start, end)| start <= end),
            "{occurrence:?}"
        );
        // The store keeps its view as JSON.
        assert!(serde_json::to_value(&*occurrence.view).is_ok());
    }
    found
}
