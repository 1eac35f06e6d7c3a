//! The fields that events of each type may carry and change, by Google's guides on event types and status events.

use google_emulator::Emulator;
use serde_json::{Value, json};

use super::support::{ALICE, Client, hour, reason, start};

const EVENTS: &str = "calendars/primary/events";

fn day(summary: &str, kind: &str) -> Value {
    json!({"summary": summary, "eventType": kind, "transparency": "transparent", "visibility": "private",
        "start": {"date": "2026-12-02"}, "end": {"date": "2026-12-03"}})
}

/// Seeds an event, as Google makes those that a client may not.
fn seed(google: &Emulator, event: &Value) {
    let calendar = json!({"id": ALICE, "summary": "Alice", "timeZone": "Europe/Zurich", "primary": true,
        "events": [event]});
    let seed = json!({"users": [{"email": ALICE, "calendars": [calendar]}]});
    let seed = google_emulator::Seed::from_json("seed", &seed.to_string()).unwrap();
    google.with(|state| state.load(&seed)).unwrap();
}

/// Asserts the outcome of each patch: none is a success, otherwise the reason of the refusal.
async fn assert_patches(client: &Client, id: &str, patches: &[(Value, bool)]) {
    for (patch, is_allowed) in patches {
        let (status, body) = client.patch(&format!("{EVENTS}/{id}"), patch.clone()).await;
        let expected = if *is_allowed {
            (200, "")
        } else {
            (400, "eventTypeRestriction")
        };
        assert_eq!((status.as_u16(), reason(&body)), expected, "{patch}");
    }
}

#[tokio::test]
async fn a_birthday_takes_a_name_a_day_and_no_properties() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let (_, made) = alice.post(EVENTS, day("Ann", "birthday")).await;
    let id = made["id"].as_str().unwrap();
    let patches = [
        (json!({"summary": "Ann Lee", "colorId": "3"}), true),
        (json!({"reminders": {"useDefault": false}}), true),
        (
            json!({"start": {"date": "2026-12-03"}, "end": {"date": "2026-12-04"}}),
            true,
        ),
        (json!({"end": {"date": "2026-12-06"}}), false),
        (json!({"description": "x"}), false),
        (json!({"transparency": "opaque"}), false),
        (
            json!({"colorId": "4", "extendedProperties": {"private": {"mark": "1"}}}),
            false,
        ),
    ];
    assert_patches(&alice, id, &patches).await;
    assert_eq!(alice.delete(&format!("{EVENTS}/{id}")).await.0, 204);
}

#[tokio::test]
async fn a_birthday_of_a_contact_stays_on_its_day() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let mut birthday = day("Ann", "birthday");
    birthday["id"] = json!("birthday1");
    birthday["birthdayProperties"] = json!({"type": "birthday", "contact": "people/c1"});
    seed(&google, &birthday);
    let patches = [
        (json!({"summary": "Ann Lee"}), true),
        (
            json!({"start": {"date": "2026-12-03"}, "end": {"date": "2026-12-04"}}),
            false,
        ),
    ];
    assert_patches(&alice, "birthday1", &patches).await;
    let (status, body) = alice.delete(&format!("{EVENTS}/birthday1")).await;
    assert_eq!((status.as_u16(), reason(&body)), (400, "eventTypeRestriction"));
}

#[tokio::test]
async fn an_event_from_gmail_accepts_own_fields_and_guests() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let mut flight = hour("LX 14", 2);
    flight["eventType"] = json!("fromGmail");
    let (status, body) = alice.post(EVENTS, flight.clone()).await;
    assert_eq!((status.as_u16(), reason(&body)), (400, "eventTypeRestriction"));
    flight["id"] = json!("flight1");
    seed(&google, &flight);
    let patches = [
        (
            json!({"colorId": "3", "visibility": "private", "transparency": "transparent"}),
            true,
        ),
        (json!({"attendees": [{"email": "bob@example.com"}]}), true),
        (json!({"extendedProperties": {"private": {"mark": "1"}}}), true),
        (json!({"summary": "Flight"}), false),
        (json!({"location": "Gate 3"}), false),
    ];
    assert_patches(&alice, "flight1", &patches).await;
}

#[tokio::test]
async fn a_status_event_keeps_its_time_and_availability() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let all_day = json!({"start": {"date": "2026-12-02", "dateTime": null, "timeZone": null},
        "end": {"date": "2026-12-03", "dateTime": null, "timeZone": null}});
    for kind in ["focusTime", "outOfOffice"] {
        let mut event = hour("Away", 2);
        event["eventType"] = json!(kind);
        let (_, made) = alice.post(EVENTS, event).await;
        let patches = [
            (json!({"summary": "Still away", "visibility": "private"}), true),
            (all_day.clone(), false),
            (json!({"transparency": "transparent"}), false),
        ];
        assert_patches(&alice, made["id"].as_str().unwrap(), &patches).await;
    }
    let mut office = day("Home", "workingLocation");
    office["visibility"] = json!("public");
    let (_, made) = alice.post(EVENTS, office).await;
    let patches = [
        (
            json!({"start": {"date": "2026-12-03"}, "end": {"date": "2026-12-04"}}),
            true,
        ),
        (json!({"end": {"date": "2026-12-06"}}), false),
        (json!({"visibility": "private"}), false),
        (json!({"transparency": "opaque"}), false),
    ];
    assert_patches(&alice, made["id"].as_str().unwrap(), &patches).await;
}
