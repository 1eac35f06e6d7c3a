//! Keeps every calendar current by the clock: push channels, polls, the horizon of series, and purges.
//!
//! No request comes here. Each loop repeats one job of `sync` that takes its work by lease or from a row that only one worker
//! can write, so any number of renewers may run. A loop that fails logs it once per pass and retries later; the others
//! continue.

mod application;
mod config;

pub use application::Application;
pub use config::{Config, LISTEN_ADDR};

/// The service's name in logs, metrics and errors.
pub const NAME: &str = "watch-renewer";
