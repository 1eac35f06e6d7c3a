//! A process dies at each step of a write, and another one goes on: one event, one mail.
//!
//! A step is held up from outside (a delay at Google, a lock in Postgres), then the work is dropped where it stands, as a
//! kill does: the open transaction is rolled back, the connection to Google is closed, the lease stays.

use std::time::Duration;

use event_model::wire::Event;
use google_emulator::{Fault, MailKind, Rule};
use serde_json::{Value, json};
use sqlx::PgPool;
use sync::write::{Command, LIFE, Reason, Request, Scope, WriteResult, run_once, submit};

use super::user::*;
use crate::world::{ALICE, BOB, World, alice, client_of};

/// What is done to a write before it is left alone.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kill {
    /// The request is committed, and Google is about to hear of it.
    BeforeGoogle,
    /// Google has done it, and its answer is lost with the process.
    AfterGoogle,
    /// The answer is there, and what it brought is being committed.
    InCommit,
}

/// Dies at this step of the nth call of `endpoint`; then somebody else takes over.
async fn die_at(world: &World, kill: Kill, endpoint: &str, key: &str, request: &Request) {
    let (delay, lock) = match kill {
        Kill::BeforeGoogle => (
            Some(
                world.google.fault(
                    Rule::new(
                        endpoint,
                        Fault::Delay {
                            ms: 60_000,
                            jitter_ms: 0,
                        },
                    )
                    .times(1),
                ),
            ),
            None,
        ),
        Kill::AfterGoogle => (
            Some(
                world
                    .google
                    .fault(Rule::new(endpoint, Fault::Stall { ms: 60_000 }).times(1)),
            ),
            None,
        ),
        Kill::InCommit => {
            let mut tx = world.pool.begin().await.unwrap();
            sqlx::query("select 1 from calendars for no key update")
                .execute(&mut *tx)
                .await
                .unwrap();
            (None, Some(tx))
        }
    };
    let asked = world.google.requests_to(endpoint).len();
    let prepared = work(world, key, request);
    // Dropped with all it holds: `submit` works in a task of its own, so the runtime is what dies.
    prepared
        .until(async || {
            world.google.requests_to(endpoint).len() > asked && kill_is_due(world, kill, endpoint, asked)
        })
        .await;
    drop(lock);
    if let Some(id) = delay {
        world.google.clear_fault(&id);
    }
}

fn kill_is_due(world: &World, kill: Kill, endpoint: &str, asked: usize) -> bool {
    let call = &world.google.requests_to(endpoint)[asked];
    match kill {
        Kill::BeforeGoogle => true,
        Kill::AfterGoogle | Kill::InCommit => call.status.is_some(),
    }
}

/// A process of its own, as far as a test can have one: a runtime that can be dropped.
struct Process {
    runtime: tokio::runtime::Runtime,
}

fn work(world: &World, key: &str, request: &Request) -> Process {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (mut ctx, key, request) = (world.ctx.clone(), key.to_owned(), request.clone());
    // Connections to Google belong to the runtime that made them.
    ctx.google = client_of(&world.google);
    let url = world.pool.connect_options();
    runtime.spawn(async move {
        ctx.pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(3)
            .connect_with((*url).clone())
            .await
            .unwrap();
        let _ = submit(&ctx, &alice(), &key, request).await;
    });
    Process { runtime }
}

