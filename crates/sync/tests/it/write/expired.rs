//! Requests whose time runs out before a worker resumes them: nothing more is written to Google.

use serde_json::json;
use sqlx::PgPool;
use sync::write::{Reason, Scope, WriteResult, submit};

use super::kill::*;
use super::user::*;
use crate::world::{World, alice};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_expired_create_is_looked_for_and_not_sent(pool: PgPool) {
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
        expire(&world).await;
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
async fn an_expired_edit_is_not_written(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let made = done(&world, create(hour(&world, "Review", 2, 9)))
        .await
        .0
        .unwrap();
    let request = request(&world, update(&made, None, json!({"title": "Stale"}))).await;
    let key = key();
    die_at(&world, Kill::BeforeGoogle, "events.patch", &key, &request).await;
    expire(&world).await;
    let end = answer(&world, &key, request).await;
    assert!(
        matches!(&end, WriteResult::Failed(failure) if failure.reason == Reason::GoogleUnavailable),
        "{end:?}"
    );
    assert_eq!(google(&world, &made.id)["summary"], "Review");
    assert_silent(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_expired_split_is_completed_or_undone(pool: PgPool) {
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
        expire(&world).await;
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
async fn an_expired_write_that_cannot_be_stored_is_given_up(pool: PgPool) {
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
    expire(&world).await;
    let end = answer(&world, &key, request).await;
    assert!(
        matches!(&end, WriteResult::Failed(failure) if failure.reason == Reason::OutcomeUnknown),
        "{end:?}"
    );
    let told = world.message_types(&alice()).await;
    assert_eq!(told, ["write.resolved"]);
}

/// As a newer version leaves it that is taken back.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_expired_write_with_an_unreadable_plan_is_given_up(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let (key, request) = (key(), invitation(&world).await);
    die_at(&world, Kill::BeforeGoogle, "events.insert", &key, &request).await;
    sqlx::query("update write_intents set work = '{}'")
        .execute(&world.pool)
        .await
        .unwrap();
    expire(&world).await;
    let end = answer(&world, &key, request).await;
    assert!(
        matches!(&end, WriteResult::Failed(failure) if failure.reason == Reason::OutcomeUnknown),
        "{end:?}"
    );
}
