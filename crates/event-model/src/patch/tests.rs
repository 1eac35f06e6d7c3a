use serde_json::{Value, json};

use super::*;

fn berlin() -> Zone {
    Zone::named("Europe/Berlin").unwrap()
}

fn meeting() -> Fields {
    Fields {
        title: Some("Review".into()),
        when: Some(Span::Time {
            start: "2026-11-23T09:00:00Z".parse().unwrap(),
            end: "2026-11-23T10:00:00Z".parse().unwrap(),
            zone: berlin(),
            end_zone: berlin(),
        }),
        attendees: [(
            "a@example.com".into(),
            Guest {
                optional: false,
                display_name: Some("Ann".into()),
            },
        )]
        .into(),
        ..Fields::default()
    }
}

fn apply(patch: Value) -> Result<Fields, Invalid> {
    let patch: EventPatch = serde_json::from_value(patch).unwrap();
    patch.apply(&meeting(), berlin())
}

fn when(patch: Value) -> Value {
    json!(apply(patch).unwrap().when)
}

#[test]
fn absent_stays_and_null_clears() {
    let fields = apply(json!({"title": null, "location": "Room 3"})).unwrap();
    assert_eq!((fields.title, fields.location), (None, Some("Room 3".into())));
    assert_eq!(apply(json!({})).unwrap(), meeting());
    let patch: EventPatch = serde_json::from_value(json!({"title": null, "end": "2026-11-24"})).unwrap();
    assert_eq!(patch.touched(), [Field::Title, Field::When].into());
    assert_eq!(
        serde_json::to_value(&patch).unwrap(),
        json!({"title": null, "end": "2026-11-24"})
    );
}

#[test]
fn a_start_alone_moves_and_an_end_alone_resizes() {
    assert_eq!(
        when(json!({"start": "2026-11-23T14:00:00+01:00"})),
        json!({"start": "2026-11-23T14:00:00+01:00", "end": "2026-11-23T15:00:00+01:00", "allDay": false,
            "timeZone": "Europe/Berlin"})
    );
    assert_eq!(
        when(json!({"end": "2026-11-23T12:00:00"}))["end"],
        "2026-11-23T12:00:00+01:00"
    );
    let error = apply(json!({"end": "2026-11-23T08:00:00Z"})).unwrap_err();
    assert_eq!(error.field, "end");
}

#[test]
fn each_end_keeps_its_zone() {
    let flight: Fields = serde_json::from_value(json!({
        "start": "2026-11-23T10:00:00-08:00", "end": "2026-11-23T18:30:00-05:00", "allDay": false,
        "timeZone": "America/Los_Angeles", "endTimeZone": "America/New_York",
        "attendees": {}, "recurrence": [], "conference": "none"}))
    .unwrap();
    let zones = |patch: Value| {
        let patch: EventPatch = serde_json::from_value(patch).unwrap();
        let when = json!(patch.apply(&flight, berlin()).unwrap().when);
        (when["timeZone"].clone(), when.get("endTimeZone").cloned())
    };
    let (west, east) = (json!("America/Los_Angeles"), json!("America/New_York"));
    let an_hour_later = json!({"start": "2026-11-23T11:00:00-08:00", "end": "2026-11-23T19:30:00-05:00"});
    assert_eq!(zones(an_hour_later.clone()), (west.clone(), Some(east.clone())));
    // As a page sends it that shows the zone of the start.
    let mut with_zone = an_hour_later;
    with_zone["timeZone"] = west.clone();
    assert_eq!(zones(with_zone), (west.clone(), Some(east.clone())));
    assert_eq!(
        zones(json!({"timeZone": "America/Chicago"})),
        (json!("America/Chicago"), None)
    );
    assert_eq!(zones(json!({"endTimeZone": "America/Los_Angeles"})), (west, None));
    let both = json!({"timeZone": "America/Chicago", "endTimeZone": east});
    assert_eq!(zones(both), (json!("America/Chicago"), Some(east)));
}

