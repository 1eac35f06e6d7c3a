use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

const VECTORS: &str = include_str!("../../../../web/client/tests/vectors/copies.json");

fn calendar(letter: &str) -> CalendarId {
    Uuid::parse_str(&letter.repeat(32)).expect("an id").into()
}

fn found(calendar: CalendarId, payload: &Value) -> Found {
    Found {
        scan: 1,
        calendar_id: calendar,
        starts_at: DateTime::UNIX_EPOCH,
        start_date: None,
        instance_id: payload["id"].as_str().expect("an id").to_owned(),
        payload: RawValue::from_string(payload.to_string()).expect("JSON"),
    }
}

/// An event of the vectors as an answer has it. It ends with an object, as stored events may.
fn stored(event: &Value) -> Found {
    let calendar = calendar(event["calendar"].as_str().expect("a calendar"));
    let attendees = match &event["answer"] {
        Value::Null => json!([{"self": false, "responseStatus": "accepted"}]),
        answer => json!([{"self": true, "responseStatus": answer}]),
    };
    let payload = json!({
        "id": event["id"], "eventId": event["id"], "recurringEventId": event["series"], "iCalUID": event["iCalUID"],
        "copyRank": event["rank"], "attendees": attendees, "title": "a \"}\" in it", "zzz": {"last": {}},
    });
    found(calendar, &payload)
}

/// What the vectors say of a shown event.
fn shown(event: &Found) -> Value {
    let payload: Value = serde_json::from_str(event.payload.get()).expect("JSON");
    let letter = |id: &str| id[..1].to_owned();
    let mut shown = json!({"calendar": letter(&event.calendar_id.to_string()), "id": payload["id"]});
    if let Some(copies) = payload["copies"].as_array() {
        let copies = copies.iter().map(|copy| {
            assert_eq!(copy["eventId"], copy["id"]);
            let mut told =
                json!({"calendar": letter(copy["calendarId"].as_str().expect("an id")), "id": copy["id"]});
            if !copy["responseStatus"].is_null() {
                told["answer"] = copy["responseStatus"].clone();
            }
            told
        });
        shown["copies"] = copies.collect();
    }
    shown
}

#[test]
fn the_browsers_vectors() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    for case in vectors["cases"].as_array().expect("cases") {
        let events: Vec<_> = case["events"]
            .as_array()
            .expect("events")
            .iter()
            .map(stored)
            .collect();
        let meetings = count(&events.iter().collect::<Vec<_>>());
        let merged = merge(events).expect("events");
        assert_eq!(merged.len(), meetings, "{}", case["name"]);
        assert_eq!(
            Value::from(merged.iter().map(shown).collect::<Vec<_>>()),
            case["shown"],
            "{}",
            case["name"]
        );
    }
}

proptest! {
    /// Nothing is lost: each event is shown, or is among the copies of one that is; and a second pass changes nothing.
    #[test]
    fn every_event_is_shown_or_told_of(events in prop::collection::vec(
        ("[abc]", "[xy]", "[mn]", 0_u16..3, prop::option::of("[12]")), 0..24))
    {
        let mut seen = std::collections::HashSet::new();
        let events: Vec<Found> = events
            .into_iter()
            .filter_map(|(letter, id, uid, rank, instance)| {
                let series = instance.as_ref().map(|_| id.clone());
                let id = instance.map_or_else(|| id.clone(), |start| format!("{id}_{start}"));
                seen.insert((letter.clone(), id.clone())).then(|| {
                    stored(&json!({"calendar": letter, "id": id, "series": series, "iCalUID": uid, "rank": rank}))
                })
            })
            .collect();
        let key = |calendar: &str, id: &Value| format!("{} {id}", &calendar[..1]);
        let mut before: Vec<_> = events
            .iter()
            .map(|event| key(&event.calendar_id.to_string(), &json!(event.instance_id)))
            .collect();
        let mut meetings = std::collections::HashSet::new();
        let events_of_a_meeting_are_in_different_calendars = events.iter().all(|event| {
            let head: Head<'_> = serde_json::from_str(event.payload.get()).expect("an event");
            meetings.insert((event.calendar_id, head.meeting()))
        });
        let merged = merge(events).expect("events");
        let mut after = Vec::new();
        for event in &merged {
            let told = shown(event);
            match told["copies"].as_array() {
                None => after.push(key(told["calendar"].as_str().expect("text"), &told["id"])),
                Some(copies) => {
                    prop_assert_eq!(&copies[0]["id"], &told["id"]);
                    prop_assert_eq!(&copies[0]["calendar"], &told["calendar"]);
                    after.extend(copies.iter().map(|copy| key(copy["calendar"].as_str().expect("text"), &copy["id"])));
                }
            }
        }
        before.sort();
        after.sort();
        prop_assert_eq!(before, after);
        let meetings = merged.len();
        if events_of_a_meeting_are_in_different_calendars {
            prop_assert_eq!(merge(merged).expect("events").len(), meetings);
        }
    }
}
