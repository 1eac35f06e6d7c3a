//! Metrics of this crate's jobs, in every service that runs them. docs/metrics.md explains each.
//!
//! Ages and counts of the whole installation are read from the database at a scrape: see [`overview`].

mod definitions;
pub mod overview;

use std::time::Duration;

use chrono::TimeDelta;
use common::telemetry::metrics::Sample;
use google::Error;
use sqlx::PgPool;
use store::outbox::Published;
use store::sync_state::{Cause, Pull};

pub use definitions::METRICS;
use definitions::{
    CANARY, CANARY_LATENCY, COMMIT_TO_PUBLISH, EVENTS, GOOGLE, GRANTS_ENDED, LEASES, OVER_BUDGET, PAGES,
    POOL, PUBLISH, PULL, PULLS, PUSH_TO_COMMIT, PUSH_TO_PUBLISH, REFRESHES, RESYNC_MESSAGES, RESYNCS,
    SERIES_CUT, WATCH_REQUESTS, WRITE, WRITES,
};

pub(crate) fn pulled(pull: &Pull, outcome: &'static str, duration: TimeDelta) {
    let cause = pull.cause.into_str();
    PULL.took(&[cause], non_negative(duration));
    PULLS.count(&[pull.kind.into_str(), cause, outcome]);
}

pub(crate) fn page() {
    PAGES.count(&[]);
}

pub(crate) fn mirrored(changed: usize, deleted: usize) {
    EVENTS.add(&["changed"], changed as u64);
    EVENTS.add(&["deleted"], deleted as u64);
}

pub(crate) fn series_cut() {
    SERIES_CUT.count(&[]);
}

pub(crate) fn resync(reason: &'static str) {
    RESYNCS.count(&[reason]);
}

pub(crate) fn resync_messages(reason: &'static str, count: usize) {
    RESYNC_MESSAGES.add(&[reason], count as u64);
}

/// Leases that expired and were taken over from another worker.
pub(crate) fn leases_lost(queue: &'static str, leases: impl Iterator<Item = bool>) {
    let lost = leases.filter(|taken_over| *taken_over).count();
    if lost > 0 {
        LEASES.add(&[queue], lost as u64);
    }
}

/// The latency from a push to the browsers, and of its parts.
pub(crate) fn publish_latencies(published: &[Published]) {
    for change in published {
        COMMIT_TO_PUBLISH.took(&[], non_negative(change.published_at - change.committed_at));
        if change.cause == Cause::Push {
            PUSH_TO_COMMIT.took(&[], non_negative(change.committed_at - change.asked_at));
            PUSH_TO_PUBLISH.took(&[], non_negative(change.published_at - change.asked_at));
        }
    }
}

pub(crate) fn published(result: &Result<(), centrifugo::Error>, duration: Duration) {
    let result = match result {
        Ok(()) => "ok",
        Err(centrifugo::Error::Transient { .. }) => "transient",
        Err(centrifugo::Error::Misconfigured { .. }) => "misconfigured",
        Err(centrifugo::Error::Poison { .. }) => "poison",
    };
    PUBLISH.took(&[result], duration);
}

pub(crate) fn refreshed(result: &'static str) {
    REFRESHES.count(&[result]);
}

pub(crate) fn grant_ended() {
    GRANTS_ENDED.count(&[]);
}

pub(crate) fn called<T>(answer: &Result<T, Error>, duration: Duration) {
    let result = match answer {
        Ok(_) => "ok",
        Err(Error::SyncTokenExpired) => "sync_token_expired",
        Err(Error::RateLimited { .. }) => "rate_limited",
        Err(Error::Transient { .. } | Error::OutcomeUnknown { .. }) => "transient",
        Err(Error::Unauthorized | Error::GrantRejected | Error::ClientMisconfigured { .. }) => "unauthorized",
        Err(Error::NotFound | Error::AlreadyDeleted) => "not_found",
        Err(Error::Conflict | Error::AlreadyExists) => "conflict",
        Err(_) => "refused",
    };
    GOOGLE.took(&[result], duration);
}

pub(crate) fn over_budget(reason: &'static str) {
    OVER_BUDGET.count(&[reason]);
}

pub(crate) fn wrote(operation: &str, state: &'static str, duration: TimeDelta) {
    let known = ["create", "update", "delete", "move", "respond"];
    // The column's check constraint knows these.
    let operation = known
        .into_iter()
        .find(|known| *known == operation)
        .unwrap_or("update");
    WRITES.count(&[operation, state]);
    WRITE.took(&[operation], non_negative(duration));
}

pub(crate) fn watch_requested(result: &'static str) {
    WATCH_REQUESTS.count(&[result]);
}

pub(crate) fn canary(result: &'static str) {
    CANARY.count(&[result]);
}

pub(crate) fn canary_took(latency: Duration) {
    CANARY_LATENCY.took(&[], latency);
}

/// This process's database connections.
pub fn pool(pool: &PgPool) -> Vec<Sample> {
    let (size, idle) = (f64::from(pool.size()), pool.num_idle());
    #[expect(
        clippy::cast_precision_loss,
        reason = "a pool has fewer than 2^52 connections"
    )]
    let idle = idle as f64;
    vec![
        Sample::new(&POOL, &["used"], (size - idle).max(0.0)),
        Sample::new(&POOL, &["idle"], idle),
        Sample::new(&POOL, &["max"], f64::from(pool.options().get_max_connections())),
    ]
}

/// Zero if negative: the clocks of two processes may differ by more than a message takes.
fn non_negative(duration: TimeDelta) -> Duration {
    duration.to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_follow_conventions_and_causes_are_complete() {
        common::telemetry::metrics::check(super::METRICS).unwrap();
        common::telemetry::metrics::check(super::overview::METRICS).unwrap();
        let causes: Vec<_> = store::sync_state::Cause::ALL
            .iter()
            .map(store::sync_state::Cause::into_str)
            .collect();
        assert_eq!(causes, super::definitions::CAUSES);
    }
}
