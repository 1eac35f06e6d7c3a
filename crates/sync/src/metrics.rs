//! What the work of this crate counts and measures, in whichever service it runs. docs/metrics.md explains each.
//!
//! Ages and counts of the whole installation come from the database at a scrape: see [`overview`].

pub mod overview;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::telemetry::metrics::{Kind, Metric, SECONDS, Sample};
use google::Error;
use sqlx::PgPool;
use store::outbox::Published;
use store::sync_state::{Cause, Pull};

const CAUSES: &[&str] = &["push", "poll", "opening", "person", "watch", "first"];

const PULL: Metric = Metric::new(
    "calwire_pull_duration_seconds",
    Kind::Histogram(SECONDS),
    &[("cause", CAUSES)],
    "From taking a calendar or a list of calendars to the end of its pull, however it ended",
);
const PULLS: Metric = Metric::new(
    "calwire_pulls_total",
    Kind::Counter,
    // Words of failures are many; each is there from its first time.
    &[
        ("kind", &["events", "calendar_list"]),
        ("cause", CAUSES),
        ("outcome", &["committed"]),
    ],
    "Pulls by what asked for them and how they ended: committed, or the word of why not",
);
const PAGES: Metric = Metric::new(
    "calwire_pull_pages_total",
    Kind::Counter,
    &[],
    "Pages that Google answered to listings",
);
const EVENTS: Metric = Metric::new(
    "calwire_pull_events_total",
    Kind::Counter,
    &[("change", &["changed", "deleted"])],
    "Events that pulls wrote to the mirror or took out of it",
);
const RESYNCS: Metric = Metric::new(
    "calwire_resyncs_total",
    Kind::Counter,
    &[(
        "reason",
        &[
            "first",
            "token_expired",
            "token_refused",
            "many_changes",
            "large_pages",
        ],
    )],
    "Full listings by what made them necessary",
);
const LEASES: Metric = Metric::new(
    "calwire_lease_steals_total",
    Kind::Counter,
    &[("queue", &["pull", "relay", "write"])],
    "Work taken over from a worker that did not come back to it in time",
);
const PUSH_TO_COMMIT: Metric = Metric::new(
    "calwire_push_to_commit_seconds",
    Kind::Histogram(SECONDS),
    &[],
    "From Google's push to the commit of what it told of",
);
const COMMIT_TO_PUBLISH: Metric = Metric::new(
    "calwire_commit_to_publish_seconds",
    Kind::Histogram(SECONDS),
    &[],
    "From the commit of a pull to the moment when the broker had taken its message",
);
const PUSH_TO_PUBLISH: Metric = Metric::new(
    "calwire_push_to_publish_seconds",
    Kind::Histogram(SECONDS),
    &[],
    "From Google's push to the moment when the broker had taken the message about it",
);
const PUBLISH: Metric = Metric::new(
    "calwire_publish_duration_seconds",
    Kind::Histogram(SECONDS),
    &[("result", &["ok", "transient", "misconfigured", "poison"])],
    "Publications at the broker by result",
);
const REFRESHES: Metric = Metric::new(
    "calwire_token_refreshes_total",
    Kind::Counter,
    &[("result", &["ok", "rejected", "unreadable", "failed", "overtaken"])],
    "Refreshes of access tokens by result",
);
const GRANTS_ENDED: Metric = Metric::new(
    "calwire_grants_ended_total",
    Kind::Counter,
    &[],
    "Grants that Google has ended: their users must connect again",
);
const GOOGLE: Metric = Metric::new(
    "calwire_google_call_duration_seconds",
    Kind::Histogram(SECONDS),
    &[("result", &["ok", "rate_limited", "transient"])],
    "Calls of Google's calendar API by result",
);
const OVER_BUDGET: Metric = Metric::new(
    "calwire_quota_refusals_total",
    Kind::Counter,
    &[("reason", &["spent", "paused"])],
    "Calls that were not made, because our own budget was spent or Google had asked for a pause",
);
const WRITES: Metric = Metric::new(
    "calwire_writes_total",
    Kind::Counter,
    &[
        ("operation", &["create", "update", "delete", "move", "respond"]),
        ("result", &["done", "failed", "conflict"]),
    ],
    "Changes that users asked for, by how they ended",
);
const WRITE: Metric = Metric::new(
    "calwire_write_duration_seconds",
    Kind::Histogram(SECONDS),
    &[("operation", &["create", "update", "delete", "move", "respond"])],
    "From a user's request to its end",
);
const WATCH_REQUESTS: Metric = Metric::new(
    "calwire_watch_requests_total",
    Kind::Counter,
    &[(
        "result",
        &[
            "made",
            "overtaken",
            "not_supported",
            "rate_limited",
            "transient",
            "refused",
        ],
    )],
    "Push channels that Google was asked for, by result",
);
const CANARY: Metric = Metric::new(
    "calwire_canary_results_total",
    Kind::Counter,
    &[(
        "result",
        &["push", "poll", "late", "socket", "change", "not_connected"],
    )],
    "The canary's changes: seen because Google pushed, seen only because Google was asked, not seen in time, or not made",
);
const CANARY_LATENCY: Metric = Metric::new(
    "calwire_canary_latency_seconds",
    Kind::Summary,
    &[],
    "From the canary's request to Google to the message on a browser's socket, when it came by push",
);
const POOL: Metric = Metric::new(
    "calwire_db_pool_connections",
    Kind::Gauge,
    &[("state", &["used", "idle", "max"])],
    "Connections to the database that this process uses, keeps, and may have",
);

