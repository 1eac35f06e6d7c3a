//! Rules, single dates, and the exceptions of a series.

use super::*;

const NOVEMBER: (&str, &str) = ("2026-11-01", "2026-12-01");

fn november() -> Window {
    days(NOVEMBER.0, NOVEMBER.1)
}

/// Mondays at nine in Zurich, from 2 November 2026.
fn mondays(recurrence: &[&str]) -> Value {
    timed(
        "2026-11-02T09:00:00+01:00",
        "2026-11-02T10:00:00+01:00",
        "Europe/Zurich",
        recurrence,
    )
}

fn exception(id: &str, original: &str, start: &str, end: &str) -> Value {
    json!({
        "id": id, "recurringEventId": "m", "summary": "Moved",
        "originalStartTime": {"dateTime": original},
        "start": {"dateTime": start}, "end": {"dateTime": end},
    })
}

#[test]
fn the_form_of_until_decides_what_it_includes() {
    for (until, last) in [
        // A date is the whole day, in the event's zone.
        ("20261116", "2026-11-16T09:00:00+01:00"),
        ("20261115", "2026-11-09T09:00:00+01:00"),
        // Inclusive to the second.
        ("20261116T080000Z", "2026-11-16T09:00:00+01:00"),
        ("20261116T075959Z", "2026-11-09T09:00:00+01:00"),
        // Without Z, in the event's zone.
        ("20261116T090000", "2026-11-16T09:00:00+01:00"),
        ("20261116T085959", "2026-11-09T09:00:00+01:00"),
        // Before the start: the first instance remains.
        ("20200101T000000Z", "2026-11-02T09:00:00+01:00"),
    ] {
        let found = starts(
            &mondays(&[&format!("RRULE:FREQ=WEEKLY;UNTIL={until}")]),
            &[],
            november(),
        );
        assert_eq!(found.last().map(String::as_str), Some(last), "{until}");
    }
    for (until, last) in [
        ("20261103", "2026-11-03"),
        ("20261103T000000Z", "2026-11-03"),
        ("20261103T235959", "2026-11-03"),
    ] {
        let master = all_day(
            "2026-11-02",
            "2026-11-03",
            &[&format!("RRULE:FREQ=DAILY;UNTIL={until}")],
        );
        assert_eq!(
            starts(&master, &[], november()).last().map(String::as_str),
            Some(last),
            "{until}"
        );
    }
}

#[test]
fn dates_are_added_and_excluded_in_every_form() {
    let rule = "RRULE:FREQ=WEEKLY;COUNT=3";
    let all = [
        "2026-11-02T09:00:00+01:00",
        "2026-11-09T09:00:00+01:00",
        "2026-11-16T09:00:00+01:00",
    ];
    for line in [
        "EXDATE:20261109T080000Z",
        "EXDATE;TZID=Europe/Zurich:20261109T090000",
        "EXDATE;TZID=\"Europe/Zurich\";VALUE=DATE-TIME:20261109T090000",
        "EXDATE;TZID=America/New_York:20261109T030000",
        "exdate:20261109T090000",
        "EXDATE:20200101T000000Z,20261109T080000Z",
        "EXRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYSETPOS=1;UNTIL=20261101",
        "EXDATE;VALUE=DATE:20261109",
    ] {
        let found = starts(&mondays(&[rule, line]), &[], november());
        // The last two exclude nothing: a rule that has ended, and a date, which is no time of this series.
        let expected: Vec<&str> = if line.starts_with("EXRULE") || line.contains("VALUE=DATE:") {
            all.to_vec()
        } else {
            vec![all[0], all[2]]
        };
        assert_eq!(found, expected, "{line}");
    }
    assert_eq!(
        starts(
            &mondays(&[rule, "EXRULE:FREQ=WEEKLY;INTERVAL=2"]),
            &[],
            november()
        ),
        [all[1]]
    );
    for line in [
        "RDATE:20261111T080000Z",
        "RDATE;TZID=Asia/Kathmandu:20261111T134500",
        "RDATE;VALUE=PERIOD:20261111T080000Z/PT3H",
    ] {
        let found = starts(&mondays(&[rule, line]), &[], november());
        assert_eq!(
            found,
            [all[0], all[1], "2026-11-11T09:00:00+01:00", all[2]],
            "{line}"
        );
    }
    // A series may consist of dates alone.
    assert_eq!(
        starts(&mondays(&["RDATE:20261111T080000Z"]), &[], november()),
        [all[0], "2026-11-11T09:00:00+01:00"]
    );
    let days_of = |lines: &[&str]| starts(&all_day("2026-11-02", "2026-11-03", lines), &[], november());
    let rule = "RRULE:FREQ=DAILY;COUNT=3";
    for line in [
        "EXDATE;VALUE=DATE:20261103",
        "EXDATE:20261103",
        "EXDATE:20261103T000000Z",
        "EXDATE;TZID=Asia/Tokyo:20261103T000000",
    ] {
        assert_eq!(days_of(&[rule, line]), ["2026-11-02", "2026-11-04"], "{line}");
    }
    assert_eq!(
        days_of(&["RDATE;VALUE=DATE:20261120,20261110"]),
        ["2026-11-02", "2026-11-10", "2026-11-20"]
    );
}

