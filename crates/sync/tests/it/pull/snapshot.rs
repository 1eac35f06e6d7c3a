//! The snapshot that a page starts with.

use event_model::expansion;
use serde_json::json;
use sqlx::PgPool;
use sync::read;

use crate::world::{ALICE, World, alice, berlin};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_shortened_snapshot_is_complete_up_to_its_end(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut daily = world.event("Daily", 1, 9);
    daily["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=10"]);
    world.add(ALICE, daily);
    world.push_and_settle(&alice()).await;
    let snapshot = async |limit: usize| {
        let query = read::Query {
            window: expansion::hot_window(world.clock.now()),
            zone: berlin(),
            calendars: None,
            types: None,
            limit,
            duplicates: read::Duplicates::Separate,
        };
        let mut conn = world.pool.acquire().await.unwrap();
        let snapshot = read::snapshot(&mut conn, world.clock.now(), &alice(), &query)
            .await
            .unwrap();
        let series = snapshot.series.values().flatten();
        let count: usize = series
            .flat_map(|series| &series.events)
            .map(|event| event.instances.len())
            .sum();
        (count, snapshot.until)
    };
    assert_eq!(snapshot(3).await, (3, Some(world.at(4, 9))));
    assert_eq!(snapshot(9).await, (9, Some(world.at(10, 9))));
    assert_eq!(snapshot(10).await, (10, None));
}
