//! Each table's statements on a real Postgres.

mod indexes;
mod intake;
mod mirror;
mod pull_log;
mod sealed;
