//! Pulling against a real Postgres and the emulator of Google.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod calendars;
mod convergence;
mod conversion;
mod cut_series;
mod faults;
mod incremental;
mod limits;
mod overview;
mod pull_log;
mod rebuild;
mod snapshot;
mod split_series;
mod zone_data;
