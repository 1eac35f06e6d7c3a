use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta};

use super::stamp::basic_time;
use super::*;
use crate::span::Span;

fn berlin() -> Zone {
    Zone::named("Europe/Berlin").unwrap()
}

fn at(text: &str) -> Span {
    let start = DateTime::parse_from_rfc3339(text).unwrap().to_utc();
    Span::Time {
        start,
        end: start + TimeDelta::hours(1),
        zone: berlin(),
        end_zone: berlin(),
    }
}

fn on(text: &str) -> Span {
    let start: NaiveDate = text.parse().unwrap();
    Span::Days {
        start,
        end: start + Days::new(1),
    }
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|&line| line.to_owned()).collect()
}

#[test]
fn a_split_series_loses_no_line() {
    let first = at("2026-10-05T09:00:00+02:00");
    let boundary = at("2026-11-02T09:00:00+01:00").start();
    let parts = split(
        &lines(&[
            "RRULE:FREQ=WEEKLY;BYDAY=MO",
            "EXDATE:20261012T070000Z,20261109T080000Z",
            "RDATE;TZID=America/New_York:20261101T030000",
        ]),
        first,
        boundary,
        |_| 4,
    );
    assert_eq!(
        parts.before,
        [
            "RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20261102T075959Z",
            "EXDATE:20261012T070000Z",
            "RDATE;TZID=America/New_York:20261101T030000"
        ]
    );
    assert_eq!(
        parts.after,
        ["RRULE:FREQ=WEEKLY;BYDAY=MO", "EXDATE:20261109T080000Z"]
    );
}

#[test]
fn a_split_divides_count_and_keeps_until() {
    let first = at("2026-10-05T09:00:00+02:00");
    let boundary = at("2026-11-02T09:00:00+01:00").start();
    let parts = split(&lines(&["RRULE:FREQ=WEEKLY;COUNT=10"]), first, boundary, |_| 4);
    assert_eq!(
        (parts.before, parts.after),
        (
            lines(&["RRULE:FREQ=WEEKLY;COUNT=4"]),
            lines(&["RRULE:FREQ=WEEKLY;COUNT=6"])
        )
    );
    let parts = split(
        &lines(&[
            "RRULE:FREQ=WEEKLY;UNTIL=20261231T080000Z",
            "RRULE:FREQ=DAILY;UNTIL=20261007",
        ]),
        first,
        boundary,
        |_| 4,
    );
    assert_eq!(
        parts.before,
        [
            "RRULE:FREQ=WEEKLY;UNTIL=20261102T075959Z",
            "RRULE:FREQ=DAILY;UNTIL=20261007"
        ]
    );
    assert_eq!(parts.after, ["RRULE:FREQ=WEEKLY;UNTIL=20261231T080000Z"]);
    let days = split(
        &lines(&["RRULE:FREQ=DAILY"]),
        on("2026-10-05"),
        on("2026-10-08").start(),
        |_| 3,
    );
    assert_eq!(days.before, ["RRULE:FREQ=DAILY;UNTIL=20261007"]);
}

#[test]
fn count_excludes_a_first_start_that_the_rule_skips() {
    use crate::calendar::{AccessRole, CalendarContext};
    use crate::expansion::count_before;
    use crate::resource::parse;
    // A Tuesday.
    let first = at("2026-10-06T09:00:00+02:00");
    let rule = "RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=3";
    let mut event = serde_json::json!({"id": "m", "recurrence": [rule]});
    event["start"] = first.google_insert()["start"].clone();
    event["end"] = first.google_insert()["end"].clone();
    let event = parse(&event.to_string()).unwrap();
    let calendar = CalendarContext {
        id: ids::CalendarId::generate(),
        time_zone: berlin(),
        access_role: AccessRole::Owner,
        is_primary: true,
    };
    let parts = |text| {
        let boundary = at(text).start();
        let parts = split(&lines(&[rule]), first, boundary, |line| {
            count_before(&calendar, &event, line, boundary)
        });
        (parts.before, parts.after)
    };
    assert_eq!(
        parts("2026-10-14T09:00:00+02:00"),
        (
            lines(&["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=1"]),
            lines(&["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=2"])
        )
    );
    assert_eq!(parts("2026-10-07T09:00:00+02:00"), (vec![], lines(&[rule])));
}

