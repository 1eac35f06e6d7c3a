use super::*;

fn window(from: &str, to: &str) -> Window {
    Window {
        from: utc(from),
        to: utc(to),
    }
}

#[test]
fn hot_window_and_horizon_are_aligned_to_utc_days() {
    let now = utc("2026-03-31T17:45:12Z");
    assert_eq!(hot_window(now), days("2026-03-23", "2026-05-12"));
    // A month before 31 March is the last of February.
    assert_eq!(horizon(now), days("2026-02-28", "2027-04-30"));
    assert_eq!(hot_window(utc("2026-03-31T00:00:00Z")), hot_window(now));
}

#[test]
fn days_are_counted_in_the_users_zone() {
    for (zone, now, days, end) in [
        ("UTC", "2026-11-22T15:00:00Z", 0, "2026-11-23T00:00:00Z"),
        ("UTC", "2026-11-22T15:00:00Z", 1, "2026-11-24T00:00:00Z"),
        ("UTC", "2026-11-22T15:00:00Z", 7, "2026-11-30T00:00:00Z"),
        ("UTC", "2026-11-22T00:00:00Z", 0, "2026-11-23T00:00:00Z"),
        ("Europe/Zurich", "2026-11-22T23:30:00Z", 0, "2026-11-23T23:00:00Z"),
        // Over a change of clocks.
        ("Europe/Zurich", "2026-10-24T10:00:00Z", 1, "2026-10-25T23:00:00Z"),
        (
            "America/New_York",
            "2026-03-07T20:00:00Z",
            1,
            "2026-03-09T04:00:00Z",
        ),
        (
            "Asia/Kathmandu",
            "2026-11-22T18:20:00Z",
            0,
            "2026-11-23T18:15:00Z",
        ),
        // No midnight on 29 March in Beirut: the 28th ends where 01:00 begins.
        ("Asia/Beirut", "2026-03-28T10:00:00Z", 0, "2026-03-28T22:00:00Z"),
        ("Asia/Beirut", "2026-03-28T10:00:00Z", 1, "2026-03-29T21:00:00Z"),
        // In Toronto in 1919, 23:30 was followed by 00:30.
        (
            "America/Toronto",
            "1919-03-30T20:00:00Z",
            0,
            "1919-03-31T04:30:00Z",
        ),
        // In Newfoundland, 00:01 was followed by 23:01 of the day before, which ends at its second midnight.
        (
            "America/St_Johns",
            "2000-10-28T20:00:00Z",
            0,
            "2000-10-29T03:30:00Z",
        ),
        (
            "America/St_Johns",
            "2000-10-29T03:10:00Z",
            0,
            "2000-10-29T03:30:00Z",
        ),
        // 30 December 2011 did not happen in Apia.
        ("Pacific/Apia", "2011-12-29T20:00:00Z", 0, "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-29T20:00:00Z", 1, "2011-12-31T10:00:00Z"),
        ("Pacific/Apia", "2011-12-29T20:00:00Z", 2, "2012-01-01T10:00:00Z"),
        (
            "Pacific/Kwajalein",
            "1993-08-20T20:00:00Z",
            1,
            "1993-08-22T12:00:00Z",
        ),
    ] {
        let found = days_window(utc(now), days, zone.parse().unwrap());
        assert_eq!(found, window(now, end), "{zone} {now} +{days}");
    }
    let far = days_window(
        utc("2026-11-22T15:00:00Z"),
        365,
        Zone::named("Pacific/Apia").unwrap(),
    );
    assert_eq!(far.to, utc("2027-11-23T11:00:00Z"));
    // No panic at the end of the years that chrono supports.
    assert_eq!(
        days_window(DateTime::<Utc>::MAX_UTC, 5, Zone::UTC).to,
        DateTime::<Utc>::MAX_UTC
    );
}