#[test]
fn a_timed_event_becomes_all_day_with_both_dates() {
    let all_day = json!({"start": "2026-11-23", "end": "2026-11-25", "allDay": true, "timeZone": null});
    assert_eq!(when(json!({"start": "2026-11-23", "end": "2026-11-25"})), all_day);
    assert_eq!(apply(json!({"allDay": true})).unwrap_err().field, "start");
    assert_eq!(
        apply(json!({"start": "2026-11-23", "end": "2026-11-23"}))
            .unwrap_err()
            .field,
        "end"
    );
    assert_eq!(
        apply(json!({"start": "2026-11-23", "end": "2026-11-23T10:00:00Z"}))
            .unwrap_err()
            .field,
        "end"
    );
}

#[test]
fn a_zone_alone_keeps_the_moment() {
    assert_eq!(
        when(json!({"timeZone": "America/New_York"})),
        json!({"start": "2026-11-23T04:00:00-05:00", "end": "2026-11-23T05:00:00-05:00", "allDay": false,
            "timeZone": "America/New_York"})
    );
}

#[test]
fn an_unknown_zone_is_refused_where_times_depend_on_it() {
    let weekly = ["RRULE:FREQ=WEEKLY"];
    for patch in [
        json!({"timeZone": "Mars/Olympus"}),
        json!({"start": "2026-11-23T14:00:00", "timeZone": "Etc/Unknown"}),
        json!({"start": "2026-11-23T14:00:00Z", "end": "2026-11-23T15:00:00", "timeZone": "Etc/Unknown"}),
        json!({"start": "2026-11-23T14:00:00Z", "timeZone": "Etc/Unknown", "recurrence": weekly}),
        json!({"start": "2026-11-23T14:00:00Z", "timeZone": "posix/../localtime"}),
        json!({"start": "2026-11-23T14:00:00Z", "timeZone": ""}),
    ] {
        assert_eq!(apply(patch).unwrap_err().field, "timeZone");
    }
    let landing = json!({"endTimeZone": "Mars/Olympus"});
    assert_eq!(apply(landing).unwrap_err().field, "endTimeZone");
    let series = Fields {
        recurrence: weekly.map(str::to_owned).to_vec(),
        ..meeting()
    };
    let patch: EventPatch =
        serde_json::from_value(json!({"start": "2026-11-23T14:00:00Z", "timeZone": "Etc/Unknown"})).unwrap();
    let refused = patch.apply(&series, berlin()).unwrap_err();
    assert_eq!(refused.field, "timeZone");
    assert!(refused.message.contains("repeating"), "{}", refused.message);
}

#[test]
fn instants_are_right_in_a_zone_that_is_unknown() {
    let times = json!({"start": "2026-11-23T14:00:00+05:30", "end": "2026-11-23T15:00:00+05:30"});
    let mut with_zone = times.clone();
    with_zone["timeZone"] = json!("Mars/Olympus");
    with_zone["endTimeZone"] = json!("Mars/Base");
    assert_eq!(when(with_zone.clone()), when(times));
    let new: EventPatch = serde_json::from_value(with_zone).unwrap();
    let created = new.apply(&Fields::default(), berlin()).unwrap();
    let start = created.when.unwrap().google_insert()["start"].clone();
    assert_eq!(
        start,
        json!({"dateTime": "2026-11-23T09:30:00+01:00", "timeZone": "Europe/Berlin"})
    );
    let once = json!({"start": "2026-11-23T14:00:00Z", "timeZone": "Mars/Olympus", "recurrence": null});
    apply(once).unwrap();
    let days = json!({"start": "2026-11-23", "end": "2026-11-24", "timeZone": "Mars/Olympus"});
    apply(days).unwrap();
}

#[test]
fn an_event_keeps_its_fixed_or_unknown_zone() {
    for name in ["GMT+02:00", "Mars/Olympus"] {
        let zone = Zone::of_name(name)
            .unwrap()
            .following(Zone::named("+02:00").unwrap());
        let start: chrono::DateTime<chrono::Utc> = "2027-02-01T07:00:00Z".parse().unwrap();
        let base = Fields {
            when: Some(Span::Time {
                start,
                end: start + chrono::TimeDelta::hours(1),
                zone,
                end_zone: zone,
            }),
            ..Fields::default()
        };
        let moved = |patch: Value| {
            let patch: EventPatch = serde_json::from_value(patch).unwrap();
            patch.apply(&base, berlin()).unwrap().when.unwrap()
        };
        for patch in [
            json!({"start": "2027-02-01T10:00:00"}),
            json!({"start": "2027-02-01T09:00:00+01:00", "timeZone": name}),
        ] {
            assert_eq!(
                moved(patch).google_insert()["start"],
                json!({"dateTime": "2027-02-01T10:00:00+02:00", "timeZone": name})
            );
        }
        let stored = serde_json::from_value::<Span>(json!(base.when)).unwrap();
        assert_eq!(stored.google_insert(), base.when.unwrap().google_insert());
    }
}

