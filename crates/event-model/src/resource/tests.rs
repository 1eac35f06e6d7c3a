use chrono::{NaiveDate, TimeZone, Utc};
use serde_json::json;

use super::*;
use crate::span::Start;
use crate::zone::Zone;

#[test]
fn a_field_of_the_wrong_type_is_ignored_alone() {
    let raw = json!({
        "id": "e1",
        "etag": "\"31\"",
        "status": "somethingNew",
        "summary": 7,
        "location": "Room 3",
        "start": {"dateTime": "2026-11-22T10:00:00+01:00", "timeZone": "Europe/Zurich"},
        "end": {"dateTime": "never"},
        "attendees": [{"email": "a@example.com", "self": true}, 5, {"email": 3}],
        "organizer": "nobody",
        "guestsCanModify": "yes",
        "futureField": {"deep": []},
    });
    let event = parse(&raw.to_string()).unwrap();
    assert_eq!(event.title, None);
    assert_eq!(event.location.as_deref(), Some("Room 3"));
    assert_eq!(event.end, None);
    assert_eq!(event.status, "somethingNew");
    assert_eq!(event.wire_status(), EventStatus::Confirmed);
    assert_eq!(event.attendees.len(), 1);
    assert_eq!(event.attendees[0].response_status, "needsAction");
    assert!(!event.guests_can_modify);
    let start = event.start.unwrap().timed().unwrap();
    assert_eq!(
        start.instant,
        Utc.with_ymd_and_hms(2026, 11, 22, 9, 0, 0).unwrap()
    );
    assert_eq!(start.zone, Zone::named("Europe/Zurich"));
}

#[test]
fn a_room_differs_from_a_person() {
    let raw = json!({"id": "e1", "attendees": [
        {"email": "c_188@resource.calendar.google.com", "resource": true},
        {"email": "ann@example.com", "optional": true},
        {"email": "ben@example.com", "resource": false},
    ]});
    let attendees = parse(&raw.to_string()).unwrap().attendees;
    let resources: Vec<_> = attendees.iter().map(|attendee| attendee.resource).collect();
    assert_eq!(resources, [true, false, false]);
    let wire = serde_json::to_value(&attendees[0]).unwrap();
    assert_eq!(wire["resource"], json!(true));
}

