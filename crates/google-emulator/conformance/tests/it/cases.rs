//! Every case against the emulator, and the rules for the cases themselves.

use std::collections::BTreeSet;

use google_conformance::case::{self, Case, Need, Verified};
use google_conformance::{runner, scratch};
use google_emulator::Emulator;

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
