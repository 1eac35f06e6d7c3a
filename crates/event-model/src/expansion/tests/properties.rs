//! Properties that hold for any text from Google.

use std::collections::HashSet;
use std::time::Duration;

use cpu_time::ThreadTime;
use proptest::prelude::*;

use super::*;
use crate::normal_form;
use crate::wire::{Event, EventView, Series};

/// CPU time of this thread alone: far more than any case needs, even unoptimised.
const PATIENCE: Duration = Duration::from_secs(5);

fn text_of_a_rule() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "FREQ",
        "INTERVAL",
        "COUNT",
        "UNTIL",
        "BYSECOND",
        "BYMINUTE",
        "BYHOUR",
        "BYDAY",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYMONTH",
        "BYSETPOS",
        "WKST",
        "RSCALE",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "SECONDLY",
            "MINUTELY",
            "HOURLY",
            "DAILY",
            "WEEKLY",
            "MONTHLY",
            "YEARLY",
            "MO",
            "-1SU",
            "5FR",
            "MO,TU,WE",
            "20261130",
            "20261130T000000Z",
            "1",
            "-1",
            "2,30",
            "99999999999",
            "4294967295",
        ])
        .prop_map(str::to_owned),
        (-400_i32..400).prop_map(|number| number.to_string()),
        "\\PC{0,8}",
    ];
    let parts = prop::collection::vec((name, value), 0..5);
    let frequency = prop::sample::select(vec![
        "SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY",
    ]);
    (frequency, parts).prop_map(|(frequency, parts)| {
        let parts: Vec<String> = parts
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("FREQ={frequency};{}", parts.join(";"))
    })
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => text_of_a_rule().prop_map(|rule| format!("RRULE:{rule}")),
        1 => text_of_a_rule().prop_map(|rule| format!("EXRULE:{rule}")),
        1 => "(RDATE|EXDATE)(;VALUE=DATE|;TZID=[A-Z][a-z]{2}/[A-Z][a-z]{3})?:(2026[01][0-9][0-3][0-9](T[0-2]90000Z?)?,?){1,3}",
        1 => "\\PC{0,40}",
    ]
}

fn time() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => (1_i64..4_000_000_000).prop_map(|seconds| {
            json!({"dateTime": DateTime::from_timestamp(seconds, 0).unwrap().to_rfc3339(), "timeZone": "Australia/Lord_Howe"})
        }),
        3 => "20[0-9]{2}-[01][0-9]-[0-3][0-9]".prop_map(|date| json!({"date": date})),
        1 => "\\PC{0,20}".prop_map(|text| json!({"dateTime": text, "timeZone": "Europe/Zurich"})),
        1 => prop::sample::select(vec![json!({"date": "0001-01-01"}), json!({"date": "9999-12-31"}), json!(null), json!([])]),
    ]
}

fn assert_sound(found: &[Occurrence], window: Window) {
    let mut ids = HashSet::new();
    for one in found {
        assert!(ids.insert(&one.instance_id), "{} twice", one.instance_id);
        assert!(one.starts_at <= one.ends_at);
        assert!(
            overlaps(one.starts_at, one.ends_at, window),
            "{} outside",
            one.instance_id
        );
        assert_eq!(one.dates().is_some(), one.view.all_day);
    }
    assert!(found.is_sorted_by_key(|one| one.starts_at));
}

