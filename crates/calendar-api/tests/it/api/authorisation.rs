//! Authorisation: every procedure of the table × every kind of caller. A procedure without a row in [`CASES`] fails the first
//! test.

use std::collections::BTreeSet;

use google_emulator::Emulator;

use super::emulator::{ALICE, all_of, connect, pull_all, start};
use super::*;

const BOB: &str = "bob@example.com";
/// In the title of each of alice's events that bob must not see.
const CANARY: &str = "canary-of-alice";

/// The result of a procedure for a user who names another user's data.
pub enum ForOtherUser {
    /// Another user's data does not exist.
    NotFound,
    Forbidden,
    /// The input names no data: the answer is about the caller alone.
    SeesOwn,
}
use ForOtherUser::{Forbidden, NotFound, SeesOwn};

/// A procedure, its result for another user, and an input with which the owner succeeds.
pub type Case = (&'static str, ForOtherUser, fn(&Owner) -> Value);

/// In an order in which alice can make all calls, one after the other.
pub const CASES: [Case; 22] = [
    (
        "calendar.google.getUpcomingEvents",
        NotFound,
        |alice| json!({"days": 7, "calendarIds": [alice.calendar], "timeZone": "Europe/Zurich"}),
    ),
    ("calendar.google.getEvents", NotFound, |alice| {
        json!({"from": noon(), "to": noon() + TimeDelta::days(2), "calendarIds": [alice.calendar],
               "timeZone": "Europe/Zurich"})
    }),
    (
        "calendar.google.getEvent",
        NotFound,
        |alice| json!({"calendarId": alice.calendar, "eventId": alice.edited["id"]}),
    ),
    ("calendar.google.getSyncActivity", NotFound, Owner::calendars),
    ("calendar.google.listCalendars", SeesOwn, |_| Value::Null),
    ("calendar.google.createEvent", NotFound, |alice| {
        let event = json!({"title": "Made", "start": "2026-11-25T09:00:00Z", "end": "2026-11-25T10:00:00Z",
            "timeZone": "Europe/Zurich", "location": "Here", "description": "This", "colorId": "3",
            "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], "attendees": [{"email": "dave@example.com", "displayName": "Dave"}],
            "reminders": {"useDefault": false, "overrides": [{"method": "popup", "minutes": 5}]}});
        json!({"idempotencyKey": "create", "calendarId": alice.calendar, "event": event, "sendUpdates": "none"})
    }),
    ("calendar.google.updateEvent", NotFound, |alice| {
        let edited = &alice.edited;
        json!({"idempotencyKey": "update", "calendarId": alice.calendar, "eventId": edited["id"],
               "baseEtag": edited["etag"], "patch": {"title": "Edited", "location": "There", "start": "2026-11-23T08:00:00Z"},
               "scope": "this"})
    }),
    ("calendar.google.moveEvent", NotFound, |alice| {
        json!({"idempotencyKey": "move", "calendarId": alice.calendar, "eventId": alice.moved,
               "destinationCalendarId": alice.destination})
    }),
    ("calendar.google.respondToEvent", NotFound, |alice| {
        json!({"idempotencyKey": "respond", "calendarId": alice.calendar, "eventId": alice.invitation,
               "responseStatus": "accepted", "comment": "With pleasure"})
    }),
    (
        "calendar.google.deleteEvent",
        NotFound,
        |alice| json!({"idempotencyKey": "delete", "calendarId": alice.calendar, "eventId": alice.deleted}),
    ),
    ("calendar.google.selectCalendars", NotFound, Owner::calendars),
    ("calendar.google.syncNow", NotFound, Owner::calendars),
    (
        "calendar.google.watchCalendar",
        NotFound,
        |alice| json!({"calendarId": alice.calendar}),
    ),
    (
        "calendar.google.stopWatchCalendar",
        NotFound,
        |_| json!({"channelId": CHANNEL, "resourceId": "resource"}),
    ),
    (
        "calendar.google.connect",
        NotFound,
        |alice| json!({"returnTo": "/settings", "connectionId": alice.connection}),
    ),
    ("calendar.google.status", SeesOwn, |_| Value::Null),
    ("realtime.getConnectionToken", SeesOwn, |_| Value::Null),
    (
        "realtime.getSubscriptionToken",
        Forbidden,
        |_| json!({"channel": "calendar:alice"}),
    ),
    ("realtime.getState", SeesOwn, |_| Value::Null),
    ("calendar.google.exportData", SeesOwn, |_| Value::Null),
    (
        "calendar.google.disconnect",
        NotFound,
        |alice| json!({"connectionId": alice.connection}),
    ),
    ("calendar.google.deleteData", SeesOwn, |_| Value::Null),
];

const CHANNEL: &str = "channel-of-alice";

#[test]
fn every_procedure_has_a_row_in_the_matrix() {
    let table: BTreeSet<&str> = calendar_api::procedures::router()
        .procedures()
        .map(|procedure| procedure.path)
        .collect();
    let covered: BTreeSet<&str> = CASES.iter().map(|(path, ..)| *path).collect();
    assert_eq!(covered, table, "CASES needs a row for each procedure");
}

/// The ids of alice's data.
pub struct Owner {
    connection: String,
    pub calendar: String,
    destination: String,
    edited: Value,
    moved: String,
    invitation: String,
    deleted: String,
}

impl Owner {
    fn calendars(&self) -> Value {
        json!({"calendarIds": [self.calendar]})
    }

    /// Texts that must not be in an answer to another user.
    fn private(&self) -> [&str; 6] {
        [
            CANARY,
            CHANNEL,
            &self.connection,
            &self.calendar,
            &self.destination,
            "calendar:alice",
        ]
    }
}

/// Alice and bob are connected, each with calendars of their own.
pub async fn both_connected(pool: &PgPool) -> (Emulator, Api, Owner) {
    let (google, api) = start(pool.clone()).await;
    let insert = |organizer: &str, what: &str, guests: Value| {
        let at = noon() + TimeDelta::hours(20);
        let event = json!({"summary": format!("{CANARY} {what}"), "attendees": guests,
            "start": {"dateTime": at.to_rfc3339()}, "end": {"dateTime": (at + TimeDelta::hours(1)).to_rfc3339()}});
        let event = google.insert(organizer, "primary", event).unwrap();
        event["id"].as_str().unwrap().to_owned()
    };
    let [edited, moved, deleted] =
        ["to edit", "to move", "to delete"].map(|what| insert(ALICE, what, json!([])));
    let invitation = invite(&google);
    connect(&google, &api, "alice", &all_of(ALICE)).await;
    connect(&google, &api, "bob", &all_of(BOB)).await;
    pull_all(&api.sync().await).await;

    let list = api
        .query("alice", "calendar.google.listCalendars", Value::Null)
        .await
        .unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let own: Vec<&Value> = list["calendars"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|calendar| calendar["accessRole"] == "owner")
        .collect();
    let window = json!({"from": noon(), "to": noon() + TimeDelta::days(2)});
    let events = api
        .query("alice", "calendar.google.getEvents", window)
        .await
        .unwrap();
    let edited = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["id"] == edited.as_str());
    let owner = Owner {
        connection: text(&own[0]["connectionId"]),
        calendar: text(&own[0]["id"]),
        destination: text(&own[1]["id"]),
        edited: edited.unwrap().clone(),
        moved,
        invitation,
        deleted,
    };
    let (connection, calendar) = (owner.connection.parse().unwrap(), owner.calendar.parse().unwrap());
    watching::live(pool, connection, calendar, CHANNEL).await;
    // The broker's answer when a user's data is deleted.
    for command in ["/api/disconnect", "/api/history_remove"] {
        Mock::given(method("POST"))
            .and(path(command))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"result": {}})))
            .mount(&api.broker)
            .await;
    }
    (google, api, owner)
}

