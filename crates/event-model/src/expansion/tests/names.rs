//! Zones by their rules of today, fixed offsets and unknown names.

use super::*;
use crate::zone::Zone;

fn named(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

/// Both provinces have ended the change of clocks: <https://data.iana.org/time-zones/tzdb/NEWS>.
#[test]
fn series_follow_the_zone_rules_of_2026() {
    for (zone, first, december) in [
        (
            "America/Vancouver",
            "2026-10-05T09:00:00-07:00",
            "20261207T160000Z",
        ),
        (
            "America/Edmonton",
            "2026-10-05T09:00:00-06:00",
            "20261207T150000Z",
        ),
    ] {
        let end = first.replace("T09", "T10");
        let series = timed(first, &end, zone, &["RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=30"]);
        let december = format!("m_{december}");
        let cancelled = json!({"id": "m_20261109T160000Z", "recurringEventId": "m", "status": "cancelled",
            "originalStartTime": {"dateTime": "2026-11-09T16:00:00Z"}});
        let found = occurrences(
            &calendar(named("Europe/Zurich")),
            &event(&series),
            &[event(&cancelled)],
            days("2026-10-01", "2027-12-01"),
        );
        assert!(found.iter().any(|one| one.instance_id == december), "{zone}");
        assert!(!found.iter().any(|one| one.instance_id == "m_20261109T160000Z"));
        assert_eq!(found.len(), if zone == "America/Vancouver" { 29 } else { 30 });
    }
}

/// Google serves fixed offsets: <https://github.com/home-assistant/core/issues/81917>.
#[test]
fn a_fixed_offset_has_no_summer() {
    let zone = "GMT+02:00";
    let first = ("2027-02-01T09:00:00+02:00", "2027-02-01T10:00:00+02:00");
    let lines = [
        "RRULE:FREQ=WEEKLY;COUNT=12",
        "EXDATE;TZID=GMT+02:00:20270215T090000",
    ];
    let moved = json!({"id": "m_20270405T070000Z", "recurringEventId": "m",
        "originalStartTime": {"dateTime": "2027-04-05T09:00:00+02:00", "timeZone": zone},
        "start": {"dateTime": "2027-04-06T09:00:00+02:00", "timeZone": zone},
        "end": {"dateTime": "2027-04-06T10:00:00+02:00", "timeZone": zone}});
    let found = occurrences(
        &calendar(named("Europe/Zurich")),
        &event(&timed(first.0, first.1, zone, &lines)),
        &[event(&moved)],
        days("2027-01-01", "2027-12-01"),
    );
    assert_eq!(found.len(), 11);
    assert!(
        found
            .iter()
            .all(|one| one.span.texts().0.ends_with("T09:00:00+02:00"))
    );
    assert!(
        found
            .iter()
            .all(|one| one.view.time_zone.as_deref() == Some(zone))
    );
    assert!(flaws(&event(&timed(first.0, first.1, zone, &lines))).is_empty());
}

#[test]
fn days_begin_by_a_calendar_with_a_fixed_offset() {
    let found = occurrences(
        &calendar(named("UTC-03:30")),
        &event(&all_day("2027-07-01", "2027-07-02", &[])),
        &[],
        days("2027-01-01", "2028-01-01"),
    );
    assert_eq!(found[0].starts_at, utc("2027-07-01T03:30:00Z"));
}

#[test]
fn an_unknown_zone_follows_the_calendar_and_is_flagged() {
    let series = event(&timed(
        "2026-10-19T09:00:00+02:00",
        "2026-10-19T10:00:00+02:00",
        "Mars/Olympus",
        &[
            "RRULE:FREQ=WEEKLY;COUNT=2",
            "EXDATE;TZID=Mars/Olympus:20261019T090000",
        ],
    ));
    let found = occurrences(
        &calendar(named("Europe/Zurich")),
        &series,
        &[],
        days("2026-10-01", "2026-12-01"),
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].span.texts().0, "2026-10-26T09:00:00+01:00");
    assert_eq!(found[0].view.time_zone.as_deref(), Some("Mars/Olympus"));
    assert_eq!(flaws(&series), [Flaw::UnknownZone]);
}

/// Eleven years, the widest window of a read.
#[test]
fn a_daily_series_fills_eleven_years() {
    let series = event(&timed(
        "2026-12-01T09:00:00Z",
        "2026-12-01T10:00:00Z",
        "UTC",
        &["RRULE:FREQ=DAILY"],
    ));
    let window = days("2026-12-01", "2037-11-30");
    assert_eq!(
        occurrences(&calendar(Zone::UTC), &series, &[], window).len(),
        4_017
    );
}
