//! The write procedures, against the emulator.

use google_emulator::{Emulator, Fault, Rule};

use super::emulator::{ALICE, all_of, connect, pull_all, start};
use super::*;

struct Writer {
    google: Emulator,
    api: Api,
    calendar: Value,
}

impl Writer {
    async fn new(pool: PgPool) -> Self {
        let (google, api) = start(pool).await;
        connect(&google, &api, "alice", &all_of(ALICE)).await;
        pull_all(&api.sync().await).await;
        let list = api
            .query("alice", "calendar.google.listCalendars", Value::Null)
            .await
            .unwrap();
        let calendar = list["calendars"][0]["id"].clone();
        Self {
            google,
            api,
            calendar,
        }
    }

    async fn call(&self, procedure: &str, key: &str, input: Value) -> Result<Value, Value> {
        let mut all = json!({"idempotencyKey": key, "calendarId": self.calendar});
        for (field, value) in input.as_object().unwrap() {
            all[field] = value.clone();
        }
        let procedure = format!("calendar.google.{procedure}");
        self.api.mutate("alice", &procedure, all).await
    }

    async fn create(&self, key: &str) -> Value {
        let event =
            json!({"title": "Review", "start": "2026-11-25T09:00:00Z", "end": "2026-11-25T10:00:00Z"});
        let made = self
            .call("createEvent", key, json!({"event": event}))
            .await
            .unwrap();
        made["event"].clone()
    }

    async fn upcoming(&self) -> Vec<Value> {
        let window = json!({"from": "2026-11-25T08:59:00Z", "to": "2026-11-25T10:01:00Z", "calendarIds": [self.calendar]});
        let answer = self
            .api
            .query("alice", "calendar.google.getEvents", window)
            .await
            .unwrap();
        let events = answer["events"].as_array().unwrap();
        events
            .iter()
            .filter(|event| event["allDay"] == false)
            .cloned()
            .collect()
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_event_is_created_edited_moved_and_deleted(pool: PgPool) {
    let alice = Writer::new(pool).await;
    let before = alice.upcoming().await.len();
    let made = alice.create("k1").await;
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&made["title"], &made["recurrence"]),
        (&json!("Review"), &json!([]))
    );
    assert!(made["canEdit"].as_array().unwrap().contains(&json!("reminders")));
    assert_eq!(
        alice.upcoming().await.len(),
        before + 1,
        "the event is not visible before a pull"
    );