/// All that [`overview`] does not sample, and what [`pool`] does.
pub const METRICS: &[Metric] = &[
    PULL,
    PULLS,
    PAGES,
    EVENTS,
    RESYNCS,
    LEASES,
    PUSH_TO_COMMIT,
    COMMIT_TO_PUBLISH,
    PUSH_TO_PUBLISH,
    PUBLISH,
    REFRESHES,
    GRANTS_ENDED,
    GOOGLE,
    OVER_BUDGET,
    WRITES,
    WRITE,
    WATCH_REQUESTS,
    CANARY,
    CANARY_LATENCY,
    POOL,
];

/// How a pull ended, and what it took.
pub(crate) fn pulled(pull: &Pull, outcome: &'static str, duration: TimeDelta) {
    let cause = pull.cause.as_str();
    PULL.took(&[cause], positive(duration));
    PULLS.count(&[pull.kind.as_str(), cause, outcome]);
}

pub(crate) fn page() {
    PAGES.count(&[]);
}

pub(crate) fn mirrored(changed: usize, deleted: usize) {
    EVENTS.add(&["changed"], changed as u64);
    EVENTS.add(&["deleted"], deleted as u64);
}

pub(crate) fn resync(reason: &'static str) {
    RESYNCS.count(&[reason]);
}

/// Leases that expired and were taken over from another worker.
pub(crate) fn leases_lost(queue: &'static str, leases: impl Iterator<Item = bool>) {
    let lost = leases.filter(|taken_over| *taken_over).count();
    if lost > 0 {
        LEASES.add(&[queue], lost as u64);
    }
}

/// The way of changes to the browsers.
pub(crate) fn publish_latencies(published: &[Published]) {
    for way in published {
        COMMIT_TO_PUBLISH.took(&[], positive(way.published_at - way.committed_at));
        if way.cause == Cause::Push {
            PUSH_TO_COMMIT.took(&[], positive(way.committed_at - way.asked_at));
            PUSH_TO_PUBLISH.took(&[], positive(way.published_at - way.asked_at));
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
    WRITE.took(&[operation], positive(duration));
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

/// What this process makes of its connections.
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

/// Two processes' clocks may disagree by more than a message takes.
fn positive(duration: TimeDelta) -> Duration {
    duration.to_std().unwrap_or_default()
}

/// How long ago, in seconds.
fn age(now: DateTime<Utc>, then: Option<DateTime<Utc>>) -> f64 {
    then.map_or(0.0, |then| (now - then).as_seconds_f64().max(0.0))
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_follow_the_conventions_and_every_cause_is_known() {
        common::telemetry::metrics::check(super::METRICS).unwrap();
        common::telemetry::metrics::check(super::overview::METRICS).unwrap();
        let causes: Vec<_> = store::sync_state::Cause::ALL
            .iter()
            .map(|cause| cause.as_str())
            .collect();
        assert_eq!(causes, super::CAUSES);
    }
}