#[test]
fn an_instance_in_a_gap_is_excluded_by_actual_time() {
    let nights = timed(
        "2026-03-28T02:30:00+01:00",
        "2026-03-28T02:45:00+01:00",
        "Europe/Zurich",
        &["RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260329T013000Z"],
    );
    assert_eq!(
        starts(&nights, &[], days("2026-03-01", "2026-04-01")),
        ["2026-03-28T02:30:00+01:00", "2026-03-30T02:30:00+02:00"]
    );
}

#[test]
fn the_first_start_is_always_an_instance() {
    assert_eq!(
        starts(&mondays(&["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=2"]), &[], november()),
        [
            "2026-11-02T09:00:00+01:00",
            "2026-11-04T09:00:00+01:00",
            "2026-11-11T09:00:00+01:00"
        ]
    );
    assert_eq!(
        starts(
            &mondays(&["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=1", "EXDATE:20261102T080000Z"]),
            &[],
            november()
        ),
        ["2026-11-04T09:00:00+01:00"]
    );
    // Only once if the rule makes it too.
    assert_eq!(
        starts(&mondays(&["RRULE:FREQ=WEEKLY;COUNT=1"]), &[], november()).len(),
        1
    );
}

#[test]
fn exceptions_replace_the_instance_of_their_original_start() {
    let master = mondays(&["RRULE:FREQ=WEEKLY"]);
    let id = |day: &str| format!("m_202611{day}T080000Z");
    let moved = exception(
        &id("09"),
        "2026-11-09T09:00:00+01:00",
        "2026-11-10T15:00:00+01:00",
        "2026-11-10T16:00:00+01:00",
    );
    let cancelled = json!({"id": id("16"), "status": "cancelled", "recurringEventId": "m",
        "originalStartTime": {"dateTime": "2026-11-16T08:00:00Z"}});
    let bare = json!({"id": id("23"), "status": "cancelled"});
    let away = exception(
        &id("30"),
        "2026-11-30T09:00:00+01:00",
        "2027-02-01T09:00:00+01:00",
        "2027-02-01T10:00:00+01:00",
    );
    let from_outside = exception(
        "m_20261207T080000Z",
        "2026-12-07T09:00:00+01:00",
        "2026-11-20T09:00:00+01:00",
        "2026-11-20T10:00:00+01:00",
    );
    let exceptions: Vec<EventResource> = [&moved, &cancelled, &bare, &away, &from_outside]
        .map(event)
        .into();

    let found = occurrences(
        &calendar(Zone::named("Europe/Zurich").unwrap()),
        &event(&master),
        &exceptions,
        november(),
    );
    let shown: Vec<_> = found
        .iter()
        .map(|one| {
            (
                one.instance_id.as_str(),
                one.event_id.as_str(),
                one.span.texts().0,
                one.view.title.as_str(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("m_20261102T080000Z", "m", "2026-11-02T09:00:00+01:00", "Stand-up"),
            (
                "m_20261109T080000Z",
                "m_20261109T080000Z",
                "2026-11-10T15:00:00+01:00",
                "Moved"
            ),
            (
                "m_20261207T080000Z",
                "m_20261207T080000Z",
                "2026-11-20T09:00:00+01:00",
                "Moved"
            ),
        ]
        .map(|(id, event, start, title)| (id, event, start.to_owned(), title))
    );
    assert!(found.iter().all(|one| one.series_id == "m"));
    assert!(
        found
            .iter()
            .all(|one| one.event(CalendarId::generate()).recurring_event_id.as_deref() == Some("m"))
    );

    // A day to which one of them moved also has the series' own instance.
    assert_eq!(
        starts(&master, &[away, from_outside], days("2027-01-30", "2027-02-03")),
        ["2027-02-01T08:00:00Z", "2027-02-01T09:00:00+01:00"]
    );
}

#[test]
fn an_exception_also_replaces_by_its_id() {
    // Created while the series was timed. Since it became all-day, its ids are those of dates.
    let master = all_day("2026-11-02", "2026-11-03", &["RRULE:FREQ=DAILY;COUNT=3"]);
    let cancelled = json!({"id": "m_20261103", "status": "cancelled", "recurringEventId": "m",
        "originalStartTime": {"dateTime": "2026-11-03T00:00:00Z"}});
    assert_eq!(
        starts(&master, &[cancelled], november()),
        ["2026-11-02", "2026-11-04"]
    );
}

#[test]
fn an_all_day_series_may_have_a_timed_exception() {
    let master = all_day("2026-11-02", "2026-11-03", &["RRULE:FREQ=DAILY;COUNT=3"]);
    let timed = json!({"id": "m_20261103", "recurringEventId": "m", "originalStartTime": {"date": "2026-11-03"},
        "start": {"dateTime": "2026-11-03T12:00:00Z"}, "end": {"dateTime": "2026-11-03T13:00:00Z"}});
    assert_eq!(
        starts(&master, &[timed], november()),
        ["2026-11-02", "2026-11-03T12:00:00Z", "2026-11-04"]
    );
}

#[test]
fn a_cancelled_series_has_no_instances_and_no_exceptions() {
    let master = json!({"id": "m", "status": "cancelled"});
    let left_over = exception(
        "m_20261109T080000Z",
        "2026-11-09T08:00:00Z",
        "2026-11-10T08:00:00Z",
        "2026-11-10T09:00:00Z",
    );
    assert_eq!(starts(&master, &[left_over], november()), [""; 0]);
}

#[test]
fn an_invitation_to_one_instance_stands_alone() {
    let invited = exception(
        "x_20261109T080000Z",
        "2026-11-09T08:00:00Z",
        "2026-11-09T08:00:00Z",
        "2026-11-09T09:00:00Z",
    );
    let found = occurrences(&calendar(Zone::UTC), &event(&invited), &[], november());
    assert_eq!((found.len(), found[0].series_id.as_str()), (1, "m"));
}

#[test]
fn odd_times_are_shown_if_possible_and_reported() {
    let at = |start: Value, end: Value| json!({"id": "e", "start": start, "end": end});
    let nine = || json!({"dateTime": "2026-11-02T09:00:00Z"});
    for (raw, end, flaw) in [
        (at(nine(), json!(null)), "2026-11-02T09:00:00Z", vec![]),
        (
            at(nine(), json!({"date": "2026-11-04"})),
            "2026-11-02T09:00:00Z",
            vec![],
        ),
        (
            at(nine(), json!({"dateTime": "2026-11-02T08:00:00Z"})),
            "2026-11-02T09:00:00Z",
            vec![Flaw::EndsBeforeStart],
        ),
        (
            at(json!({"date": "2026-11-02"}), json!(null)),
            "2026-11-03",
            vec![],
        ),
        (
            at(json!({"date": "2026-11-02"}), json!({"date": "2026-11-02"})),
            "2026-11-03",
            vec![],
        ),
        (
            at(json!({"date": "2026-11-02"}), json!({"date": "2026-11-01"})),
            "2026-11-03",
            vec![Flaw::EndsBeforeStart],
        ),
    ] {
        let found = occurrences(&calendar(Zone::UTC), &event(&raw), &[], november());
        assert_eq!(found[0].span.texts().1, end, "{raw}");
        assert_eq!(flaws(&event(&raw)), flaw, "{raw}");
    }
    let nowhere = event(&at(json!({"date": "soon"}), json!(null)));
    assert_eq!(occurrences(&calendar(Zone::UTC), &nowhere, &[], november()), []);
    assert_eq!(flaws(&nowhere), [Flaw::NoStart]);
    let unspecified = json!({"id": "e", "start": nine(), "end": {"dateTime": "2026-11-02T10:00:00Z"}, "endTimeUnspecified": true});
    assert_eq!(event(&unspecified).end, None);
}

#[test]
fn events_at_the_first_and_last_year_are_shown() {
    for (start, end) in [
        ("0001-01-01T00:00:00Z", "0001-01-01T01:00:00Z"),
        ("9999-12-31T22:00:00Z", "9999-12-31T23:59:59Z"),
    ] {
        let raw = timed(start, end, "America/New_York", &["RRULE:FREQ=DAILY"]);
        let window = Window {
            from: DateTime::<Utc>::MIN_UTC,
            to: DateTime::<Utc>::MAX_UTC,
        };
        let found = occurrences(
            &calendar(Zone::named("Asia/Tokyo").unwrap()),
            &event(&raw),
            &[],
            window,
        );
        assert_eq!(found[0].starts_at, utc(start));
        assert_eq!(
            utc(&found[0].span.texts().0),
            utc(start),
            "{}",
            found[0].span.texts().0
        );
    }
}

#[test]
fn an_unreadable_line_is_ignored_and_reported() {
    let first = ["2026-11-02T09:00:00+01:00"];
    for line in [
        "RRULE:",
        "RRULE:FREQ=FORTNIGHTLY",
        "RRULE:INTERVAL=2",
        "RRULE:FREQ=WEEKLY;INTERVAL=0",
        "RRULE:FREQ=WEEKLY;INTERVAL=-1",
        "RRULE:FREQ=WEEKLY;COUNT=many",
        "RRULE:FREQ=WEEKLY;UNTIL=2026-11-30",
        "RRULE:FREQ=WEEKLY;BYDAY=XX",
        "RRULE:FREQ=MONTHLY;BYDAY=0MO",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=32",
        "RRULE:FREQ=YEARLY;BYMONTH=0",
        "RRULE:FREQ=WEEKLY;BYHOUR=24",
        "RRULE:FREQ=WEEKLY;BYSETPOS=0",
        "RRULE:FREQ=WEEKLY;BYDAY",
        "RDATE:tomorrow",
        "EXDATE:20261109T080000",
        "DTSTART:20261102T090000Z",
        "nothing at all",
        "",
    ] {
        let master = mondays(&[line]);
        let (found, told) = (starts(&master, &[], november()), flaws(&event(&master)));
        assert_eq!(found, first, "{line}");
        assert_eq!(
            told.len(),
            usize::from(line != "EXDATE:20261109T080000"),
            "{line}: {told:?}"
        );
    }
    // An unknown part alone is ignored.
    assert_eq!(
        starts(
            &mondays(&["RRULE:FREQ=WEEKLY;COUNT=2;X-MADE-BY=me;"]),
            &[],
            november()
        )
        .len(),
        2
    );
    // The error does not repeat the text from Google.
    let long = format!("RRULE:FREQ=WEEKLY;{}", "x".repeat(100_000));
    assert!(flaws(&event(&mondays(&[&long])))[0].to_string().len() < 200);
}

#[test]
fn an_event_is_in_a_window_by_its_moments() {
    let at = |start: &str, end: &str| {
        let raw = json!({"id": "e", "start": {"dateTime": start}, "end": {"dateTime": end}});
        occurrences(&calendar(Zone::UTC), &event(&raw), &[], november()).len()
    };
    assert_eq!(
        at("2026-10-01T00:00:00Z", "2027-10-01T00:00:00Z"),
        1,
        "runs all through"
    );
    assert_eq!(
        at("2026-10-31T23:00:00Z", "2026-11-01T00:00:00Z"),
        0,
        "ends where the window begins"
    );
    assert_eq!(at("2026-10-31T23:00:00Z", "2026-11-01T00:00:01Z"), 1);
    assert_eq!(
        at("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
        1,
        "no length, at the begin"
    );
    assert_eq!(
        at("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        0,
        "begins where the window ends"
    );
    // A series whose instance began long before the window.
    let month_long = timed(
        "2026-01-15T09:00:00Z",
        "2026-02-14T09:00:00Z",
        "UTC",
        &["RRULE:FREQ=MONTHLY"],
    );
    assert_eq!(
        starts(&month_long, &[], days("2026-11-10", "2026-11-11")),
        ["2026-10-15T09:00:00Z"]
    );
}

#[test]
fn long_texts_are_cut_for_the_browser() {
    let raw = json!({"id": "e", "summary": "x".repeat(1 << 20), "description": "y".repeat(1 << 20),
        "start": {"date": "2026-11-02"}});
    let found = occurrences(&calendar(Zone::UTC), &event(&raw), &[], november());
    assert_eq!(found[0].view.title.chars().count(), 1_025);
    assert!(serde_json::to_string(&*found[0].view).unwrap().len() < crate::wire::MESSAGE_MAX_LEN);
}