#[test]
fn an_event_is_busy_unless_google_says_free() {
    let of = |transparency: serde_json::Value| {
        parse(&json!({"id": "e1", "transparency": transparency}).to_string())
            .unwrap()
            .transparency
    };
    assert_eq!(of(json!("transparent")), Transparency::Transparent);
    for other in [json!("opaque"), json!("somethingNew"), json!(7), json!(null)] {
        assert_eq!(of(other), Transparency::Opaque);
    }
    assert_eq!(
        parse(r#"{"id":"e1"}"#).unwrap().transparency,
        Transparency::Opaque
    );
}

#[test]
fn the_error_for_malformed_text_does_not_repeat_it() {
    assert_eq!(parse(r#"{"status":"confirmed"}"#), Err(Malformed::NoId));
    assert_eq!(parse(r#"{"id":""}"#), Err(Malformed::NoId));
    assert_eq!(parse(r#"{"id":5}"#), Err(Malformed::NoId));
    for raw in [
        "",
        "null",
        "[]",
        "\"secret\"",
        "{\"id\":",
        "{\"summary\":\"secret\u{0}\"}",
    ] {
        let err = parse(raw).unwrap_err();
        assert!(matches!(err, Malformed::NotAnObject { .. }), "{raw}: {err:?}");
        assert!(!err.to_string().contains("secret"), "{raw}");
    }
}

/// <https://github.com/odoo/odoo/pull/287171>
#[test]
fn instances_of_a_split_series_have_ids_of_the_first() {
    let start = Start::At("2026-11-22T09:00:00Z".parse().unwrap());
    for master in [
        "m1",
        "m1_R20261101T090000",
        "m1_R20261101T090000Z",
        "m1_R20261101",
    ] {
        assert_eq!(start.instance_id(master), "m1_20261122T090000Z");
    }
    for master in ["m1_Room", "_R20261101", "m1_R2026"] {
        assert_eq!(start.instance_id(master), format!("{master}_20261122T090000Z"));
    }
}

#[test]
fn a_bare_tombstone_of_an_instance_knows_its_series() {
    for (id, master, original) in [
        ("m1_20261122T090000Z", "m1", "2026-11-22T09:00:00Z"),
        ("m1_20261122", "m1", "2026-11-22"),
        (
            "_6tlna_R20261101T090000_20261122T090000Z",
            "_6tlna_R20261101T090000",
            "2026-11-22T09:00:00Z",
        ),
    ] {
        let event = parse(&json!({"id": id, "status": "cancelled"}).to_string()).unwrap();
        assert_eq!(event.recurring_event_id.as_deref(), Some(master), "{id}");
        assert_eq!(event.original_start.unwrap().to_string(), original, "{id}");
        assert_eq!(event.series_id(), master);
    }
    for id in [
        "m1",
        "m1_R20261101T090000",
        "_20261122",
        "m1_20261322",
        "m1_2026112",
        "m1_20261122T250000Z",
        "m1_ä2345678",
    ] {
        let event = parse(&json!({"id": id, "status": "cancelled"}).to_string()).unwrap();
        assert_eq!(event.recurring_event_id, None, "{id}");
        assert_eq!(event.series_id(), id);
    }
    let what_google_says = json!({
        "id": "m1_20261122T090000Z", "status": "cancelled", "recurringEventId": "m0",
        "originalStartTime": {"date": "2026-11-23"},
    });
    let event = parse(&what_google_says.to_string()).unwrap();
    assert_eq!(event.recurring_event_id.as_deref(), Some("m0"));
    assert_eq!(event.original_start.unwrap().to_string(), "2026-11-23");
    // The form of the id does not count for an event that is not cancelled.
    let alive = parse(&json!({"id": "m1_20261122"}).to_string()).unwrap();
    assert_eq!(alive.recurring_event_id, None);
}

#[test]
fn a_date_stays_a_date_and_odd_times_are_ignored() {
    let start = |time: serde_json::Value| {
        parse(&json!({"id": "e", "start": time}).to_string())
            .unwrap()
            .start
    };
    assert_eq!(
        start(json!({"date": "2026-11-22", "timeZone": "Pacific/Apia"})),
        NaiveDate::from_ymd_opt(2026, 11, 22).map(When::AllDay)
    );
    let timed = |time| start(time).unwrap().timed().unwrap();
    // Without an offset the zone decides; one of the two is required.
    assert_eq!(
        timed(json!({"dateTime": "2026-11-22T10:00:00", "timeZone": "Asia/Kathmandu"})).instant,
        Utc.with_ymd_and_hms(2026, 11, 22, 4, 15, 0).unwrap()
    );
    assert_eq!(start(json!({"dateTime": "2026-11-22T10:00:00"})), None);
    // The instant stays readable with an unknown zone, whose name is kept.
    let mars = timed(json!({"dateTime": "2026-11-22T10:00:00Z", "timeZone": "Mars/Olympus"})).zone;
    assert_eq!(
        mars.map(|zone| (zone.name(), zone.is_known())),
        Some(("Mars/Olympus", false))
    );
    assert_eq!(
        start(json!({"dateTime": "2026-11-22T10:00:00", "timeZone": "Mars/Olympus"})),
        None
    );
    assert_eq!(
        timed(json!({"dateTime": "2026-11-22T10:00:00", "timeZone": "GMT+02:00"})).instant,
        Utc.with_ymd_and_hms(2026, 11, 22, 8, 0, 0).unwrap()
    );
    for time in [
        json!({}),
        json!({"date": ""}),
        json!({"date": "2026-02-30"}),
        json!({"date": "0000-01-01"}),
        json!({"date": "12026-01-01"}),
        json!({"dateTime": "10000-01-01T00:00:00Z"}),
        json!({"dateTime": "2026-11-22T10:00:00", "timeZone": ""}),
        json!({"date": 5}),
        json!("2026-11-22"),
        json!(null),
    ] {
        assert_eq!(start(time.clone()), None, "{time}");
    }
    assert!(start(json!({"date": "9999-12-31"})).is_some());
    assert!(start(json!({"dateTime": "0001-01-01T00:00:00Z"})).is_some());
}

#[test]
fn only_escapes_that_postgres_refuses_are_removed() {
    for (json, cleaned) in [
        (r#"{"a":"plain"}"#, r#"{"a":"plain"}"#),
        (r#"{"a":"x\u0000y"}"#, r#"{"a":"xy"}"#),
        (r#"{"a\u0000":1}"#, r#"{"a":1}"#),
        // An escaped backslash followed by the letters u0000.
        (r#"{"a":"\\u0000"}"#, r#"{"a":"\\u0000"}"#),
        (r#"{"a":"\\\u0000"}"#, r#"{"a":"\\"}"#),
        // A pair, each half alone, and the halves in the wrong order.
        (r#"{"a":"\ud83d\ude00"}"#, r#"{"a":"\ud83d\ude00"}"#),
        (r#"{"a":"\ud83d"}"#, r#"{"a":"\ufffd"}"#),
        (r#"{"a":"\uDE00x"}"#, r#"{"a":"\ufffdx"}"#),
        (r#"{"a":"\ude00\ud83d"}"#, r#"{"a":"\ufffd\ufffd"}"#),
        (r#"{"a":"\ud83d\ud83d\ude00"}"#, r#"{"a":"\ufffd\ud83d\ude00"}"#),
        (r#"{"a":"\ud83d\u0000\ude00"}"#, r#"{"a":"\ufffd\ufffd"}"#),
        (r#"{"a":"👩‍👩‍👧 \u202e שלום"}"#, r#"{"a":"👩‍👩‍👧 \u202e שלום"}"#),
        // Not JSON: unchanged.
        ("\\", "\\"),
        ("\\ä", "\\ä"),
        ("\\u12", "\\u12"),
        ("\\u+123", "\\u+123"),
        ("\\ud83d\\", "\\ufffd\\"),
    ] {
        assert_eq!(clean(json), cleaned, "{json}");
    }
    let event = parse(r#"{"id":"e","summary":"a\u0000b\ud83d"}"#).unwrap();
    assert_eq!(event.title.as_deref(), Some("ab\u{fffd}"));
}

#[test]
fn only_links_that_cannot_run_code_are_kept() {
    let link = |text: &str| {
        parse(&json!({"id": "e", "htmlLink": text}).to_string())
            .unwrap()
            .html_link
    };
    assert!(link("https://www.google.com/calendar/event?eid=x").is_some());
    assert!(link("http://127.0.0.1:9099/event?eid=x").is_some());
    for text in [
        "javascript:alert(1)",
        "JavaScript://x/%0aalert(1)",
        " java\nscript:alert(1)",
        "data:text/html,x",
        "//x",
        "https:next",
        " https://www.google.com/",
        "https:///",
        "x",
        "",
    ] {
        assert_eq!(link(text), None, "{text}");
    }
    let meeting = |hangout: &str, entries: serde_json::Value| {
        let raw = json!({"id": "e", "hangoutLink": hangout, "conferenceData": {"entryPoints": entries}});
        parse(&raw.to_string()).unwrap().conference_url
    };
    let meet = "https://meet.google.com/abc";
    let zoom = "https://zoom.example/1";
    assert_eq!(
        meeting(meet, json!([{"entryPointType": "video", "uri": zoom}])).as_deref(),
        Some(zoom)
    );
    assert_eq!(
        meeting(meet, json!([{"entryPointType": "phone", "uri": "tel:+1"}])).as_deref(),
        Some(meet)
    );
    assert_eq!(meeting(meet, json!("none")).as_deref(), Some(meet));
    assert_eq!(
        meeting(
            "http://meet.google.com/abc",
            json!([{"entryPointType": "video", "uri": "javascript:x"}])
        ),
        None
    );
}
