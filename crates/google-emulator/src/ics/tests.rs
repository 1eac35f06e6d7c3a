use insta::{assert_json_snapshot, assert_snapshot};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::time;
use crate::seed::{Seed, SeedCalendar};

mod zones;

const SAMPLE: &str = include_str!("../../seeds/sample.ics");

/// A calendar around the lines of one event.
fn file(event: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nX-WR-TIMEZONE:Europe/Zurich\nBEGIN:VEVENT\nUID:u\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
}

/// A file that is read as a whole.
fn calendar(text: &str) -> SeedCalendar {
    let import = super::calendar(text, "c").unwrap_or_else(|err| panic!("{err:?}"));
    assert_eq!(import.skipped, []);
    import.calendar
}

fn one(event: &str) -> Value {
    let calendar = calendar(&file(event));
    assert_eq!(calendar.events.len(), 1);
    Value::Object(calendar.events[0].clone())
}

fn place(err: &super::IcsError) -> String {
    let line = err.line.map_or("-".into(), |line| line.to_string());
    format!("{line}: {}", err.what)
}

fn refused(text: &str) -> String {
    place(&super::calendar(text, "c").unwrap_err())
}

/// Of a file with this event and another one: the reason why this one was skipped.
fn skipped(event: &str) -> String {
    let more = "END:VEVENT\nBEGIN:VEVENT\nUID:other\nSUMMARY:Other\nDTSTART;VALUE=DATE:20261122";
    let import = super::calendar(&file(&format!("{event}\n{more}")), "c").unwrap();
    let titles: Vec<_> = import
        .calendar
        .events
        .iter()
        .map(|event| event["summary"].as_str())
        .collect();
    assert_eq!(titles, [Some("Other")]);
    let [reason] = &import.skipped[..] else {
        panic!("{:?}", import.skipped)
    };
    place(reason)
}

fn sample(index: usize) -> Value {
    Value::Object(calendar(SAMPLE).events[index].clone())
}

#[test]
fn the_calendar_has_its_name_and_zone() {
    let calendar = calendar(SAMPLE);
    assert_eq!(calendar.summary, "Choir, and the rest");
    assert_eq!(calendar.description.as_deref(), Some("Rehearsals and concerts"));
    assert_eq!(calendar.time_zone, "Europe/Zurich");
    assert_eq!(calendar.events.len(), 6);
}