    let edit = json!({"eventId": id, "baseEtag": made["etag"], "patch": {"title": "Design review", "location": "Room 3"}});
    let edited = alice.call("updateEvent", "k2", edit.clone()).await.unwrap();
    assert_eq!(
        (&edited["merged"], &edited["pending"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(edited["event"]["title"], "Design review");
    // The same request gets the same answer; a different one with the same key is rejected.
    assert_eq!(alice.call("updateEvent", "k2", edit).await.unwrap(), edited);
    let other = json!({"eventId": id, "baseEtag": made["etag"], "patch": {"title": "Other"}});
    let reused = alice.call("updateEvent", "k2", other).await.unwrap_err();
    assert_eq!(
        (&reused["code"], &reused["reason"]),
        (&json!("BAD_REQUEST"), &json!("IDEMPOTENCY_KEY_REUSED"))
    );

    let list = alice
        .api
        .query("alice", "calendar.google.listCalendars", Value::Null)
        .await
        .unwrap();
    let destination = list["calendars"]
        .as_array()
        .unwrap()
        .iter()
        .find(|calendar| calendar["accessRole"] == "owner" && calendar["id"] != alice.calendar)
        .map(|calendar| calendar["id"].clone())
        .unwrap();
    let to = json!({"eventId": id, "destinationCalendarId": destination});
    let moved = alice.call("moveEvent", "k3", to).await.unwrap();
    assert_eq!(moved["event"]["calendarId"], destination);
    assert_eq!(alice.upcoming().await.len(), before);

    let gone = json!({"calendarId": destination, "eventId": id, "baseEtag": moved["event"]["etag"]});
    let deleted = alice.call("deleteEvent", "k4", gone).await.unwrap();
    assert_eq!(
        (&deleted["deleted"], &deleted["pending"]),
        (&json!(true), &json!(false))
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_conflict_has_both_sides(pool: PgPool) {
    let alice = Writer::new(pool).await;
    let made = alice.create("k1").await;
    let id = made["id"].as_str().unwrap();
    alice
        .google
        .patch(ALICE, "primary", id, json!({"summary": "Theirs"}))
        .unwrap();
    let edit = json!({"eventId": id, "baseEtag": made["etag"], "patch": {"title": "Ours"}});
    let refused = alice.call("updateEvent", "k2", edit.clone()).await.unwrap_err();
    assert_eq!(
        (&refused["code"], &refused["reason"]),
        (&json!("CONFLICT"), &json!("EDIT_CONFLICT"))
    );
    assert_eq!(refused["fields"], json!(["title"]));
    let titles = ["base", "ours", "theirs"].map(|side| refused[side]["title"].clone());
    assert_eq!(titles, [json!("Review"), json!("Ours"), json!("Theirs")]);
    assert_eq!(
        alice.call("updateEvent", "k2", edit).await.unwrap_err(),
        refused,
        "the same answer again"
    );
    // The user decides for the own version.
    let decided = json!({"eventId": id, "baseEtag": refused["etag"], "patch": {"title": "Ours"}});
    let decided = alice.call("updateEvent", "k3", decided).await.unwrap();
    assert_eq!(decided["event"]["title"], "Ours");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_private_free_event_is_created_read_and_opened(pool: PgPool) {
    let alice = Writer::new(pool).await;
    let event = json!({"title": "Doctor", "start": "2026-11-25T09:00:00Z", "end": "2026-11-25T10:00:00Z",
        "visibility": "private", "transparency": "transparent"});
    let made = alice.call("createEvent", "k1", json!({"event": event})).await;
    let made = made.unwrap()["event"].clone();
    let id = made["id"].as_str().unwrap();
    let in_google = || {
        let event = alice.google.event(ALICE, id).unwrap();
        [event["visibility"].clone(), event["transparency"].clone()]
    };
    assert_eq!(in_google(), [json!("private"), json!("transparent")]);
    pull_all(&alice.api.sync().await).await;
    let read = alice.upcoming().await.into_iter().find(|event| event["id"] == id);
    for event in [&made, &read.unwrap()] {
        assert_eq!(
            (&event["visibility"], &event["transparency"]),
            (&json!("private"), &json!("transparent"))
        );
    }

    let patch = json!({"visibility": "public", "transparency": "opaque"});
    let edit = json!({"eventId": id, "baseEtag": made["etag"], "patch": patch});
    let edited = alice.call("updateEvent", "k2", edit).await.unwrap();
    assert_eq!(edited["event"]["visibility"], "public");
    assert_eq!(in_google(), [json!("public"), json!("opaque")]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rejected_write_has_its_reason_and_field(pool: PgPool) {
    let alice = Writer::new(pool).await;
    let made = alice.create("k1").await;
    let update = |patch: Value| json!({"eventId": made["id"], "baseEtag": made["etag"], "patch": patch});
    for (procedure, input, path) in [
        ("createEvent", json!({"event": {"title": "x"}}), "event.start"),
        ("createEvent", json!({"event": {"titel": "x"}}), "event.titel"),
        (
            "updateEvent",
            update(json!({"end": "2026-11-25T08:00:00Z"})),
            "patch.end",
        ),
        (
            "updateEvent",
            update(json!({"recurrence": ["FREQ=DAILY"]})),
            "patch.recurrence",
        ),
        (
            "updateEvent",
            json!({"eventId": "a\u{0}b", "baseEtag": "\"1\"", "patch": {}}),
            "eventId",
        ),
        (
            "moveEvent",
            json!({"eventId": made["id"], "destinationCalendarId": alice.calendar}),
            "destinationCalendarId",
        ),
        (
            "deleteEvent",
            json!({"idempotencyKey": "", "eventId": "a"}),
            "idempotencyKey",
        ),
    ] {
        let refused = alice.call(procedure, "k2", input).await.unwrap_err();
        assert_eq!(refused["code"], "BAD_REQUEST", "{procedure} {refused}");
        assert_eq!(refused["issues"][0]["path"], path);
    }
    let unknown = alice
        .call("deleteEvent", "k3", json!({"eventId": "nothere"}))
        .await
        .unwrap_err();
    assert_eq!(
        (&unknown["code"], &unknown["reason"]),
        (&json!("NOT_FOUND"), &json!("EVENT_NOT_FOUND"))
    );
    let not_invited = json!({"eventId": made["id"], "responseStatus": "accepted"});
    let refused = alice.call("respondToEvent", "k4", not_invited).await.unwrap_err();
    assert_eq!(
        (&refused["code"], &refused["reason"], &refused["field"]),
        (
            &json!("FORBIDDEN"),
            &json!("NOT_INVITED"),
            &json!("responseStatus")
        )
    );
    let fault = Fault::Error {
        status: 403,
        reason: Some("forbiddenForNonOrganizer".into()),
        message: None,
        retry_after: None,
    };
    alice.google.fault(Rule::new("events.patch", fault).times(1));
    let refused = alice
        .call("updateEvent", "k5", update(json!({"title": "Ours"})))
        .await
        .unwrap_err();
    assert_eq!(
        (&refused["code"], &refused["reason"]),
        (&json!("FORBIDDEN"), &json!("FORBIDDEN_BY_GOOGLE"))
    );
    assert_eq!(refused["googleReason"], "forbiddenForNonOrganizer");

    // Characters that Postgres cannot store are removed.
    let odd = json!({"eventId": made["id"], "baseEtag": made["etag"], "patch": {"title": "nul\u{0}l"}});
    let written = alice.call("updateEvent", "k6", odd).await.unwrap();
    assert_eq!(written["event"]["title"], "null");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn writes_to_another_users_calendar_are_rejected(pool: PgPool) {
    let alice = Writer::new(pool).await;
    let made = alice.create("k1").await;
    let event = json!({"title": "x", "start": "2026-11-25", "end": "2026-11-26"});
    for (procedure, input) in [
        ("createEvent", json!({"event": event})),
        (
            "updateEvent",
            json!({"eventId": made["id"], "baseEtag": made["etag"], "patch": {"title": "x"}}),
        ),
        ("deleteEvent", json!({"eventId": made["id"]})),
        (
            "moveEvent",
            json!({"eventId": made["id"], "destinationCalendarId": alice.calendar}),
        ),
        (
            "respondToEvent",
            json!({"eventId": made["id"], "responseStatus": "accepted"}),
        ),
    ] {
        let mut input = input;
        input["idempotencyKey"] = json!("k1");
        input["calendarId"] = alice.calendar.clone();
        let procedure = format!("calendar.google.{procedure}");
        let refused = alice.api.mutate("mallory", &procedure, input).await.unwrap_err();
        assert_eq!(
            (&refused["code"], &refused["reason"]),
            (&json!("NOT_FOUND"), &json!("CALENDAR_NOT_FOUND")),
            "{procedure}"
        );
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_cut_text_can_be_read_whole(pool: PgPool) {
    let writer = Writer::new(pool).await;
    let description = "word ".repeat(2_000);
    let event = json!({"title": "Review", "start": "2026-11-25T09:00:00Z", "end": "2026-11-25T10:00:00Z",
        "description": description});
    let made = writer
        .call("createEvent", "one", json!({"event": event}))
        .await
        .unwrap();
    let cut = &made["event"];
    assert_eq!(cut["cutFields"], json!(["description"]));
    let read = async |user: &str, id: &Value| {
        let input = json!({"calendarId": writer.calendar, "eventId": id});
        writer.api.query(user, "calendar.google.getEvent", input).await
    };
    let whole = read("alice", &cut["id"]).await.unwrap();
    assert_eq!(whole["description"], json!(description));
    assert_eq!((&whole["etag"], whole.get("cutFields")), (&cut["etag"], None));
    let unknown = read("alice", &json!("nothere")).await.unwrap_err();
    assert_eq!(unknown["reason"], "EVENT_NOT_FOUND");
    let other = read("bob", &cut["id"]).await.unwrap_err();
    assert_eq!(other["reason"], "CALENDAR_NOT_FOUND");
}
