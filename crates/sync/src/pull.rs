//! Pulling: copies the changes of a dirty calendar from Google into the mirror.
//!
//! Properties, each with a test that fails when it is broken:
//! - A push during a pull is not lost: the pull settles the `dirty_seq` it read before its first page.
//! - One commit holds the events, the sync token, the user's seq and the message. No transaction is open during a call
//!   to Google.
//! - A worker that lost its lease commits nothing.
//! - During a full listing, readers see the calendar as it was before.
//! - An echo (a change that the mirror already holds) changes nothing and sends no message; older data never replaces
//!   newer data.
//! - An unreadable event affects only itself.
//! - Memory and statement sizes are bounded: a larger set of changes is read by a full listing, page by page.
//! - A pull that kills its process does not kill one worker after another.
//!
//! Known race: a process that dies between Google's last page and the commit pulls again from the old token. This is
//! intended: only the commit counts.

mod apply;
mod convert;
pub(crate) mod decision;
mod difference;
mod horizon;
mod incremental;
#[cfg(feature = "simulation")]
mod mutants;
mod rebuild;
mod series;
pub(crate) mod session;

use std::sync::Arc;
use std::time::Duration;

use common::backoff::{Backoff, jittered};
use common::crash_point;
use common::ids::CalendarId;
use common::lease::Settled;
use common::telemetry::trace;
use common::worker::Pass;
use event_model::wire::{Change, ConnectionState};
use store::sync_state::{self, Cause, Kind, Pull};
use store::{calendars, events, watches};
use tokio::sync::Semaphore;
use tracing::Instrument;

pub(crate) use apply::{Applied, apply};
pub use convert::Converter;
use decision::PullError;
pub use horizon::extend_horizon_once;
pub(crate) use series::{Incoming, context, expand_stored, families_of};
use session::{Session, Summary};

use crate::outbox;
use crate::{Context, calendar_list, metrics};

/// When a calendar that the account cannot read is tried again. Google does not notify us when access is restored.
const ACCESS_RECHECK: Backoff = Backoff::new(Duration::from_mins(1), Duration::from_hours(1));

/// When a calendar is tried again that Google has once refused, and its account's list of calendars is read.
const DOUBT_RECHECK: Duration = Duration::from_secs(10);

/// Rows of outdated generations deleted per transaction.
const PURGE_BATCH: i64 = 5_000;

/// Pulls in the background, with a bounded number of slots. A free slot takes the next resource at once, so a large
/// calendar occupies one slot and does not delay the others.
#[derive(Clone)]
pub struct Puller {
    ctx: Context,
    slots: Arc<Semaphore>,
    size: u32,
}

impl Puller {
    pub fn new(ctx: Context, slots: u8) -> Self {
        let size = u32::from(slots.max(1));
        Self {
            ctx,
            slots: Arc::new(Semaphore::new(size as usize)),
            size,
        }
    }

    /// Waits for a free slot, starts a pull in every free slot, and returns without waiting for the pulls.
    pub async fn run_once(&self) -> sqlx::Result<Pass> {
        // The semaphore is never closed.
        let Ok(first) = self.slots.clone().acquire_owned().await else {
            return Ok(Pass::Idle);
        };
        let mut free = vec![first];
        while let Ok(slot) = self.slots.clone().try_acquire_owned() {
            free.push(slot);
        }
        let due = acquire(&self.ctx, i64::try_from(free.len()).unwrap_or(1)).await?;
        let pass = if due.is_empty() { Pass::Idle } else { Pass::Worked };
        for (pull, slot) in due.into_iter().zip(free) {
            let ctx = self.ctx.clone();
            tokio::spawn(async move {
                pull_traced(&ctx, &pull).await;
                drop(slot);
            });
        }
        Ok(pass)
    }

    /// Waits until all started pulls have finished. For shutdown, after the last [`Puller::run_once`].
    pub async fn drain(&self) {
        drop(self.slots.acquire_many(self.size).await);
    }
}

async fn acquire(ctx: &Context, limit: i64) -> sqlx::Result<Vec<Pull>> {
    let mut conn = ctx.pool.acquire().await?;
    let due = sync_state::acquire(&mut conn, ctx.settings.lease, limit).await?;
    metrics::leases_lost("pull", due.iter().map(|pull| pull.taken_over));
    crash_point!("pull.leased");
    Ok(due)
}

/// Deletes some rows of generations that no reader sees: replaced ones and abandoned ones.
pub async fn purge_once(ctx: &Context) -> sqlx::Result<Pass> {
    let mut tx = ctx.pool.begin().await?;
    let purged = events::purge_stale(&mut tx, PURGE_BATCH).await?;
    tx.commit().await?;
    Ok(if purged == 0 { Pass::Idle } else { Pass::Worked })
}