#[test]
fn weekdays_until_and_exceptions_move_with_the_series() {
    let old = at("2026-10-06T09:00:00+02:00");
    let new = at("2026-10-07T10:30:00+02:00");
    let moved = reschedule(
        &lines(&[
            "RRULE:FREQ=WEEKLY;BYDAY=TU,SU;UNTIL=20261103T080000Z",
            // Nine in the morning, after the change of clocks.
            "EXDATE:20261027T080000Z",
        ]),
        old,
        new,
    );
    assert_eq!(
        moved,
        Ok(lines(&[
            "RRULE:FREQ=WEEKLY;BYDAY=WE,MO;UNTIL=20261104T093000Z",
            "EXDATE:20261028T093000Z"
        ]))
    );
}

#[test]
fn a_rule_that_skips_weeks_keeps_skipping_the_same() {
    let old = at("2026-10-06T09:00:00+02:00");
    let two_days_before = at("2026-10-04T09:00:00+02:00");
    let rule = "RRULE:FREQ=WEEKLY;BYDAY=TU,TH,SU;INTERVAL=2;COUNT=2";
    assert_eq!(
        reschedule(&lines(&[rule]), old, two_days_before),
        Ok(lines(&[
            "RRULE:FREQ=WEEKLY;WKST=SA;BYDAY=SU,TU,FR;INTERVAL=2;COUNT=2"
        ]))
    );
}

#[test]
fn a_series_becomes_all_day_and_back() {
    let timed = at("2026-10-06T09:00:00+02:00");
    let rules = lines(&[
        "RRULE:FREQ=DAILY;UNTIL=20261010T070000Z",
        "EXDATE:20261008T070000Z",
    ]);
    let days = reschedule(&rules, timed, on("2026-10-06")).unwrap();
    assert_eq!(
        days,
        ["RRULE:FREQ=DAILY;UNTIL=20261010", "EXDATE;VALUE=DATE:20261008"]
    );
    assert_eq!(reschedule(&days, on("2026-10-06"), timed), Ok(rules));
}

#[test]
fn rules_that_name_their_day_cannot_move_to_another() {
    let (old, next_day) = (at("2026-10-13T09:00:00+02:00"), at("2026-10-14T09:00:00+02:00"));
    let later = at("2026-10-13T11:00:00+02:00");
    let of = |rule: &str, new| reschedule(&lines(&[rule]), old, new);
    assert_eq!(of("RRULE:FREQ=MONTHLY;BYDAY=2TU", next_day), Err(NotMovable));
    assert_eq!(
        of("RRULE:FREQ=MONTHLY;BYDAY=2TU", later),
        Ok(lines(&["RRULE:FREQ=MONTHLY;BYDAY=2TU"]))
    );
    assert_eq!(
        of("RRULE:FREQ=MONTHLY;BYMONTHDAY=13", next_day),
        Ok(lines(&["RRULE:FREQ=MONTHLY;BYMONTHDAY=14"]))
    );
    assert_eq!(of("RRULE:FREQ=DAILY;BYHOUR=9", later), Err(NotMovable));
    assert_eq!(
        of("RRULE:FREQ=MONTHLY", next_day),
        Ok(lines(&["RRULE:FREQ=MONTHLY"]))
    );
}

mod series {
    use super::*;
    use crate::calendar::{AccessRole, CalendarContext};
    use crate::expansion::{count_before, occurrences};
    use crate::resource::{EventResource, parse};
    use crate::wire::Window;
    use ids::CalendarId;
    use proptest::prelude::*;
    use serde_json::json;

    fn calendar() -> CalendarContext {
        CalendarContext {
            id: CalendarId::generate(),
            time_zone: berlin(),
            access_role: AccessRole::Owner,
            is_primary: true,
        }
    }

