//! Random edits in Google under random faults. Invariants, after every round:
//!
//! - the mirror equals Google's calendar (by id, etag and status); before that, it contains everything that the sync
//!   token covers;
//! - a browser that applied the messages in order, and reloaded on each resync and when the window advanced with the day, shows
//!   the same events as a read.
//!
//! `CALWIRE_SEED` repeats a run: it determines the edits, the faults and their order, but not the timing.

use std::collections::BTreeMap;

use event_model::expansion;
use event_model::normal_form;
use event_model::wire::{Change, Event};
use google_emulator::{Fault, Rule};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use sqlx::PgPool;

use crate::world::{ALICE, TEAM, World, alice};

const ROUNDS: u32 = 25;

/// A browser's state: the instances of each series of each calendar.
#[derive(Default)]
pub(super) struct Browser(BTreeMap<(String, String), Vec<Event>>);

impl Browser {
    pub(super) async fn apply(&mut self, world: &World, change: Change) {
        match change {
            Change::EventsChanged {
                calendar_id,
                upserted,
                deleted,
                ..
            } => {
                for series in upserted {
                    let events = normal_form::events(calendar_id, &series);
                    self.0.insert((calendar_id.to_string(), series.series_id), events);
                }
                for series in deleted {
                    self.0.remove(&(calendar_id.to_string(), series));
                }
            }
            Change::Resync { .. } | Change::CalendarsChanged {} => self.reload(world).await,
            Change::ConnectionChanged { .. } | Change::WriteResolved { .. } => {}
        }
    }

    pub(super) async fn reload(&mut self, world: &World) {
        self.0.clear();
        for event in world
            .read(&alice(), expansion::hot_window(world.clock.now()))
            .await
        {
            let series = event
                .recurring_event_id
                .clone()
                .unwrap_or_else(|| event.event_id.clone());
            self.0
                .entry((event.calendar_id.to_string(), series))
                .or_default()
                .push(event);
        }
    }

    pub(super) fn shown(&self) -> Vec<String> {
        let mut shown: Vec<String> = self
            .0
            .values()
            .flatten()
            .map(|event| format!("{event:?}"))
            .collect();
        shown.sort();
        shown
    }
}

/// One edit that a user makes in Google.
fn edit(world: &World, dice: &mut StdRng) {
    let calendar = [ALICE, TEAM][dice.random_range(0..2)];
    let (day, hour) = (dice.random_range(1..30), dice.random_range(0..24));
    let body = world.event(&format!("{}", dice.random::<u32>()), day, hour);
    let existing = world.google.events(calendar);
    let chosen = (!existing.is_empty()).then(|| &existing[dice.random_range(0..existing.len())]);
    let id = chosen.and_then(|event| event["id"].as_str()).unwrap_or_default();
    let is_master = chosen.is_some_and(|event| event.contains_key("recurrence"));
    match dice.random_range(0..8) {
        0 | 1 => drop(world.add(calendar, body)),
        2 => {
            let mut series = body;
            let rule = [
                "FREQ=DAILY;COUNT=6",
                "FREQ=WEEKLY;BYDAY=MO,TH",
                "FREQ=DAILY;INTERVAL=3",
            ];
            series["recurrence"] = json!([format!("RRULE:{}", rule[dice.random_range(0..3)])]);
            world.add(calendar, series);
        }
        3 => {
            let first = world.today() + chrono::Days::new(day);
            world.add(
                calendar,
                json!({"summary": "A day", "start": {"date": first}, "end": {"date": first + chrono::Days::new(1)}}),
            );
        }
        4 | 5 if chosen.is_some() => {
            // Some are cancelled instances, which Google may refuse to change.
            let patch = json!({"summary": format!("changed {}", dice.random::<u32>())});
            drop(world.google.patch(ALICE, calendar, id, patch));
        }
        6 if is_master => {
            let start = chosen
                .and_then(|event| event["start"]["dateTime"].as_str())
                .unwrap_or_default();
            let Ok(start) = start.parse::<chrono::DateTime<chrono::FixedOffset>>() else {
                return;
            };
            let instance = format!("{id}_{}", start.to_utc().format("%Y%m%dT%H%M%SZ"));
            if dice.random() {
                drop(world.google.delete(ALICE, calendar, &instance));
            } else {
                drop(world.google.patch(ALICE, calendar, &instance, body));
            }
        }
        _ => drop(world.google.delete(ALICE, calendar, id)),
    }
}

fn trouble(world: &World, dice: &mut StdRng) {
    let fault = match dice.random_range(0..6) {
        0 => Fault::Error {
            status: 410,
            reason: Some("fullSyncRequired".into()),
            message: None,
            retry_after: None,
        },
        1 => Fault::BadGateway,
        2 => Fault::Truncate,
        3 => Fault::EmptyPage { page: 1 },
        4 => Fault::Shuffle,
        _ => return,
    };
    let skip = dice.random_range(0..3);
    world.fault(
        Rule::new("events.list", fault)
            .skipping(skip)
            .times(dice.random_range(1..3)),
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn mirror_and_browser_converge_to_google(pool: PgPool) {
    let seed = std::env::var("CALWIRE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random);
    println!("CALWIRE_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let world = World::of_alice(pool).await;
    let mut browser = Browser::default();
    let mut window = expansion::hot_window(world.clock.now());
    for round in 0..ROUNDS {
        for _ in 0..dice.random_range(1..5) {
            edit(&world, &mut dice);
        }
        trouble(&world, &mut dice);
        world.push_and_settle(&alice()).await;
        covered(&world, seed, round).await;
        world.google.clear_faults();
        // Rebuilds are at least a minute apart.
        world.clock.advance(chrono::TimeDelta::minutes(2));
        world.let_time_pass().await;
        world.settle().await;
        for calendar in [ALICE, TEAM] {
            assert_eq!(
                world.mirror(&alice(), calendar).await,
                world.truth(calendar),
                "seed {seed}, round {round}"
            );
        }
        for change in world.messages(&alice()).await {
            browser.apply(&world, change).await;
        }
        let now = expansion::hot_window(world.clock.now());
        if window != now {
            window = now;
            browser.reload(&world).await;
        }
        let mut reloaded = Browser::default();
        reloaded.reload(&world).await;
        assert_eq!(browser.shown(), reloaded.shown(), "seed {seed}, round {round}");
    }
}

/// Asserts that the mirror contains everything up to the sync token, in that version or a later one.
async fn covered(world: &World, seed: u64, round: u32) {
    for calendar in [ALICE, TEAM] {
        let Some(token) = world.sync_token(&alice(), calendar).await else {
            continue;
        };
        let mirror = world.mirror(&alice(), calendar).await;
        for event in world.google.events_at(calendar, &token).unwrap_or_default() {
            let id = event["id"].as_str().unwrap_or_default();
            assert!(
                mirror.contains_key(id),
                "seed {seed}, round {round}: {id} is missing"
            );
        }
    }
}
