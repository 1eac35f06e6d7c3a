//! Seeds whose plans reach a point or reveal a mutant where the first seed does not, so that the gate does not search for them
//! each time.
//!
//! `cargo xtask simulate --points` and `--control` print them. A change of the plans makes some of them useless; then the usual
//! seeds are tried, which takes longer and finds the same.

const POINTS: &[(&str, u64)] = &[
    ("connect.before_commit", 5),
    ("horizon.before_commit", 2),
    ("pull.before_suspend", 6),
    ("pull.giving_up", 2),
    ("token.after_google", 2),
    ("token.before_verdict", 6),
    ("token.leased", 2),
    ("token.stored", 2),
    ("watch.stopped_at_google", 11),
    ("write.after_commit", 2),
    ("write.after_google", 2),
    ("write.before_commit", 2),
    ("write.before_google", 2),
    ("write.begun", 2),
    ("write.deferring", 3),
];

const MUTANTS: &[(&str, u64)] = &[
    ("cut_text_written", 4),
    ("flip_loses_series", 2),
    ("grant_ends_at_once", 2),
    ("token_before_events", 8),
    ("wipe_before_refill", 2),
];

pub fn of_point(point: &str) -> Option<u64> {
    seed_of(POINTS, point)
}

pub fn of_mutant(mutant: &str) -> Option<u64> {
    seed_of(MUTANTS, mutant)
}

/// `usual`, in their order, but a known one first.
pub fn first(known: Option<u64>, usual: std::ops::Range<u64>) -> Vec<u64> {
    let known = known.filter(|seed| usual.contains(seed));
    let others = usual.filter(|&seed| Some(seed) != known);
    known.into_iter().chain(others).collect()
}

fn seed_of(known: &[(&str, u64)], name: &str) -> Option<u64> {
    known.iter().find(|&&(of, _)| of == name).map(|&(_, seed)| seed)
}
