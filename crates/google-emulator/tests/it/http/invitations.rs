//! Invitations between accounts of the same emulator: an event of each guest's own, and answers that travel back.

use chrono::{DateTime, Utc};
use google_emulator::{Emulator, MailKind, Seed};
use serde_json::{Value, json};

use super::support::{ALICE, BOB, Client, daily, hour, ids, start};

const CAROL: &str = "carol@example.com";
const STRANGER: &str = "guest@elsewhere.example";

/// Alice and Bob, and Carol.
async fn three() -> Emulator {
    let google = start().await;
    let carol = json!({"users": [{"email": CAROL, "calendars": [{"id": CAROL, "summary": "Carol", "primary": true}]}]});
    let seed = Seed::from_json("carol", &carol.to_string()).unwrap();
    google.with(|state| state.load(&seed)).unwrap();
    google
}

fn with_guests(mut event: Value, id: &str, guests: &[&str]) -> Value {
    event["id"] = json!(id);
    let guests: Vec<Value> = guests.iter().map(|guest| json!({"email": guest})).collect();
    event["attendees"] = guests.into();
    event
}

fn event(google: &Emulator, calendar: &str, id: &str) -> Value {
    google.event(calendar, id).map_or(Value::Null, Value::Object)
}

/// The answer of a guest in the event of a calendar.
fn answer(google: &Emulator, calendar: &str, id: &str, guest: &str) -> Value {
    let event = event(google, calendar, id);
    let guests = event["attendees"].as_array().cloned().unwrap_or_default();
    let found = guests.into_iter().find(|each| each["email"] == guest);
    found.map_or(Value::Null, |guest| guest["responseStatus"].clone())
}

/// The moment of a start, whichever zone it is shown in.
fn moment(start: &Value) -> DateTime<Utc> {
    start["dateTime"].as_str().unwrap().parse().unwrap()
}

fn path(id: &str, send_updates: &str) -> String {
    format!("calendars/primary/events/{id}?sendUpdates={send_updates}")
}

fn guest_list(answers: &[(&str, &str)]) -> Value {
    let guest = |(email, status): &(&str, &str)| json!({"email": email, "responseStatus": status});
    json!({"attendees": answers.iter().map(guest).collect::<Vec<_>>()})
}

#[tokio::test]
async fn an_invitation_appears_in_the_guests_calendars() {
    let google = three().await;
    let (alice, bob) = (Client::of(&google, ALICE), Client::of(&google, BOB));
    let (_, token) = bob.list("calendars/primary/events?").await;
    let mut lunch = with_guests(hour("Lunch", 1), "lunch", &[BOB, STRANGER]);
    lunch["colorId"] = json!("5");
    lunch["extendedProperties"] = json!({"private": {"a": "1"}, "shared": {"b": "2"}});
    let (status, made) = alice.post("calendars/primary/events", lunch).await;
    assert_eq!(status, 200, "{made}");

    let (items, _) = bob
        .list(&format!("calendars/primary/events?syncToken={token}"))
        .await;
    assert_eq!(ids(&items), ["lunch"]);
    let invitation = &items[0];
    assert_eq!(invitation["organizer"], json!({"email": ALICE}));
    assert_eq!(invitation["attendees"][0]["self"], true);
    for field in ["summary", "iCalUID", "creator"] {
        assert_eq!(
            invitation[field],
            event(&google, ALICE, "lunch")[field],
            "{field}"
        );
    }
    // Bob's calendar is in New York.
    assert_eq!(
        invitation["start"],
        json!({"dateTime": "2026-12-01T03:00:00-05:00", "timeZone": "Europe/Zurich"})
    );
    assert_eq!(invitation["extendedProperties"], json!({"shared": {"b": "2"}}));
    assert_eq!(
        (&invitation["colorId"], &invitation["reminders"]),
        (&Value::Null, &json!({"useDefault": true}))
    );
    assert_eq!(google.events(CAROL), []);
    assert_eq!(google.mails(), [], "the default of sendUpdates is none");
}