/// As [`pull_one`], in the trace of the push that made the resource due.
async fn pull_traced(ctx: &Context, pull: &Pull) {
    let span = tracing::trace_span!(target: trace::SPANS, "pull", resource.id = %pull.lease.key, cause = pull.cause.into_str());
    trace::continue_from(&span, pull.traceparent.as_deref());
    pull_one(ctx, pull).instrument(span).await;
}

/// Pulls a leased resource and settles its lease in every case.
async fn pull_one(ctx: &Context, pull: &Pull) {
    let mut session = Session::new(ctx, pull);
    let outcome = match (decision::after_lease_losses(pull), pull.kind) {
        (Some(error), _) => Err(error),
        (None, Kind::Events) => pull_events(&mut session).await,
        (None, Kind::CalendarList) => calendar_list::pull(&mut session).await,
    };
    let resource = pull.lease.key;
    let took = ctx.clock.now() - session.started;
    metrics::pulled(
        pull,
        outcome.as_ref().map_or_else(PullError::reason, |_| "committed"),
        took,
    );
    match outcome {
        Ok(settled) => {
            let duration_ms = took.num_milliseconds();
            tracing::debug!(resource.id = %resource, ?settled, duration_ms, "Pull committed");
        }
        Err(error) => {
            crash_point!("pull.giving_up");
            // A lease that is not released expires.
            if let Err(error) = give_up(&session, error).await {
                tracing::warn!(resource.id = %resource, %error, "Could not record a failed pull");
            }
        }
    }
}

async fn pull_events(session: &mut Session<'_>) -> Result<Settled, PullError> {
    let id = CalendarId::from(session.pull.lease.key.as_uuid());
    let mut conn = session.ctx.pool.acquire().await?;
    let calendar = calendars::get(&mut conn, &session.pull.user_id, id).await?;
    drop(conn);
    // The foreign key deletes the queue row together with its calendar, so the lease is gone too.
    let calendar = calendar.ok_or(PullError::LeaseLost)?;
    let Some(token) = session.pull.sync_token.as_deref() else {
        metrics::resync("first");
        return rebuild::pull(session, &calendar).await;
    };
    match incremental::pull(session, &calendar, token).await {
        Err(PullError::Rebuild(reason)) => {
            metrics::resync(reason);
            tracing::info!(calendar.id = %id, reason, "Starting a full listing");
            rebuild::pull(session, &calendar).await
        }
        outcome => outcome,
    }
}

/// Releases the lease of a pull that did not commit, and records why.
async fn give_up(session: &Session<'_>, error: PullError) -> sqlx::Result<()> {
    let lease = &session.pull.lease;
    let attempts = lease.attempts;
    match error {
        PullError::LeaseLost => {
            tracing::debug!(resource.id = %lease.key, "Another worker holds this resource");
        }
        PullError::Retry { delay, reason } => {
            let retry_in_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(resource.id = %lease.key, attempts, error = reason, retry_in_ms, "Pull failed and will be retried");
            defer(session, delay, reason).await?;
        }
        PullError::Suspend { reason } => suspend(session, reason).await?,
        PullError::AccessLost if is_first_doubt(session) => doubt_access(session).await?,
        PullError::AccessLost if !is_list_read(session).await? && !decision::refused_grant_hides() => {
            let wait = jittered(ACCESS_RECHECK.bound(attempts));
            defer(session, wait, decision::ACCESS_DOUBTFUL).await?;
        }
        PullError::AccessLost => lose_access(session).await?,
        PullError::CalendarOff => calendar_off(session).await?,
        // `rebuild::pull` turns this into a retry, so it does not get here.
        PullError::Rebuild(_) => {
            defer(session, Duration::from_mins(1), "sync_token_refused").await?;
        }
        PullError::Database(error) => {
            tracing::warn!(resource.id = %lease.key, attempts, %error, "Could not store a pull; it will be retried");
            defer(session, decision::database_delay(attempts), "database").await?;
        }
    }
    Ok(())
}

