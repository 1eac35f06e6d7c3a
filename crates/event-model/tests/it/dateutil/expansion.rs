//! Calwire and dateutil expand a series to the same instances.

use std::fmt::Write as _;

use super::cases::Case;
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
