//! The state of the whole installation, read from the database at a scrape. Every replica of the exporting service
//! reports the same numbers, so a dashboard takes their maximum, not their sum.
//!
//! Counts over all calendars are taken in the background, some calendars at a time, once a scrape has requested them. A small
//! installation is counted within the scrape. At a million calendars a count takes most of an hour; its age is a metric, too.

mod definitions;

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::UserId;
use common::telemetry::metrics::{Metric, Sample};
use store::canary;
use store::overview::{self, Counts, Due, MESSAGES_MAX, Overview, Thresholds};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use definitions::METRICS;
use definitions::{
    CALENDARS, CANARY_SILENCE, CONNECTIONS, COUNTS_AGE, DIRTY_AGE, DUE, MARGIN, MODES, OTHER, OUTBOX,
    OUTBOX_AGE, OUTBOX_USERS, OVERDUE, QUOTA_LEFT, QUOTA_PAUSED, QUOTA_USED, REASONS, SILENCE, UP, WATCHES,
    WRITE_AGE, WRITES,
};

use crate::freshness::{LATE_AFTER, POLL_LATE_AFTER, QUOTA_SPENT};
use crate::{Context, quota};

/// For how long scrapers share a result. If reading takes long, because very much is due, the result is kept longer, so that
/// reading takes at most a twentieth of the time.
const FRESH: Duration = Duration::from_secs(3);
const SHARE: u32 = 20;
/// Prometheus gives up on a scrape after ten seconds.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Resources counted by one statement, in some ten milliseconds.
const COUNTED_AT_ONCE: i64 = 1_000;
/// Counting takes at most this part of the time.
const COUNTING_SHARE: u32 = 200;
/// For this long a scrape waits for a new count. After that it has the last one.
const COUNTING_PATIENCE: Duration = Duration::from_millis(50);

/// Reads the overview at most every few seconds, for any number of scrapers.
#[derive(Clone)]
pub struct Sampler {
    ctx: Context,
    canary: Option<UserId>,
    last: Arc<Mutex<Last>>,
}

#[derive(Default)]
struct Last {
    /// The last result, and until when it is valid.
    result: Option<(Instant, Vec<Sample>)>,
    counts: Option<(Instant, Counts)>,
    counting: Option<JoinHandle<sqlx::Result<Counts>>>,
    /// The last push that a count has met. One that is in progress has met newer ones.
    heard: Arc<std::sync::Mutex<Option<DateTime<Utc>>>>,
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
        if let Some((until, samples)) = &last.result
            && started < *until
        {
            return samples.clone();
        }
        let (samples, valid_for) = match tokio::time::timeout(TIMEOUT, self.read(&mut last)).await {
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
        last.result = Some((Instant::now() + valid_for, samples.clone()));
        samples
    }

    async fn read(&self, last: &mut Last) -> sqlx::Result<Vec<Sample>> {
        let mut samples = samples(&self.ctx, &read(&self.ctx).await?);
        self.count(last).await;
        if let Some((at, counts)) = &last.counts {
            samples.push(Sample::new(&COUNTS_AGE, &[], at.elapsed().as_secs_f64()));
            samples.extend(counted(&self.ctx, counts));
        }
        let heard = *last.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(at), Some(_)) = (heard, self.ctx.settings.webhook_address()) {
            samples.push(Sample::new(&SILENCE, &[], age(self.ctx.clock.now(), Some(at))));
        }
        if let Some(user) = &self.canary {
            let heard = canary::heard_at(&mut *self.ctx.pool.acquire().await?, user).await?;
            let now = self.ctx.clock.now();
            samples.extend(heard.map(|at| Sample::new(&CANARY_SILENCE, &[], age(now, Some(at)))));
        }
        Ok(samples)
    }

    /// Starts a count, unless one is in progress, and waits for it a little.
    async fn count(&self, last: &mut Last) {
        let (ctx, heard) = (self.ctx.clone(), Arc::clone(&last.heard));
        let counting = last
            .counting
            .get_or_insert_with(|| tokio::spawn(async move { count(&ctx, COUNTING_SHARE, &heard).await }));
        let Ok(counted) = tokio::time::timeout(COUNTING_PATIENCE, counting).await else {
            return;
        };
        last.counting = None;
        last.counts = match counted {
            Ok(Ok(counts)) => Some((Instant::now(), counts)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "Could not count the calendars for the metrics");
                None
            }
            // Its panic is in the log.
            Err(_) => None,
        };
    }
}

