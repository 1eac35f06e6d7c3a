//! Full listings: the first one, and those after a 410.

use std::time::Duration;

use chrono::TimeDelta;
use event_model::wire::Change;
use google_emulator::{Fault, Rule};
use serde_json::json;
use sqlx::PgPool;

use super::convergence::Browser;
use crate::world::{ALICE, TEAM, World, alice, pull_once};

fn expired_token() -> Fault {
    Fault::Error {
        status: 410,
        reason: Some("fullSyncRequired".into()),
        message: None,
        retry_after: None,
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn first_import_reads_all_pages_in_any_order(pool: PgPool) {
    let world = World::new(pool).await;
    for hour in 8..15 {
        world.add(ALICE, world.event(&format!("at {hour}"), 1, hour));
    }
    let mut daily = world.event("Daily", 0, 7);
    daily["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=5"]);
    let master = world.add(ALICE, daily);
    let start = world.at(2, 7).format("%Y%m%dT%H%M%SZ");
    let instance = format!("{master}_{start}");
    world
        .google
        .patch(ALICE, ALICE, &instance, json!({"summary": "Another day"}))
        .unwrap();
    // Exceptions before their masters, and an empty page that is not the last.
    world.fault(Rule::new("events.list", Fault::Shuffle));
    world.fault(Rule::new("events.list", Fault::EmptyPage { page: 2 }));
    world.connect(&alice()).await;
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(world.day(&alice(), 1).await.len(), 8);
    assert_eq!(world.day(&alice(), 2).await[0].0, "Another day");
    // The connection, its two calendars, and each calendar's first import.
    assert_eq!(
        world.message_types(&alice()).await,
        [
            "connection.changed",
            "calendars.changed",
            "events.changed",
            "events.changed"
        ]
    );
    let parameters: Vec<String> = world
        .google
        .requests_to("events.list")
        .into_iter()
        .map(|request| {
            let pairs = request
                .query
                .split('&')
                .filter(|pair| !pair.starts_with("pageToken="));
            pairs.collect::<Vec<_>>().join("&")
        })
        .collect();
    assert!(
        parameters.windows(2).all(|pair| pair[0] == pair[1]),
        "{parameters:?}"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn expired_token_lists_everything_and_drops_deleted_events(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let kept = world.add(ALICE, world.event("Kept", 1, 9));
    let gone = world.add(ALICE, world.event("Gone", 1, 10));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    world.google.delete(ALICE, ALICE, &gone).unwrap();
    world.google.expire_sync_tokens(Some(ALICE));
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(
        world
            .mirror(&alice(), ALICE)
            .await
            .into_keys()
            .collect::<Vec<_>>(),
        [kept]
    );
    let changes = world.messages(&alice()).await;
    let [
        Change::EventsChanged {
            upserted, deleted, ..
        },
    ] = &changes[..]
    else {
        panic!("{changes:?}");
    };
    assert_eq!((upserted.len(), deleted), (0, &vec![gone]));
    while sync::pull::purge_once(&world.ctx).await.unwrap() == common::worker::Pass::Worked {}
    let generations: Vec<i64> = sqlx::query_scalar("select distinct generation from instances")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    assert_eq!(generations, [2]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn full_listing_without_changes_sends_no_message(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut weekly = world.event("Weekly", 1, 9);
    weekly["recurrence"] = json!(["RRULE:FREQ=WEEKLY"]);
    let mut ended = world.event("Ended", 0, 9);
    ended["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=2"]);
    for event in [weekly, ended, world.event("Event", 1, 10)] {
        world.add(ALICE, event);
    }
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    // The horizon moves on, and the series that has ended leaves it.
    for days in [0, 20, 60] {
        world.clock.advance(TimeDelta::days(days));
        world.google.expire_sync_tokens(Some(ALICE));
        world.push_and_settle(&alice()).await;
        world.assert_in_step(&alice(), ALICE).await;
        assert_eq!(world.message_types(&alice()).await, [""; 0], "after {days} days");
    }
    let generation: i64 = sqlx::query_scalar("select generation from sync_state where resource_id = $1")
        .bind(world.id(&alice(), ALICE).await.as_uuid())
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(generation, 4);
}

/// A page that applies the messages shows the calendar after each listing: new, changed, moved and deleted events.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn full_listing_sends_the_differences(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut daily = world.event("Daily", 0, 7);
    daily["recurrence"] = json!(["RRULE:FREQ=DAILY"]);
    let series = world.add(ALICE, daily.clone());
    let other = world.add(ALICE, daily);
    let single = |name: &str, hour| world.add(ALICE, world.event(name, 1, hour));
    let [kept, renamed, moved, gone] =
        [("Kept", 8), ("Old", 9), ("Moved", 10), ("Gone", 11)].map(|(name, hour)| single(name, hour));
    let far = world.add(ALICE, world.event("Far away", 200, 9));
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    let mut page = Browser::default();
    page.reload(&world).await;
    let patch = |id: &str, patch| drop(world.google.patch(ALICE, ALICE, id, patch).unwrap());
    let instance = |series: &str, day| format!("{series}_{}", world.at(day, 7).format("%Y%m%dT%H%M%SZ"));
    patch(&instance(&series, 2), json!({"summary": "Another day"}));
    world.google.delete(ALICE, ALICE, &instance(&series, 3)).unwrap();
    patch(&renamed, json!({"summary": "New"}));
    patch(&moved, world.event("Moved", 4, 10));
    patch(&far, json!({"summary": "Still far away"}));
    world.google.delete(ALICE, ALICE, &gone).unwrap();
    let added = world.add(ALICE, world.event("Added", 5, 9));
    world.google.expire_sync_tokens(Some(ALICE));
    world.push_and_settle(&alice()).await;
    let mut changes = world.messages(&alice()).await;
    let Some(Change::EventsChanged {
        upserted, deleted, ..
    }) = changes.first()
    else {
        panic!("{changes:?}");
    };
    let mut sent: Vec<&String> = upserted.iter().map(|series| &series.series_id).collect();
    sent.sort();
    let mut expected = vec![&series, &renamed, &moved, &far, &added];
    expected.sort();
    assert_eq!(
        (sent, deleted),
        (expected, &vec![gone]),
        "neither {kept} nor {other}"
    );
    let beyond = upserted.iter().find(|series| series.series_id == far);
    assert!(beyond.is_some_and(|series| series.events.is_empty()));
    page.apply(&world, changes.remove(0)).await;
    let mut read = Browser::default();
    read.reload(&world).await;
    assert_eq!(page.shown(), read.shown());
    assert!(changes.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_empty_first_listing_and_regained_access_are_sent(pool: PgPool) {
    let world = World::new(pool).await;
    world.connect(&alice()).await;
    world.settle().await;
    let first = world.messages(&alice()).await;
    let imported =
        |change: &&Change| matches!(change, Change::EventsChanged { upserted, .. } if upserted.is_empty());
    assert_eq!(first.iter().filter(imported).count(), 2, "{first:?}");
    let mut conn = world.pool.acquire().await.unwrap();
    let team = world.id(&alice(), TEAM).await;
    store::calendars::lose_access(&mut conn, world.clock.now(), team)
        .await
        .unwrap();
    world.google.expire_sync_tokens(Some(TEAM));
    world.push_and_settle(&alice()).await;
    assert_eq!(world.message_types(&alice()).await, ["calendars.changed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn token_expiring_between_pages_is_no_different(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for hour in 8..15 {
        world.add(ALICE, world.event("Event", 1, hour));
    }
    world.fault(
        Rule::new("events.list", expired_token())
            .of_calendar(ALICE)
            .skipping(1)
            .times(1),
    );
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(world.message_types(&alice()).await, ["events.changed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn token_expiring_during_full_listing_restarts_it_later(pool: PgPool) {
    let world = World::new(pool).await;
    for hour in 8..15 {
        world.add(ALICE, world.event("Event", 1, hour));
    }
    world.fault(
        Rule::new("events.list", expired_token())
            .of_calendar(ALICE)
            .skipping(2)
            .times(1),
    );
    world.connect(&alice()).await;
    world.settle().await;
    assert_eq!(
        world.last_error(&alice(), ALICE).await.as_deref(),
        Some("listing_restarted")
    );
    assert!(world.mirror(&alice(), ALICE).await.is_empty());
    world.let_time_pass().await;
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(world.last_error(&alice(), ALICE).await, None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn rejecting_every_token_does_not_list_forever(pool: PgPool) {
    let world = World::of_alice(pool).await;
    world.add(ALICE, world.event("Event", 1, 9));
    world.fault(
        Rule::new("events.list", expired_token())
            .of_calendar(ALICE)
            .times(1),
    );
    world.push_and_settle(&alice()).await;
    world.fault(
        Rule::new("events.list", expired_token())
            .of_calendar(ALICE)
            .times(1),
    );
    world.push_and_settle(&alice()).await;
    assert_eq!(
        world.last_error(&alice(), ALICE).await.as_deref(),
        Some("sync_token_refused")
    );
    world.clock.advance(TimeDelta::minutes(2));
    world.let_time_pass().await;
    world.settle().await;
    assert_eq!(world.last_error(&alice(), ALICE).await, None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn listing_that_deletes_most_events_needs_confirmation(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let ids: Vec<String> = (0..120_u64)
        .map(|n| world.add(ALICE, world.event("Event", 1 + n / 24, (n % 24) as u32)))
        .collect();
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    for id in &ids[..100] {
        world.google.delete(ALICE, ALICE, id).unwrap();
    }
    world.google.expire_sync_tokens(Some(ALICE));
    world.push_and_settle(&alice()).await;
    assert_eq!(world.mirror(&alice(), ALICE).await.len(), 120, "held back");
    assert_eq!(
        world.last_error(&alice(), ALICE).await.as_deref(),
        Some("sweep_held")
    );
    assert!(world.messages(&alice()).await.is_empty());

    // The second listing deletes one more, so it does not confirm the first.
    world.google.delete(ALICE, ALICE, &ids[100]).unwrap();
    world.let_time_pass().await;
    world.settle().await;
    assert_eq!(world.mirror(&alice(), ALICE).await.len(), 120, "held back again");
    world.let_time_pass().await;
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(world.message_types(&alice()).await, ["events.changed"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn old_data_stays_readable_while_a_rebuild_fails(pool: PgPool) {
    let world = World::of_alice(pool).await;
    for hour in 8..15 {
        world.add(ALICE, world.event("Event", 1, hour));
    }
    world.push_and_settle(&alice()).await;
    world.messages(&alice()).await;
    world.google.expire_sync_tokens(Some(ALICE));
    let broken = Fault::Error {
        status: 500,
        reason: None,
        message: None,
        retry_after: None,
    };
    world.fault(
        Rule::new("events.list", broken)
            .of_calendar(ALICE)
            .skipping(2)
            .times(1),
    );
    world.push_and_settle(&alice()).await;
    assert_eq!(
        world.last_error(&alice(), ALICE).await.as_deref(),
        Some("transient")
    );
    assert_eq!(world.day(&alice(), 1).await.len(), 7);
    assert!(world.messages(&alice()).await.is_empty());
    world.let_time_pass().await;
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(world.day(&alice(), 1).await.len(), 7);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn crash_between_pages_leaves_nothing_half_done(pool: PgPool) {
    let world = World::new(pool).await;
    for hour in 8..15 {
        world.add(ALICE, world.event("Event", 1, hour));
    }
    world.connect(&alice()).await;
    pull_once(&world.ctx).await.unwrap();
    for page in 1..3 {
        let hang = Fault::Delay {
            ms: 60_000,
            jitter_ms: 0,
        };
        world.fault(
            Rule::new("events.list", hang)
                .of_calendar(ALICE)
                .skipping(page)
                .times(1),
        );
        let died = tokio::time::timeout(Duration::from_millis(700), pull_once(&world.ctx)).await;
        assert!(died.is_err(), "page {page} hangs");
        world.google.clear_faults();
        assert!(world.mirror(&alice(), ALICE).await.is_empty());
        assert_eq!(world.sync_token(&alice(), ALICE).await, None);
        assert!(pull_once(&world.ctx).await.is_ok());
        assert!(
            world.mirror(&alice(), ALICE).await.is_empty(),
            "the lease is still held"
        );
        world.let_time_pass().await;
    }
    // After two lost workers in a row it waits before the next attempt.
    world.settle().await;
    assert_eq!(
        world.last_error(&alice(), ALICE).await.as_deref(),
        Some("worker_lost")
    );
    world.let_time_pass().await;
    world.settle().await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(world.day(&alice(), 1).await.len(), 7);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn large_calendar_is_imported_page_by_page(pool: PgPool) {
    let world = World::with_page_size(pool, 2_500).await;
    for n in 0..5_000_u64 {
        world.add(ALICE, world.event("Event", n % 300, (n % 24) as u32));
    }
    world.connect(&alice()).await;
    let started = std::time::Instant::now();
    world.settle().await;
    assert!(
        started.elapsed() < Duration::from_mins(1),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(world.mirror(&alice(), ALICE).await.len(), 5_000);
    let occurrences: i64 = sqlx::query_scalar("select count(*) from instances")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(occurrences, 5_000);
    assert_eq!(world.listings(), 3, "two pages of one calendar, one of the other");
}

/// Adds long events: about eighty of them exceed the size limit of a page.
fn add_long_ones(world: &World, count: u64) {
    let mut long = world.event("Long", 2, 9);
    long["description"] = json!("x".repeat(220_000));
    for _ in 0..count {
        world.add(ALICE, long.clone());
    }
}

/// `maxResults` of the requests for Alice's calendar, after the first `asked` requests of all.
fn page_sizes(world: &World, asked: usize) -> Vec<String> {
    let requests = world.google.requests_to("events.list").into_iter().skip(asked);
    requests
        .filter(|request| request.path.contains("alice"))
        .filter_map(|request| {
            let mut pairs = request.query.split('&');
            pairs.find_map(|pair| pair.strip_prefix("maxResults=").map(str::to_owned))
        })
        .collect()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn too_large_page_shrinks_pages_of_this_and_later_listings(pool: PgPool) {
    let world = World::with_page_size(pool, 100).await;
    for n in 0..100_u64 {
        world.add(ALICE, world.event("Short", 1 + n / 24, (n % 24) as u32));
    }
    add_long_ones(&world, 90);
    world.connect(&alice()).await;
    world.settle().await;
    assert_eq!(world.last_error(&alice(), ALICE).await, None);
    world.assert_in_step(&alice(), ALICE).await;
    let sizes = page_sizes(&world, 0);
    assert_eq!(sizes[..2], ["100", "100"], "the second page was too large");
    assert_eq!(sizes[2..], ["10"; 19]);
    assert_eq!(world.mirror(&alice(), ALICE).await.len(), 190);

    // Listings that continue from the token have the same parameters.
    let asked = world.listings();
    world.add(ALICE, world.event("One more", 1, 9));
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    assert_eq!(page_sizes(&world, asked), ["10"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn too_large_page_of_changes_starts_full_listing(pool: PgPool) {
    let world = World::with_page_size(pool, 100).await;
    world.connect(&alice()).await;
    world.settle().await;
    world.messages(&alice()).await;
    add_long_ones(&world, 90);
    let asked = world.listings();
    world.push_and_settle(&alice()).await;
    world.assert_in_step(&alice(), ALICE).await;
    let sizes = page_sizes(&world, asked);
    assert_eq!(sizes[0], "100");
    assert_eq!(sizes[1..], ["10"; 9]);
    assert_eq!(world.message_types(&alice()).await, ["resync"]);
    let asked = world.listings();
    world.push_and_settle(&alice()).await;
    assert_eq!(page_sizes(&world, asked), ["10"]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn changes_with_too_many_instances_start_full_listing(pool: PgPool) {
    let world = World::with_page_size(pool, 2_500).await;
    world.connect(&alice()).await;
    world.settle().await;
    world.messages(&alice()).await;
    let generation = async || -> i64 {
        sqlx::query_scalar("select generation from sync_state where resource_id = $1")
            .bind(world.id(&alice(), ALICE).await.as_uuid())
            .fetch_one(&world.pool)
            .await
            .unwrap()
    };
    let occurrences = async || -> i64 {
        sqlx::query_scalar(
            "select sum(cardinality(starts))::bigint from instances i join sync_state s on s.resource_id = i.calendar_id
             and s.generation = i.generation",
        )
        .fetch_one(&world.pool)
        .await
        .unwrap()
    };
    let add = |count: u64| {
        for _ in 0..count {
            let mut daily = world.event("Daily", 0, 9);
            daily["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=350"]);
            world.add(ALICE, daily);
        }
    };
    // Several statements in one commit.
    add(52);
    world.push_and_settle(&alice()).await;
    assert_eq!((generation().await, occurrences().await), (1, 52 * 350));
    add(58);
    world.push_and_settle(&alice()).await;
    assert_eq!((generation().await, occurrences().await), (2, 110 * 350));
    world.assert_in_step(&alice(), ALICE).await;
}
