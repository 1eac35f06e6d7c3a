//! The metrics of this crate, with their labels.

use common::telemetry::metrics::{Kind, Metric, SECONDS};

pub(super) const CAUSES: &[&str] = &["push", "poll", "opening", "person", "watch", "first"];

pub(super) const PULL: Metric = Metric::new(
    "calwire_pull_duration_seconds",
    Kind::Histogram(SECONDS),
    &[("cause", CAUSES)],
    "From leasing a calendar or calendar list to the end of its pull, successful or not",
);
pub(super) const PULLS: Metric = Metric::new(
    "calwire_pulls_total",
    Kind::Counter,
    // There are many failure reasons; each series appears with its first occurrence.
    &[
        ("kind", &["events", "calendar_list"]),
        ("cause", CAUSES),
        ("outcome", &["committed"]),
    ],
    "Pulls by cause and outcome: committed, or the reason of the failure",
);
pub(super) const PAGES: Metric = Metric::new(
    "calwire_pull_pages_total",
    Kind::Counter,
    &[],
    "Pages received for listings",
);
pub(super) const EVENTS: Metric = Metric::new(
    "calwire_pull_events_total",
    Kind::Counter,
    &[("change", &["changed", "deleted"])],
    "Events that pulls wrote to the mirror or deleted from it",
);
pub(super) const SERIES_CUT: Metric = Metric::new(
    "calwire_series_cut_total",
    Kind::Counter,
    &[],
    "Expansions of a series that has more instances than are kept",
);
pub(super) const RESYNCS: Metric = Metric::new(
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
    "Full listings by reason",
);
pub(super) const RESYNC_MESSAGES: Metric = Metric::new(
    "calwire_resync_messages_total",
    Kind::Counter,
    &[(
        "reason",
        &["listed", "expanded", "too_large", "backlog", "refused"],
    )],
    "Messages that make a page reload a calendar because they do not contain its changes: too many after a full \
     listing, too many after a change of the calendar's zone or role, too large, waiting while the broker was down, refused by the broker",
);
pub(super) const LEASES: Metric = Metric::new(
    "calwire_lease_steals_total",
    Kind::Counter,
    &[("queue", &["pull", "relay", "write"])],
    "Work taken over from a worker whose lease expired",
);
pub(super) const PUSH_TO_COMMIT: Metric = Metric::new(
    "calwire_push_to_commit_seconds",
    Kind::Histogram(SECONDS),
    &[],
    "From Google's push to the commit of its change",
);
pub(super) const COMMIT_TO_PUBLISH: Metric = Metric::new(
    "calwire_commit_to_publish_seconds",
    Kind::Histogram(SECONDS),
    &[],
    "From the commit of a pull to the broker's confirmation of its message",
);
pub(super) const PUSH_TO_PUBLISH: Metric = Metric::new(
    "calwire_push_to_publish_seconds",
    Kind::Histogram(SECONDS),
    &[],
    "From Google's push to the broker's confirmation of the message about it",
);
pub(super) const PUBLISH: Metric = Metric::new(
    "calwire_publish_duration_seconds",
    Kind::Histogram(SECONDS),
    &[("result", &["ok", "transient", "misconfigured", "poison"])],
    "Publications to the broker by result",
);
pub(super) const REFRESHES: Metric = Metric::new(
    "calwire_token_refreshes_total",
    Kind::Counter,
    &[("result", &["ok", "rejected", "unreadable", "failed", "overtaken"])],
    "Refreshes of access tokens by result",
);
pub(super) const GRANTS_ENDED: Metric = Metric::new(
    "calwire_grants_ended_total",
    Kind::Counter,
    &[],
    "Grants ended by Google; their users must connect again",
);
pub(super) const GOOGLE: Metric = Metric::new(
    "calwire_google_call_duration_seconds",
    Kind::Histogram(SECONDS),
    &[("result", &["ok", "rate_limited", "transient"])],
    "Calls to Google's calendar API by result",
);
pub(super) const OVER_BUDGET: Metric = Metric::new(
    "calwire_quota_refusals_total",
    Kind::Counter,
    &[("reason", &["spent", "paused"])],
    "Calls not made because our own budget was used up or paused after a rate limit by Google",
);
pub(super) const WRITES: Metric = Metric::new(
    "calwire_writes_total",
    Kind::Counter,
    &[
        ("operation", &["create", "update", "delete", "move", "respond"]),
        ("result", &["done", "failed", "conflict"]),
    ],
    "Writes by operation and result",
);
pub(super) const WRITE: Metric = Metric::new(
    "calwire_write_duration_seconds",
    Kind::Histogram(SECONDS),
    &[("operation", &["create", "update", "delete", "move", "respond"])],
    "From a user's write request to its result",
);
pub(super) const WATCH_REQUESTS: Metric = Metric::new(
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
    "Push channel requests by result",
);
pub(super) const CANARY: Metric = Metric::new(
    "calwire_canary_results_total",
    Kind::Counter,
    &[(
        "result",
        &["push", "poll", "late", "socket", "change", "not_connected"],
    )],
    "The canary's changes: received by push, received only by a poll, late, or not made",
);
pub(super) const CANARY_LATENCY: Metric = Metric::new(
    "calwire_canary_latency_seconds",
    Kind::Summary,
    &[],
    "From the canary's change in Google to the message on a browser's socket, for changes received by push",
);
pub(super) const POOL: Metric = Metric::new(
    "calwire_db_pool_connections",
    Kind::Gauge,
    &[("state", &["used", "idle", "max"])],
    "This process's database connections: in use, idle, and the maximum",
);

/// All metrics except those of [`super::overview`].
pub const METRICS: &[Metric] = &[
    PULL,
    PULLS,
    PAGES,
    EVENTS,
    SERIES_CUT,
    RESYNCS,
    RESYNC_MESSAGES,
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