fn unknown() -> Vec<Sample> {
    vec![Sample::new(&UP, &[], 0.0)]
}

/// Reads the current numbers, except for the [`count`].
pub async fn read(ctx: &Context) -> sqlx::Result<Overview> {
    overview::read(&mut *ctx.pool.acquire().await?, ctx.clock.now()).await
}

/// Counts all resources, some at a time. The pauses in between are `share` times as long as the work. `heard` becomes the time
/// of the last push, as soon as that is met.
pub async fn count(
    ctx: &Context,
    share: u32,
    heard: &std::sync::Mutex<Option<DateTime<Utc>>>,
) -> sqlx::Result<Counts> {
    let (mut counts, mut after) = (Counts::default(), Uuid::nil());
    loop {
        let started = Instant::now();
        let now = ctx.clock.now();
        let thresholds = Thresholds {
            now,
            late_before: now - LATE_AFTER,
            poll_late_before: now - POLL_LATE_AFTER,
            missed_before: now - TimeDelta::from_std(ctx.settings.push_late).unwrap_or_default(),
            quota_spent: QUOTA_SPENT,
        };
        let mut conn = ctx.pool.acquire().await?;
        let last = overview::count(&mut conn, thresholds, after, COUNTED_AT_ONCE, &mut counts).await?;
        drop(conn);
        note_heard(heard, counts.heard);
        let Some(last) = last else {
            return Ok(counts);
        };
        after = last;
        tokio::time::sleep(started.elapsed() * share).await;
    }
}

fn note_heard(heard: &std::sync::Mutex<Option<DateTime<Utc>>>, at: Option<DateTime<Utc>>) {
    let mut last = heard.lock().unwrap_or_else(PoisonError::into_inner);
    *last = at.max(*last);
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
    let mut samples = vec![
        one(&UP, 1.0),
        of(&CONNECTIONS, "disconnecting", overview.disconnecting),
        of(&DUE, "suspended", overview.suspended),
        one(&OUTBOX, overview.outbox.messages.min(MESSAGES_MAX) as f64),
        one(&OUTBOX_USERS, overview.outbox.users as f64),
        one(&OUTBOX_AGE, age(now, overview.outbox.oldest)),
        one(&WRITES, overview.writes.open as f64),
        one(&WRITE_AGE, age(now, overview.writes.oldest)),
    ];
    samples.extend(due("waiting", &overview.waiting));
    samples.extend(due("failing", &overview.failing));
    samples.extend(quota_samples(overview));
    // Without a webhook address there are no channels.
    if ctx.settings.webhook_address().is_some() {
        let next = &overview.next_channels;
        samples.push(one(&OVERDUE, age(now, next.renewal)));
        samples.extend(next.expires.map(|at| one(&MARGIN, (at - now).as_seconds_f64())));
    }
    samples
}

#[expect(clippy::cast_precision_loss, reason = "nothing here is counted up to 2^52")]
fn counted(ctx: &Context, counts: &Counts) -> Vec<Sample> {
    let of = |metric: &'static Metric, label: &'static str, value: i64| {
        Sample::new(metric, &[label], value as f64)
    };
    let mut samples = calendars(counts);
    samples.extend([
        of(&CONNECTIONS, "connected", counts.connected),
        of(&CONNECTIONS, "reauth_required", counts.reauth_required),
    ]);
    // Without a webhook address there are no channels.
    if ctx.settings.webhook_address().is_some() {
        let watches = &counts.watches;
        samples.extend([
            of(&WATCHES, "live", watches.live),
            of(&WATCHES, "missing", watches.missing),
            of(&WATCHES, "deaf", watches.deaf),
        ]);
    }
    samples
}

/// One sample per mode, and one per mode and reason that occurs.
fn calendars(totals: &Counts) -> Vec<Sample> {
    let mut counts: Vec<([&'static str; 2], i64)> = MODES.map(|mode| ([mode, "none"], 0)).to_vec();
    for row in &totals.calendars {
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