#[test]
fn a_series_keeps_its_zone_texts_guests_and_rules() {
    assert_json_snapshot!(sample(0), @r#"
    {
      "iCalUID": "rehearsal@choir.example",
      "summary": "Rehearsal",
      "description": "Bring the Fauré.\nDoors open at 19:15; the last one in locks up and switches off the lights.",
      "location": "Parish hall, Kirchgasse 13",
      "start": {
        "dateTime": "2026-10-15T19:30:00+02:00",
        "timeZone": "Europe/Zurich"
      },
      "end": {
        "dateTime": "2026-10-15T21:30:00+02:00",
        "timeZone": "Europe/Zurich"
      },
      "recurrence": [
        "RRULE:FREQ=WEEKLY;BYDAY=TH;UNTIL=20261217T225959Z",
        "EXDATE:20261112T183000Z,20261119T183000Z"
      ],
      "attendees": [
        {
          "email": "alice@example.com",
          "displayName": "Meier, Alice",
          "responseStatus": "accepted"
        },
        {
          "email": "bob@example.com",
          "responseStatus": "declined",
          "optional": true
        }
      ],
      "organizer": {
        "email": "conductor@choir.example"
      },
      "reminders": {
        "useDefault": false,
        "overrides": [
          {
            "method": "popup",
            "minutes": 30
          }
        ]
      },
      "id": "2855jl4i6lucej3ocpio9l8gg7"
    }
    "#);
}

#[test]
fn exceptions_belong_to_their_series() {
    let master = sample(0);
    let (moved, cancelled) = (sample(1), sample(2));
    for exception in [&moved, &cancelled] {
        assert_eq!(exception["recurringEventId"], master["id"]);
        assert_eq!(exception["iCalUID"], master["iCalUID"]);
    }
    assert_eq!(
        moved["id"],
        format!("{}_20261126T183000Z", master["id"].as_str().unwrap())
    );
    assert_eq!(moved["start"]["dateTime"], "2026-11-26T18:00:00+01:00");
    assert_eq!(
        moved["originalStartTime"]["dateTime"],
        "2026-11-26T19:30:00+01:00"
    );
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(
        cancelled["originalStartTime"],
        json!({"dateTime": "2026-12-03T18:30:00Z", "timeZone": "UTC"})
    );
}

#[test]
fn zones_by_windows_name_all_day_and_floating() {
    assert_eq!(
        sample(3)["start"],
        json!({"dateTime": "2026-12-19T19:00:00+01:00", "timeZone": "Europe/Berlin"})
    );
    assert_eq!(
        sample(3)["end"],
        json!({"dateTime": "2026-12-19T20:00:00Z", "timeZone": "UTC"})
    );
    assert_eq!(sample(4)["start"], json!({"date": "2027-01-16"}));
    assert_eq!(sample(4)["end"], json!({"date": "2027-01-18"}));
    assert_eq!(
        sample(5)["start"],
        json!({"dateTime": "2027-01-20T19:30:00+01:00", "timeZone": "Europe/Zurich"})
    );
    assert_eq!(sample(5)["start"], sample(5)["end"]);
    let prefixed = one("DTSTART;TZID=/example.org/20070129_1/America/New_York:20261122T090000");
    assert_eq!(prefixed["start"]["timeZone"], "America/New_York");
}

#[test]
fn all_day_events_last_a_day_by_default() {
    assert_eq!(one("DTSTART;VALUE=DATE:20261231")["end"]["date"], "2027-01-01");
    assert_eq!(
        one("DTSTART;VALUE=DATE:20261122\nDTEND;VALUE=DATE:20261122")["end"]["date"],
        "2026-11-23"
    );
    assert_eq!(
        one("DTSTART;VALUE=DATE:20261122\nDURATION:P1W")["end"]["date"],
        "2026-11-29"
    );
}

#[test]
fn rules_are_written_as_google_keeps_them() {
    let all_day =
        one("DTSTART;VALUE=DATE:20261122\nRRULE:FREQ=DAILY;UNTIL=20261130T235959Z\nEXDATE:20261124T000000Z");
    assert_eq!(
        all_day["recurrence"],
        json!(["RRULE:FREQ=DAILY;UNTIL=20261130", "EXDATE;VALUE=DATE:20261124"])
    );
    let timed = one("DTSTART:20261122T090000\nRRULE:FREQ=DAILY;UNTIL=20261130;\nRDATE;VALUE=DATE:20261205");
    assert_eq!(
        timed["recurrence"],
        json!([
            "RRULE:FREQ=DAILY;UNTIL=20261130T225959Z",
            "RDATE:20261205T080000Z"
        ])
    );
}

#[test]
fn the_newest_version_of_an_event_counts() {
    let text = file(
        "DTSTART:20261122T090000\nSUMMARY:old\nEND:VEVENT\nBEGIN:VEVENT\nUID:u\nSEQUENCE:2\nDTSTART:20261122T100000\nSUMMARY:new",
    );
    let calendar = calendar(&text);
    assert_eq!(calendar.events.len(), 1);
    assert_eq!(calendar.events[0]["summary"], "new");
}

#[test]
fn an_exception_without_its_series_is_an_event() {
    let orphan = one("RECURRENCE-ID:20261122T090000\nDTSTART:20261122T100000\nSUMMARY:once");
    assert!(orphan.get("recurringEventId").is_none() && orphan.get("originalStartTime").is_none());
    let cancelled = calendar(&file("DTSTART:20261122T100000\nSTATUS:CANCELLED"));
    assert_eq!(cancelled.events, []);
}

#[test]
fn an_exception_outside_its_series_is_an_event() {
    let text = file(
        "DTSTART:20261102T090000\nRRULE:FREQ=WEEKLY\nEND:VEVENT\nBEGIN:VEVENT\nUID:u\nRECURRENCE-ID:20261104T090000\nDTSTART:20261104T110000",
    );
    let events = calendar(&text).events;
    assert_eq!(events.len(), 2);
    assert!(events[1].get("recurringEventId").is_none());
    assert_ne!(events[0]["id"], events[1]["id"]);
}

#[test]
fn a_time_in_the_spring_gap_moves_forward() {
    assert_eq!(
        one("DTSTART:20260329T023000")["start"]["dateTime"],
        "2026-03-29T03:30:00+02:00"
    );
}

#[test]
fn a_file_that_is_no_calendar_is_refused() {
    assert_snapshot!(refused(""), @"-: the file is empty");
    assert_snapshot!(refused("<html>"), @"1: expected BEGIN:VCALENDAR: this is not an iCalendar file");
    assert_snapshot!(refused("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261122\n"), @"3: the file ends inside a component: an END line is missing");
}

#[test]
fn an_event_that_cannot_be_read_is_named() {
    assert_snapshot!(skipped("SUMMARY:Lunch"), @r#"3: event "Lunch": DTSTART is missing"#);
    assert_snapshot!(skipped("DTSTART:tomorrow"), @r#"3: event "no SUMMARY": DTSTART "tomorrow" is not a date or time"#);
    assert_snapshot!(skipped("=== what?"), @r#"5: not a line of an iCalendar component: "=== what?""#);
    assert_snapshot!(skipped("DTSTART;TZID=Mars/Olympus:20261122T090000"), @r#"3: event "no SUMMARY": TZID "Mars/Olympus" is no zone this emulator knows; use an IANA name such as Europe/Zurich"#);
    assert_snapshot!(skipped("DTSTART:20261122T090000\nDTEND:20261122T080000"), @r#"3: event "no SUMMARY": DTEND is before DTSTART"#);
    assert_snapshot!(skipped("DTSTART:20261122T090000\nDURATION:long"), @r#"3: event "no SUMMARY": DURATION "long" is not a duration such as PT1H30M"#);
    assert_snapshot!(skipped("DTSTART:20261122T090000\nRRULE:FREQ=DAILY;UNTIL=never"), @r#"3: event "no SUMMARY": UNTIL "never" is not a date or time"#);
    assert_snapshot!(skipped("DTSTART:20261122T090000\nRRULE:FREQ=DAILY;UNTIL=20261121"), @r#"3: event "no SUMMARY": UNTIL "20261121" is before DTSTART: the series has no instance"#);
    assert_snapshot!(skipped("DTSTART:20261122T090000\nRRULE:FREQ=SOMETIMES"), @r#"3: event "no SUMMARY": RRULE: Invalid recurrence rule."#);
    assert_snapshot!(skipped("DTSTART:20261122T090000\nRRULE:FREQ=HOURLY;COUNT=3"), @r#"3: event "no SUMMARY": "FREQ=HOURLY;COUNT=3" repeats within a day; Google repeats events by days at most"#);
    assert_snapshot!(skipped("DTSTART:20261122T090000\nDURATION:PT1H\nRDATE;VALUE=PERIOD:20261123T090000/PT2H"), @r#"3: event "no SUMMARY": RDATE has a period that does not last as long as the event"#);
    assert_snapshot!(skipped("DTSTART:20261122T090000\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261122T090000"), @r#"3: event "no SUMMARY": RECURRENCE-ID with RANGE is not supported; the series is read without this change"#);
}

#[test]
fn a_series_is_read_without_a_change_of_its_rest() {
    let text = file(
        "SUMMARY:Standup\nDTSTART:20261123T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=5\nEND:VEVENT\nBEGIN:VEVENT\nUID:u\n\
         SUMMARY:Later\nDTSTART:20261125T110000\nDURATION:PT1H\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261125T090000",
    );
    let import = super::calendar(&text, "c").unwrap();
    let [series] = &import.calendar.events[..] else {
        panic!("{:?}", import.calendar.events)
    };
    assert_eq!(series["summary"], "Standup");
    assert_eq!(series["recurrence"], json!(["RRULE:FREQ=DAILY;COUNT=5"]));
    let reasons: Vec<String> = import.skipped.iter().map(place).collect();
    assert_snapshot!(reasons.join("\n"), @r#"10: event "Later": RECURRENCE-ID with RANGE is not supported; the series is read without this change"#);
}

#[test]
fn an_unknown_zone_of_the_calendar_skips_floating_times_only() {
    let text =
        file("DTSTART:20261122T090000\nEND:VEVENT\nBEGIN:VEVENT\nSUMMARY:Sure\nDTSTART:20261122T090000Z");
    let import = super::calendar(&text.replace("Europe/Zurich", "Nowhere"), "c").unwrap();
    assert_eq!(import.calendar.events.len(), 1);
    assert_eq!(import.calendar.events[0]["summary"], "Sure");
    let reasons: Vec<String> = import.skipped.iter().map(place).collect();
    assert_snapshot!(reasons.join("\n"), @r#"
    -: X-WR-TIMEZONE "Nowhere" is no zone this emulator knows; use an IANA name such as Europe/Zurich; events without a zone of their own are skipped
    3: event "no SUMMARY": a time without a zone, and X-WR-TIMEZONE is unknown
    "#);
}

#[test]
fn a_broken_line_of_the_calendar_is_passed_over() {
    let import = super::calendar(
        "BEGIN:VCALENDAR\nX-A:long\n  folded\n=== what?\nEND:VCALENDAR",
        "c",
    )
    .unwrap();
    let reasons: Vec<String> = import.skipped.iter().map(place).collect();
    assert_snapshot!(reasons.join("\n"), @r#"4: not a line of an iCalendar component: "=== what?""#);
}

#[test]
fn several_calendars_are_read_as_one() {
    let second = file("DTSTART:20261123T090000\nSUMMARY:Two").replace("UID:u", "UID:v");
    let text = format!(
        "{}{}",
        file("DTSTART:20261122T090000\nSUMMARY:One"),
        second.replace("Zurich", "London")
    );
    let calendar = calendar(&text);
    assert_eq!(calendar.time_zone, "Europe/Zurich");
    let zones: Vec<_> = calendar
        .events
        .iter()
        .map(|event| &event["start"]["timeZone"])
        .collect();
    assert_eq!(zones, ["Europe/Zurich", "Europe/London"]);
}

#[test]
fn rules_of_other_programs_are_read() {
    // As in Google's own export of birthdays.
    let birthday = one("DTSTART;VALUE=DATE:20131210\nRRULE:FREQ=YEARLY\nRDATE:20131210Z");
    assert_eq!(
        birthday["recurrence"],
        json!(["RRULE:FREQ=YEARLY", "RDATE;VALUE=DATE:20131210"])
    );
    let periods = one(
        "DTSTART:20261122T090000\nDURATION:PT1H\nRDATE;VALUE=PERIOD:20261123T090000/PT1H,20261124T090000Z/20261124T100000Z",
    );
    assert_eq!(
        periods["recurrence"],
        json!(["RDATE:20261123T080000Z,20261124T090000Z"])
    );
    let excluded = one("DTSTART:20261122T090000\nRRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY;UNTIL=20261201");
    assert_eq!(
        excluded["recurrence"],
        json!(["RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY;UNTIL=20261201T225959Z"])
    );
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("BEGIN:VCALENDAR\n{}", "BEGIN:X\n".repeat(100_000));
    assert_snapshot!(refused(&deep), @"9: nested deeper than 8 components");
}

#[test]
fn a_file_becomes_its_accounts_primary_calendar() {
    let (seed, skipped) = Seed::from_ics("choir.ics", SAMPLE, "bob@example.com").unwrap();
    assert_eq!(skipped, []);
    assert_eq!(seed.users[0].email, "bob@example.com");
    assert_eq!(seed.users[0].calendars[0].id, "bob@example.com");
    assert!(seed.users[0].calendars[0].primary);
    // The seed of an .ics file is valid in the JSON form too.
    let json = serde_json::to_string(&seed).unwrap();
    assert_eq!(Seed::from_json("choir.json", &json).unwrap(), seed);
    let broken = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR";
    let (_, skipped) = Seed::from_ics("broken.ics", broken, "b@example.com").unwrap();
    assert_snapshot!(skipped[0], @r#"broken.ics:2: event "no SUMMARY": DTSTART is missing"#);
}

#[test]
fn durations() {
    let minutes = |text| time::duration(text).map(|duration| duration.num_minutes());
    assert_eq!(minutes("PT1H30M"), Some(90));
    assert_eq!(minutes("-P1DT1H"), Some(-1500));
    assert_eq!(minutes("+P2W"), Some(20_160));
    assert_eq!(minutes("P1M"), None);
    assert_eq!(minutes("soon"), None);
}

/// Lines a calendar may hold, right and wrong.
fn line() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "BEGIN:VEVENT",
        "END:VEVENT",
        "BEGIN:VALARM",
        "END:VALARM",
        "BEGIN:VTIMEZONE",
        "END:VTIMEZONE",
        "UID:u",
        "DTSTART:20261122T090000",
        "DTSTART;VALUE=DATE:20261122",
        "DTSTART;TZID=Europe/Zurich:00000000T000000",
        "DTEND:99991231T235959Z",
        "DTEND;VALUE=DATE:99991231",
        "DURATION:P4294967295W",
        "DURATION:-PT1S",
        "RRULE:FREQ=WEEKLY;UNTIL=",
        "RRULE:",
        "EXDATE:,",
        "RDATE;VALUE=DATE:20261122,x",
        "RECURRENCE-ID:20261122",
        "TRIGGER:-P999999999D",
        "ATTENDEE:mailto:",
        "ORGANIZER:MAILTO:a@b",
        "SEQUENCE:-9",
        "STATUS:CANCELLED",
        "TZID:é",
        "TZID:Ours",
        "BEGIN:STANDARD",
        "END:STANDARD",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:-0230",
        "DTSTART;TZID=Ours:20261122T090000",
        "RRULE:FREQ=YEARLY",
        "EXRULE:FREQ=DAILY",
    ]);
    prop_oneof![
        4 => words.prop_map(str::to_owned),
        1 => "[A-Z-]{1,12}(;[A-Z]{1,5}=[^\r\n]{0,8})?:[^\r\n]{0,20}",
        1 => "(DTSTART|DTEND|EXDATE|DURATION|TRIGGER|X-WR-TIMEZONE)[;:][0-9A-Z;=:,TZ+-]{0,24}",
        1 => "[ \t]?\\PC{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = super::calendar(&text, "c");
    }

    #[test]
    fn any_file_reads_soundly_or_is_refused(lines in prop::collection::vec(line(), 0..24)) {
        let text = format!("BEGIN:VCALENDAR\r\n{}\r\nEND:VCALENDAR\r\n", lines.join("\r\n"));
        let _ = super::calendar(&text, "c");
        let event = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{}\nEND:VEVENT\nEND:VCALENDAR\n", lines.join("\n"));
        if let Ok((seed, _)) = Seed::from_ics("c.ics", &event, "c@example.com") {
            let json = serde_json::to_string(&seed).unwrap();
            prop_assert_eq!(Seed::from_json("c.json", &json), Ok(seed));
        }
    }
}
