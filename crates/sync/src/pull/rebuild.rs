//! A full listing, the first one or after a 410: page by page into a generation that nobody reads, then one small
//! transaction that lets readers see it. What the listing did not return is gone with the old generation.
//!
//! Memory stays flat: a page is written before the next one is asked for, and series are expanded from the mirror a few
//! at a time after the last page, for an exception may come long before its master.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use common::crash_point;
use common::lease::Settled;
use common::telemetry::trace::SPANS;
use event_model::expansion::{self, CalendarContext, Occurrence};
use event_model::wire::{Change, Window};
use google::RawEvent;
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::events::{self, NewEvent, Walk};
use store::occurrences::{self, Place};
use store::pull_log::Outcome;
use store::sync_state::{self, Horizon, Progress};
use tracing::Instrument;

use super::decision::{LARGE_PAGES, PullError};
use super::series::{Incoming, context, expand_single, expand_stored, rows};
use super::session::{End, Pages, Session};
use crate::metrics;
use crate::outbox;

/// A calendar is rebuilt at most once in so long, should Google refuse every token it gives.
const REBUILD_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A flip may lose so many events without asking twice, and any number up to half of them.
const SWEEP_FREE: i64 = 50;

/// When the second listing is made that has to agree with the first about a large sweep.
const SWEEP_RECHECK: Duration = Duration::from_secs(30);

/// How many series are read from the mirror at a time.
const SERIES_AT_ONCE: i64 = 50;

/// A listing that has come to its end.
struct Listing {
    generation: i64,
    sync_token: String,
    /// Events that could be read.
    events: usize,
}

/// Lists everything into a new generation and lets readers see it.
pub(super) async fn pull(session: &mut Session<'_>, calendar: &Calendar) -> Result<Settled, PullError> {
    wait_after_last(session)?;
    let context = context(calendar);
    let listing = loop {
        match list(session, calendar, &context).await {
            // From the start, in smaller pages: as often as there are smaller ones.
            Err(PullError::Rebuild(LARGE_PAGES)) => session.extend_lease().await?,
            listing => break listing.map_err(restart)?,
        }
    };
    let horizon = expansion::horizon(session.started);
    expand_generation(session, &context, listing.generation, Walk::Recurring, horizon).await?;
    crash_point!("rebuild.expanded");
    let progress = Progress {
        sync_token: &listing.sync_token,
        page_size: Some(session.page_size()),
        generation: listing.generation,
        horizon: Horizon::Until(horizon.to),
        pulled_at: session.started,
        changed: true,
    };
    flip(session, calendar, progress, listing.events)
        .instrument(tracing::trace_span!(target: SPANS, "commit"))
        .await
}

/// All pages, each written before the next one is asked for.
async fn list(
    session: &mut Session<'_>,
    calendar: &Calendar,
    context: &CalendarContext,
) -> Result<Listing, PullError> {
    let mut conn = session.ctx.pool.acquire().await?;
    let generation = sync_state::begin_generation(&mut conn, &session.pull.lease)
        .await?
        .ok_or(PullError::LeaseLost)?;
    drop(conn);
    crash_point!("rebuild.begun");
    #[cfg(feature = "simulation")]
    if common::mutant!("wipe_before_refill") {
        let mut conn = session.ctx.pool.acquire().await?;
        store::mutants::wipe(&mut conn, calendar.id, session.pull.generation).await?;
    }
    let mut pages = Pages::from(None);
    let (mut events, mut unreadable) = (0, 0);
    while let Some(page) = session.events(&calendar.google_id, &mut pages).await? {
        let received = page.items.len();
        let stored = write_page(session, context, generation, page.items).await?;
        crash_point!("rebuild.page_written");
        events += stored;
        unreadable += page.unreadable + received - stored;
    }
    super::report_unreadable(calendar.id, unreadable);
    Ok(Listing {
        generation,
        sync_token: pages.sync_token().unwrap_or_default().to_owned(),
        events,
    })
}

fn wait_after_last(session: &Session<'_>) -> Result<(), PullError> {
    let since = session.pull.rebuilt_at.map(|at| session.started - at);
    match since.map(|since| (REBUILD_EVERY - since).to_std()) {
        Some(Ok(delay)) => Err(PullError::Retry {
            delay,
            reason: "sync_token_refused",
        }),
        _ => Ok(()),
    }
}

/// A token that expires while everything is being listed is a page token: from the start, but not at once.
fn restart(stop: PullError) -> PullError {
    match stop {
        PullError::Rebuild(_) => PullError::Retry {
            delay: Duration::from_secs(5),
            reason: "listing_restarted",
        },
        stop => stop,
    }
}

