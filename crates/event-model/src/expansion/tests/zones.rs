//! Changes of clocks: series over a missing hour, a repeated hour and a skipped day.

use super::*;

/// A series that starts at a wall-clock time in a zone, and its instances as shown.
struct Case {
    zone: &'static str,
    start: &'static str,
    rule: &'static str,
    shown: &'static [&'static str],
}

const CASES: [Case; 20] = [
    // 02:00 is followed by 03:00 on 29 March; 03:00 by 02:00 on 25 October.
    Case {
        zone: "Europe/Zurich",
        start: "2026-03-28T02:30:00+01:00",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2026-03-28T02:30:00+01:00",
            "2026-03-29T03:30:00+02:00",
            "2026-03-30T02:30:00+02:00",
        ],
    },
    Case {
        zone: "Europe/Zurich",
        start: "2026-10-24T02:30:00+02:00",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2026-10-24T02:30:00+02:00",
            "2026-10-25T02:30:00+02:00",
            "2026-10-26T02:30:00+01:00",
        ],
    },
    Case {
        zone: "America/New_York",
        start: "2026-03-01T02:30:00-05:00",
        rule: "FREQ=WEEKLY;COUNT=3",
        shown: &[
            "2026-03-01T02:30:00-05:00",
            "2026-03-08T03:30:00-04:00",
            "2026-03-15T02:30:00-04:00",
        ],
    },
    Case {
        zone: "America/New_York",
        start: "2026-10-25T01:30:00-04:00",
        rule: "FREQ=WEEKLY;COUNT=3",
        shown: &[
            "2026-10-25T01:30:00-04:00",
            "2026-11-01T01:30:00-04:00",
            "2026-11-08T01:30:00-05:00",
        ],
    },
    // The first start may be the second of a time that repeats: the offset from Google shows it.
    Case {
        zone: "America/New_York",
        start: "2026-11-01T01:30:00-05:00",
        rule: "FREQ=WEEKLY;COUNT=2",
        shown: &["2026-11-01T01:30:00-05:00", "2026-11-08T01:30:00-05:00"],
    },
    // Half an hour of daylight saving, in the south.
    Case {
        zone: "Australia/Lord_Howe",
        start: "2026-10-03T02:15:00+10:30",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2026-10-03T02:15:00+10:30",
            "2026-10-04T02:45:00+11:00",
            "2026-10-05T02:15:00+11:00",
        ],
    },
    Case {
        zone: "Australia/Lord_Howe",
        start: "2026-04-04T01:45:00+11:00",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2026-04-04T01:45:00+11:00",
            "2026-04-05T01:45:00+11:00",
            "2026-04-06T01:45:00+10:30",
        ],
    },
    Case {
        zone: "Asia/Kathmandu",
        start: "2026-03-28T09:00:00+05:45",
        rule: "FREQ=DAILY;COUNT=2",
        shown: &["2026-03-28T09:00:00+05:45", "2026-03-29T09:00:00+05:45"],
    },
    // Samoa skipped 30 December 2011: the instances of the 30th and the 31st coincide.
    Case {
        zone: "Pacific/Apia",
        start: "2011-12-28T10:00:00-10:00",
        rule: "FREQ=DAILY;COUNT=5",
        shown: &[
            "2011-12-28T10:00:00-10:00",
            "2011-12-29T10:00:00-10:00",
            "2011-12-31T10:00:00+14:00",
            "2012-01-01T10:00:00+14:00",
        ],
    },
    // Morocco's clocks go back for Ramadan, in February this year, and forward after it.
    Case {
        zone: "Africa/Casablanca",
        start: "2026-02-08T09:00:00+01:00",
        rule: "FREQ=WEEKLY;INTERVAL=3;COUNT=3",
        shown: &[
            "2026-02-08T09:00:00+01:00",
            "2026-03-01T09:00:00Z",
            "2026-03-22T09:00:00+01:00",
        ],
    },
    Case {
        zone: "America/St_Johns",
        start: "2026-03-07T02:30:00-03:30",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2026-03-07T02:30:00-03:30",
            "2026-03-08T03:30:00-02:30",
            "2026-03-09T02:30:00-02:30",
        ],
    },
    Case {
        zone: "Pacific/Chatham",
        start: "2026-09-26T03:00:00+12:45",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2026-09-26T03:00:00+12:45",
            "2026-09-27T04:00:00+13:45",
            "2026-09-28T03:00:00+13:45",
        ],
    },
    Case {
        zone: "Pacific/Chatham",
        start: "2026-04-04T03:00:00+13:45",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2026-04-04T03:00:00+13:45",
            "2026-04-05T03:00:00+13:45",
            "2026-04-06T03:00:00+12:45",
        ],
    },
    // Midnight itself is missing.
    Case {
        zone: "America/Sao_Paulo",
        start: "2018-11-03T00:00:00-03:00",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2018-11-03T00:00:00-03:00",
            "2018-11-04T01:00:00-02:00",
            "2018-11-05T00:00:00-02:00",
        ],
    },
    Case {
        zone: "Asia/Beirut",
        start: "2026-03-28T00:30:00+02:00",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2026-03-28T00:30:00+02:00",
            "2026-03-29T01:30:00+03:00",
            "2026-03-30T00:30:00+03:00",
        ],
    },
    Case {
        zone: "America/Havana",
        start: "2025-11-01T00:30:00-04:00",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2025-11-01T00:30:00-04:00",
            "2025-11-02T00:30:00-04:00",
            "2025-11-03T00:30:00-05:00",
        ],
    },
    // Two hours at once.
    Case {
        zone: "Antarctica/Troll",
        start: "2026-03-28T01:30:00Z",
        rule: "FREQ=DAILY;COUNT=3",
        shown: &[
            "2026-03-28T01:30:00Z",
            "2026-03-29T03:30:00+02:00",
            "2026-03-30T01:30:00+02:00",
        ],
    },
    // The zone declares winter time as daylight saving.
    Case {
        zone: "Europe/Dublin",
        start: "2026-10-18T09:00:00+01:00",
        rule: "FREQ=WEEKLY;COUNT=2",
        shown: &["2026-10-18T09:00:00+01:00", "2026-10-25T09:00:00Z"],
    },
    Case {
        zone: "Pacific/Kiritimati",
        start: "2026-12-31T23:30:00+14:00",
        rule: "FREQ=DAILY;COUNT=2",
        shown: &["2026-12-31T23:30:00+14:00", "2027-01-01T23:30:00+14:00"],
    },
    // Hourly, over a gap and a repeated hour: the missing instance coincides with the next.
    Case {
        zone: "Europe/Zurich",
        start: "2026-03-29T01:30:00+01:00",
        rule: "FREQ=HOURLY;COUNT=4",
        shown: &[
            "2026-03-29T01:30:00+01:00",
            "2026-03-29T03:30:00+02:00",
            "2026-03-29T04:30:00+02:00",
        ],
    },
];

