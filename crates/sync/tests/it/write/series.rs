//! Series, in each scope and across a daylight saving change.

use event_model::wire::{Event, Window};
use serde_json::{Value, json};
use sqlx::PgPool;
use sync::write::Scope;

use super::user::*;
use crate::world::{ALICE, World, alice, berlin};

/// Every instance in Google, by start: the mirror must have the same.
fn in_google(world: &World) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for event in world.google.events(ALICE) {
        if event["status"] == "cancelled" || event.contains_key("recurringEventId") {
            continue;
        }
        let id = event["id"].as_str().unwrap();
        all.extend(instances(world, id));
    }
    all.sort();
    all
}

fn instances(world: &World, id: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let instances = world.google.instances(ALICE, id);
    instances
        .iter()
        .map(|instance| (start(&instance["start"]), text(&instance["summary"])))
        .collect()
}

fn start(time: &Value) -> String {
    match time["dateTime"].as_str() {
        Some(time) => time
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
            .to_rfc3339(),
        None => time["date"].as_str().unwrap().to_owned(),
    }
}

async fn in_mirror(world: &World) -> Vec<(String, String)> {
    let window = Window {
        from: world.at(0, 0),
        to: world.at(300, 0),
    };
    let events = world.read(&alice(), window).await;
    let mut shown: Vec<_> = events
        .into_iter()
        .map(|event| {
            (
                start(
                    &json!({"dateTime": (!event.view.all_day).then_some(&event.start), "date": event.start}),
                ),
                event.view.title,
            )
        })
        .collect();
    shown.sort();
    shown
}

async fn assert_as_google(world: &World) {
    assert_eq!(in_mirror(world).await, in_google(world));
    world.messages(&alice()).await;
    world.push_and_settle(&alice()).await;
    assert_eq!(
        in_mirror(world).await,
        in_google(world),
        "after Google's own push"
    );
}

/// Weekly at 09:00 in Berlin for thirty weeks from tomorrow on, across daylight saving changes.
async fn weekly(world: &World) -> Event {
    let mut event = hour(world, "Weekly", 1, 9);
    event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=30"]);
    done(world, create(event)).await.0.unwrap()
}