#[test]
fn a_date_overlaps_by_the_viewers_date() {
    let span = (date("2026-11-22"), date("2026-11-23"));
    for (zone, from, to, overlaps) in [
        ("UTC", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z", true),
        ("UTC", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", false),
        ("UTC", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", false),
        (
            "UTC",
            "2026-11-21T00:00:00Z",
            "2026-11-22T00:00:00.000000001Z",
            true,
        ),
        ("UTC", "2026-11-22T23:59:59Z", "2026-11-22T23:59:59Z", true),
        // For one viewer the day has ended when for another it has hardly begun.
        (
            "Pacific/Kiritimati",
            "2026-11-21T10:00:00Z",
            "2026-11-21T11:00:00Z",
            true,
        ),
        (
            "Pacific/Kiritimati",
            "2026-11-22T10:00:00Z",
            "2026-11-22T11:00:00Z",
            false,
        ),
        (
            "Pacific/Niue",
            "2026-11-22T10:59:59Z",
            "2026-11-22T11:00:00Z",
            false,
        ),
        (
            "Pacific/Niue",
            "2026-11-23T10:59:59Z",
            "2026-11-23T12:00:00Z",
            true,
        ),
    ] {
        let viewer: Zone = zone.parse().unwrap();
        assert_eq!(
            all_day_overlaps(span, window(from, to), viewer),
            overlaps,
            "{zone} {from}/{to}"
        );
    }
}

#[test]
fn a_date_starts_within_26_hours_in_every_zone() {
    // From UTC+14 to UTC−12. If a viewer sees a date in a window, the calendar has it in a window that much wider.
    let apart = chrono::TimeDelta::hours(26);
    let span = (date("2026-11-22"), date("2026-11-23"));
    let zones: [Zone; 3] = [
        Zone::named("Pacific/Kiritimati").unwrap(),
        Zone::UTC,
        Zone::named("Etc/GMT+12").unwrap(),
    ];
    for viewer in zones {
        for calendar in zones {
            for hours in 0..96 {
                let from = utc("2026-11-20T00:00:00Z") + chrono::TimeDelta::hours(hours);
                let seen = Window {
                    from,
                    to: from + chrono::TimeDelta::hours(1),
                };
                let wide = Window {
                    from: seen.from - apart,
                    to: seen.to + apart,
                };
                let start = zone::day_start(calendar, span.0).unwrap();
                let end = zone::day_start(calendar, span.1).unwrap();
                assert!(
                    !all_day_overlaps(span, seen, viewer) || overlaps(start, end, wide),
                    "{viewer} {calendar} {from}"
                );
            }
        }
    }
}

/// A series and those that Google split off it share ids while they overlap.
#[test]
fn of_instances_with_one_id_one_is_kept() {
    let daily = |id: &str, first: &str, count: usize| {
        let (start, end) = (
            format!("2026-12-{first}T09:00:00Z"),
            format!("2026-12-{first}T10:00:00Z"),
        );
        let mut series = timed(&start, &end, "UTC", &[&format!("RRULE:FREQ=DAILY;COUNT={count}")]);
        series["id"] = json!(id);
        (id.to_owned(), event(&series))
    };
    let special = json!({"id": "m_20261205T090000Z", "recurringEventId": "m",
        "originalStartTime": {"dateTime": "2026-12-05T09:00:00Z"},
        "start": {"dateTime": "2026-12-05T12:00:00Z"}, "end": {"dateTime": "2026-12-05T13:00:00Z"}});
    let (second, third) = ("m_R20261203T090000", "m_R20261204T090000");
    let all = [
        daily(third, "04", 4),
        daily("m", "01", 5),
        ("m".to_owned(), event(&special)),
        daily(second, "03", 3),
    ];
    let found = all_occurrences(&calendar(Zone::UTC), all, days("2026-12-01", "2027-01-01"));
    let mut found: Vec<_> = found
        .iter()
        .map(|one| (&one.instance_id[8..10], one.series_id.as_str()))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("01", "m"),
            ("02", "m"),
            ("03", second),
            ("04", third),
            ("05", "m"),
            ("06", third),
            ("07", third)
        ]
    );
}
