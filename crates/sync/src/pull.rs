//! Pulling: from "something changed" to the rows that answers are made from.
//!
//! Properties, each with a test that fails when it is broken:
//! - A push during a pull is not lost: the pull settles the `dirty_seq` it read before its first page.
//! - One commit holds the events, the sync token, the user's seq and the message; no transaction is open meanwhile.
//! - A worker that lost its lease commits nothing.
//! - A calendar that is listed anew stays readable as it was until all of it has been read.
//! - What we hold already (an echo) changes nothing and is told to nobody; older data never replaces newer.
//! - One event that cannot be read costs that event alone.
//! - Memory and statements are bounded, whatever changed: more than that is listed anew, page by page.
//! - A pull that ends its process does not end one after the other.
//!
//! Known race: a process that dies between Google's last page and the commit pulls again from the old token. That is
//! the design: the commit is the only thing that counts.

mod apply;
mod decision;
mod horizon;
mod incremental;
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
use futures_util::future::join_all;
use store::sync_state::{self, Kind, Pull};
use store::{calendars, events, watches};
use tokio::sync::Semaphore;
use tracing::Instrument;

pub(crate) use apply::apply;
pub(crate) use decision::PullError;
pub use horizon::extend_horizon_once;
pub(crate) use series::{Incoming, context, expand_stored as expand_series};
use session::{End, Session};

use crate::outbox;
use crate::{Context, calendar_list, metrics};

/// A calendar that Google does not show is asked for again, soon and then ever more seldom: it may have been a mistake, and
/// nobody tells when access comes back.
const ACCESS_RECHECK: Backoff = Backoff::new(Duration::from_mins(1), Duration::from_hours(1));

/// How many pulls [`run_once`] makes at a time.
const BATCH: u8 = 8;

/// How many rows of a generation that nobody reads are deleted at a time.
const PURGE_AT_ONCE: i64 = 5_000;

/// Takes what is due and pulls it, several resources at a time; returns when all of them are done. For loops that must
/// not let a large calendar hold up the others, there is [`Puller`].
pub async fn run_once(ctx: &Context) -> sqlx::Result<Pass> {
    let due = take(ctx, BATCH.into()).await?;
    if due.is_empty() {
        return Ok(Pass::Idle);
    }
    join_all(due.iter().map(|pull| work(ctx, pull))).await;
    Ok(Pass::Worked)
}

/// Pulls in the background, at most so many at a time. A slot that is free takes the next resource at once, so a large
/// calendar holds up one slot and not the others.
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

    /// Waits for a free slot, fills all that are free with what is due, and returns while the pulls go on.
    pub async fn run_once(&self) -> sqlx::Result<Pass> {
        // Nobody closes the semaphore.
        let Ok(first) = self.slots.clone().acquire_owned().await else {
            return Ok(Pass::Idle);
        };
        let mut free = vec![first];
        while let Ok(slot) = self.slots.clone().try_acquire_owned() {
            free.push(slot);
        }
        let due = take(&self.ctx, i64::try_from(free.len()).unwrap_or(1)).await?;
        let pass = if due.is_empty() { Pass::Idle } else { Pass::Worked };
        for (pull, slot) in due.into_iter().zip(free) {
            let ctx = self.ctx.clone();
            tokio::spawn(async move {
                work(&ctx, &pull).await;
                drop(slot);
            });
        }
        Ok(pass)
    }

    /// Waits until the pulls that have begun are done. For the end of a process, after the last [`Puller::run_once`].
    pub async fn drain(&self) {
        drop(self.slots.acquire_many(self.size).await);
    }
}

async fn take(ctx: &Context, limit: i64) -> sqlx::Result<Vec<Pull>> {
    let mut conn = ctx.pool.acquire().await?;
    let due = sync_state::acquire(&mut conn, ctx.settings.lease, limit).await?;
    metrics::leases_lost("pull", due.iter().map(|pull| pull.taken_over));
    crash_point!("pull.leased");
    Ok(due)
}

/// Deletes some of what no reader sees any more: old generations, and such as were begun and given up.
pub async fn purge_once(ctx: &Context) -> sqlx::Result<Pass> {
    let mut tx = ctx.pool.begin().await?;
    let purged = events::purge_stale(&mut tx, PURGE_AT_ONCE).await?;
    tx.commit().await?;
    Ok(if purged == 0 { Pass::Idle } else { Pass::Worked })
}

/// Pulls one resource whose lease is held, and settles the lease whatever happens. Part of the trace of the push that made
/// it due.
async fn work(ctx: &Context, pull: &Pull) {
    let span = tracing::trace_span!(target: trace::SPANS, "pull", resource.id = %pull.lease.key, cause = pull.cause.as_str());
    trace::continue_from(&span, pull.traceparent.as_deref());
    pull_one(ctx, pull).instrument(span).await;
}