async fn at_week(world: &World, week: u64) -> Event {
    let window = Window {
        from: world.at(1 + week * 7, 0),
        to: world.at(2 + week * 7, 0),
    };
    let mut events = world.read(&alice(), window).await;
    events.remove(0)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn one_instance_is_edited_and_one_deleted(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    weekly(&world).await;
    let third = at_week(&world, 3).await;
    let (edited, _) = done(&world, update(&third, None, json!({"title": "Special"}))).await;
    assert_eq!(edited.unwrap().id, third.id);
    let fifth = at_week(&world, 5).await;
    done(&world, delete(&fifth, Some(Scope::This))).await;
    assert_as_google(&world).await;
    assert_eq!(in_mirror(&world).await.len(), 29);
    // Edits an instance that is an exception already.
    let special = at_week(&world, 3).await;
    let moved = json!({"start": world.at(23, 15)});
    let (edited, _) = done(&world, update(&special, Some(Scope::This), moved)).await;
    assert_eq!(edited.unwrap().view.title, "Special");
    assert_as_google(&world).await;
}

/// The instances of a series that Google's page has split off have ids of the first series:
/// <https://github.com/odoo/odoo/pull/287171>.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn instances_of_a_series_split_in_google_are_edited(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    weekly(&world).await;
    let events = world.google.events(ALICE);
    let master = events[0]["id"].as_str().unwrap();
    let tenth = at_week(&world, 10).await;
    let start = tenth.start.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let split_off = json!({
        "id": format!("{master}_R{}", start.format("%Y%m%dT%H%M%S")), "summary": "Split off",
        "start": {"dateTime": tenth.start, "timeZone": "Europe/Berlin"},
        "end": {"dateTime": tenth.end, "timeZone": "Europe/Berlin"},
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=20"],
    });
    // In this order, the new series takes over instances that the first one still has.
    world.google.receive(ALICE, ALICE, split_off).unwrap();
    world.push_and_settle(&alice()).await;
    let cut = json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=10"]});
    world.google.patch(ALICE, ALICE, master, cut).unwrap();
    world.push_and_settle(&alice()).await;
    assert_as_google(&world).await;
    assert_eq!(in_mirror(&world).await.len(), 30);

    let split = at_week(&world, 10).await;
    assert_eq!((&split.id, split.view.title.as_str()), (&tenth.id, "Split off"));
    done(&world, update(&split, None, json!({"title": "Special"}))).await;
    let next = at_week(&world, 11).await;
    done(&world, delete(&next, Some(Scope::This))).await;
    assert_as_google(&world).await;
    assert_eq!(in_mirror(&world).await.len(), 29);
    // A page that an earlier version has sent names the instance so.
    let mut held = at_week(&world, 13).await;
    let (_, start) = held.id.rsplit_once('_').unwrap();
    held.id = format!("{}_{start}", next.recurring_event_id.unwrap());
    let (edited, _) = done(&world, update(&held, None, json!({"title": "Held"}))).await;
    assert_eq!(edited.unwrap().view.title, "Held");
    assert_as_google(&world).await;
    let whole = at_week(&world, 12).await;
    done(
        &world,
        update(&whole, Some(Scope::All), json!({"title": "All of it"})),
    )
    .await;
    assert_as_google(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn moving_an_instance_with_scope_all_moves_the_series(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    let mut event = hour(&world, "Weekly", 1, 9);
    let weekday = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let of = chrono::Datelike::weekday(&world.at(1, 9)).num_days_from_monday() as usize;
    event["recurrence"] = json!([format!("RRULE:FREQ=WEEKLY;COUNT=30;BYDAY={}", weekday[of])]);
    done(&world, create(event)).await;
    // 20 weeks later, after a daylight saving change: 9:00 local time becomes 10:30 on the next day.
    let late = at_week(&world, 20).await;
    let to = late
        .start
        .parse::<chrono::DateTime<chrono::FixedOffset>>()
        .unwrap()
        + chrono::TimeDelta::minutes(25 * 60 + 30);
    let (edited, _) = done(
        &world,
        update(&late, Some(Scope::All), json!({"start": to, "title": "Moved"})),
    )
    .await;
    assert_eq!(edited.unwrap().view.title, "Moved");
    assert_as_google(&world).await;
    let shown = in_mirror(&world).await;
    assert_eq!(shown.len(), 30);
    let locals: std::collections::BTreeSet<_> = shown
        .iter()
        .map(|(start, _)| {
            let local = start
                .parse::<chrono::DateTime<chrono::Utc>>()
                .unwrap()
                .with_timezone(&berlin());
            (
                chrono::Datelike::weekday(&local).num_days_from_monday(),
                local.time(),
            )
        })
        .collect();
    assert_eq!(locals.len(), 1, "one weekday and one time of day: {locals:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn this_and_following_splits_the_series_and_keeps_every_instance(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    weekly(&world).await;
    // One exception before the split and one after it.
    let before = at_week(&world, 2).await;
    done(&world, update(&before, None, json!({"title": "Before"}))).await;
    let after = at_week(&world, 12).await;
    done(&world, update(&after, None, json!({"title": "After"}))).await;
    let at = at_week(&world, 10).await;
    let moved: chrono::DateTime<chrono::FixedOffset> = at.start.parse().unwrap();
    let edit = json!({"title": "Later", "start": moved + chrono::TimeDelta::hours(2)});
    let (first, _) = done(&world, update(&at, Some(Scope::Following), edit)).await;
    let first = first.unwrap();
    assert_eq!(first.view.title, "Later");
    assert_ne!(first.recurring_event_id, at.recurring_event_id);
    assert_as_google(&world).await;
    let shown = in_mirror(&world).await;
    assert_eq!(shown.len(), 30);
    let titled = |title: &str| shown.iter().filter(|(_, it)| it == title).count();
    assert_eq!((titled("Weekly"), titled("Before"), titled("Later")), (9, 1, 20));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn following_edits_all_from_the_first_and_deletes_the_rest(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    let first = weekly(&world).await;
    done(
        &world,
        update(&first, Some(Scope::Following), json!({"title": "All"})),
    )
    .await;
    assert!(in_mirror(&world).await.iter().all(|(_, title)| title == "All"));
    let at = at_week(&world, 10).await;
    done(&world, delete(&at, Some(Scope::Following))).await;
    assert_as_google(&world).await;
    assert_eq!(in_mirror(&world).await.len(), 10);
    let first = at_week(&world, 0).await;
    done(&world, delete(&first, Some(Scope::All))).await;
    assert_as_google(&world).await;
    assert!(in_mirror(&world).await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_series_becomes_all_day_and_changes_its_rule(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    weekly(&world).await;
    let at = at_week(&world, 4).await;
    let day = world.today() + chrono::Days::new(29);
    let edit = json!({"start": day, "end": day + chrono::Days::new(1)});
    done(&world, update(&at, Some(Scope::All), edit)).await;
    assert_as_google(&world).await;
    assert_eq!(in_mirror(&world).await.len(), 30);
    let at = at_week(&world, 0).await;
    assert!(at.view.all_day);
    let edit = json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]});
    done(&world, update(&at, Some(Scope::All), edit)).await;
    assert_as_google(&world).await;
    assert_eq!(in_mirror(&world).await.len(), 3);
    let at = at_week(&world, 0).await;
    done(&world, update(&at, Some(Scope::All), json!({"recurrence": null}))).await;
    assert_as_google(&world).await;
    assert_eq!(in_mirror(&world).await.len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_split_that_google_refuses_restores_the_series(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    weekly(&world).await;
    let before = in_mirror(&world).await;
    let refusal = google_emulator::Fault::Error {
        status: 400,
        reason: Some("invalid".into()),
        message: None,
        retry_after: None,
    };
    world.fault(google_emulator::Rule::new("events.insert", refusal).times(1));
    let at = at_week(&world, 10).await;
    let (reason, google_reason) = failure(
        &world,
        update(&at, Some(Scope::Following), json!({"title": "Later"})),
    )
    .await;
    assert_eq!(
        (reason.name(), google_reason.as_deref()),
        ("REFUSED_BY_GOOGLE", Some("invalid"))
    );
    assert_eq!(in_mirror(&world).await, before);
    assert_as_google(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_split_merges_with_others_changes_or_writes_nothing(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    weekly(&world).await;
    let at = at_week(&world, 10).await;
    let master = at.recurring_event_id.clone().unwrap();
    let theirs = json!({"location": "Room 4"});
    world.google.patch(ALICE, ALICE, &master, theirs).unwrap();
    let (first, _) = done(
        &world,
        update(&at, Some(Scope::Following), json!({"title": "Later"})),
    )
    .await;
    assert_eq!(first.unwrap().view.location.as_deref(), Some("Room 4"));
    assert_as_google(&world).await;

    let at = at_week(&world, 5).await;
    world
        .google
        .patch(ALICE, ALICE, &master, json!({"summary": "Theirs"}))
        .unwrap();
    world.push_and_settle(&alice()).await;
    let masters = world.google.events(ALICE).len();
    let mut edit = update(&at, Some(Scope::Following), json!({"title": "Ours"}));
    if let sync::write::Command::Update { base_etag, .. } = &mut edit {
        base_etag.clone_from(&at.view.etag);
    }
    let conflict = conflict(&world, edit).await;
    assert_eq!(conflict.theirs["title"], "Theirs");
    assert_eq!(world.google.events(ALICE).len(), masters, "nothing was split");
    assert_as_google(&world).await;
}

/// Google returns an unedited instance in the form of an event. The mirror must not store it as one: it goes with its series.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_unedited_instance_does_not_outlive_its_series(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    let series = weekly(&world).await.recurring_event_id.unwrap();
    let seen = at_week(&world, 3).await;
    let patch_series = |patch: Value| world.google.patch(ALICE, ALICE, &series, patch).unwrap();
    patch_series(json!({"summary": "Now important"}));
    conflict(&world, delete(&seen, Some(Scope::This))).await;
    assert_as_google(&world).await;
    patch_series(
        json!({"start": {"dateTime": world.at(1, 10), "timeZone": "Europe/Berlin"},
                     "end": {"dateTime": world.at(1, 11), "timeZone": "Europe/Berlin"}}),
    );
    world.push_and_settle(&alice()).await;
    assert_as_google(&world).await;

    // An instance that has become an exception is stored at once.
    let seen = at_week(&world, 4).await;
    world
        .google
        .patch(ALICE, ALICE, &seen.id, json!({"summary": "Special"}))
        .unwrap();
    conflict(&world, delete(&seen, Some(Scope::This))).await;
    assert_eq!(at_week(&world, 4).await.view.title, "Special");
    assert_as_google(&world).await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_rest_of_working_locations_can_be_deleted(pool: PgPool) {
    let world = World::with_page_size(pool, 50).await;
    world.connect(&alice()).await;
    world.settle().await;
    let day = world.today() + chrono::Days::new(1);
    world.add(
        ALICE,
        json!({"summary": "Home", "eventType": "workingLocation", "transparency": "transparent", "visibility": "public",
            "start": {"date": day}, "end": {"date": day + chrono::Days::new(1)},
            "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=30"]}),
    );
    world.push_and_settle(&alice()).await;
    let at = at_week(&world, 10).await;
    assert!(at.view.can_delete);
    let edit = update(&at, Some(Scope::Following), json!({"colorId": "5"}));
    let refused = send(&world, edit).await.unwrap_err();
    assert!(refused.to_string().starts_with("EVENT_TYPE"), "{refused}");
    done(&world, delete(&at, Some(Scope::Following))).await;
    assert_as_google(&world).await;
    assert_eq!(in_mirror(&world).await.len(), 10);
}