#[tokio::test]
async fn answers_travel_to_the_organizer_and_the_other_guests() {
    let google = three().await;
    google
        .insert(
            ALICE,
            "primary",
            with_guests(hour("Lunch", 1), "lunch", &[BOB, CAROL]),
        )
        .unwrap();
    let bob = Client::of(&google, BOB);
    let answers = guest_list(&[(BOB, "accepted"), (CAROL, "declined")]);
    let (status, answered) = bob.patch(&path("lunch", "all"), answers).await;
    assert_eq!(status, 200, "{answered}");
    for calendar in [ALICE, BOB, CAROL] {
        assert_eq!(answer(&google, calendar, "lunch", BOB), "accepted", "{calendar}");
        // A guest answers for no other.
        assert_eq!(
            answer(&google, calendar, "lunch", CAROL),
            "needsAction",
            "{calendar}"
        );
    }
    assert_eq!(answered["etag"], event(&google, BOB, "lunch")["etag"]);
    let mails: Vec<_> = google
        .mails()
        .into_iter()
        .map(|mail| (mail.to, mail.kind))
        .collect();
    assert_eq!(mails, [(ALICE.to_owned(), MailKind::Response)]);

    let carol = Client::of(&google, CAROL);
    let only_own =
        json!({"attendeesOmitted": true, "attendees": [{"email": CAROL, "responseStatus": "tentative"}]});
    carol.patch(&path("lunch", "none"), only_own).await;
    assert_eq!(answer(&google, ALICE, "lunch", CAROL), "tentative");
    assert_eq!(answer(&google, BOB, "lunch", CAROL), "tentative");
    assert_eq!(google.mails().len(), 1);
}

#[tokio::test]
async fn changes_and_cancellation_reach_the_guests() {
    let google = three().await;
    let alice = Client::of(&google, ALICE);
    google
        .insert(
            ALICE,
            "primary",
            with_guests(hour("Lunch", 1), "lunch", &[BOB, CAROL]),
        )
        .unwrap();
    google
        .patch(
            BOB,
            "primary",
            "lunch",
            json!({"colorId": "3", "reminders": {"useDefault": false}}),
        )
        .unwrap();
    let later = hour("Late lunch", 2);
    alice.patch(&path("lunch", "none"), later.clone()).await;
    let seen = event(&google, BOB, "lunch");
    assert_eq!(seen["summary"], "Late lunch");
    assert_eq!(moment(&seen["start"]), moment(&later["start"]));
    assert_eq!(
        (&seen["colorId"], &seen["reminders"]["useDefault"]),
        (&json!("3"), &json!(false))
    );
    assert_eq!(event(&google, ALICE, "lunch")["colorId"], Value::Null);
    // A field that is the organizer's own reaches no guest.
    let before = event(&google, BOB, "lunch")["etag"].clone();
    alice.patch(&path("lunch", "none"), json!({"colorId": "7"})).await;
    assert_eq!(event(&google, BOB, "lunch")["etag"], before);

    alice
        .patch(&path("lunch", "none"), guest_list(&[(CAROL, "accepted")]))
        .await;
    assert_eq!(event(&google, BOB, "lunch")["status"], "cancelled");
    assert_eq!(answer(&google, CAROL, "lunch", CAROL), "accepted");
    alice
        .patch(
            &path("lunch", "none"),
            guest_list(&[(CAROL, "accepted"), (BOB, "needsAction")]),
        )
        .await;
    assert_eq!(event(&google, BOB, "lunch")["status"], "confirmed");
    assert_eq!(google.mails(), []);

    alice.delete(&path("lunch", "all")).await;
    for guest in [BOB, CAROL] {
        assert_eq!(event(&google, guest, "lunch")["status"], "cancelled", "{guest}");
        let kinds = google.mails().into_iter().filter(|mail| mail.to == guest);
        assert_eq!(
            kinds.map(|mail| mail.kind).collect::<Vec<_>>(),
            [MailKind::Cancellation]
        );
    }
}

