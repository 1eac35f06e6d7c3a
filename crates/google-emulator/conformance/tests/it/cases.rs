//! Every case against the emulator, and the rules for the cases themselves.

use std::collections::BTreeSet;

use google_conformance::case::{self, Case, Need, Step, Verified};
use google_conformance::{runner, scratch};
use google_emulator::Emulator;
use serde_json::Value;

use crate::support::{Clients, start};

/// Runs a case against the emulator as it was at its start. Returns the difference.
async fn run(emulator: &Emulator, clients: &Clients, case: &Case) -> Option<String> {
    emulator.reset().unwrap();
    // Google refuses http; the receiver of this test has nothing else.
    let is_pushed = case.needs.contains(&Need::PublicUrl);
    emulator.with(|state| state.settings.allow_http_callbacks = is_pushed);
    let mut target = clients.target(emulator);
    target.calendar = scratch::create(&target).await.unwrap();
    let difference = runner::run(&target, case).await.err()?;
    Some(format!("{}: {}\n{difference}", case.id, case.title))
}

#[actix_web::test]
async fn every_case_holds_of_the_emulator() {
    let cases = case::load().unwrap();
    let emulator = start().await;
    let clients = Clients::of(&emulator);
    let mut differences = Vec::new();
    for case in &cases {
        differences.extend(run(&emulator, &clients, case).await);
    }
    let count = differences.len();
    assert!(
        count == 0,
        "{count} of {} cases differ:\n\n{}",
        cases.len(),
        differences.join("\n\n")
    );
}

/// The README of the emulator lists the beliefs that no source confirms.
#[test]
fn the_readme_lists_every_unverified_case() {
    const BEGIN: &str = "<!-- unverified -->\n\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (_, rest) = readme.split_once(BEGIN).expect("the list's beginning");
    let (listed, _) = rest.split_once("\n\n").expect("the list's end");
    let cases = case::load().unwrap();
    let unverified = cases.iter().filter(|case| case.verified == Verified::Unverified);
    let right: Vec<_> = unverified
        .map(|case| format!("- `{}`: {}", case.id, case.title))
        .collect();
    let right = right.join("\n");
    assert!(listed == right, "the list of {path} must be:\n\n{right}");
}

#[test]
fn case_ids_are_unique_and_sources_are_public() {
    let cases = case::load().unwrap();
    let ids: BTreeSet<_> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), cases.len(), "two cases have one id");
    for case in &cases {
        for source in &case.sources {
            assert!(source.url.starts_with("https://"), "{}: {}", case.id, source.url);
        }
    }
}

/// Otherwise the clean-up does not find an event that Google accepts, also where a case expects its refusal.
#[test]
fn events_in_primary_calendars_can_be_found_again() {
    for case in case::load().unwrap() {
        let value = |value: &Value| match value.as_str().and_then(|text| text.strip_prefix("{{")) {
            Some(name) => case.values[name.trim_end_matches("}}")].clone(),
            None => value.clone(),
        };
        let is_insert = |step: &&Step| step.call == "POST calendars/primary/events";
        for step in case.steps.iter().filter(is_insert) {
            let body = value(step.body.as_ref().unwrap());
            let id = body["id"].as_str().unwrap_or_default();
            assert!(id.starts_with("{{id:"), "{}: no {{{{id:…}}}} in {body}", case.id);
            let start = value(&body["start"]);
            let day = start.get("date").or(start.get("dateTime"));
            let year = day.and_then(Value::as_str).map(|day| &day[..4]);
            assert!(matches!(year, Some("2028" | "2029")), "{}: {start}", case.id);
        }
    }
}
