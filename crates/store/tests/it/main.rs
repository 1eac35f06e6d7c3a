//! Each table's statements on a real Postgres.

mod failover;
mod indexes;
mod intake;
mod mirror;
mod occurrences;
mod pooler;
mod pull_log;
mod queue;
mod sealed;
mod support;
