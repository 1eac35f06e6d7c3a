//! Incremental pulls: all changes in one commit, with one message.

use event_model::normal_form;
use event_model::wire::Change;
use google_emulator::{Fault, Rule};
use serde_json::json;
use sqlx::PgPool;

use crate::world::{ALICE, BOB, TEAM, World, alice, bob, pull_once};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn creates_updates_and_deletes_reach_mirror_and_browser(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let id = world.add(ALICE, world.event("Lunch", 1, 11));
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    let calendar = world.id(&alice(), ALICE).await;
    let messages = world.messages(&alice()).await;
    let [
        Change::EventsChanged {
            calendar_id,
            upserted,
            deleted,
            ..
        },
    ] = messages.as_slice()
    else {
        panic!("{messages:?}");
    };
    assert_eq!((*calendar_id, deleted.len()), (calendar, 0));
    assert_eq!(upserted[0].series_id, id);
    assert_eq!(upserted[0].events[0].view.0.title, "Lunch");
    assert_eq!(world.day(&alice(), 1).await[0].0, "Lunch");

    world
        .google
        .patch(ALICE, ALICE, &id, json!({"summary": "Long lunch"}))
        .unwrap();
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(world.day(&alice(), 1).await[0].0, "Long lunch");
    assert_eq!(world.message_types(&alice()).await, ["events.changed"]);

    world.google.delete(ALICE, ALICE, &id).unwrap();
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    assert!(world.day(&alice(), 1).await.is_empty());
    let messages = world.messages(&alice()).await;
    assert!(
        matches!(&messages[..], [Change::EventsChanged { upserted, deleted, .. }]
        if upserted.is_empty() && *deleted == [id.clone()]),
        "{messages:?}"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_new_title_writes_one_view_and_no_instances(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut daily = world.event("Daily", 1, 9);
    daily["recurrence"] = json!(["RRULE:FREQ=DAILY"]);
    let master = world.add(ALICE, daily);
    let second = world.google.instances(ALICE, &master).remove(1);
    let second = second["id"].as_str().unwrap();
    world
        .google
        .patch(ALICE, ALICE, second, json!({"location": "Here"}))
        .unwrap();
    world.push_and_settle(&alice()).await;
    // A row that is written has another place.
    let rows = async |table: &str| -> Vec<(String, String)> {
        let sql = format!("select event_id, ctid::text from {table} order by event_id");
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_all(&world.pool)
            .await
            .unwrap()
    };
    let (instances, events) = (rows("instances").await, rows("events").await);
    assert_eq!(instances.len(), 2);
    world
        .google
        .patch(ALICE, ALICE, &master, json!({"summary": "Standup"}))
        .unwrap();
    world.push_and_settle(&alice()).await;
    assert_eq!(rows("instances").await, instances);
    let written = rows("events")
        .await
        .into_iter()
        .filter(|row| !events.contains(row));
    assert_eq!(written.map(|(id, _)| id).collect::<Vec<_>>(), [master]);
    assert_eq!(world.day(&alice(), 3).await[0].0, "Standup");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn series_is_one_change_with_all_its_instances(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut weekly = world.event("Weekly", 1, 9);
    weekly["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=10"]);
    let master = world.add(ALICE, weekly);
    let calendar = world.id(&alice(), ALICE).await;
    world.push_and_settle(&alice()).await;
    let messages = world.messages(&alice()).await;
    let [Change::EventsChanged { upserted, window, .. }] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    assert_eq!(upserted[0].series_id, master);
    // 42 days ahead, from tomorrow on: six weeks.
    assert_eq!(upserted[0].events.len(), 1, "one view");
    let instances = normal_form::events(calendar, &upserted[0]);
    assert_eq!(instances.len(), 6);
    assert!(world.at(1, 9) > window.from && world.at(41, 9) < window.to);

    let moved = world.event("Moved", 9, 15);
    world.google.patch(ALICE, ALICE, &instances[1].id, moved).unwrap();
    world.google.delete(ALICE, ALICE, &instances[2].id).unwrap();
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    let messages = world.messages(&alice()).await;
    let [Change::EventsChanged { upserted: now, .. }] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    assert_eq!(now[0].series_id, master);
    assert_eq!(normal_form::events(calendar, &now[0]).len(), 5);
    assert!(world.day(&alice(), 8).await.is_empty());
    assert_eq!(world.day(&alice(), 9).await[0].0, "Moved");
    assert!(world.day(&alice(), 15).await.is_empty());
    assert_eq!(world.day(&alice(), 22).await[0].0, "Weekly");

    world.google.delete(ALICE, ALICE, &master).unwrap();
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    assert!(world.day(&alice(), 9).await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn echo_changes_nothing(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let before = world.sync_token(&alice(), ALICE).await;
    world.add(ALICE, world.event("Lunch", 1, 11));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    let calendar = world.id(&alice(), ALICE).await;
    let rewind = sqlx::query("update sync_state set sync_token = $1 where resource_id = $2");
    rewind
        .bind(before)
        .bind(calendar.as_uuid())
        .execute(&world.pool)
        .await
        .unwrap();
    let listings = world.listings();
    world.push_and_settle(&alice()).await;
    assert!(world.listings() > listings, "Google was asked");
    assert!(world.messages(&alice()).await.is_empty());
    world.assert_in_step(&alice(), ALICE).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn push_during_a_pull_is_not_lost(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for hour in 8..13 {
        world.add(ALICE, world.event("Before", 1, hour));
    }
    let second_page = Fault::Delay {
        ms: 1_000,
        jitter_ms: 0,
    };
    world.fault(
        Rule::new("events.list", second_page)
            .of_calendar(ALICE)
            .skipping(1)
            .times(1),
    );
    let listings = world.listings();
    world.push(&alice()).await;
    let during = async {
        world.until_asked(listings + 3).await;
        world.add(ALICE, world.event("During", 1, 14));
        world.push(&alice()).await;
    };
    let (pass, ()) = tokio::join!(pull_once(&world.ctx), during);
    pass.unwrap();
    let (dirty, synced): (i64, i64) =
        sqlx::query_as("select dirty_seq, synced_seq from sync_state where resource_id = $1")
            .bind(world.id(&alice(), ALICE).await.as_uuid())
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert!(dirty > synced, "must still be dirty: {dirty} {synced}");
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(world.mirror(&alice(), ALICE).await.len(), 6);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn sync_token_is_never_ahead_of_the_mirror(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for round in 0..5 {
        for hour in 8..12 {
            world.add(ALICE, world.event(&format!("{round}"), 1, hour));
        }
        world.push_and_settle(&alice()).await;
        let token = world.sync_token(&alice(), ALICE).await.unwrap();
        let must_have = world.google.events_at(ALICE, &token).unwrap();
        let mirror = world.mirror(&alice(), ALICE).await;
        assert_eq!(must_have.len(), mirror.len());
        assert!(
            must_have
                .iter()
                .all(|event| mirror.contains_key(event["id"].as_str().unwrap()))
        );
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_users_of_one_calendar_have_two_mirrors(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.connect(&bob()).await;
    world.settle().await;
    world.messages(&bob()).await;
    assert_ne!(world.id(&alice(), TEAM).await, world.id(&bob(), TEAM).await);
    let id = world.add(TEAM, world.event("Together", 1, 11));
    let private = world
        .google
        .insert(BOB, BOB, world.event("Bob alone", 1, 12))
        .unwrap();
    world.push_and_settle(&alice()).await;
    assert_eq!(world.day(&bob(), 1).await.len(), 0, "no push for Bob yet");
    world.push_and_settle(&bob()).await;
    for user in [alice(), bob()] {
        world.assert_in_step(&user, TEAM).await;
        let calendar = world.id(&user, TEAM).await;
        let messages = world.messages(&user).await;
        assert!(messages.iter().any(|change| matches!(change,
            Change::EventsChanged { calendar_id, upserted, .. }
                if *calendar_id == calendar && upserted[0].series_id == id)));
        let text = format!("{messages:?}");
        assert_eq!(
            text.contains(private["id"].as_str().unwrap()),
            user == bob(),
            "{user}"
        );
    }
    assert_eq!(world.day(&alice(), 1).await.len(), 1);
    assert_eq!(world.day(&bob(), 1).await.len(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn too_large_change_is_sent_in_parts_or_becomes_resync(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut long = world.event("Long", 1, 9);
    long["description"] = json!("x".repeat(8_000));
    let add = async |count, messages: &[&str]| {
        for _ in 0..count {
            world.add(ALICE, long.clone());
        }
        world.push_and_settle(&alice()).await;
        assert_eq!(world.message_types(&alice()).await, messages);
    };
    add(3, &["events.changed"; 3]).await;
    add(5, &["resync"]).await;
    assert_eq!(world.day(&alice(), 1).await.len(), 8);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn text_that_postgres_cannot_store_is_dropped_alone(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(ALICE, world.event("Nul\u{0}l", 1, 9));
    world.add(ALICE, world.event("Beside", 1, 10));
    world.push_and_settle(&alice()).await;
    let titles: Vec<String> = world
        .day(&alice(), 1)
        .await
        .into_iter()
        .map(|(title, _)| title)
        .collect();
    assert_eq!(titles, ["Null", "Beside"]);
}

/// An etag that is known does not prove that the content is.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn other_content_with_a_known_etag_is_no_echo(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let before = world.sync_token(&alice(), ALICE).await;
    world.add(ALICE, world.event("Lunch", 1, 11));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    let list_again = async || {
        sqlx::query("update sync_state set sync_token = $1 where resource_id = $2")
            .bind(&before)
            .bind(world.id(&alice(), ALICE).await.as_uuid())
            .execute(&world.pool)
            .await
            .unwrap();
        world.push_and_settle(&alice()).await;
        world.message_types(&alice()).await
    };
    assert!(list_again().await.is_empty(), "an echo");
    sqlx::query(r#"update events set raw = raw || '{"summary": "As it was"}'"#)
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(list_again().await, ["events.changed"]);
    let raw: String = sqlx::query_scalar("select raw->>'summary' from events")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(raw, "Lunch");
    assert!(list_again().await.is_empty(), "an echo");
}
