//! Fuzz targets for input from outside. Each target parses its input as the service does, and panics if an invariant fails
//! that must hold for any input.
//!
//! They run in two ways: with cargo-fuzz in `fuzz/`, which searches for new paths through the code for any length of time,
//! and as the test of this crate, which the gate runs on stable for some seconds from the same corpus.

mod auth;
mod broker;
mod callback;
mod event;
mod fixture;
mod push;
mod rpcs;
mod sealed;
mod target;
mod zones;

pub use target::Target;

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