#[test]
fn guests_are_addresses_and_keep_their_names() {
    let fields = apply(json!({"attendees": [
        {"email": " A@Example.com ", "optional": true, "responseStatus": "accepted", "self": false},
        {"email": "b@example.com"}]}))
    .unwrap();
    let ann = &fields.attendees["a@example.com"];
    assert_eq!((ann.optional, ann.display_name.as_deref()), (true, Some("Ann")));
    assert_eq!(fields.attendees.len(), 2);
    assert!(apply(json!({"attendees": null})).unwrap().attendees.is_empty());
    let hidden = json!({"attendees": [{"email": null, "displayName": "Hidden"}]});
    assert!(apply(hidden).unwrap().attendees.is_empty());
    let no_address = json!({"attendees": [{"displayName": "Ann"}]});
    assert!(serde_json::from_value::<EventPatch>(no_address).is_err());
    for email in ["", "ann", "@example.com", "a@", "a b@example.com"] {
        assert_eq!(
            apply(json!({"attendees": [{"email": email}]})).unwrap_err().field,
            "attendees"
        );
    }
}

#[test]
fn rules_and_reminders_are_validated() {
    let lines = json!(["RRULE:FREQ=WEEKLY", "EXDATE:20261130T090000Z"]);
    assert_eq!(apply(json!({"recurrence": lines})).unwrap().recurrence.len(), 2);
    for line in [
        "FREQ=WEEKLY",
        "RRULE:FREQ=SOMETIMES",
        "RRULE:FREQ=DAILY\nEXDATE:x",
        "DTSTART:20261123",
    ] {
        assert_eq!(
            apply(json!({"recurrence": [line]})).unwrap_err().field,
            "recurrence",
            "{line}"
        );
    }
    let reminders = apply(json!({"reminders": {"overrides": [{"method": "popup", "minutes": 5}]}})).unwrap();
    assert!(!reminders.reminders.unwrap().use_default);
    for wrong in [
        json!({"overrides": [{"method": "sms", "minutes": 5}]}),
        json!({"overrides": [{"method": "popup", "minutes": 50_000}]}),
        json!({"useDefault": true, "overrides": [{"method": "popup", "minutes": 5}]}),
    ] {
        assert_eq!(apply(json!({"reminders": wrong})).unwrap_err().field, "reminders");
    }
}

#[test]
fn a_cut_text_sent_back_is_no_edit() {
    let long = "x".repeat(MAX_TITLE + 1);
    let base = Fields {
        title: Some(long.clone()),
        ..meeting()
    };
    let shown = crate::text::cut(&long, MAX_TITLE);
    let patch = EventPatch {
        title: Some(Some(shown)),
        ..EventPatch::default()
    };
    assert_eq!(patch.apply(&base, berlin()).unwrap(), base);
}

#[test]
fn a_meet_link_is_requested_if_there_is_none() {
    assert_eq!(
        apply(json!({"conference": "meet"})).unwrap().conference,
        Conference::Requested
    );
    let base = Fields {
        conference: Conference::At("https://meet.google.com/abc".into()),
        ..meeting()
    };
    let ask: EventPatch = serde_json::from_value(json!({"conference": "meet"})).unwrap();
    assert!(matches!(
        ask.apply(&base, berlin()).unwrap().conference,
        Conference::At(_)
    ));
    let clear: EventPatch = serde_json::from_value(json!({"conference": null})).unwrap();
    assert!(matches!(
        clear.apply(&base, berlin()).unwrap().conference,
        Conference::None
    ));
    assert!(serde_json::from_value::<EventPatch>(json!({"conference": "zoom"})).is_err());
    assert!(serde_json::from_value::<EventPatch>(json!({"conferenceUrl": "x"})).is_err());
}