async fn pull_one(ctx: &Context, pull: &Pull) {
    let mut session = Session::new(ctx, pull);
    let outcome = match (decision::after_lease_losses(pull), pull.kind) {
        (Some(stop), _) => Err(stop),
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
            tracing::debug!(resource.id = %resource, ?settled, duration_ms, "Pulled");
        }
        Err(stop) => {
            crash_point!("pull.giving_up");
            // A lease that cannot be given back ends by itself.
            if let Err(error) = give_up(&session, stop).await {
                tracing::warn!(resource.id = %resource, %error, "A pull failed and could not say so");
            }
        }
    }
}

async fn pull_events(session: &mut Session<'_>) -> Result<Settled, PullError> {
    let id = CalendarId::from(session.pull.lease.key.as_uuid());
    let mut conn = session.ctx.pool.acquire().await?;
    let calendar = calendars::get(&mut conn, &session.pull.user_id, id).await?;
    drop(conn);
    // The row refers to its calendar, so it can only be gone together with it.
    let calendar = calendar.ok_or(PullError::LeaseLost)?;
    let Some(token) = session.pull.sync_token.as_deref() else {
        metrics::resync("first");
        return rebuild::pull(session, &calendar).await;
    };
    match incremental::pull(session, &calendar, token).await {
        Err(PullError::Rebuild(reason)) => {
            metrics::resync(reason);
            tracing::info!(calendar.id = %id, reason, "Listing everything anew");
            rebuild::pull(session, &calendar).await
        }
        outcome => outcome,
    }
}

/// Ends the lease of a pull that did not commit, and leaves word why.
async fn give_up(session: &Session<'_>, stop: PullError) -> sqlx::Result<()> {
    let lease = &session.pull.lease;
    let attempts = lease.attempts;
    match stop {
        PullError::LeaseLost => {
            tracing::debug!(resource.id = %lease.key, "Another worker has this resource");
        }
        PullError::Retry { delay, reason } => {
            let retry_in_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(resource.id = %lease.key, attempts, error = reason, retry_in_ms, "A pull will be tried again");
            defer(session, delay, reason).await?;
        }
        PullError::Suspend { reason } => suspend(session, reason).await?,
        PullError::AccessLost => lose_access(session).await?,
        // Only a full listing ends a rebuild, and it does not ask for another one.
        PullError::Rebuild(_) => {
            defer(session, Duration::from_mins(1), "sync_token_refused").await?;
        }
        PullError::Database(error) => {
            tracing::warn!(resource.id = %lease.key, attempts, %error, "A pull could not be stored and will be tried again");
            defer(session, decision::storing(attempts), "database").await?;
        }
    }
    Ok(())
}

/// Tries again later.
async fn defer(session: &Session<'_>, delay: Duration, reason: &str) -> sqlx::Result<()> {
    let mut tx = session.ctx.pool.begin().await?;
    session.record(&mut tx, End::failed(reason)).await?;
    if sync_state::defer(&mut tx, &session.pull.lease, delay, reason).await? {
        tx.commit().await?;
    }
    Ok(())
}

/// Waits for a person. That a scope is missing is a state of the whole connection: the first to find it tells.
async fn suspend(session: &Session<'_>, reason: &str) -> sqlx::Result<()> {
    let pull = session.pull;
    let connection_id = pull.connection_id;
    tracing::warn!(resource.id = %pull.lease.key, error = reason, "Nothing is pulled until the user acts");
    let mut tx = session.ctx.pool.begin().await?;
    session.record(&mut tx, End::failed(reason)).await?;
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

/// Keeps what is mirrored but shows it no more, says so, and asks again later. Its channel is of no use any more.
async fn lose_access(session: &Session<'_>) -> sqlx::Result<()> {
    let pull = session.pull;
    let mut tx = session.ctx.pool.begin().await?;
    let id = CalendarId::from(pull.lease.key.as_uuid());
    let now = session.ctx.clock.now();
    if pull.kind == Kind::Events && calendars::lose_access(&mut tx, now, id).await? {
        tracing::info!(calendar.id = %id, "Google no longer shows this calendar to its account");
        watches::replace_of_resources(&mut tx, &[pull.lease.key]).await?;
        outbox::append(&mut tx, now, &pull.user_id, Change::CalendarsChanged {}).await?;
    }
    session.record(&mut tx, End::failed("access_lost")).await?;
    let wait = jittered(ACCESS_RECHECK.bound(pull.lease.attempts));
    if sync_state::defer(&mut tx, &pull.lease, wait, "access_lost").await? {
        tx.commit().await?;
    }
    Ok(())
}

/// Says that a listing had events that cannot be kept, without saying what was in them.
fn report_unreadable(calendar: CalendarId, count: usize) {
    if count > 0 {
        tracing::warn!(calendar.id = %calendar, count, "Events without a usable id were passed over");
    }
}
