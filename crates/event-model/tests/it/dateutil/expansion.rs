//! Calwire and dateutil expand a series to the same instances.

use std::fmt::Write as _;

use super::cases::{CHANGED, Case, has_changed};
use super::{ask, generate, seed};

/// An expansion has at most about this many instances, so no more are compared.
const COMPARED: usize = 2_000;

#[test]
fn expansion_agrees_with_dateutil() {
    let seed = seed();
    let cases = generate(Case::generate);
    let answers = ask(cases.iter().map(Case::question).collect());
    let mut wrong = String::new();
    let (mut slow, mut empty, mut compared) = (0, 0, 0);
    for (number, (case, answer)) in cases.iter().zip(answers).enumerate() {
        let Some(mut theirs) = answer else {
            slow += 1;
            continue;
        };
        theirs.truncate(COMPARED);
        let mut ours = case.expand();
        ours.truncate(COMPARED);
        empty += usize::from(theirs.is_empty());
        compared += theirs.len();
        if ours != theirs {
            let differ = |a: &[String], b: &[String]| {
                a.iter()
                    .filter(|one| !b.contains(one))
                    .take(3)
                    .cloned()
                    .collect::<Vec<_>>()
            };
            writeln!(
                wrong,
                "case {number}: {}\n  only Calwire: {:?}\n  only dateutil: {:?}",
                case.question(),
                differ(&ours, &theirs),
                differ(&theirs, &ours)
            )
            .unwrap();
        }
    }
    println!(
        "{} cases of seed {seed}: {compared} instances compared, {empty} cases without any, {slow} too slow for dateutil",
        cases.len()
    );
    assert!(wrong.is_empty(), "seed {seed}\n{wrong}");
    assert!(
        slow * 50 <= cases.len(),
        "{slow} cases were too slow for dateutil: too many to call this a comparison"
    );
    assert!(
        empty * 2 <= cases.len(),
        "{empty} cases have no instance: too many to call this a comparison"
    );
}

/// The drawn series reach the rules of 2026: with those of 2025 in either side's table, the comparison above fails.
#[test]
fn outdated_zone_rules_would_be_found() {
    let cases = generate(Case::generate);
    let changed: Vec<_> = cases
        .iter()
        .filter(|case| case.zone.is_some_and(has_changed))
        .collect();
    let now = ask(changed.iter().map(|case| case.question()).collect());
    let before = ask(changed.iter().map(|case| outdated(case)).collect());
    for (zone, _) in CHANGED {
        let answers = changed.iter().zip(now.iter().zip(&before));
        let of_zone = answers.filter(|(case, _)| case.zone.is_some_and(|own| own.name() == zone));
        let differing = of_zone.filter(|(_, (now, before))| now != before).count();
        println!("{zone}: {differing} cases differ by the rules of 2025");
        assert!(differing > 0, "no case of {zone} shows its rules of 2026");
    }
}

/// The question in the zone whose rules the case's zone had in 2025.
fn outdated(case: &Case) -> serde_json::Value {
    let mut question = case.question();
    let old = CHANGED.iter().find(|(zone, _)| question["zone"] == *zone);
    question["zone"] = old.map(|(_, old)| *old).into();
    question
}