    fn master(when: Span, lines: &[String]) -> EventResource {
        let mut event = json!({"id": "m", "recurrence": lines});
        event["start"] = when.google_insert()["start"].clone();
        event["end"] = when.google_insert()["end"].clone();
        parse(&event.to_string()).unwrap()
    }

    fn starts(when: Span, lines: &[String]) -> Vec<DateTime<chrono::Utc>> {
        let ever = Window {
            from: "2026-01-01T00:00:00Z".parse().unwrap(),
            to: "2028-01-01T00:00:00Z".parse().unwrap(),
        };
        let instances = occurrences(&calendar(), &master(when, lines), &[], ever);
        instances.iter().map(|instance| instance.starts_at).collect()
    }

    /// A rule from Tuesday, 6 October, for at most a good year.
    fn rule() -> impl Strategy<Value = String> {
        let freq = prop_oneof![
            Just("FREQ=DAILY"),
            Just("FREQ=WEEKLY"),
            Just("FREQ=WEEKLY;BYDAY=TU,TH,SU"),
            Just("FREQ=MONTHLY"),
            Just("FREQ=MONTHLY;BYDAY=1TU"),
        ];
        let end = prop_oneof![
            (1_u32..40).prop_map(|count| format!(";COUNT={count}")),
            (1_u32..300).prop_map(|days| {
                let until = NaiveDate::from_ymd_opt(2026, 10, 6).unwrap() + Days::new(days.into());
                format!(";UNTIL={}T060000Z", until.format("%Y%m%d"))
            }),
        ];
        (freq, 1_u32..4, end)
            .prop_map(|(freq, interval, end)| format!("RRULE:{freq};INTERVAL={interval}{end}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn both_parts_together_make_the_whole(rule in rule(), nth in 0_usize..40, without in 0_usize..40) {
            // Over both changes of the clocks.
            let first = at("2026-10-06T09:00:00+02:00");
            let mut rules = vec![rule];
            let all = starts(first, &rules);
            if let Some(gone) = all.get(without).filter(|_| without > 0) {
                rules.push(format!("EXDATE:{}", basic_time(gone.naive_utc())));
            }
            let all = starts(first, &rules);
            prop_assume!(nth > 0 && nth < all.len());
            let boundary = Start::At(all[nth]);
            let whole = master(first, &rules);
            let parts = split(&rules, first, boundary, |line| count_before(&calendar(), &whole, line, boundary));
            let mut both = starts(first, &parts.before);
            prop_assert_eq!(both.len(), nth, "{:?} {:?}", &rules, &parts);
            both.extend(starts(first.at(boundary).unwrap(), &parts.after));
            prop_assert_eq!(both, all, "{:?} {:?}", rules, parts);
        }

        #[test]
        fn a_moved_series_keeps_its_instances(rule in rule(), days in -3_i64..4, minutes in -500_i64..700) {
            let old = at("2026-10-06T09:00:00+02:00");
            let by = TimeDelta::days(days) + TimeDelta::minutes(minutes);
            let local = old.local_start() + by;
            let start = zone::instant(berlin(), local).unwrap();
            let new = Span::Time { start, end: start + TimeDelta::hours(1), zone: berlin(), end_zone: berlin() };
            let rules = vec![rule];
            let Ok(lines) = reschedule(&rules, old, new) else { return Ok(()) };
            // Not every month has a 31st.
            prop_assume!(!rules[0].contains("MONTHLY") || new.local_start().date() == old.local_start().date());
            let locals = |when, rules: &[String]| -> Vec<NaiveDateTime> {
                starts(when, rules).into_iter().map(|start| zone::local(berlin(), start)).collect()
            };
            // A skipped hour is shown as the one after it.
            let shown = |local| zone::local(berlin(), zone::instant(berlin(), local).unwrap());
            let expected: Vec<_> = locals(old, &rules).into_iter().map(|local| shown(local + by)).collect();
            prop_assert_eq!(locals(new, &lines), expected, "{:?} {:?}", rules, lines);
        }
    }
}
