//! Writes while someone else changes the same event.

use event_model::fields::Field;
use event_model::wire::Event;
use google_emulator::{Fault, Rule};
use serde_json::json;
use sqlx::PgPool;

use super::user::*;
use crate::world::{ALICE, World, alice};

async fn review(world: &World) -> Event {
    let mut event = hour(world, "Review", 2, 9);
    event["location"] = json!("Room 3");
    done(world, create(event)).await.0.unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn changes_to_different_fields_are_merged(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let seen = review(&world).await;
    // A change in Google that was not pulled yet.
    world
        .google
        .patch(ALICE, ALICE, &seen.id, json!({"location": "Room 4"}))
        .unwrap();
    let (event, merged) = done(&world, update(&seen, None, json!({"title": "Design review"}))).await;
    let event = event.unwrap();
    assert!(merged);
    assert_eq!(
        (event.view.title.as_str(), event.view.location.as_deref()),
        ("Design review", Some("Room 4"))
    );
    let there = google(&world, &seen.id);
    assert_eq!(
        (&there["summary"], &there["location"]),
        (&json!("Design review"), &json!("Room 4"))
    );
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn edits_of_an_older_version_merge_with_the_mirror(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let seen = review(&world).await;
    // Another tab writes twice; this one still shows the old version.
    done(&world, update(&seen, None, json!({"location": "Room 4"}))).await;
    let newer = instance(&world, 2).await;
    done(&world, update(&newer, None, json!({"colorId": "7"}))).await;
    let (event, merged) = done(&world, update(&seen, None, json!({"title": "Design review"}))).await;
    let event = event.unwrap();
    assert!(merged);
    assert_eq!(
        (event.view.location.as_deref(), event.view.color_id.as_deref()),
        (Some("Room 4"), Some("7"))
    );
    // The mirror had the newer version: Google never had to refuse.
    let refused = world
        .google
        .requests()
        .iter()
        .filter(|request| request.status == Some(412))
        .count();
    assert_eq!(refused, 0);
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_conflict_writes_nothing_and_returns_both_sides(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let seen = review(&world).await;
    let theirs = json!({"summary": "Theirs", "description": "Also new"});
    world.google.patch(ALICE, ALICE, &seen.id, theirs).unwrap();
    let conflict = conflict(
        &world,
        update(&seen, None, json!({"title": "Ours", "colorId": "7"})),
    )
    .await;
    assert_eq!(conflict.fields, [Field::Title]);
    assert_eq!(conflict.base.unwrap()["title"], "Review");
    let ours = conflict.ours.unwrap();
    assert_eq!((&ours["title"], &ours["colorId"]), (&json!("Ours"), &json!("7")));
    assert_eq!(conflict.theirs["title"], "Theirs");
    let there = google(&world, &seen.id);
    assert_eq!(
        (&there["summary"], &there["etag"]),
        (&json!("Theirs"), &json!(conflict.etag))
    );
    assert_eq!(
        there.get("colorId"),
        None,
        "the other field is not written either"
    );
    // The mirror is up to date: the next edit is based on it.
    let now = instance(&world, 2).await;
    assert_eq!(
        (now.view.title.as_str(), &now.view.etag),
        ("Theirs", &conflict.etag)
    );
    let decided = done(&world, update(&now, None, json!({"title": "Ours"})))
        .await
        .0
        .unwrap();
    assert_eq!(decided.view.title, "Ours");
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn concurrent_writes_from_several_tabs_all_succeed(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let seen = review(&world).await;
    let one = result(&world, update(&seen, None, json!({"title": "One"})));
    let other = result(&world, update(&seen, None, json!({"location": "Room 5"})));
    let guests = json!({"attendees": [{"email": "carol@example.com"}]});
    let third = result(&world, update(&seen, None, guests));
    tokio::join!(one, other, third);
    let now = instance(&world, 2).await;
    assert_eq!(
        (now.view.title.as_str(), now.view.location.as_deref()),
        ("One", Some("Room 5"))
    );
    assert_eq!(now.view.attendees.len(), 1);
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn guests_invited_by_both_sides_are_all_kept(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let seen = review(&world).await;
    let carol = json!({"attendees": [{"email": "carol@example.com", "responseStatus": "accepted"}]});
    world.google.patch(ALICE, ALICE, &seen.id, carol).unwrap();
    let dave = json!({"attendees": [{"email": "dave@example.com"}]});
    let (event, merged) = done(&world, update(&seen, None, dave)).await;
    let guests = event.unwrap().view.attendees;
    assert!(merged);
    let answers: Vec<_> = guests
        .iter()
        .map(|guest| guest.response_status.as_str())
        .collect();
    assert_eq!(answers, ["accepted", "needsAction"], "a guest's answer is kept");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_edit_of_an_unknown_version_overwrites_nothing(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut seen = review(&world).await;
    seen.view.etag = "\"1\"".into();
    let conflict = conflict(&world, update(&seen, None, json!({"title": "Ours"}))).await;
    assert_eq!((conflict.fields, conflict.base), (vec![Field::Title], None));
    // A field that already has the requested value is no conflict.
    let (event, _) = done(&world, update(&seen, None, json!({"title": "Review"}))).await;
    assert_eq!(event.unwrap().view.title, "Review");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_delete_conflicts_if_the_event_has_changed(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let seen = review(&world).await;
    world
        .google
        .patch(ALICE, ALICE, &seen.id, json!({"summary": "Now important"}))
        .unwrap();
    let conflict = conflict(&world, delete(&seen, None)).await;
    assert_eq!((conflict.fields, conflict.ours), (vec![Field::Title], None));
    assert_eq!(google(&world, &seen.id)["status"], "confirmed");
    assert_eq!(instance(&world, 2).await.view.title, "Now important");

    // Another color does not prevent the deletion.
    let seen = instance(&world, 2).await;
    world
        .google
        .patch(ALICE, ALICE, &seen.id, json!({"colorId": "3"}))
        .unwrap();
    done(&world, delete(&seen, None)).await;
    assert_eq!(google(&world, &seen.id)["status"], "cancelled");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deleting_a_deleted_event_succeeds_and_editing_it_fails(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let (one, other) = (review(&world).await, review(&world).await);
    world.google.delete(ALICE, ALICE, &one.id).unwrap();
    world.google.delete(ALICE, ALICE, &other.id).unwrap();
    assert_eq!(done(&world, delete(&one, None)).await, (None, false));
    let (reason, _) = failure(&world, update(&other, None, json!({"title": "Ours"}))).await;
    assert_eq!(reason.name(), "EVENT_DELETED");
    assert!(
        world.day(&alice(), 2).await.is_empty(),
        "the mirror has no events"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_temporary_412_is_retried(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let seen = review(&world).await;
    let refusal = Fault::Error {
        status: 412,
        reason: Some("conditionNotMet".into()),
        message: None,
        retry_after: None,
    };
    world.fault(Rule::new("events.patch", refusal).times(2));
    let (event, _) = done(&world, update(&seen, None, json!({"title": "Ours"}))).await;
    assert_eq!(event.unwrap().view.title, "Ours");
    assert_silent(&world).await;
}
