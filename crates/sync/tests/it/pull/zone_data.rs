//! A newer tz database.

use common::worker::Pass;
use event_model::wire::Window;
use serde_json::json;
use sqlx::PgPool;
use sync::pull;
use sync::zone_data::adopt_version;

use crate::world::{ALICE, World, alice};

async fn expand(world: &World) -> Pass {
    let first = pull::extend_horizon_once(&world.ctx).await.unwrap();
    while pull::extend_horizon_once(&world.ctx).await.unwrap() == Pass::Worked {}
    first
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn newer_zone_rules_expand_calendars_again(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let mut weekly = world.event("Weekly", 0, 16);
    weekly["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=4"]);
    world.add(ALICE, weekly);
    world.push_and_settle(&alice()).await;
    adopt_version(&world.pool, "2026e").await.unwrap();
    assert_eq!(expand(&world).await, Pass::Worked);
    world.messages(&alice()).await;

    let starts = async || -> Vec<String> {
        let window = Window {
            from: world.at(0, 0),
            to: world.at(40, 0),
        };
        let events = world.read(&alice(), window).await;
        events.into_iter().map(|event| event.start).collect()
    };
    let right = starts().await;
    // As other rules would have expanded it.
    sqlx::query(
        "update instances set starts = array(select start + interval '1 hour' from unnest(starts) as start)",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    for older in ["2026e", "2026d", "2025b"] {
        adopt_version(&world.pool, older).await.unwrap();
        assert_eq!(expand(&world).await, Pass::Idle, "{older}");
    }
    assert_ne!(starts().await, right);
    adopt_version(&world.pool, "2026f").await.unwrap();
    assert_eq!(expand(&world).await, Pass::Worked);
    assert_eq!(starts().await, right);
    assert!(world.message_types(&alice()).await.contains(&"events.changed"));
}
