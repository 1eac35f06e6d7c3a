use ids::CalendarId;
use serde_json::{Value, json};

use super::*;
use crate::calendar::AccessRole;
use crate::patch::EventPatch;
use crate::resource::parse;
use crate::zone::Zone;

fn berlin() -> Zone {
    Zone::named("Europe/Berlin").unwrap()
}

fn fields(event: &Value) -> Fields {
    let calendar = CalendarContext {
        id: CalendarId::generate(),
        time_zone: berlin(),
        access_role: AccessRole::Owner,
        is_primary: true,
    };
    Fields::of(&parse(&event.to_string()).unwrap(), &calendar)
}

/// The body of the write that this edit makes of an event.
fn write(event: &Value, patch: Value) -> Value {
    let before = fields(event);
    let patch: EventPatch = serde_json::from_value(patch).unwrap();
    let edited = patch.apply(&before, berlin()).unwrap();
    edited.write_over(event, &before, "request").into()
}

#[test]
fn a_changed_guest_list_keeps_what_google_knows() {
    let room =
        json!({"email": "room@resource.calendar.google.com", "resource": true, "responseStatus": "accepted"});
    let hidden = json!({"displayName": "Ann", "id": "1042", "responseStatus": "tentative"});
    let bob = json!({"email": "bob@example.com", "comment": "Late", "responseStatus": "accepted"});
    let event = json!({"id": "e", "attendees": [room, hidden, bob, {"email": "eve@example.com"}]});
    let list = json!([
        {"email": "room@resource.calendar.google.com"}, {"email": null, "displayName": "Ann"},
        {"email": "Bob@example.com", "optional": true}, {"email": "carol@example.com"}]);
    let mut optional_bob = bob.clone();
    optional_bob["optional"] = json!(true);
    assert_eq!(
        write(&event, json!({"attendees": list})),
        json!({"attendees": [room, hidden, optional_bob, {"email": "carol@example.com"}]})
    );
    assert_eq!(
        write(&event, json!({"attendees": null})),
        json!({"attendees": [hidden]})
    );
}

/// Google keeps the request for a meeting that it did not create, and ignores another with the same id.
#[test]
fn a_failed_meeting_is_requested_again() {
    let requested = |status: &str| json!({"id": "e", "conferenceData": {"createRequest": {"requestId": "old", "status": {"statusCode": status}}}});
    let meet = || json!({"conference": "meet"});
    for status in ["failure", "pending"] {
        let body = write(&requested(status), meet());
        assert_eq!(
            body["conferenceData"]["createRequest"]["requestId"], "request",
            "{status}"
        );
    }
    assert_eq!(write(&requested("success"), meet()), json!({}));
    let removed = write(&requested("pending"), json!({"conference": null}));
    assert_eq!(removed, json!({"conferenceData": null}));
    assert_eq!(
        write(&requested("failure"), json!({"conference": null})),
        json!({})
    );
}

#[test]
fn visibility_and_transparency_are_read_and_written() {
    let event = json!({"id": "e", "visibility": "private", "transparency": "transparent"});
    let clear = json!({"visibility": null, "transparency": null});
    let cleared = json!({"visibility": "default", "transparency": "opaque"});
    assert_eq!(write(&event, clear), cleared);
    assert_eq!(
        write(
            &json!({"id": "e"}),
            json!({"visibility": "default", "transparency": "opaque"})
        ),
        json!({})
    );
    let public = json!({"visibility": "public"});
    assert_eq!(write(&event, public.clone()), public);
}

#[test]
fn a_moved_event_gets_no_new_zone() {
    let mut event = json!({"id": "e", "start": {"dateTime": "2026-11-23T09:00:00Z"},
        "end": {"dateTime": "2026-11-23T10:00:00Z"}});
    let time = |time: &str| json!({"date": null, "dateTime": time});
    let moved = json!({"start": time("2026-11-23T12:00:00+01:00"), "end": time("2026-11-23T13:00:00+01:00")});
    let start = || json!({"start": "2026-11-23T12:00:00+01:00"});
    assert_eq!(write(&event, start()), moved);
    let mut own_zone = start();
    own_zone["timeZone"] = json!("Europe/Berlin");
    assert_eq!(write(&event, own_zone), moved);
    // It is needed for a rule, and where the user chose it.
    let zoned = |mut patch: Value, zone: &str| {
        patch["start"] = json!("2026-11-23T12:00:00+01:00");
        assert_eq!(write(&event, patch)["start"]["timeZone"], zone);
    };
    zoned(json!({"timeZone": "Europe/Zurich"}), "Europe/Zurich");
    zoned(json!({"recurrence": ["RRULE:FREQ=DAILY"]}), "Europe/Berlin");
    let repeated = write(&event, json!({"recurrence": ["RRULE:FREQ=DAILY"]}));
    assert_eq!(repeated["start"]["timeZone"], "Europe/Berlin");
    // Each end for itself.
    event["end"]["timeZone"] = json!("Europe/Berlin");
    let body = write(&event, start());
    assert_eq!(body["start"], moved["start"]);
    assert_eq!(body["end"]["timeZone"], "Europe/Berlin");
}