#[tokio::test]
async fn instances_of_a_series_travel_like_events() {
    let google = three().await;
    google
        .insert(
            ALICE,
            "primary",
            with_guests(daily("Standup", 4), "standup", &[BOB, CAROL]),
        )
        .unwrap();
    let instance = |day: u32| format!("standup_202612{day:02}T080000Z");
    let moved = json!({"start": hour("", 9)["start"], "end": hour("", 9)["end"]});
    google
        .patch(ALICE, "primary", &instance(2), moved.clone())
        .unwrap();
    google.delete(ALICE, "primary", &instance(3)).unwrap();
    let all = |calendar: &str| {
        let starts = google.instances(calendar, "standup").into_iter();
        starts
            .map(|instance| moment(&instance["start"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(all(ALICE).len(), 3);
    assert_eq!(all(BOB), all(ALICE));

    google
        .patch(
            BOB,
            "primary",
            &instance(4),
            guest_list(&[(BOB, "declined"), (CAROL, "needsAction")]),
        )
        .unwrap();
    google.delete(CAROL, "primary", &instance(1)).unwrap();
    assert_eq!(answer(&google, ALICE, &instance(4), BOB), "declined");
    assert_eq!(answer(&google, CAROL, &instance(4), BOB), "declined");
    assert_eq!(answer(&google, ALICE, "standup", BOB), "needsAction");
    // A guest who deletes an instance declines it, and keeps it deleted.
    assert_eq!(answer(&google, ALICE, &instance(1), CAROL), "declined");
    google
        .patch(ALICE, "primary", &instance(1), json!({"location": "Room 1"}))
        .unwrap();
    assert_eq!(event(&google, BOB, &instance(1))["location"], "Room 1");
    assert_eq!(event(&google, CAROL, &instance(1))["status"], "cancelled");

    google
        .patch(
            ALICE,
            "primary",
            "standup",
            json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=1"]}),
        )
        .unwrap();
    assert_eq!(all(BOB), all(ALICE));
    google.delete(ALICE, "primary", "standup").unwrap();
    assert_eq!(all(BOB).len(), 0);
}

#[tokio::test]
async fn a_new_guest_gets_the_series_with_its_exceptions() {
    let google = three().await;
    google
        .insert(
            ALICE,
            "primary",
            with_guests(daily("Standup", 3), "standup", &[CAROL]),
        )
        .unwrap();
    google
        .delete(ALICE, "primary", "standup_20261202T080000Z")
        .unwrap();
    google
        .patch(
            ALICE,
            "primary",
            "standup",
            guest_list(&[(CAROL, "accepted"), (BOB, "needsAction")]),
        )
        .unwrap();
    assert_eq!(google.instances(BOB, "standup").len(), 2);
}

#[tokio::test]
async fn a_guest_of_one_instance_has_no_series() {
    let google = three().await;
    google
        .insert(
            ALICE,
            "primary",
            with_guests(daily("Standup", 3), "standup", &[CAROL]),
        )
        .unwrap();
    let instance = "standup_20261202T080000Z";
    google
        .patch(
            ALICE,
            "primary",
            instance,
            guest_list(&[(CAROL, "accepted"), (BOB, "needsAction")]),
        )
        .unwrap();
    let bob = Client::of(&google, BOB);
    for list in [
        "calendars/primary/events?",
        "calendars/primary/events?singleEvents=true",
    ] {
        let (items, _) = bob.list(list).await;
        assert_eq!(ids(&items), [instance], "{list}");
        assert_eq!(items[0]["recurringEventId"], "standup");
    }
    assert_eq!(bob.get("calendars/primary/events/standup").await.0, 404);
    google.delete(ALICE, "primary", "standup").unwrap();
    assert_eq!(event(&google, BOB, instance)["status"], "cancelled");
}

#[tokio::test]
async fn guests_invite_others_and_uninvite_none() {
    let google = three().await;
    google
        .insert(
            ALICE,
            "primary",
            with_guests(hour("Lunch", 1), "lunch", &[BOB, STRANGER]),
        )
        .unwrap();
    let bob = Client::of(&google, BOB);
    let more = guest_list(&[(BOB, "accepted"), (CAROL, "needsAction")]);
    bob.patch(&path("lunch", "all"), more.clone()).await;
    assert_eq!(answer(&google, ALICE, "lunch", STRANGER), "needsAction");
    assert_eq!(answer(&google, CAROL, "lunch", BOB), "accepted");
    let mails: Vec<_> = google
        .mails()
        .into_iter()
        .map(|mail| (mail.to, mail.kind))
        .collect();
    assert_eq!(
        mails,
        [
            (ALICE.to_owned(), MailKind::Response),
            (CAROL.to_owned(), MailKind::Invitation)
        ]
    );

    let mut closed = with_guests(hour("Board", 2), "board", &[BOB]);
    closed["guestsCanInviteOthers"] = json!(false);
    google.insert(ALICE, "primary", closed).unwrap();
    bob.patch(&path("board", "all"), more).await;
    assert_eq!(answer(&google, ALICE, "board", BOB), "accepted");
    assert_eq!(answer(&google, ALICE, "board", CAROL), Value::Null);
    assert_eq!(event(&google, CAROL, "board"), Value::Null);
}

#[tokio::test]
async fn guests_who_may_modify_change_the_event_for_all() {
    let google = three().await;
    let mut plan = with_guests(hour("Plan", 1), "plan1", &[BOB, CAROL]);
    plan["guestsCanModify"] = json!(true);
    google.insert(ALICE, "primary", plan).unwrap();
    google
        .patch(
            BOB,
            "primary",
            "plan1",
            json!({"summary": "Bob's plan", "colorId": "4"}),
        )
        .unwrap();
    for calendar in [ALICE, BOB, CAROL] {
        assert_eq!(
            event(&google, calendar, "plan1")["summary"],
            "Bob's plan",
            "{calendar}"
        );
    }
    assert_eq!(event(&google, ALICE, "plan1")["colorId"], Value::Null);
    google.delete(BOB, "primary", "plan1").unwrap();
    assert_eq!(event(&google, ALICE, "plan1")["status"], "confirmed");
    assert_eq!(answer(&google, ALICE, "plan1", BOB), "declined");
}

#[tokio::test]
async fn a_moved_event_keeps_its_guests() {
    let google = three().await;
    let team = "team@group.calendar.google.com";
    google
        .insert(ALICE, "primary", with_guests(hour("Lunch", 1), "lunch", &[BOB]))
        .unwrap();
    let alice = Client::of(&google, ALICE);
    let moved = format!("calendars/primary/events/lunch/move?destination={team}");
    assert_eq!(alice.post(&moved, json!({})).await.0, 200);
    let seen = event(&google, BOB, "lunch");
    assert_eq!(
        (&seen["status"], &seen["organizer"]["email"]),
        (&json!("confirmed"), &json!(team))
    );
    google
        .patch(BOB, "primary", "lunch", guest_list(&[(BOB, "accepted")]))
        .unwrap();
    assert_eq!(answer(&google, team, "lunch", BOB), "accepted");
}

#[tokio::test]
async fn an_event_of_a_guests_own_stays() {
    let google = three().await;
    google
        .insert(BOB, "primary", with_guests(hour("Mine", 3), "samename", &[]))
        .unwrap();
    google
        .insert(
            ALICE,
            "primary",
            with_guests(hour("Lunch", 1), "samename", &[BOB]),
        )
        .unwrap();
    google.delete(ALICE, "primary", "samename").unwrap();
    let mine = event(&google, BOB, "samename");
    assert_eq!(
        (&mine["summary"], &mine["status"]),
        (&json!("Mine"), &json!("confirmed"))
    );
}
