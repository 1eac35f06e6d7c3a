//! Tokens, channels and disconnecting, against the emulator of Google and a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod disconnect;
mod stage;
mod tokens;
mod users;
mod watch;
mod watch_crashes;
mod watch_locks;
