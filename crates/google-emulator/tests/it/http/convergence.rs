//! A mirror that follows the rules of sync tokens equals the calendar after each pull, whatever happened before it.

use std::collections::BTreeMap;

use google_emulator::{Emulator, Fault, Resource, Rule};
use serde_json::{Value, json};

use super::support::{ALICE, Client, daily, hour, start};

/// A small repeatable source of numbers; the same edits in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One edit in Google: of a single event, a series, or one instance of a series. Some hit what is not there any more.
fn edit(google: &Emulator, dice: &mut Dice, serial: &mut u32) {
    let number = dice.roll(u64::from(*serial).max(1));
    let series = format!("series{number:03}");
    let instance = format!("{series}_202612{:02}T080000Z", 1 + dice.roll(5));
    let day = 1 + u32::try_from(dice.roll(20)).unwrap();
    let moved = json!({"start": hour("", day)["start"], "end": hour("", day)["end"]});
    // A deleted event answers 410 or 404, as expected.
    let _ = match dice.roll(9) {
        0 | 1 => {
            *serial += 1;
            let mut body = daily("Series", 5);
            body["id"] = json!(format!("series{:03}", *serial - 1));
            google.insert(ALICE, "primary", body).map(drop)
        }
        2 => google.insert(ALICE, "primary", hour("Single", day)).map(drop),
        3 => google.delete(ALICE, "primary", &instance),
        4 => google.patch(ALICE, "primary", &instance, moved).map(drop),
        5 => {
            let rule = format!("RRULE:FREQ=DAILY;COUNT={}", 1 + dice.roll(6));
            google
                .patch(ALICE, "primary", &series, json!({"recurrence": [rule]}))
                .map(drop)
        }
        6 => google
            .patch(
                ALICE,
                "primary",
                &series,
                json!({"summary": format!("Version {day}")}),
            )
            .map(drop),
        7 => google.delete(ALICE, "primary", &series),
        _ => google
            .patch(ALICE, "primary", &series, json!({"status": "confirmed"}))
            .map(drop),
    };
}

fn id_of(event: &Value) -> String {
    event["id"].as_str().unwrap().to_owned()
}

fn faulty(google: &Emulator) {
    google.fault(Rule::new("events.list", Fault::PageSize { size: 3 }));
    google.fault(Rule::new("events.list", Fault::Shuffle).with_probability(0.5));
    google.fault(Rule::new("events.list", Fault::EmptyPage { page: 2 }).with_probability(0.3));
}

#[tokio::test]
async fn masters_and_exceptions_equal_the_truth_at_the_token() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    faulty(&google);
    let (mut dice, mut serial) = (Dice(1), 0);
    let mut mirror = BTreeMap::<String, Value>::new();
    let mut path = "calendars/primary/events?".to_owned();
    for round in 0..40 {
        for _ in 0..=dice.roll(6) {
            edit(&google, &mut dice, &mut serial);
        }
        let (changes, token) = alice.list(&path).await;
        let dead = |event: &Value| event["status"] == "cancelled" && event["recurringEventId"].is_null();
        // Exceptions may come before their master, so the dead masters take theirs along last.
        let masters: Vec<_> = changes.iter().filter(|event| dead(event)).map(id_of).collect();
        mirror.extend(changes.into_iter().map(|event| (id_of(&event), event)));
        mirror.retain(|id, event| {
            !masters.contains(id) && !masters.iter().any(|master| event["recurringEventId"] == **master)
        });

        let truth = google.events_at(ALICE, &token).unwrap();
        let etags = |event: &Resource| (event["id"].as_str().unwrap().to_owned(), event["etag"].clone());
        let mirrored: Vec<_> = mirror
            .iter()
            .map(|(id, event)| (id.clone(), event["etag"].clone()))
            .collect();
        assert_eq!(
            mirrored,
            truth.iter().map(etags).collect::<Vec<_>>(),
            "round {round}"
        );
        path = format!("calendars/primary/events?syncToken={token}");
    }
    assert!(mirror.len() > 10, "the edits left {} events", mirror.len());
}

#[tokio::test]
async fn single_instances_equal_a_full_list() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    faulty(&google);
    let all = "calendars/primary/events?singleEvents=true";
    let (mut dice, mut serial) = (Dice(2), 0);
    let mut mirror = BTreeMap::<String, Value>::new();
    let mut path = all.to_owned();
    for round in 0..25 {
        for _ in 0..=dice.roll(5) {
            edit(&google, &mut dice, &mut serial);
        }
        let (changes, token) = alice.list(&path).await;
        for event in changes {
            if event["status"] == "cancelled" {
                mirror.remove(&id_of(&event));
            } else {
                mirror.insert(id_of(&event), event);
            }
        }
        let (full, _) = alice.list(all).await;
        let full: BTreeMap<_, _> = full.into_iter().map(|event| (id_of(&event), event)).collect();
        assert_eq!(mirror, full, "round {round}");
        path = format!("{all}&syncToken={token}");
    }
    assert!(mirror.len() > 20, "the edits left {} instances", mirror.len());
}
