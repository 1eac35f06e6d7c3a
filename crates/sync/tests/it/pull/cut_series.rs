//! Series with more instances within the horizon than are kept.

use chrono::{DateTime, Utc};
use event_model::wire::Window;
use serde_json::json;
use sqlx::PgPool;
use sync::read::may_lack_instances;

use crate::world::{ALICE, World, alice};

/// From when on a series may lack instances.
async fn cut_at(world: &World) -> Option<DateTime<Utc>> {
    let mut conn = world.pool.acquire().await.unwrap();
    let evidence = store::calendars::evidence(&mut conn, world.clock.now(), &alice(), None).await;
    let evidence = evidence.unwrap();
    let cut_at = evidence.iter().filter_map(|calendar| calendar.cut_at).min();
    let year = Window {
        from: world.at(0, 0),
        to: world.at(365, 0),
    };
    assert_eq!(
        may_lack_instances(&evidence, world.clock.now(), year),
        cut_at.is_some()
    );
    cut_at
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_cut_series_is_known_until_it_is_whole(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let hours: Vec<String> = (0..24).map(|hour| hour.to_string()).collect();
    let hourly = format!("RRULE:FREQ=DAILY;BYHOUR={}", hours.join(","));
    let mut event = world.event("Hourly", 0, 16);
    event["recurrence"] = json!([hourly]);
    let id = world.add(ALICE, event);
    world.push_and_settle(&alice()).await;
    let cut = cut_at(&world).await;
    assert!(
        cut.is_some_and(|cut| cut > world.at(200, 0) && cut < world.at(210, 0)),
        "{cut:?}"
    );

    let change = |patch| world.google.patch(ALICE, ALICE, &id, patch).unwrap();
    // A full listing finds it again.
    world.google.expire_sync_tokens(Some(ALICE));
    world.push_and_settle(&alice()).await;
    assert_eq!(cut_at(&world).await, cut);

    change(json!({"recurrence": ["RRULE:FREQ=DAILY"]}));
    world.push_and_settle(&alice()).await;
    assert_eq!(cut_at(&world).await, None);

    change(json!({"recurrence": [hourly]}));
    world.push_and_settle(&alice()).await;
    assert_eq!(cut_at(&world).await, cut);
    world.google.delete(ALICE, ALICE, &id).unwrap();
    world.push_and_settle(&alice()).await;
    assert_eq!(cut_at(&world).await, None);
}
