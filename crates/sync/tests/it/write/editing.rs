//! The usual write: in Google, in the mirror and published, before Google's own push arrives.

use event_model::wire::Change;
use google_emulator::MailKind;
use serde_json::json;
use sqlx::PgPool;
use sync::write::{Command, Mail, Request, Response, WriteResult};

use super::user::*;
use crate::world::{ALICE, BOB, TEAM, World, alice};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_new_event_has_every_field(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut event = hour(&world, "Review", 2, 9);
    for (key, value) in [
        ("description", json!("Bring the plans")),
        ("location", json!("Room 3")),
        ("colorId", json!("5")),
        (
            "attendees",
            json!([{"email": BOB}, {"email": "carol@elsewhere.example", "optional": true}]),
        ),
        (
            "reminders",
            json!({"overrides": [{"method": "popup", "minutes": 5}]}),
        ),
        ("conference", json!("meet")),
    ] {
        event[key] = value;
    }
    let (made, merged) = done(&world, create(event)).await;
    let made = made.unwrap();
    assert!(!merged);
    assert_eq!(
        (made.view.title.as_str(), made.view.color_id.as_deref()),
        ("Review", Some("5"))
    );
    assert!(
        made.view
            .conference_url
            .unwrap()
            .starts_with("https://meet.google.com/")
    );
    let there = google(&world, &made.id);
    assert_eq!(there["start"]["timeZone"], "Europe/Berlin");
    assert_eq!(there["reminders"]["overrides"][0]["minutes"], 5);
    assert_eq!(there["attendees"][1]["optional"], true);
    assert_eq!(
        mails(&world),
        [
            (BOB.to_owned(), MailKind::Invitation),
            ("carol@elsewhere.example".to_owned(), MailKind::Invitation)
        ]
    );

    let told = world.messages(&alice()).await;
    let [Change::EventsChanged { upserted, .. }] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(upserted[0].events[0].view.0.etag, made.view.etag);
    assert_eq!(world.day(&alice(), 2).await[0].0, "Review");
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_edit_is_sparse_and_clears_with_null(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut event = hour(&world, "Review", 2, 9);
    event["location"] = json!("Room 3");
    event["colorId"] = json!("5");
    let made = done(&world, create(event)).await.0.unwrap();
    let edit = json!({"title": "Late review", "location": null, "start": world.at(2, 14)});
    let (edited, _) = done(&world, update(&made, None, edit)).await;
    let edited = edited.unwrap();
    assert_eq!(
        (edited.view.title.as_str(), &edited.view.location),
        ("Late review", &None)
    );
    assert_eq!(edited.view.color_id.as_deref(), Some("5"));
    assert_eq!(world.day(&alice(), 2).await.len(), 1);
    let there = google(&world, &made.id);
    assert_eq!(
        (there.get("location"), there["summary"].as_str()),
        (None, Some("Late review"))
    );
    assert_ne!(edited.view.etag, made.view.etag);
    assert_silent(&world).await;

    // An edit that changes nothing is not written.
    let before = world.google.requests_to("events.patch").len();
    let again = done(&world, update(&edited, None, json!({"title": "Late review"})))
        .await
        .0;
    assert_eq!(again.unwrap().view.etag, edited.view.etag);
    assert_eq!(world.google.requests_to("events.patch").len(), before);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_timed_event_becomes_all_day_and_back(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let made = done(&world, create(hour(&world, "Trip", 2, 9))).await.0.unwrap();
    let day = world.today() + chrono::Days::new(2);
    let edit = json!({"start": day, "end": day + chrono::Days::new(2)});
    let days = done(&world, update(&made, None, edit)).await.0.unwrap();
    assert!(days.view.all_day);
    assert_eq!(google(&world, &made.id)["start"], json!({"date": day}));
    let back = json!({"start": world.at(2, 9), "end": world.at(2, 10)});
    let timed = done(&world, update(&days, None, back)).await.0.unwrap();
    assert!(!timed.view.all_day);
    assert_eq!(timed.view.time_zone.as_deref(), Some("Europe/Berlin"));
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_delete_removes_the_event_and_mails_guests_once(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut event = hour(&world, "Review", 2, 9);
    event["attendees"] = json!([{"email": BOB}]);
    let made = done(&world, create(event)).await.0.unwrap();
    world.messages(&alice()).await;
    assert_eq!(done(&world, delete(&made, None)).await, (None, false));
    assert_eq!(google(&world, &made.id)["status"], "cancelled");
    assert!(world.day(&alice(), 2).await.is_empty());
    let told = world.messages(&alice()).await;
    assert!(matches!(&told[..], [Change::EventsChanged { deleted, .. }] if *deleted == [made.id.clone()]));
    let cancellations = mails(&world)
        .into_iter()
        .filter(|(_, kind)| *kind == MailKind::Cancellation);
    assert_eq!(cancellations.count(), 1);
    world.push_and_settle(&alice()).await;
    assert!(world.message_types(&alice()).await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_event_moves_to_another_calendar_under_its_id(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let made = done(&world, create(hour(&world, "Review", 2, 9)))
        .await
        .0
        .unwrap();
    world.messages(&alice()).await;
    let team = world.id(&alice(), TEAM).await;
    let command = Command::Move {
        event_id: made.id.clone(),
        destination: team,
    };
    let moved = done(&world, command).await.0.unwrap();
    assert_eq!((moved.calendar_id, &moved.id), (team, &made.id));
    assert_eq!(world.day(&alice(), 2).await.len(), 1);
    assert_eq!(
        world.message_types(&alice()).await,
        ["events.changed", "events.changed"]
    );
    world.assert_in_step(&alice(), TEAM).await;
    world.push_and_settle(&alice()).await;
    assert!(world.message_types(&alice()).await.is_empty());

    // It cannot be moved back: a calendar accepts an id once. It stays where it is.
    let back = Command::Move {
        event_id: made.id.clone(),
        destination: made.calendar_id,
    };
    let request = Request {
        calendar: team,
        mail: Some(Mail::All),
        command: back,
    };
    let moved_back = sync::write::submit(&world.ctx, &alice(), "back", request)
        .await
        .unwrap();
    assert!(
        matches!(moved_back.result, Some(WriteResult::Failed(_))),
        "{moved_back:?}"
    );
    assert_eq!(world.day(&alice(), 2).await.len(), 1);
    world.assert_in_step(&alice(), TEAM).await;
}

/// The destination has an event of that id, which is not the moved one.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_event_does_not_move_onto_its_own_invitation(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut event = world.event("Together", 2, 9);
    event["attendees"] = json!([{ "email": ALICE }]);
    let event = world.google.insert(BOB, TEAM, event).unwrap();
    world.push_and_settle(&alice()).await;
    let request = Request {
        calendar: world.id(&alice(), TEAM).await,
        mail: Some(Mail::None),
        command: Command::Move {
            event_id: event["id"].as_str().unwrap().to_owned(),
            destination: world.id(&alice(), ALICE).await,
        },
    };
    let submitted = sync::write::submit(&world.ctx, &alice(), "move", request)
        .await
        .unwrap();
    assert!(
        matches!(submitted.result, Some(WriteResult::Failed(_))),
        "{submitted:?}"
    );
    world.assert_in_step(&alice(), TEAM).await;
    world.assert_in_step(&alice(), ALICE).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_answer_to_an_invitation_leaves_the_other_guests_alone(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut event = world.event("Invitation", 2, 9);
    event["attendees"] =
        json!([{"email": ALICE}, {"email": "carol@example.com", "responseStatus": "accepted"}]);
    event["organizer"] = json!({"email": BOB});
    event["id"] = json!("invitation1");
    world.google.with(|state| {
        let event = serde_json::from_value(event).unwrap();
        google_emulator_seed(state, &event);
    });
    world.push_and_settle(&alice()).await;
    let invited = instance(&world, 2).await;
    assert!(invited.view.can_edit.contains(&"responseStatus".to_owned()));
    let respond = |response| Command::Respond {
        event_id: invited.id.clone(),
        response,
        comment: Some("With pleasure".into()),
        scope: None,
    };
    let answered = done(&world, respond(Response::Accepted)).await.0.unwrap();
    let own = answered
        .view
        .attendees
        .iter()
        .find(|guest| guest.is_self)
        .unwrap();
    assert_eq!(own.response_status, "accepted");
    let there = google(&world, "invitation1");
    assert_eq!(there["attendees"].as_array().unwrap().len(), 2);
    assert_eq!(there["attendees"][1]["responseStatus"], "accepted");
    assert_eq!(there["attendees"][0]["comment"], "With pleasure");
    assert_eq!(mails(&world), [(BOB.to_owned(), MailKind::Response)]);
    assert_silent(&world).await;
    // The same answer again mails no one.
    assert!(matches!(
        result(&world, respond(Response::Accepted)).await,
        WriteResult::Done { .. }
    ));
    assert_eq!(mails(&world).len(), 1);
}

fn google_emulator_seed(state: &mut google_emulator::State, event: &google_emulator::Resource) {
    let calendar = json!({"id": ALICE, "summary": "Mine", "timeZone": "Europe/Berlin", "primary": true,
        "events": [event]});
    let seed = json!({"users": [{"email": ALICE, "calendars": [calendar]}]});
    let seed = google_emulator::Seed::from_json("seed", &seed.to_string()).unwrap();
    state.load(&seed).unwrap();
}
