use std::collections::HashSet;

use chrono::NaiveDate;
use insta::assert_snapshot;
use serde_json::Value;

use super::{AccessRole, Seed};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn refused(json: &str) -> String {
    Seed::from_json("seed.json", json).unwrap_err().to_string()
}

#[test]
fn a_small_seed_gets_the_defaults() {
    let json = r#"{"users":[{"email":"a@example.com","calendars":[{"id":"a@example.com","summary":"A"}]}]}"#;
    let seed = Seed::from_json("seed.json", json).unwrap();
    let calendar = &seed.users[0].calendars[0];
    assert_eq!(calendar.access_role, AccessRole::Owner);
    assert_eq!(calendar.time_zone, "UTC");
    assert!(calendar.push_supported);
    assert!(!calendar.primary);
}

#[test]
fn a_refusal_names_file_line_and_place() {
    assert_snapshot!(refused("{\"users\":[\n{\"email\":\"a@example.com\",\n\"colour\":1}]}"),
        @"seed.json:3: users[0].colour: unknown field `colour`, expected one of `email`, `name`, `calendars` at line 3 column 8");
    assert_snapshot!(refused("{\"users\":[\n"), @"seed.json:2: users: EOF while parsing a list at line 2 column 0");
    assert_snapshot!(refused("{\"users\":[]} {}"), @"seed.json:1: text after the end of the seed: trailing characters at line 1 column 14");
}

#[test]
fn invalid_values_are_refused_by_name() {
    let with = |calendar: &str| {
        refused(&format!(
            r#"{{"users":[{{"email":"a@example.com","calendars":[{{"id":"c","summary":"C",{calendar}}}]}}]}}"#
        ))
    };
    assert_snapshot!(with(r#""timeZone":"Zurich""#),
        @r#"seed.json: users[0] (a@example.com).calendars[0] (C): timeZone "Zurich" is not an IANA name such as Europe/Zurich"#);
    assert_snapshot!(with(r#""backgroundColor":"red""#),
        @r#"seed.json: users[0] (a@example.com).calendars[0] (C): colour "red" is not of the form #rrggbb"#);
    assert_snapshot!(with(r#""events":[{"summary":"Lunch"}]"#),
        @"seed.json: users[0] (a@example.com).calendars[0] (C).events[0] (Lunch): start is missing");
    assert_snapshot!(with(r#""events":[{"start":{"date":"2026-11-22"},"end":{"dateTime":"2026-11-22T10:00:00Z"}}]"#),
        @"seed.json: users[0] (a@example.com).calendars[0] (C).events[0] (no summary): start and end are not both a date or both a dateTime");
    let daily = r#"{"id":"m","recurrence":["RRULE:FREQ=DAILY;COUNT=2"],"start":{"date":"2026-11-22"},"end":{"date":"2026-11-23"}}"#;
    let late = r#"{"recurringEventId":"m","status":"cancelled","originalStartTime":{"date":"2026-11-24"}}"#;
    assert_snapshot!(with(&format!(r#""events":[{daily},{late}]"#)),
        @r#"seed.json: users[0] (a@example.com).calendars[0] (C).events[1] (no summary): "m" has no instance at this originalStartTime"#);
    assert_snapshot!(with(r#""events":[{"recurrence":["RRULE:FREQ=NEVER"],"start":{"date":"2026-11-22"},"end":{"date":"2026-11-23"}}]"#),
        @"seed.json: users[0] (a@example.com).calendars[0] (C).events[0] (no summary): recurrence: Invalid recurrence rule.");
    assert_snapshot!(with(r#""events":[{"recurringEventId":"m","status":"cancelled"}]"#),
        @r#"seed.json: users[0] (a@example.com).calendars[0] (C).events[0] (no summary): no event with "recurrence" and the id "m" in this calendar"#);
    assert_snapshot!(refused(r#"{"users":[{"email":"a@example.com"},{"email":"a@example.com"}]}"#),
        @"seed.json: users[1] (a@example.com): this e-mail address is there twice");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let err = Seed::from_path("no-such-seed.json").unwrap_err();
    assert!(
        err.to_string().starts_with("no-such-seed.json: cannot be read: "),
        "{err}"
    );
    let err = Seed::from_path("seed.yaml").unwrap_err();
    assert!(err.to_string().starts_with("seed.yaml: a seed is"), "{err}");
}

/// Days that are awkward: clock changes, month ends, a leap day, a year's end, each weekday.
#[test]
fn the_demo_is_sound_on_any_day() {
    let days = [
        "2026-03-29",
        "2026-10-25",
        "2026-11-01",
        "2028-02-29",
        "2026-12-31",
        "2027-01-01",
        "2026-11-23",
    ];
    for today in days {
        let seed = Seed::demo(date(today));
        seed.check().unwrap_or_else(|err| panic!("{today}: {err}"));
        let json = serde_json::to_string(&seed).unwrap();
        assert_eq!(Seed::from_json("demo", &json).unwrap(), seed);
    }
}

#[test]
fn the_demo_is_a_believable_month() {
    let seed = Seed::demo(date("2026-11-22"));
    let emails: Vec<&str> = seed.users.iter().map(|user| user.email.as_str()).collect();
    assert_eq!(
        emails,
        ["alice@example.com", "bob@example.com", "carol@example.com"]
    );
    for user in &seed.users {
        assert_eq!(
            user.calendars.iter().filter(|calendar| calendar.primary).count(),
            1
        );
        assert!(user.calendars.len() >= 3, "{} has too few calendars", user.email);
    }
    let events: Vec<_> = seed
        .users
        .iter()
        .flat_map(|user| &user.calendars)
        .flat_map(|calendar| &calendar.events)
        .collect();
    let zones: HashSet<_> = events
        .iter()
        .filter_map(|event| event.get("start")?.get("timeZone")?.as_str())
        .collect();
    for zone in ["Europe/Zurich", "America/New_York", "Asia/Kathmandu"] {
        assert!(zones.contains(zone), "no event in {zone}");
    }
    let having = |field: &str| events.iter().filter(|event| event.contains_key(field)).count();
    for field in [
        "recurrence",
        "location",
        "description",
        "attendees",
        "hangoutLink",
        "recurringEventId",
    ] {
        assert!(having(field) > 1, "no two events with {field}");
    }
}

#[test]
fn ids_are_what_google_would_take() {
    let seed = Seed::demo(date("2026-11-22"));
    for event in seed
        .users
        .iter()
        .flat_map(|user| &user.calendars)
        .flat_map(|calendar| &calendar.events)
    {
        let Some(id) = event.get("id").and_then(Value::as_str) else {
            continue;
        };
        let own = id.split('_').next().unwrap();
        assert!(
            own.len() >= 5 && own.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v')),
            "{id}"
        );
    }
}

#[test]
fn merging_joins_users_and_calendars() {
    let mut seed = Seed::demo(date("2026-11-22"));
    let before = seed.users[0].calendars[0].events.len();
    let more = r#"{"users":[{"email":"alice@example.com","calendars":[
        {"id":"alice@example.com","summary":"Alice","primary":true,"events":[{"start":{"date":"2026-11-22"},"end":{"date":"2026-11-23"}}]},
        {"id":"x@group.calendar.google.com","summary":"X","primary":false}]},
        {"email":"dave@example.com"}]}"#;
    seed.merge(Seed::from_json("more.json", more).unwrap());
    assert_eq!(seed.users[0].calendars[0].events.len(), before + 1);
    assert_eq!(seed.users[0].calendars.last().unwrap().summary, "X");
    assert_eq!(seed.users.last().unwrap().email, "dave@example.com");
    seed.check().unwrap();
}