/// One statement per table. Returns how many events could be read.
async fn write_page(
    session: &Session<'_>,
    context: &CalendarContext,
    generation: i64,
    items: Vec<RawEvent>,
) -> Result<usize, PullError> {
    // An id that comes twice in a page: the later one counts, and one statement cannot write a row twice.
    let page: HashMap<String, Incoming> = items
        .into_iter()
        .filter_map(Incoming::read)
        .map(|incoming| (incoming.row.event_id.clone(), incoming))
        .collect();
    let stored = page.len();
    let mut expanded = Vec::new();
    let mut events: Vec<NewEvent> = Vec::with_capacity(stored);
    for incoming in page.into_values() {
        if incoming.is_cancelled() && incoming.row.recurring_event_id.is_none() {
            continue;
        }
        if let (true, Some(event)) = (incoming.is_single(), &incoming.event) {
            expanded.extend(expand_single(context, event));
        }
        events.push(incoming.row);
    }
    let mut tx = session.ctx.pool.begin().await?;
    events::upsert(&mut tx, context.id, generation, &events).await?;
    write_occurrences(&mut tx, session, context, generation, &expanded).await?;
    commit_fenced(tx, session).await?;
    Ok(stored)
}

async fn write_occurrences(
    conn: &mut PgConnection,
    session: &Session<'_>,
    context: &CalendarContext,
    generation: i64,
    expanded: &[Occurrence],
) -> Result<(), PullError> {
    let rows = rows(expanded).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let place = Place {
        user: &session.pull.user_id,
        calendar: context.id,
        generation,
    };
    occurrences::upsert(conn, place, &rows).await?;
    Ok(())
}

/// The fence of every step before the last: a worker that lost its lease writes nothing more.
async fn commit_fenced(
    mut tx: sqlx::Transaction<'_, sqlx::Postgres>,
    session: &Session<'_>,
) -> Result<(), PullError> {
    if !sync_state::extend_lease(&mut tx, &session.pull.lease, session.ctx.settings.lease).await? {
        return Err(PullError::LeaseLost);
    }
    tx.commit().await?;
    Ok(())
}

/// Expands what is stored of a generation, a few series at a time, each batch in a transaction of its own.
pub(super) async fn expand_generation(
    session: &Session<'_>,
    context: &CalendarContext,
    generation: i64,
    walk: Walk,
    horizon: Window,
) -> Result<(), PullError> {
    let mut after = String::new();
    loop {
        let mut tx = session.ctx.pool.begin().await?;
        calendars::lock(&mut tx, context.id).await?;
        let series =
            events::series_after(&mut tx, context.id, generation, walk, &after, SERIES_AT_ONCE).await?;
        let Some(last) = series.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let stored = events::of_series(&mut tx, context.id, generation, &series).await?;
        let expanded = expand_stored(context, stored, horizon);
        let rows = rows(&expanded).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let place = Place {
            user: &session.pull.user_id,
            calendar: context.id,
            generation,
        };
        occurrences::replace_series(&mut tx, place, &series, &rows).await?;
        commit_fenced(tx, session).await?;
        // Expansion is all computing: let the task's neighbours run.
        tokio::task::yield_now().await;
    }
}

/// Readers see the new generation from here on, or the brake holds it back.
async fn flip(
    session: &Session<'_>,
    calendar: &Calendar,
    mut progress: Progress<'_>,
    listed: usize,
) -> Result<Settled, PullError> {
    let pull = session.pull;
    let mut tx = session.ctx.pool.begin().await?;
    let mut lost = 0;
    if pull.generation > 0 {
        let sweep = events::sweep(&mut tx, calendar.id, pull.generation, progress.generation).await?;
        lost = usize::try_from(sweep.lost).unwrap_or_default();
        let suspicious = sweep.lost > SWEEP_FREE && sweep.lost * 2 > sweep.before;
        if suspicious && pull.sweep_digest.as_deref() != Some(sweep.digest.as_slice()) {
            if !sync_state::hold_sweep(&mut tx, &pull.lease, &sweep.digest).await? {
                return Err(PullError::LeaseLost);
            }
            tx.commit().await?;
            tracing::warn!(calendar.id = %calendar.id, events = sweep.before, lost = sweep.lost,
                "A full listing lacks most of the calendar; it counts once a second one agrees");
            return Err(PullError::Retry {
                delay: SWEEP_RECHECK,
                reason: "sweep_held",
            });
        }
    }
    if !calendars::expansion_inputs_unchanged(&mut tx, calendar).await? {
        progress.horizon = Horizon::Unknown;
    }
    if calendar.access_lost_at.is_some() {
        calendars::regain_access(&mut tx, session.started, calendar.id).await?;
    }
    let resync = Change::Resync {
        calendar_id: calendar.id,
    };
    let seq = outbox::append(&mut tx, session.started, &pull.user_id, resync).await?;
    let end = End {
        outcome: Outcome::Listed,
        changed: listed,
        deleted: lost,
        seq: Some(seq),
    };
    session.record(&mut tx, end).await?;
    match sync_state::settle(&mut tx, pull, progress).await? {
        Settled::Lost => Err(PullError::LeaseLost),
        settled => {
            crash_point!("rebuild.before_flip");
            tx.commit().await?;
            crash_point!("rebuild.after_flip");
            metrics::mirrored(listed, lost);
            Ok(settled)
        }
    }
}