/// An event of carol's that alice is invited to, in alice's calendar; its id.
fn invite(google: &Emulator) -> String {
    let at = noon() + TimeDelta::hours(22);
    let event = json!({"id": "invitation1", "summary": format!("{CANARY} to answer"),
        "start": {"dateTime": at.to_rfc3339()}, "end": {"dateTime": (at + TimeDelta::hours(1)).to_rfc3339()},
        "organizer": {"email": "carol@example.com"}, "attendees": [{"email": ALICE}, {"email": "carol@example.com"}]});
    let calendar = json!({"id": ALICE, "summary": "Alice Meier", "timeZone": "Europe/Zurich", "primary": true,
        "events": [event]});
    let seed = json!({"users": [{"email": ALICE, "calendars": [calendar]}]}).to_string();
    let seed = google_emulator::Seed::from_json("seed", &seed).unwrap();
    google.with(|state| state.load(&seed)).unwrap();
    "invitation1".to_owned()
}

/// Every row of alice's, in every table with a user.
async fn rows_of_alice(pool: &PgPool) -> Vec<(String, Option<String>)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.columns
         where table_schema = 'public' and column_name = 'user_id' order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(tables.len() >= 5, "{tables:?}");
    let mut rows = Vec::new();
    for table in tables {
        let statement = format!(
            "select md5(string_agg(t::text, '|' order by t::text)) from {table} t where user_id = 'alice'"
        );
        let hash = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .fetch_one(pool)
            .await
            .unwrap();
        rows.push((table, hash));
    }
    rows
}

