//! The state of the whole installation, read from the database at a scrape. Every replica of the exporting service
//! reports the same numbers, so a dashboard takes their maximum, not their sum.

mod definitions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::UserId;
use common::telemetry::metrics::{Metric, Sample};
use store::canary;
use store::overview::{self, Due, MESSAGES_MAX, Overview, Thresholds};
use tokio::sync::Mutex;

pub use definitions::METRICS;
use definitions::{
    CALENDARS, CANARY_SILENCE, CONNECTIONS, DIRTY_AGE, DUE, MARGIN, MODES, OTHER, OUTBOX, OUTBOX_AGE,
    OUTBOX_USERS, OVERDUE, QUOTA_LEFT, QUOTA_PAUSED, QUOTA_USED, REASONS, SILENCE, UP, WATCHES, WRITE_AGE,
    WRITES,
};

use crate::freshness::{LATE_AFTER, POLL_LATE_AFTER, QUOTA_SPENT};
use crate::{Context, quota};

/// For how long scrapers share a result. If reading takes long, because there are very many calendars, the result is
/// kept longer, so that reading takes at most a twentieth of the time.
const FRESH: Duration = Duration::from_secs(3);
const SHARE: u32 = 20;
/// Prometheus gives up on a scrape after ten seconds.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The last result, and until when it is valid.
type Last = Option<(Instant, Vec<Sample>)>;

/// Reads the overview at most every few seconds, for any number of scrapers.
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

    /// The current samples; only [`UP`] at 0 if they cannot be read.
    pub async fn sample(&self) -> Vec<Sample> {
        let mut last = self.last.lock().await;
        let started = Instant::now();
        if let Some((until, samples)) = &*last
            && started < *until
        {
            return samples.clone();
        }
        let (samples, valid_for) = match tokio::time::timeout(TIMEOUT, self.read()).await {
            Ok(Ok(samples)) => (samples, FRESH.max(started.elapsed() * SHARE)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "Could not read the overview metrics");
                (unknown(), FRESH)
            }
            Err(_) => {
                tracing::warn!("Timed out reading the overview metrics");
                (unknown(), FRESH)
            }
        };
        *last = Some((Instant::now() + valid_for, samples.clone()));
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

/// Reads the current numbers.
pub async fn read(ctx: &Context) -> sqlx::Result<Overview> {
    let now = ctx.clock.now();
    let thresholds = Thresholds {
        now,
        late_before: now - LATE_AFTER,
        poll_late_before: now - POLL_LATE_AFTER,
        missed_before: now - TimeDelta::from_std(ctx.settings.push_late).unwrap_or_default(),
        quota_spent: QUOTA_SPENT,
    };
    overview::read(&mut *ctx.pool.acquire().await?, thresholds).await
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
    // Without a webhook address there are no channels.
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

/// One sample per mode, and one per mode and reason that occurs.
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

/// The time since `then`, in seconds.
fn age(now: DateTime<Utc>, then: Option<DateTime<Utc>>) -> f64 {
    then.map_or(0.0, |then| (now - then).as_seconds_f64().max(0.0))
}