#[test]
fn wall_clock_time_in_zones() {
    for case in CASES {
        let master = timed(
            case.start,
            case.start,
            case.zone,
            &[&format!("RRULE:{}", case.rule)],
        );
        let found = occurrences(
            &calendar(Zone::named("Asia/Tokyo").unwrap()),
            &event(&master),
            &[],
            days("2011-01-01", "2028-01-01"),
        );
        let shown: Vec<String> = found.iter().map(|one| one.span.texts().0).collect();
        assert_eq!(shown, case.shown, "{} {} {}", case.zone, case.start, case.rule);
        for one in &found {
            assert_eq!(utc(&one.span.texts().0), one.starts_at, "{}", case.zone);
            assert_eq!(
                one.instance_id,
                format!("m_{}", one.starts_at.format("%Y%m%dT%H%M%SZ"))
            );
            assert_eq!(one.view.time_zone.as_deref(), Some(case.zone));
        }
    }
}

#[test]
fn a_length_is_exact_over_a_change_of_clocks() {
    // Eight hours through the night of the change.
    let night = timed(
        "2026-10-23T22:00:00+02:00",
        "2026-10-24T06:00:00+02:00",
        "Europe/Zurich",
        &["RRULE:FREQ=DAILY"],
    );
    let found = occurrences(
        &calendar(Zone::UTC),
        &event(&night),
        &[],
        days("2026-10-25", "2026-10-26"),
    );
    let shown: Vec<_> = found.iter().map(|one| one.span.texts()).collect();
    assert_eq!(
        shown,
        [
            ("2026-10-24T22:00:00+02:00", "2026-10-25T05:00:00+01:00"),
            ("2026-10-25T22:00:00+01:00", "2026-10-26T06:00:00+01:00"),
        ]
        .map(texts)
    );
}

#[test]
fn a_flight_is_shown_in_the_zones_of_both_ends() {
    let flight = json!({
        "id": "f",
        "start": {"dateTime": "2026-11-22T10:00:00+01:00", "timeZone": "Europe/Zurich"},
        "end": {"dateTime": "2026-11-22T19:00:00+01:00", "timeZone": "America/New_York"},
    });
    let found = occurrences(
        &calendar(Zone::UTC),
        &event(&flight),
        &[],
        days("2026-11-22", "2026-11-23"),
    );
    assert_eq!(found[0].span.texts().0, "2026-11-22T10:00:00+01:00");
    assert_eq!(found[0].span.texts().1, "2026-11-22T13:00:00-05:00");
}

#[test]
fn without_a_known_zone_the_calendars_zone_applies() {
    for zone in [json!(null), json!("Mars/Olympus"), json!(7)] {
        let master = json!({
            "id": "m", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"],
            "start": {"dateTime": "2026-10-18T07:00:00Z", "timeZone": zone},
            "end": {"dateTime": "2026-10-18T08:00:00Z"},
        });
        let found = occurrences(
            &calendar(Zone::named("Europe/Zurich").unwrap()),
            &event(&master),
            &[],
            days("2026-10-01", "2026-11-01"),
        );
        let shown: Vec<String> = found.iter().map(|one| one.span.texts().0).collect();
        assert_eq!(
            shown,
            ["2026-10-18T09:00:00+02:00", "2026-10-25T09:00:00+01:00"],
            "{zone}"
        );
    }
}

#[test]
fn dates_are_the_same_in_every_zone() {
    for zone in CASES.map(|case| case.zone) {
        let zone: Zone = zone.parse().unwrap();
        let master = all_day(
            "2011-12-29",
            "2011-12-31",
            &["RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3"],
        );
        let found = occurrences(
            &calendar(zone),
            &event(&master),
            &[],
            days("2011-12-01", "2012-02-01"),
        );
        let shown: Vec<_> = found.iter().map(|one| one.span.texts()).collect();
        assert_eq!(
            shown,
            [
                ("2011-12-29", "2011-12-31"),
                ("2011-12-31", "2012-01-02"),
                ("2012-01-02", "2012-01-04")
            ]
            .map(texts),
            "{zone}"
        );
        assert_eq!(found[1].instance_id, "m_20111231");
        assert_eq!(found[1].dates(), Some((date("2011-12-31"), date("2012-01-02"))));
        assert!(
            found
                .iter()
                .all(|one| one.view.all_day && one.view.time_zone.is_none())
        );
        assert!(found.iter().all(|one| one.starts_at < one.ends_at), "{zone}");
    }
}

fn texts((start, end): (&str, &str)) -> (String, String) {
    (start.to_owned(), end.to_owned())
}