impl Process {
    async fn until(self, is_there: impl AsyncFn() -> bool) {
        for _ in 0..1_000 {
            if is_there().await {
                // A moment for what follows the answer.
                tokio::time::sleep(Duration::from_millis(150)).await;
                self.runtime.shutdown_background();
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the step was not reached");
    }
}

async fn take_over(world: &World) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..6 {
        sqlx::query("update write_intents set leased_until = now() - interval '1 s', not_before = now() where lease_token is not null or not_before > now()")
            .execute(&world.pool)
            .await
            .unwrap();
        run_once(&world.ctx).await.unwrap();
    }
}

async fn answer(world: &World, key: &str, request: Request) -> WriteResult {
    let submitted = submit(&world.ctx, &alice(), key, request).await.unwrap();
    submitted.result.expect("not pending")
}

fn alive(world: &World) -> Vec<Value> {
    let events = world.google.events(ALICE);
    events
        .into_iter()
        .filter(|event| event["status"] != "cancelled")
        .map(Value::from)
        .collect()
}

async fn invitation(world: &World) -> Request {
    let mut event = hour(world, "Review", 2, 9);
    event["attendees"] = json!([{"email": BOB}]);
    request(world, create(event)).await
}

const ALL: [Kill; 3] = [Kill::BeforeGoogle, Kill::AfterGoogle, Kill::InCommit];

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_create_is_one_event_and_one_mail_whatever_dies(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for (nth, kill) in (1..).zip(ALL) {
        let (key, request) = (key(), invitation(&world).await);
        die_at(&world, kill, "events.insert", &key, &request).await;
        take_over(&world).await;
        // The user, who never got an answer, presses the button twice more.
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
async fn an_edit_is_written_once_and_told_once_whatever_dies(pool: PgPool) {
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
        assert_eq!(seen.title, title, "{kill:?}");
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
async fn an_edit_that_came_through_unseen_is_not_written_over_what_followed(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let made = done(&world, create(hour(&world, "Review", 2, 9)))
        .await
        .0
        .unwrap();
    let request = request(&world, update(&made, None, json!({"title": "Ours"}))).await;
    let key = key();
    die_at(&world, Kill::AfterGoogle, "events.patch", &key, &request).await;
    // Somebody changes the same field in Google before anybody takes over.
    world
        .google
        .patch(ALICE, ALICE, &made.id, json!({"summary": "Theirs"}))
        .unwrap();
    take_over(&world).await;
    assert!(
        matches!(answer(&world, &key, request).await, WriteResult::Done { .. }),
        "it was done, and then it was changed"
    );
    assert_eq!(google(&world, &made.id)["summary"], "Theirs");
    assert_eq!(instance(&world, 2).await.title, "Theirs");
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_delete_is_done_once_whatever_dies(pool: PgPool) {
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
async fn a_cut_series_is_two_whatever_dies(pool: PgPool) {
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
        assert_eq!(later.title, "Later");
        let rules: Vec<_> = alive(&world)
            .iter()
            .map(|event| event["recurrence"][0].clone())
            .collect();
        assert_eq!(rules.len(), 2, "{kill:?} {endpoint}: {rules:?}");
        assert!(
            rules.contains(&json!("RRULE:FREQ=WEEKLY;COUNT=2"))
                && rules.contains(&json!("RRULE:FREQ=WEEKLY;COUNT=4"))
        );
        // One of the end of the old series, one of the new one.
        assert_eq!(mails(&world).len(), mailed + 2, "{kill:?} {endpoint}");
        assert_silent(&world).await;
        for day in [1, 15] {
            let event = instance(&world, day).await;
            done(&world, delete(&event, Some(Scope::All))).await;
        }
    }
}

/// All workers were away, or a backup was brought back.
async fn too_late(world: &World) {
    world.clock.advance(LIFE);
    take_over(world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_create_that_nobody_waits_for_any_more_is_looked_for_and_not_made(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for (kill, state) in [
        (Kill::BeforeGoogle, "pending"),
        (Kill::BeforeGoogle, "sent"),
        (Kill::AfterGoogle, "sent"),
    ] {
        let (key, request) = (key(), invitation(&world).await);
        die_at(&world, kill, "events.insert", &key, &request).await;
        sqlx::query("update write_intents set state = $1 where idempotency_key = $2 and state = 'sent'")
            .bind(state)
            .bind(&key)
            .execute(&world.pool)
            .await
            .unwrap();
        let (made, mailed) = (alive(&world).len(), mails(&world).len());
        let asked = world.google.requests_to("events.insert").len();
        too_late(&world).await;
        let end = answer(&world, &key, request).await;
        if kill == Kill::AfterGoogle {
            assert!(matches!(end, WriteResult::Done { event: Some(_), .. }), "{end:?}");
        } else {
            assert!(
                matches!(&end, WriteResult::Failed(failure) if failure.reason == Reason::GoogleUnavailable),
                "{state}: {end:?}"
            );
        }
        assert_eq!(
            world.google.requests_to("events.insert").len(),
            asked,
            "{kill:?} {state}"
        );
        assert_eq!((alive(&world).len(), mails(&world).len()), (made, mailed));
        assert_silent(&world).await;
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_edit_that_nobody_waits_for_any_more_is_not_written(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let made = done(&world, create(hour(&world, "Review", 2, 9)))
        .await
        .0
        .unwrap();
    let request = request(&world, update(&made, None, json!({"title": "Stale"}))).await;
    let key = key();
    die_at(&world, Kill::BeforeGoogle, "events.patch", &key, &request).await;
    too_late(&world).await;
    let end = answer(&world, &key, request).await;
    assert!(
        matches!(&end, WriteResult::Failed(failure) if failure.reason == Reason::GoogleUnavailable),
        "{end:?}"
    );
    assert_eq!(google(&world, &made.id)["summary"], "Review");
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_cut_that_nobody_waits_for_any_more_is_whole_or_undone(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    for kill in [Kill::BeforeGoogle, Kill::AfterGoogle] {
        let mut event = hour(&world, "Weekly", 1, 9);
        event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=6"]);
        done(&world, create(event)).await;
        let third = instance(&world, 15).await;
        let command = update(&third, Some(Scope::Following), json!({"title": "Later"}));
        let (key, request) = (key(), request(&world, command).await);
        die_at(&world, kill, "events.insert", &key, &request).await;
        too_late(&world).await;
        let end = answer(&world, &key, request).await;
        let mut rules: Vec<_> = alive(&world)
            .iter()
            .map(|event| event["recurrence"][0].as_str().unwrap().to_owned())
            .collect();
        rules.sort();
        if kill == Kill::AfterGoogle {
            assert!(matches!(end, WriteResult::Done { event: Some(_), .. }), "{end:?}");
            assert_eq!(rules, ["RRULE:FREQ=WEEKLY;COUNT=2", "RRULE:FREQ=WEEKLY;COUNT=4"]);
        } else {
            assert!(
                matches!(&end, WriteResult::Failed(failure) if failure.reason == Reason::GoogleUnavailable),
                "{end:?}"
            );
            assert_eq!(rules, ["RRULE:FREQ=WEEKLY;COUNT=6"]);
        }
        assert_silent(&world).await;
        let first = instance(&world, 1).await;
        done(&world, delete(&first, Some(Scope::All))).await;
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_write_that_cannot_be_stored_ends_all_the_same(pool: PgPool) {
    let world = World::of_alice(pool).await;
    sqlx::raw_sql(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'not this one'; end $$;
         create trigger refuse before insert on events for each row execute function refuse()",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let (key, request) = (key(), invitation(&world).await);
    let submitted = submit(&world.ctx, &alice(), &key, request.clone()).await.unwrap();
    assert!(submitted.result.is_none());
    too_late(&world).await;
    let end = answer(&world, &key, request).await;
    assert!(
        matches!(&end, WriteResult::Failed(failure) if failure.reason == Reason::OutcomeUnknown),
        "{end:?}"
    );
    let told = world.told_kinds(&alice()).await;
    assert_eq!(told, ["write.resolved"]);
}

/// As a newer version leaves it that is taken back.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_write_that_nobody_can_read_ends_all_the_same(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let (key, request) = (key(), invitation(&world).await);
    die_at(&world, Kill::BeforeGoogle, "events.insert", &key, &request).await;
    sqlx::query("update write_intents set work = '{}'")
        .execute(&world.pool)
        .await
        .unwrap();
    too_late(&world).await;
    let end = answer(&world, &key, request).await;
    assert!(
        matches!(&end, WriteResult::Failed(failure) if failure.reason == Reason::OutcomeUnknown),
        "{end:?}"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_answer_that_google_drops_and_a_double_click_are_one_event(pool: PgPool) {
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
async fn a_move_ends_in_one_calendar_whatever_dies(pool: PgPool) {
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
async fn an_edit_that_came_through_is_found_before_google_can_refuse_it(pool: PgPool) {
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
    assert_eq!(edited.unwrap().title, "Ours");
    assert_eq!(world.google.requests_to("events.patch").len(), 1);
    assert_silent(&world).await;
}

/// An event that was made, pulled and deleted again before its maker heard of it: no pull will tell of it any more.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_deleted_before_its_write_is_stored_does_not_come_back(pool: PgPool) {
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

/// The old half of a cut series, which the process that died had been told of.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_cut_series_that_was_deleted_before_it_was_taken_over_does_not_come_back(pool: PgPool) {
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
        panic!("the new half is there");
    };
    assert_eq!(later.title, "Later");
    assert_silent(&world).await;
}
