//! A process dies at each step of a write, and another one resumes it: one event, one mail.

use std::time::Duration;

use event_model::wire::Event;
use google_emulator::{Fault, MailKind, Rule};
use serde_json::json;
use sqlx::PgPool;
use sync::write::{Command, Reason, Scope, WriteResult};

use super::kill::*;
use super::user::*;
use crate::world::{ALICE, BOB, World, alice};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_create_makes_one_event_and_one_mail_despite_crashes(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for (nth, kill) in (1..).zip(ALL) {
        let (key, request) = (key(), invitation(&world).await);
        die_at(&world, kill, "events.insert", &key, &request).await;
        take_over(&world).await;
        // The user, who never got an answer, clicks twice more.
        let (one, other) = tokio::join!(
            answer(&world, &key, request.clone()),
            answer(&world, &key, request)
        );
        assert_eq!(one, other, "{kill:?}");
        assert!(
            matches!(one, WriteResult::Done { event: Some(_), .. }),
            "{kill:?}: {one:?}"
        );
        assert_eq!(alive(&world).len(), nth, "{kill:?}");
        assert_eq!(mails(&world).len(), nth, "{kill:?}");
        assert_silent(&world).await;
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_edit_is_written_and_mailed_once_despite_crashes(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let (key, request) = (key(), invitation(&world).await);
    let made = match answer(&world, &key, request).await {
        WriteResult::Done {
            event: Some(event), ..
        } => *event,
        other => panic!("{other:?}"),
    };
    let mut seen: Event = made;
    for (nth, kill) in (1..).zip(ALL) {
        let title = format!("Review {nth}");
        let request = super::user::request(&world, update(&seen, None, json!({"title": title}))).await;
        let key = super::user::key();
        die_at(&world, kill, "events.patch", &key, &request).await;
        take_over(&world).await;
        let WriteResult::Done {
            event: Some(event), ..
        } = answer(&world, &key, request).await
        else {
            panic!("{kill:?}");
        };
        seen = *event;
        assert_eq!(seen.view.title, title, "{kill:?}");
        assert_eq!(google(&world, &seen.id)["summary"], json!(title));
        let updates = mails(&world)
            .into_iter()
            .filter(|(_, kind)| *kind == MailKind::Update)
            .count();
        assert_eq!(updates, nth, "{kill:?}");
        assert_silent(&world).await;
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_edit_applied_unseen_does_not_overwrite_later_changes(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let made = done(&world, create(hour(&world, "Review", 2, 9)))
        .await
        .0
        .unwrap();
    let request = request(&world, update(&made, None, json!({"title": "Ours"}))).await;
    let key = key();
    die_at(&world, Kill::AfterGoogle, "events.patch", &key, &request).await;
    // Someone changes the same field in Google before a worker takes over.
    world
        .google
        .patch(ALICE, ALICE, &made.id, json!({"summary": "Theirs"}))
        .unwrap();
    take_over(&world).await;
    assert!(
        matches!(answer(&world, &key, request).await, WriteResult::Done { .. }),
        "the edit was applied, then changed"
    );
    assert_eq!(google(&world, &made.id)["summary"], "Theirs");
    assert_eq!(instance(&world, 2).await.view.title, "Theirs");
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_delete_is_done_once_despite_crashes(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for (nth, kill) in (1..).zip(ALL) {
        let (made_by, made) = (key(), invitation(&world).await);
        let WriteResult::Done {
            event: Some(event), ..
        } = answer(&world, &made_by, made).await
        else {
            panic!("made");
        };
        let request = request(&world, delete(&event, None)).await;
        let key = key();
        die_at(&world, kill, "events.delete", &key, &request).await;
        take_over(&world).await;
        assert_eq!(
            answer(&world, &key, request).await,
            WriteResult::Done {
                event: None,
                merged: false
            }
        );
        assert!(alive(&world).is_empty());
        let cancellations = mails(&world)
            .into_iter()
            .filter(|(_, kind)| *kind == MailKind::Cancellation)
            .count();
        assert_eq!(cancellations, nth, "{kill:?}");
        assert!(world.day(&alice(), 2).await.is_empty());
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_split_makes_two_series_despite_crashes(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    let steps = [
        (Kill::BeforeGoogle, "events.patch"),
        (Kill::AfterGoogle, "events.patch"),
        (Kill::BeforeGoogle, "events.insert"),
        (Kill::AfterGoogle, "events.insert"),
        (Kill::InCommit, "events.insert"),
    ];
    for (kill, endpoint) in steps {
        let mut event = hour(&world, "Weekly", 1, 9);
        event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=6"]);
        event["attendees"] = json!([{"email": BOB}]);
        done(&world, create(event)).await;
        let third = instance(&world, 15).await;
        let request = request(
            &world,
            update(&third, Some(Scope::Following), json!({"title": "Later"})),
        )
        .await;
        let (key, mailed) = (key(), mails(&world).len());
        die_at(&world, kill, endpoint, &key, &request).await;
        take_over(&world).await;
        let WriteResult::Done {
            event: Some(later), ..
        } = answer(&world, &key, request).await
        else {
            panic!("{kill:?} {endpoint}");
        };
        assert_eq!(later.view.title, "Later");
        let rules: Vec<_> = alive(&world)
            .iter()
            .map(|event| event["recurrence"][0].clone())
            .collect();
        assert_eq!(rules.len(), 2, "{kill:?} {endpoint}: {rules:?}");
        assert!(
            rules.contains(&json!("RRULE:FREQ=WEEKLY;COUNT=2"))
                && rules.contains(&json!("RRULE:FREQ=WEEKLY;COUNT=4"))
        );
        // One mail about the end of the old series, one about the new series.
        assert_eq!(mails(&world).len(), mailed + 2, "{kill:?} {endpoint}");
        assert_silent(&world).await;
        for day in [1, 15] {
            let event = instance(&world, day).await;
            done(&world, delete(&event, Some(Scope::All))).await;
        }
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_lost_response_and_double_clicks_make_one_event(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.fault(Rule::new("events.insert", Fault::Reset { after: true }).times(1));
    let (key, request) = (key(), invitation(&world).await);
    let clicks = (0..3).map(|_| answer(&world, &key, request.clone()));
    let answers = futures_util::future::join_all(clicks).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!((alive(&world).len(), mails(&world).len()), (1, 1));
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_move_ends_in_one_calendar_despite_crashes(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let team = world.id(&alice(), crate::world::TEAM).await;
    for kill in ALL {
        let made = done(&world, create(hour(&world, "Review", 2, 9)))
            .await
            .0
            .unwrap();
        let command = Command::Move {
            event_id: made.id.clone(),
            destination: team,
        };
        let request = request(&world, command).await;
        let key = key();
        die_at(&world, kill, "events.move", &key, &request).await;
        take_over(&world).await;
        let WriteResult::Done {
            event: Some(event), ..
        } = answer(&world, &key, request).await
        else {
            panic!("{kill:?}");
        };
        assert_eq!(event.calendar_id, team);
        assert!(alive(&world).is_empty());
        let there = world.google.event(crate::world::TEAM, &made.id).unwrap();
        assert_eq!(there["status"], "confirmed", "{kill:?}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_applied_edit_is_found_before_it_is_sent_again(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let made = done(&world, create(hour(&world, "Review", 2, 9)))
        .await
        .0
        .unwrap();
    world.fault(Rule::new("events.patch", Fault::Reset { after: true }).times(1));
    let refusal = Fault::Error {
        status: 403,
        reason: Some("forbiddenForNonOrganizer".into()),
        message: None,
        retry_after: None,
    };
    world.fault(Rule::new("events.patch", refusal).skipping(1));
    let edited = done(&world, update(&made, None, json!({"title": "Ours"})))
        .await
        .0;
    assert_eq!(edited.unwrap().view.title, "Ours");
    assert_eq!(world.google.requests_to("events.patch").len(), 1);
    assert_silent(&world).await;
}

/// The event is inserted, pulled and deleted before the create commits: no later pull reports it.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_event_deleted_before_its_create_commits_stays_deleted(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let rule = Rule::new("events.insert", Fault::Hold { after: true }).times(1);
    let held = world.google.fault(rule);
    let request = request(&world, create(hour(&world, "Review", 2, 9))).await;
    let key = key();
    let deletes = async {
        let made = loop {
            if let Some(made) = alive(&world).first() {
                break made["id"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        world.push_and_settle(&alice()).await;
        world.google.delete(ALICE, ALICE, &made).unwrap();
        world.push_and_settle(&alice()).await;
        world.google.clear_fault(&held);
    };
    let (end, ()) = tokio::join!(answer(&world, &key, request), deletes);
    let WriteResult::Failed(failure) = end else {
        panic!("{end:?}");
    };
    assert_eq!(failure.reason, Reason::EventDeleted);
    assert_silent(&world).await;
}

/// The process that died had stored the ended old series in its plan.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_series_deleted_during_its_split_stays_deleted(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut event = hour(&world, "Weekly", 1, 9);
    event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=6"]);
    done(&world, create(event)).await;
    let third = instance(&world, 15).await;
    let edit = update(&third, Some(Scope::Following), json!({"title": "Later"}));
    let request = request(&world, edit).await;
    let key = key();
    die_at(&world, Kill::InCommit, "events.insert", &key, &request).await;
    let series = third.recurring_event_id.unwrap();
    world.google.delete(ALICE, ALICE, &series).unwrap();
    world.push_and_settle(&alice()).await;
    take_over(&world).await;
    let WriteResult::Done {
        event: Some(later), ..
    } = answer(&world, &key, request).await
    else {
        panic!("the new series should exist");
    };
    assert_eq!(later.view.title, "Later");
    assert_silent(&world).await;
}
