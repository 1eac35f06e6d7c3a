//! Edited instances of a series that is cut before them. Google's guide says that they are reset
//! (<https://developers.google.com/workspace/calendar/api/guides/recurringevents#modify_all_following_instances>), a report that
//! they stay (<https://github.com/BuilderIO/agent-native/pull/3488>). Calwire copes with both.

use chrono::{DateTime, TimeDelta, Utc};
use event_model::wire::{Event, Window};
use serde_json::json;
use sqlx::PgPool;
use sync::write::Scope;

use super::user::*;
use crate::world::{ALICE, World, alice};

/// Ten weeks with three edited instances: in week 2, in week 7, and one of week 8 that takes place in week 3.
async fn edited(pool: PgPool, google_keeps: bool) -> World {
    let world = World::with_page_size(pool, 50).await;
    world
        .google
        .with(|state| state.settings.keep_orphaned_exceptions = google_keeps);
    world.connect(&alice()).await;
    world.settle().await;
    let mut event = hour(&world, "Weekly", 1, 9);
    event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=10"]);
    done(&world, create(event)).await;
    for (week, edit) in [
        (2, json!({"title": "Before"})),
        (7, json!({"title": "After"})),
        (
            8,
            json!({"title": "Moved", "start": week_start(&world, 3) + TimeDelta::hours(3)}),
        ),
    ] {
        done(&world, update(&at_week(&world, week).await, None, edit)).await;
    }
    world
}

fn week_start(world: &World, week: i64) -> DateTime<Utc> {
    world.at(1, 9) + TimeDelta::weeks(week)
}

async fn at_week(world: &World, week: i64) -> Event {
    let window = Window {
        from: week_start(world, week),
        to: week_start(world, week) + TimeDelta::hours(1),
    };
    let mut events = world.read(&alice(), window).await;
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

/// The title and week of each event, as readers see it.
async fn shown(world: &World) -> Vec<(i64, String)> {
    let window = Window {
        from: world.at(0, 0),
        to: world.at(200, 0),
    };
    let events = world.read(&alice(), window).await;
    let week = |start: &str| {
        let start: DateTime<Utc> = start.parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc();
        (start - week_start(world, 0)).num_weeks()
    };
    events
        .into_iter()
        .map(|event| (week(&event.start), event.view.title))
        .collect()
}

fn weeks(parts: &[(i64, &str)]) -> Vec<(i64, String)> {
    parts
        .iter()
        .map(|(week, title)| (*week, (*title).to_owned()))
        .collect()
}

/// A pull and a full listing change nothing.
async fn assert_shown(world: &World, expected: &[(i64, &str)]) {
    assert_eq!(shown(world).await, weeks(expected));
    world.push_and_settle(&alice()).await;
    assert_eq!(shown(world).await, weeks(expected), "after a pull");
    world.google.expire_sync_tokens(None);
    world.clock.advance(TimeDelta::minutes(2));
    world.push_and_settle(&alice()).await;
    assert_eq!(shown(world).await, weeks(expected), "after a full listing");
}

async fn cut_in_google(world: &World) {
    let master = at_week(world, 0).await.recurring_event_id.unwrap();
    let cut = json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"]});
    world.google.patch(ALICE, ALICE, &master, cut).unwrap();
    world.push_and_settle(&alice()).await;
}

const FIRST_SIX: [(i64, &str); 6] = [
    (0, "Weekly"),
    (1, "Weekly"),
    (2, "Before"),
    (3, "Weekly"),
    (4, "Weekly"),
    (5, "Weekly"),
];

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn exceptions_cancelled_by_a_cut_in_google_go(pool: PgPool) {
    let world = edited(pool, false).await;
    cut_in_google(&world).await;
    assert_shown(&world, &FIRST_SIX).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn exceptions_kept_by_a_cut_in_google_stay_editable(pool: PgPool) {
    let world = edited(pool, true).await;
    cut_in_google(&world).await;
    let mut expected = FIRST_SIX.to_vec();
    expected.splice(4..4, [(3, "Moved")]);
    expected.push((7, "After"));
    assert_shown(&world, &expected).await;

    let kept = at_week(&world, 7).await;
    let (edited, _) = done(
        &world,
        update(&kept, Some(Scope::This), json!({"title": "Edited"})),
    )
    .await;
    assert_eq!(edited.unwrap().id, kept.id);
    *expected.last_mut().unwrap() = (7, "Edited");
    assert_shown(&world, &expected).await;

    let edited = at_week(&world, 7).await;
    done(&world, delete(&edited, Some(Scope::Following))).await;
    expected.pop();
    assert_shown(&world, &expected).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deleting_the_following_deletes_their_exceptions(pool: PgPool) {
    let world = edited(pool, false).await;
    let at = at_week(&world, 6).await;
    done(&world, delete(&at, Some(Scope::Following))).await;
    assert_shown(&world, &FIRST_SIX).await;
}

/// The instance that was moved to before the cut is not among the following ones that the user sees.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deleting_the_following_deletes_exceptions_that_google_keeps(pool: PgPool) {
    let world = edited(pool, true).await;
    let at = at_week(&world, 6).await;
    done(&world, delete(&at, Some(Scope::Following))).await;
    let mut expected = FIRST_SIX.to_vec();
    expected.splice(4..4, [(3, "Moved")]);
    assert_shown(&world, &expected).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn editing_the_following_resets_exceptions_that_google_keeps(pool: PgPool) {
    let world = edited(pool, true).await;
    let at = at_week(&world, 6).await;
    done(
        &world,
        update(&at, Some(Scope::Following), json!({"title": "Later"})),
    )
    .await;
    let mut expected = FIRST_SIX.to_vec();
    expected.splice(4..4, [(3, "Moved")]);
    expected.extend([(6, "Later"), (7, "Later"), (8, "Later"), (9, "Later")]);
    assert_shown(&world, &expected).await;
}

/// A refused split restores the old series, with the exceptions that Google has kept.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_refused_split_deletes_no_exception(pool: PgPool) {
    let world = edited(pool, true).await;
    let before = shown(&world).await;
    let refusal = google_emulator::Fault::Error {
        status: 400,
        reason: Some("invalid".into()),
        message: None,
        retry_after: None,
    };
    world.fault(google_emulator::Rule::new("events.insert", refusal).times(1));
    let at = at_week(&world, 6).await;
    failure(
        &world,
        update(&at, Some(Scope::Following), json!({"title": "Later"})),
    )
    .await;
    assert_eq!(shown(&world).await, before);
}