/// A token of the host application with `changes` in its claims.
fn token(api: &Api, secret: &str, changes: &[(&str, Value)]) -> String {
    let now = api.clock.now().timestamp();
    let mut claims =
        json!({"sub": "alice", "iss": "https://app.example", "aud": "calwire", "exp": now + 3600});
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
}

/// Requests without a valid token.
async fn invalid_credentials(api: &Api) -> Vec<(&'static str, Option<String>)> {
    let now = api.clock.now().timestamp();
    let of_the_channel = async |procedure: &str, input: Value| {
        let answer = api.query("alice", procedure, input).await.unwrap();
        Some(answer["token"].as_str().unwrap().to_owned())
    };
    let own = json!({"channel": "calendar:alice"});
    vec![
        ("no token", None),
        (
            "an expired token",
            Some(token(api, AUTH_SECRET, &[("exp", json!(now - 31))])),
        ),
        (
            "a token for another audience",
            Some(token(api, AUTH_SECRET, &[("aud", json!("centrifugo"))])),
        ),
        (
            "a token of another issuer",
            Some(token(api, AUTH_SECRET, &[("iss", json!("https://evil.example"))])),
        ),
        (
            "a token signed with another secret",
            Some(token(api, "another secret, which anybody may have", &[])),
        ),
        (
            "the token of a socket",
            of_the_channel("realtime.getConnectionToken", Value::Null).await,
        ),
        (
            "the token of a channel",
            of_the_channel("realtime.getSubscriptionToken", own).await,
        ),
    ]
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_procedure_rejects_invalid_tokens(pool: PgPool) {
    let (google, api, alice) = both_connected(&pool).await;
    let invalid_credentials = invalid_credentials(&api).await;
    let (before, asked) = (rows_of_alice(&pool).await, google.requests().len());
    for (path, _, input) in &CASES {
        let input = match input(&alice) {
            Value::Null => json!({}),
            input => input,
        };
        for (who, token) in &invalid_credentials {
            let send = async |url: String, body: Value| {
                let mut request = api.http.post(url).header("content-type", "application/json");
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let response = request.body(body.to_string()).send().await.unwrap();
                (
                    response.status().as_u16(),
                    response.json::<Value>().await.unwrap(),
                )
            };
            let answer = send(format!("{}/trpc/{path}", api.base), input.clone()).await;
            assert_eq!(answer, (401, unauthorized(path)), "{path} for {who}");
            let url = format!("{}/rpc-v1/{}", api.base, path.replace('.', "/"));
            let answer = send(url, json!({ "json": input })).await;
            let expected =
                json!({"defined": false, "code": "UNAUTHORIZED", "status": 401, "message": "Unauthorized"});
            assert_eq!(answer, (401, json!({ "json": expected })), "{path} for {who}");
        }
    }
    assert_eq!(rows_of_alice(&pool).await, before);
    assert_eq!(google.requests().len(), asked, "Google was not asked");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn another_users_data_does_not_exist(pool: PgPool) {
    let (google, api, alice) = both_connected(&pool).await;
    let before = rows_of_alice(&pool).await;
    let truth = google.events(ALICE);
    for (path, for_other_user, input) in &CASES {
        let answer = api.mutate("bob", path, input(&alice)).await;
        let code = answer.as_ref().err().map(|refused| refused["code"].clone());
        let expected = match for_other_user {
            NotFound => Some(json!("NOT_FOUND")),
            Forbidden => Some(json!("FORBIDDEN")),
            SeesOwn => None,
        };
        assert_eq!(code, expected, "{path} for bob: {answer:?}");
        let mut text = format!("{answer:?}");
        // An error may repeat the caller's input.
        for named in [&alice.calendar, &alice.connection] {
            text = text.replace(&format!("There is no calendar {named}"), "");
            text = text.replace(&format!("There is no connection {named}"), "");
        }
        let leaked = alice
            .private()
            .iter()
            .find(|private| text.contains(**private))
            .copied();
        assert_eq!(leaked, None, "{path} for bob: {text}");
    }
    assert_eq!(rows_of_alice(&pool).await, before);
    assert_eq!(google.events(ALICE), truth);

    // The same calls succeed for the owner: so it was not the input that was rejected.
    for (path, _, input) in &CASES {
        let answer = api.mutate("alice", path, input(&alice)).await;
        assert!(answer.is_ok(), "{path} for alice: {answer:?}");
    }
    assert_ne!(rows_of_alice(&pool).await, before);
}