/// The events of procedures are those that a receiver derives from a message, and those that a read derives from the mirror.
fn assert_same_in_normal_form(calendar: &CalendarContext, found: &[Occurrence]) {
    let sorted = |mut events: Vec<Event>| {
        events.sort_by(|a, b| a.id.cmp(&b.id));
        events
    };
    let flat = sorted(found.iter().map(|one| one.event(calendar.id)).collect());
    let sent = serde_json::to_string(&normal_form::series(found.iter())).unwrap();
    let received: Vec<Series> = serde_json::from_str(&sent).unwrap();
    let derived = received
        .iter()
        .flat_map(|series| normal_form::events(calendar.id, series));
    assert_eq!(sorted(derived.collect()), flat, "{sent}");

    let mut read = Vec::new();
    for event in normal_form::by_event(found) {
        let shown = found.iter().find(|one| one.event_id == event.event_id).unwrap();
        let stored = normal_form::compact(&shown.view);
        let view: EventView = serde_json::from_str(&stored).unwrap();
        assert_eq!(view, *shown.view);
        let (zone, end_zone) = normal_form::zones(&view, calendar.time_zone);
        for span in event.times.spans(zone, end_zone) {
            let id = normal_form::instance_id(&event.event_id, event.is_master, span.start());
            read.push((id, span.texts()));
        }
    }
    read.sort();
    let expected: Vec<_> = flat
        .into_iter()
        .map(|event| (event.id, (event.start, event.end)))
        .collect();
    assert_eq!(read, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_event_is_the_same_in_its_normal_form(
        rule in prop::sample::select(vec!["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "FREQ=MONTHLY;BYDAY=-1SU", ""]),
        start in time(),
        end in time(),
        moved in prop::collection::vec((0_usize..12, time(), time(), any::<bool>()), 0..4),
        title in "\\PC{0,12}",
    ) {
        let calendar = calendar(Zone::named("America/St_Johns").unwrap());
        let mut raw = json!({"id": "m", "summary": title, "start": start, "end": end, "etag": "1", "iCalUID": "m@google.com",
            "attendees": [{"email": "a@example.com", "self": true}, {"displayName": title}], "reminders": {"useDefault": false}});
        if !rule.is_empty() {
            raw["recurrence"] = json!([format!("RRULE:{rule}")]);
        }
        let master = event(&raw);
        let Some(first) = Span::of(&master, &calendar) else { return Ok(()) };
        let from = first.start().as_utc();
        let Some(to) = from.checked_add_signed(chrono::TimeDelta::days(60)) else { return Ok(()) };
        let window = Window { from, to };
        let plain = occurrences(&calendar, &master, &[], window);
        let exceptions: Vec<EventResource> = moved
            .into_iter()
            .filter_map(|(n, start, end, is_cancelled)| {
                let one = plain.get(n).filter(|one| one.is_of_master)?;
                let (original, _) = one.span.texts();
                let kind = if one.view.all_day { "date" } else { "dateTime" };
                let status = if is_cancelled { "cancelled" } else { "tentative" };
                Some(event(&json!({"id": one.instance_id, "recurringEventId": "m", "status": status,
                    "originalStartTime": {kind: original}, "start": start, "end": end})))
            })
            .collect();
        assert_same_in_normal_form(&calendar, &plain);
        let mut ids = HashSet::new();
        let exceptions: Vec<_> = exceptions.into_iter().filter(|one| ids.insert(one.id.clone())).collect();
        assert_same_in_normal_form(&calendar, &occurrences(&calendar, &master, &exceptions, window));
    }

    #[test]
    fn any_series_is_expanded_within_bounds(
        lines in prop::collection::vec(line(), 0..4),
        start in time(),
        end in time(),
        from in -2_000_000_000_i64..4_000_000_000,
        days in 0_i64..500,
    ) {
        let raw = json!({"id": "m", "start": start, "end": end, "recurrence": lines});
        let master = event(&raw);
        let from = DateTime::from_timestamp(from, 0).unwrap();
        let window = Window { from, to: from + chrono::TimeDelta::days(days) };
        let begin = ThreadTime::now();
        let found = occurrences(&calendar(Zone::named("America/St_Johns").unwrap()), &master, &[], window);
        prop_assert!(begin.elapsed() < PATIENCE, "{raw}");
        prop_assert!(found.len() <= MAX_INSTANCES);
        assert_sound(&found, window);
        let _ = flaws(&master);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*", json in "\\{(\"id\":\"[a-z_0-9TZ]{1,30}\"|\"status\":\"cancelled\"|\"start\":\\{\"date\":\"\\PC{0,12}\"\\}|\"summary\":\"(\\\\u[0-9a-f]{4}){0,3}\"|,){0,6}\\}") {
        for raw in [text, json] {
            if let Ok(event) = resource::parse(&raw) {
                let found = occurrences(&calendar(Zone::UTC), &event, std::slice::from_ref(&event), days("2000-01-01", "2030-01-01"));
                assert_sound(&found, days("2000-01-01", "2030-01-01"));
            }
            // Cleaned text needs no further cleaning and reads the same.
            let cleaned = resource::clean(&raw);
            prop_assert_eq!(resource::clean(&cleaned), &*cleaned);
            prop_assert_eq!(resource::parse(&cleaned).ok(), resource::parse(&raw).ok());
        }
    }

    #[test]
    fn a_date_never_shifts(offset in -12_i32..=14, day in 0_u64..40_000, length in 1_u64..10, interval in 1_u32..40) {
        // The signs of Etc/GMT are reversed.
        let zone: Zone = format!("Etc/GMT{:+}", -offset).parse().unwrap();
        let start = date("1970-01-01") + Days::new(day);
        let end = start + Days::new(length);
        let rule = format!("RRULE:FREQ=DAILY;INTERVAL={interval};COUNT=5");
        let master = event(&all_day(&start.to_string(), &end.to_string(), &[&rule]));
        let window = Window { from: DateTime::<Utc>::MIN_UTC, to: DateTime::<Utc>::MAX_UTC };
        let found = occurrences(&calendar(zone), &master, &[], window);
        prop_assert_eq!(found.len(), 5);
        for (nth, one) in (0_u64..).zip(&found) {
            let start = start + Days::new(nth * u64::from(interval));
            let end = start + Days::new(length);
            prop_assert_eq!(one.dates(), Some((start, end)));
            prop_assert_eq!(&one.span.texts().0, &start.to_string());
            prop_assert_eq!(&one.span.texts().1, &end.to_string());
            prop_assert_eq!(&one.instance_id, &format!("m_{}", start.format("%Y%m%d")));
            prop_assert_eq!(zone::local(zone, one.starts_at), start.and_hms_opt(0, 0, 0).unwrap());
        }
    }
}

#[test]
fn no_rule_runs_long_or_makes_too_many_instances() {
    let window = horizon(utc("2026-11-22T12:00:00Z"));
    let every = |max: usize| {
        (0..max)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let (seconds, hours) = (every(60), every(24));
    let days = (1..=366)
        .map(|day| format!("{day},-{day}"))
        .collect::<Vec<_>>()
        .join(",");
    for rule in [
        "FREQ=SECONDLY".to_owned(),
        "FREQ=SECONDLY;COUNT=4294967295".to_owned(),
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30".to_owned(),
        "FREQ=SECONDLY;INTERVAL=4294967295".to_owned(),
        "FREQ=MINUTELY;BYHOUR=3;BYMINUTE=7;INTERVAL=2".to_owned(),
        "FREQ=DAILY;COUNT=4294967295;BYMONTH=2;BYMONTHDAY=30".to_owned(),
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30".to_owned(),
        "FREQ=YEARLY;INTERVAL=4294967295".to_owned(),
        format!(
            "FREQ=YEARLY;COUNT=4294967295;BYHOUR={hours};BYMINUTE={seconds};BYSECOND={seconds};BYDAY=MO;BYSETPOS={days}"
        ),
        format!("FREQ=YEARLY;COUNT=4294967295;BYYEARDAY={days};BYSETPOS=367"),
        format!("FREQ=DAILY;BYHOUR={hours};BYMINUTE={seconds};BYSECOND={seconds}"),
    ] {
        for start in [
            "0001-01-01T00:00:00Z",
            "2026-11-01T00:00:00Z",
            "9999-12-31T00:00:00Z",
        ] {
            let line = format!("RRULE:{rule}");
            let lines = vec![line.as_str(); 50];
            let master = event(&timed(start, start, "Europe/Zurich", &lines));
            let begin = ThreadTime::now();
            let found = occurrences(&calendar(Zone::UTC), &master, &[], window);
            assert!(
                begin.elapsed() < PATIENCE,
                "{rule} from {start}: {:?}",
                begin.elapsed()
            );
            assert!(found.len() <= MAX_INSTANCES, "{rule}");
            assert_sound(&found, window);
        }
    }
    let many = (0..60_000).map(|second| {
        format!(
            "{}",
            (utc("2026-11-01T00:00:00Z") + chrono::TimeDelta::seconds(second)).format("%Y%m%dT%H%M%SZ")
        )
    });
    let line = format!("RDATE:{}", many.collect::<Vec<_>>().join(","));
    let master = event(&timed(
        "2026-11-01T00:00:00Z",
        "2026-11-01T00:00:00Z",
        "UTC",
        &[&line],
    ));
    assert_eq!(
        occurrences(&calendar(Zone::UTC), &master, &[], window).len(),
        MAX_INSTANCES
    );
}
