use ids::CalendarId;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::resource;
use crate::wire::Event;
use crate::zone::Zone;

const VECTORS: &str = include_str!("../../../../web/client/tests/vectors/copies.json");

fn calendar(letter: &str) -> CalendarId {
    Uuid::parse_str(&letter.repeat(32)).expect("an id").into()
}

fn listed(events: &[Event]) -> Vec<Listed<'_>> {
    events
        .iter()
        .map(|event| Listed {
            calendar_id: event.calendar_id,
            id: &event.id,
            event_id: &event.event_id,
            is_in_series: event.recurring_event_id.is_some(),
            view: &event.view,
        })
        .collect()
}

/// The events that a deduplicated answer shows.
fn deduplicated(events: &[Event]) -> Vec<Event> {
    let decisions = deduplicate(&listed(events));
    let shown = |(event, decision): (&Event, Deduplicated)| match decision {
        Deduplicated::Unique => Some(event.clone()),
        Deduplicated::Shown(copies) => Some(Event {
            copies,
            ..event.clone()
        }),
        Deduplicated::Hidden => None,
    };
    events.iter().zip(decisions).filter_map(shown).collect()
}

/// An event of the vectors.
fn stored(event: &Value) -> Event {
    let calendar = calendar(event["calendar"].as_str().expect("a calendar"));
    let attendees = match &event["answer"] {
        Value::Null => json!([{"self": false, "optional": false, "responseStatus": "accepted"}]),
        answer => json!([{"self": true, "optional": false, "responseStatus": answer}]),
    };
    let event = json!({
        "id": event["id"], "start": "", "end": "", "calendarId": calendar, "eventId": event["id"],
        "recurringEventId": event["series"], "iCalUID": event["iCalUID"], "copyRank": event["rank"],
        "attendees": attendees,
    });
    serde_json::from_value(event).expect("an event")
}

/// A shown event in the form of the vectors.
fn shown(event: &Event) -> Value {
    let payload = serde_json::to_value(event).expect("JSON");
    let letter = |id: &str| id[..1].to_owned();
    let mut shown = json!({"calendar": letter(&event.calendar_id.to_string()), "id": payload["id"]});
    if let Some(copies) = payload["copies"].as_array() {
        let copies = copies.iter().map(|copy| {
            assert_eq!(copy["eventId"], copy["id"]);
            let mut entry =
                json!({"calendar": letter(copy["calendarId"].as_str().expect("an id")), "id": copy["id"]});
            if !copy["responseStatus"].is_null() {
                entry["answer"] = copy["responseStatus"].clone();
            }
            entry
        });
        shown["copies"] = copies.collect();
    }
    shown
}

#[test]
fn the_browser_and_the_service_share_vectors() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    for case in vectors["cases"].as_array().expect("cases") {
        let events: Vec<_> = case["events"]
            .as_array()
            .expect("events")
            .iter()
            .map(stored)
            .collect();
        let meetings = count(&listed(&events));
        let merged = deduplicated(&events);
        assert_eq!(merged.len(), meetings, "{}", case["name"]);
        assert_eq!(
            Value::from(merged.iter().map(shown).collect::<Vec<_>>()),
            case["shown"],
            "{}",
            case["name"]
        );
    }
}

fn rank_of(event: &Value, is_primary: bool, role: &str) -> u16 {
    let start = json!({"dateTime": "2026-11-24T09:00:00Z"});
    let mut raw = json!({"id": "x", "start": start, "end": start});
    raw.as_object_mut()
        .expect("an object")
        .extend(event.as_object().expect("an object").clone());
    let context = CalendarContext {
        id: CalendarId::generate(),
        time_zone: Zone::UTC,
        access_role: AccessRole::from(role),
        is_primary,
    };
    rank(&context, &resource::parse(&raw.to_string()).expect("an event"))
}

fn invited(answer: &str) -> Value {
    json!({"organizer": {"email": "o@example.com"},
        "attendees": [{"email": "o@example.com", "responseStatus": "accepted"},
                      {"email": "me@example.com", "self": true, "responseStatus": answer}]})
}

#[test]
fn the_duplicate_to_answer_from_ranks_first() {
    let organized = json!({"organizer": {"self": true},
        "attendees": [{"self": true, "responseStatus": "accepted"}, {"email": "b@example.com"}]});
    let shared_to_own = [
        rank_of(&invited("needsAction"), true, "owner"),
        rank_of(&organized, true, "owner"),
        rank_of(&invited("tentative"), true, "owner"),
        rank_of(&invited("declined"), true, "owner"),
        // Imported into the account's own calendar, without an invitation.
        rank_of(&json!({}), true, "owner"),
        // In another person's calendar, `self` is that person: the access role decides.
        rank_of(&organized, false, "owner"),
        rank_of(&invited("needsAction"), false, "writer"),
        rank_of(&invited("accepted"), false, "writerWithoutPrivateAccess"),
        rank_of(&invited("needsAction"), false, "reader"),
        rank_of(&json!({}), false, "freeBusyReader"),
    ];
    let is_strictly_rising = shared_to_own.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(is_strictly_rising, "{shared_to_own:?}");
    assert_eq!(
        rank_of(&invited("accepted"), true, "owner"),
        rank_of(&invited("tentative"), true, "owner")
    );
}

proptest! {
    /// Each event is shown, or is among the copies of a shown one. A second pass changes nothing.
    #[test]
    fn every_event_is_shown_or_listed_as_a_copy(events in prop::collection::vec(
        ("[abc]", "[xy]", "[mn]", 0_u16..3, prop::option::of("[12]")), 0..24))
    {
        let mut seen = std::collections::HashSet::new();
        let events: Vec<Event> = events
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
            .map(|event| key(&event.calendar_id.to_string(), &json!(event.id)))
            .collect();
        let mut meetings = std::collections::HashSet::new();
        let events_of_a_meeting_are_in_different_calendars = events.iter().all(|event| {
            let meeting = listed(std::slice::from_ref(event))[0].meeting().map(|(start, uid)| format!("{start} {uid}"));
            meetings.insert((event.calendar_id, meeting))
        });
        let merged = deduplicated(&events);
        let mut after = Vec::new();
        for event in &merged {
            let entry = shown(event);
            match entry["copies"].as_array() {
                None => after.push(key(entry["calendar"].as_str().expect("text"), &entry["id"])),
                Some(copies) => {
                    prop_assert_eq!(&copies[0]["id"], &entry["id"]);
                    prop_assert_eq!(&copies[0]["calendar"], &entry["calendar"]);
                    after.extend(copies.iter().map(|copy| key(copy["calendar"].as_str().expect("text"), &copy["id"])));
                }
            }
        }
        before.sort();
        after.sort();
        prop_assert_eq!(before, after);
        let meetings = merged.len();
        if events_of_a_meeting_are_in_different_calendars {
            prop_assert_eq!(deduplicated(&merged).len(), meetings);
        }
    }
}
