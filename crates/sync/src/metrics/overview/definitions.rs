//! The metrics that are sampled from the database, with their labels.

use common::telemetry::metrics::{Kind, Metric};

pub(super) const MODES: [&str; 4] = ["push", "polling", "stale", "paused"];
/// The reasons with their own label; all others count as [`OTHER`].
pub(super) const REASONS: [&str; 26] = [
    "none",
    "importing",
    "disconnected",
    "reauth_required",
    "scope_missing",
    "calendar_off",
    "access_lost",
    "access_doubtful",
    "push_not_supported",
    "push_missed",
    "rate_limited",
    "quota_spent",
    "transient",
    "page_timed_out",
    "token_endpoint",
    "database",
    "unauthorized",
    "refused",
    "grant_suspect",
    "client_misconfigured",
    "tokens_unreadable",
    "sync_token_refused",
    "listing_restarted",
    "endless_listing",
    "sweep_held",
    "worker_lost",
];
pub(super) const OTHER: &str = "other";

pub(super) const UP: Metric = Metric::new(
    "calwire_overview_success",
    Kind::Gauge,
    &[],
    "1 when the state of the installation could be read from the database at this scrape, else 0 and nothing below",
);
pub(super) const COUNTS_AGE: Metric = Metric::new(
    "calwire_counts_age_seconds",
    Kind::Gauge,
    &[],
    "Since the calendars, accounts and channels were last counted; they are absent before the first count",
);
pub(super) const CALENDARS: Metric = Metric::new(
    "calwire_calendars",
    Kind::Gauge,
    &[("mode", &MODES), ("reason", &[])],
    "Selected calendars by mode and by reason for it",
);
pub(super) const CONNECTIONS: Metric = Metric::new(
    "calwire_connections",
    Kind::Gauge,
    &[("state", &["connected", "reauth_required", "disconnecting"])],
    "Google accounts by state",
);
pub(super) const DUE: Metric = Metric::new(
    "calwire_due",
    Kind::Gauge,
    &[("state", &["waiting", "failing", "suspended"])],
    "Dirty resources: waiting for a worker, failing, or suspended until the user acts",
);
pub(super) const DIRTY_AGE: Metric = Metric::new(
    "calwire_dirty_age_seconds",
    Kind::Gauge,
    &[("state", &["waiting", "failing"])],
    "Age of the oldest change that is known and not yet pulled; 0 when there is none",
);
pub(super) const OUTBOX: Metric = Metric::new(
    "calwire_outbox_messages",
    Kind::Gauge,
    &[],
    "Messages committed and not yet published, counted up to 100,000",
);
pub(super) const OUTBOX_USERS: Metric = Metric::new(
    "calwire_outbox_users",
    Kind::Gauge,
    &[],
    "Users with waiting messages",
);
pub(super) const OUTBOX_AGE: Metric = Metric::new(
    "calwire_outbox_age_seconds",
    Kind::Gauge,
    &[],
    "Age of the oldest unpublished message; 0 when there is none",
);
pub(super) const WATCHES: Metric = Metric::new(
    "calwire_watches",
    Kind::Gauge,
    &[("state", &["live", "missing", "deaf"])],
    "Resources that Google should push: with a live channel, without one, and with one that missed a change",
);
pub(super) const MARGIN: Metric = Metric::new(
    "calwire_watch_margin_seconds",
    Kind::Gauge,
    &[],
    "Until the next push channel without a replacement expires; negative once it has expired",
);
pub(super) const OVERDUE: Metric = Metric::new(
    "calwire_watch_renewal_overdue_seconds",
    Kind::Gauge,
    &[],
    "How long ago the most overdue push channel should have been renewed; 0 when none is overdue",
);
pub(super) const SILENCE: Metric = Metric::new(
    "calwire_push_silence_seconds",
    Kind::Gauge,
    &[],
    "Since the last genuine push of any channel; absent before the first",
);
pub(super) const CANARY_SILENCE: Metric = Metric::new(
    "calwire_canary_silence_seconds",
    Kind::Gauge,
    &[],
    "Since a change of the canary was last seen because Google pushed it; absent where there is no canary",
);
pub(super) const QUOTA_USED: Metric = Metric::new(
    "calwire_quota_used_calls",
    Kind::Gauge,
    &[("budget", &["project", "user"])],
    "Units of Google's quota used in the last minute: of the project, and of the account with the most",
);
pub(super) const QUOTA_LEFT: Metric = Metric::new(
    "calwire_quota_left_calls",
    Kind::Gauge,
    &[("budget", &["project", "user"])],
    "Units left in our budget per minute: of the project, and of the account with the fewest",
);
pub(super) const QUOTA_PAUSED: Metric = Metric::new(
    "calwire_quota_paused",
    Kind::Gauge,
    &[("budget", &["project", "user"])],
    "Budgets that are paused after a rate limit by Google",
);
pub(super) const WRITES: Metric = Metric::new(
    "calwire_writes_open",
    Kind::Gauge,
    &[],
    "Writes that have not finished",
);
pub(super) const WRITE_AGE: Metric = Metric::new(
    "calwire_write_age_seconds",
    Kind::Gauge,
    &[],
    "Age of the oldest unfinished write; 0 when there is none",
);

pub const METRICS: &[Metric] = &[
    UP,
    COUNTS_AGE,
    CALENDARS,
    CONNECTIONS,
    DUE,
    DIRTY_AGE,
    OUTBOX,
    OUTBOX_USERS,
    OUTBOX_AGE,
    WATCHES,
    MARGIN,
    OVERDUE,
    SILENCE,
    CANARY_SILENCE,
    QUOTA_USED,
    QUOTA_LEFT,
    QUOTA_PAUSED,
    WRITES,
    WRITE_AGE,
];
