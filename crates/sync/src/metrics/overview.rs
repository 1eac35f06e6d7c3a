//! The state of the installation, sampled from the database at a scrape. One service exports it; its copies say the same,
//! so a dashboard takes the greatest, not the sum.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use common::ids::UserId;
use common::telemetry::metrics::{Kind, Metric, Sample};
use store::canary;
use store::overview::{self, Due, MESSAGES_MAX, Overview, Question};
use tokio::sync::Mutex;

use super::age;
use crate::freshness::{LATE_AFTER, POLL_LATE_AFTER, QUOTA_SPENT};
use crate::{Context, quota};

/// Two scrapers share an answer. Where reading it takes long, because there are very many calendars, it is read less often:
/// a twentieth of the time is spent on it at most.
const FRESH: Duration = Duration::from_secs(3);
const SHARE: u32 = 20;
/// A scrape waits ten seconds.
const TIMEOUT: Duration = Duration::from_secs(8);

const MODES: [&str; 4] = ["push", "polling", "stale", "paused"];
/// The words of why a calendar is not live, as far as they are labels of their own.
const REASONS: [&str; 22] = [
    "none",
    "importing",
    "disconnected",
    "reauth_required",
    "scope_missing",
    "access_lost",
    "push_not_supported",
    "push_missed",
    "rate_limited",
    "quota_spent",
    "transient",
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
const OTHER: &str = "other";

const UP: Metric = Metric::new(
    "calwire_overview_success",
    Kind::Gauge,
    &[],
    "1 when the state of the installation could be read from the database at this scrape, else 0 and nothing below",
);
const CALENDARS: Metric = Metric::new(
    "calwire_calendars",
    Kind::Gauge,
    &[("mode", &MODES), ("reason", &[])],
    "Selected calendars by mode, and by what was last in their way",
);
const CONNECTIONS: Metric = Metric::new(
    "calwire_connections",
    Kind::Gauge,
    &[("state", &["connected", "reauth_required", "disconnecting"])],
    "Google accounts by state",
);
const DUE: Metric = Metric::new(
    "calwire_due",
    Kind::Gauge,
    &[("state", &["waiting", "failing", "suspended"])],
    "Resources with changes to pull: waiting for a worker, failing, or waiting for a person",
);
const DIRTY_AGE: Metric = Metric::new(
    "calwire_dirty_age_seconds",
    Kind::Gauge,
    &[("state", &["waiting", "failing"])],
    "How long the longest has been known to have changed without being pulled to the end; 0 when there is none",
);
const OUTBOX: Metric = Metric::new(
    "calwire_outbox_messages",
    Kind::Gauge,
    &[],
    "Messages committed and not yet published, counted up to 100,000",
);
const OUTBOX_USERS: Metric = Metric::new(
    "calwire_outbox_users",
    Kind::Gauge,
    &[],
    "Users for whom a message waits",
);
const OUTBOX_AGE: Metric = Metric::new(
    "calwire_outbox_age_seconds",
    Kind::Gauge,
    &[],
    "How long the oldest message has waited to be published; 0 when there is none",
);
const WATCHES: Metric = Metric::new(
    "calwire_watches",
    Kind::Gauge,
    &[("state", &["live", "missing", "deaf"])],
    "What Google should push: with a live channel, without one, and with one that kept silent about a change",
);
const MARGIN: Metric = Metric::new(
    "calwire_watch_margin_seconds",
    Kind::Gauge,
    &[],
    "Until the first push channel ends that nothing has replaced; negative once it has ended",
);
const OVERDUE: Metric = Metric::new(
    "calwire_watch_renewal_overdue_seconds",
    Kind::Gauge,
    &[],
    "How long ago the most belated push channel should have been renewed; 0 when none is late",
);
const SILENCE: Metric = Metric::new(
    "calwire_push_silence_seconds",
    Kind::Gauge,
    &[],
    "Since the last genuine push of any channel; absent before the first",
);
const CANARY_SILENCE: Metric = Metric::new(
    "calwire_canary_silence_seconds",
    Kind::Gauge,
    &[],
    "Since a change of the canary was last seen because Google pushed it; absent where there is no canary",
);
const QUOTA_USED: Metric = Metric::new(
    "calwire_quota_used_calls",
    Kind::Gauge,
    &[("budget", &["project", "user"])],
    "Calls of Google in the last minute: all, and those of the account with the most",
);
const QUOTA_LEFT: Metric = Metric::new(
    "calwire_quota_left_calls",
    Kind::Gauge,
    &[("budget", &["project", "user"])],
    "Calls that our budget of a minute has left: of the project, and of the account with the fewest",
);
const QUOTA_PAUSED: Metric = Metric::new(
    "calwire_quota_paused",
    Kind::Gauge,
    &[("budget", &["project", "user"])],
    "Budgets that Google has asked to leave alone for now",
);
const WRITES: Metric = Metric::new(
    "calwire_writes_open",
    Kind::Gauge,
    &[],
    "Changes that users asked for and that have not come to an end",
);
const WRITE_AGE: Metric = Metric::new(
    "calwire_write_age_seconds",
    Kind::Gauge,
    &[],
    "How long the oldest open change has been asked for; 0 when there is none",
);

pub const METRICS: &[Metric] = &[
    UP,
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

/// The last answer, and how long it is good.
type Last = Option<(Instant, Vec<Sample>)>;

/// Reads the overview at most every few seconds, however many ask.
#[derive(Clone)]
pub struct Sampler {
    ctx: Context,
    canary: Option<UserId>,
    last: Arc<Mutex<Last>>,
}

impl Sampler {
    pub fn new(ctx: Context, canary: Option<UserId>) -> Self {
        Self {
            ctx,
            canary,
            last: Arc::default(),
        }
    }

    /// What is so now; only [`UP`] at 0 when nobody can tell.
    pub async fn sample(&self) -> Vec<Sample> {
        let mut last = self.last.lock().await;
        let started = Instant::now();
        if let Some((until, samples)) = &*last
            && started < *until
        {
            return samples.clone();
        }
        let (samples, good_for) = match tokio::time::timeout(TIMEOUT, self.read()).await {
            Ok(Ok(samples)) => (samples, FRESH.max(started.elapsed() * SHARE)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "The state of the installation cannot be read for its metrics");
                (unknown(), FRESH)
            }
            Err(_) => {
                tracing::warn!("The state of the installation could not be read in time for its metrics");
                (unknown(), FRESH)
            }
        };
        *last = Some((Instant::now() + good_for, samples.clone()));
        samples
    }

    async fn read(&self) -> sqlx::Result<Vec<Sample>> {
        let mut samples = samples(&self.ctx, &read(&self.ctx).await?);
        if let Some(user) = &self.canary {
            let heard = canary::heard_at(&mut *self.ctx.pool.acquire().await?, user).await?;
            let now = self.ctx.clock.now();
            samples.extend(heard.map(|at| Sample::new(&CANARY_SILENCE, &[], age(now, Some(at)))));
        }
        Ok(samples)
    }
}

fn unknown() -> Vec<Sample> {
    vec![Sample::new(&UP, &[], 0.0)]
}

/// The numbers as of now.
pub async fn read(ctx: &Context) -> sqlx::Result<Overview> {
    let now = ctx.clock.now();
    let question = Question {
        now,
        late_before: now - LATE_AFTER,
        poll_late_before: now - POLL_LATE_AFTER,
        missed_before: now - TimeDelta::from_std(ctx.settings.push_late).unwrap_or_default(),
        quota_spent: QUOTA_SPENT,
    };
    overview::read(&mut *ctx.pool.acquire().await?, question).await
}

#[expect(clippy::cast_precision_loss, reason = "nothing here is counted up to 2^52")]
fn samples(ctx: &Context, overview: &Overview) -> Vec<Sample> {
    let now = ctx.clock.now();
    let one = |metric: &'static Metric, value: f64| Sample::new(metric, &[], value);
    let of = |metric: &'static Metric, label: &'static str, value: i64| {
        Sample::new(metric, &[label], value as f64)
    };
    let due = |label, due: &Due| {
        [
            of(&DUE, label, due.count),
            Sample::new(&DIRTY_AGE, &[label], age(now, due.oldest)),
        ]
    };
    let connections = &overview.connections;
    let mut samples = vec![
        one(&UP, 1.0),
        of(&CONNECTIONS, "connected", connections.connected),
        of(&CONNECTIONS, "reauth_required", connections.reauth_required),
        of(&CONNECTIONS, "disconnecting", connections.disconnecting),
        of(&DUE, "suspended", overview.suspended),
        one(&OUTBOX, overview.outbox.messages.min(MESSAGES_MAX) as f64),
        one(&OUTBOX_USERS, overview.outbox.users as f64),
        one(&OUTBOX_AGE, age(now, overview.outbox.oldest)),
        one(&WRITES, overview.writes.open as f64),
        one(&WRITE_AGE, age(now, overview.writes.oldest)),
    ];
    samples.extend(due("waiting", &overview.waiting));
    samples.extend(due("failing", &overview.failing));
    samples.extend(calendars(overview));
    samples.extend(quota_samples(overview));
    // Without an address for pushes nothing should be watched.
    if ctx.settings.webhook_address().is_some() {
        let watches = &overview.watches;
        samples.extend([
            of(&WATCHES, "live", watches.live),
            of(&WATCHES, "missing", watches.missing),
            of(&WATCHES, "deaf", watches.deaf),
            one(&OVERDUE, age(now, watches.renewal)),
        ]);
        samples.extend(
            watches
                .expires
                .map(|at| one(&MARGIN, (at - now).as_seconds_f64())),
        );
        samples.extend(watches.heard.map(|at| one(&SILENCE, age(now, Some(at)))));
    }
    samples
}

/// Every mode is there, and each reason that there is.
fn calendars(overview: &Overview) -> Vec<Sample> {
    let mut counts: Vec<([&'static str; 2], i64)> = MODES.map(|mode| ([mode, "none"], 0)).to_vec();
    for row in &overview.calendars {
        let mode = MODES
            .into_iter()
            .find(|mode| *mode == row.mode)
            .unwrap_or("stale");
        let reason = REASONS
            .into_iter()
            .find(|word| *word == row.reason)
            .unwrap_or(OTHER);
        match counts.iter_mut().find(|(labels, _)| *labels == [mode, reason]) {
            Some((_, count)) => *count += row.count,
            None => counts.push(([mode, reason], row.count)),
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 calendars")]
    let sample = |(labels, count): ([&'static str; 2], i64)| Sample::new(&CALENDARS, &labels, count as f64);
    counts.into_iter().map(sample).collect()
}

fn quota_samples(overview: &Overview) -> [Sample; 6] {
    let used = &overview.quota;
    let (project, user) = quota::budgets();
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 accounts")]
    let users_paused = used.users_paused as f64;
    [
        Sample::new(&QUOTA_USED, &["project"], used.project),
        Sample::new(&QUOTA_USED, &["user"], used.user),
        Sample::new(&QUOTA_LEFT, &["project"], (project - used.project).max(0.0)),
        Sample::new(&QUOTA_LEFT, &["user"], (user - used.user).max(0.0)),
        Sample::new(
            &QUOTA_PAUSED,
            &["project"],
            f64::from(u8::from(used.project_paused)),
        ),
        Sample::new(&QUOTA_PAUSED, &["user"], users_paused),
    ]
}
