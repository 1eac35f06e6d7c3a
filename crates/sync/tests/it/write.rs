//! Writes against the emulator and a real Postgres: what a user asks for is in Google once, whatever dies on the way.
#![expect(
    clippy::unwrap_used,
    reason = "clippy exempts tests, not the functions that they share"
)]

mod conflicts;
mod crashes;
mod editing;
mod refusals;
mod series;
mod user;
