//! Events in zones that the tz database lacks.

use event_model::wire::Window;
use serde_json::json;
use sqlx::PgPool;
use sync::write::Scope;

use super::user::*;
use crate::world::{ALICE, World, alice};

/// Google serves fixed offsets: <https://github.com/home-assistant/core/issues/81917>. A calendar of Berlin has summer time
/// within these weeks; the series has none.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_dragged_event_keeps_its_fixed_offset(pool: PgPool) {
    let world = World::of_alice(pool).await;
    let zone = "GMT+02:00";
    let time = |hour| json!({"dateTime": world.at(1, hour), "timeZone": zone});
    let mut series = world.event("Weekly", 1, 7);
    series["start"] = time(7);
    series["end"] = time(8);
    series["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=40"]);
    let master = world.add(ALICE, series);
    world.push_and_settle(&alice()).await;
    let all = Window {
        from: world.at(0, 0),
        to: world.at(300, 0),
    };
    let shown = world.read(&alice(), all).await;
    assert_eq!(shown.len(), 40);
    assert!(shown.iter().all(|event| event.start.ends_with("T09:00:00+02:00")));

    let drag = json!({"start": world.at(1, 10), "timeZone": zone});
    done(&world, update(&shown[0], Some(Scope::All), drag)).await;
    assert_eq!(google(&world, &master)["start"]["timeZone"], zone);
    let third = world.read(&alice(), all).await.remove(2);
    let drag = json!({"start": world.at(15, 12), "timeZone": third.view.time_zone});
    done(&world, update(&third, Some(Scope::This), drag)).await;
    assert_eq!(google(&world, &third.id)["start"]["timeZone"], zone);
    world.push_and_settle(&alice()).await;
    let shown = world.read(&alice(), all).await;
    assert_eq!(shown.len(), 40, "no instance is doubled by its exception");
    let at = |time: &str| shown.iter().filter(|event| event.start.contains(time)).count();
    assert_eq!((at("T12:00:00+02:00"), at("T14:00:00+02:00")), (39, 1));
}
