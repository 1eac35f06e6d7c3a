//! What comes from outside, as functions of bytes. Each target reads its input as the service does and asserts what must
//! hold whatever it is; it fails by panicking.
//!
//! Two things run them: `fuzz/`, where cargo-fuzz looks for new paths through the code for as long as one likes, and the
//! test of this crate, which the gate runs on stable for some seconds from the same corpus.

mod auth;
mod broker;
mod callback;
mod event;
mod fixture;
mod push;
mod rpcs;
mod sealed;
mod zones;

/// Something that reads bytes of strangers.
#[derive(Clone, Copy)]
pub struct Target {
    /// Also the name of its file in `fuzz/fuzz_targets` and of its folder in `fuzz/corpus`.
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// Pieces of its language, which a run puts together where bytes alone would never make them.
    pub words: &'static [&'static str],
}

pub const TARGETS: [Target; 10] = [
    push::TARGET,
    event::EVENT,
    event::RECURRENCE,
    zones::TARGET,
    rpcs::TARGET,
    auth::TARGET,
    callback::CALLBACK,
    callback::RETURN_TO,
    sealed::TARGET,
    broker::TARGET,
];

/// Runs one target by its name.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    match target {
        Some(target) => (target.run)(data),
        None => panic!("there is no target {name}"),
    }
}
