//! Each table's statements on a real Postgres.

mod difference;
mod failover;
mod idle;
mod indexes;
mod instances;
mod intake;
mod mirror;

mod pooler;
mod pull_log;
mod queue;
mod reading;
mod sealed;
mod support;
