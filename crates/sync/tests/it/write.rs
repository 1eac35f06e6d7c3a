//! Writes against the emulator and a real Postgres: a request is applied at Google once, whichever process dies.
#![expect(
    clippy::unwrap_used,
    reason = "clippy exempts tests, not the functions that they share"
)]

mod conflicts;
mod crashes;
mod editing;
mod exceptions;
mod expired;
mod kill;
mod refusals;
mod series;
mod untouched;
mod user;
mod zones;