/// Schedules a retry.
async fn defer(session: &Session<'_>, delay: Duration, reason: &str) -> sqlx::Result<()> {
    let mut tx = session.ctx.pool.begin().await?;
    session.record(&mut tx, Summary::failed(reason)).await?;
    if sync_state::defer(&mut tx, &session.pull.lease, delay, reason).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// Stops pulling until the user acts. A missing scope is a state of the whole connection: only the first pull that
/// finds it sends a message.
async fn suspend(session: &Session<'_>, reason: &str) -> sqlx::Result<()> {
    let pull = session.pull;
    let connection_id = pull.connection_id;
    tracing::warn!(resource.id = %pull.lease.key, error = reason, "Pull suspended until the user acts");
    let mut tx = session.ctx.pool.begin().await?;
    session.record(&mut tx, Summary::failed(reason)).await?;
    if reason == decision::SCOPE_MISSING
        && !sync_state::any_failed_with(&mut tx, connection_id, reason).await?
    {
        let state = ConnectionState::ScopeMissing;
        let change = Change::ConnectionChanged { connection_id, state };
        outbox::append(&mut tx, session.ctx.clock.now(), &pull.user_id, change).await?;
    }
    crash_point!("pull.before_suspend");
    if sync_state::suspend(&mut tx, &pull.lease, reason).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// Whether Google refuses a calendar for the first time since the last success. A single 404 or 403 can be a fault of
/// Google's, and hiding a calendar empties the user's page.
fn is_first_doubt(session: &Session<'_>) -> bool {
    let pull = session.pull;
    let known = [
        Some(decision::ACCESS_DOUBTFUL),
        Some(PullError::AccessLost.reason()),
    ];
    pull.kind == Kind::Events && !known.contains(&pull.last_error.as_deref())
}

/// Whether the account's list of calendars could be read after [`doubt_access`] marked it dirty: a refusal of the whole account
/// or of the project must not hide its calendars. True for a calendar that is hidden already, and for the list itself.
async fn is_list_read(session: &Session<'_>) -> sqlx::Result<bool> {
    let pull = session.pull;
    let is_hidden = pull.last_error.as_deref() == Some(PullError::AccessLost.reason());
    if pull.kind == Kind::CalendarList || is_hidden {
        return Ok(true);
    }
    let mut conn = session.ctx.pool.acquire().await?;
    sync_state::list_pulled_since_due(&mut conn, pull.connection_id, pull.lease.key).await
}

/// Tries the calendar again soon, and reads the account's list of calendars: if the calendar is no longer in it, that
/// pull hides it.
async fn doubt_access(session: &Session<'_>) -> sqlx::Result<()> {
    let pull = session.pull;
    let mut tx = session.ctx.pool.begin().await?;
    session
        .record(&mut tx, Summary::failed(decision::ACCESS_DOUBTFUL))
        .await?;
    let list = pull.connection_id.into();
    sync_state::lock(&mut tx, &[list, pull.lease.key]).await?;
    sync_state::mark_dirty(&mut tx, session.ctx.clock.now(), &[list], Cause::Poll).await?;
    let wait = jittered(DOUBT_RECHECK);
    if sync_state::defer(&mut tx, &pull.lease, wait, decision::ACCESS_DOUBTFUL).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// Schedules a retry. The state is the whole connection's: only the first pull that finds it sends a message.
async fn calendar_off(session: &Session<'_>) -> sqlx::Result<()> {
    let (pull, reason) = (session.pull, decision::CALENDAR_OFF);
    let connection_id = pull.connection_id;
    let mut tx = session.ctx.pool.begin().await?;
    session.record(&mut tx, Summary::failed(reason)).await?;
    if !sync_state::any_failed_with(&mut tx, connection_id, reason).await? {
        tracing::info!(connection.id = %connection_id, "Google Calendar is turned off for this account");
        let state = ConnectionState::CalendarOff;
        let change = Change::ConnectionChanged { connection_id, state };
        outbox::append(&mut tx, session.ctx.clock.now(), &pull.user_id, change).await?;
    }
    let wait = jittered(ACCESS_RECHECK.bound(pull.lease.attempts));
    if sync_state::defer(&mut tx, &pull.lease, wait, reason).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// Hides the calendar but keeps its mirror, sends a message, replaces its watch channel, and schedules a retry.
async fn lose_access(session: &Session<'_>) -> sqlx::Result<()> {
    let pull = session.pull;
    let mut tx = session.ctx.pool.begin().await?;
    let id = CalendarId::from(pull.lease.key.as_uuid());
    let now = session.ctx.clock.now();
    if pull.kind == Kind::Events && calendars::lose_access(&mut tx, now, id).await? {
        tracing::info!(calendar.id = %id, "The account can no longer read this calendar");
        watches::replace_of_resources(&mut tx, &[pull.lease.key]).await?;
        outbox::append(&mut tx, now, &pull.user_id, Change::CalendarsChanged {}).await?;
    }
    session.record(&mut tx, Summary::failed("access_lost")).await?;
    let wait = jittered(ACCESS_RECHECK.bound(pull.lease.attempts));
    if sync_state::defer(&mut tx, &pull.lease, wait, "access_lost").await? {
        tx.commit().await?;
    }
    Ok(())
}
