//! A full listing, for the first pull or after a 410: page by page into a new generation, which a last small
//! transaction makes visible to readers. Events that the listing did not return disappear with the old generation.
//!
//! Memory stays flat: each page is written before the next one is requested. Series are expanded from the mirror, a few
//! at a time, after the last page, because an exception may be listed long before its master.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use common::crash_point;
use common::lease::Settled;
use common::telemetry::trace::SPANS;
use event_model::calendar::CalendarContext;
use event_model::expansion::{self, single_occurrence};
use event_model::wire::{Change, Window};
use event_model::zone::Zone;
use google::RawEvent;
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::events::{self, NewEvent, Walk};
use store::instances::{self, Place};
use store::pull_log::Outcome;
use store::sync_state::{self, Horizon, Progress};
use tracing::Instrument;

use super::decision::{LARGE_PAGES, PullError};
use super::difference::{self, Generations};
use super::series::{Incoming, context, expand_stored, families_of, rows, views};
use super::session::{Pages, Session, Summary};
use crate::metrics;
use crate::outbox;

/// A calendar is rebuilt at most once per this interval, in case Google rejects every sync token that it issues.
const REBUILD_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A rebuild that deletes at most this many events, or at most half of them, needs no second listing.
const SWEEP_FREE: i64 = 50;

/// The delay before the second listing, which has to confirm a large deletion.
const SWEEP_RECHECK: Duration = Duration::from_secs(30);

/// How many series are read from the mirror at a time.
const SERIES_AT_ONCE: i64 = 50;

/// A complete listing.
struct Listing {
    generation: i64,
    sync_token: String,
    /// Events that could be read.
    events: usize,
}

/// Lists everything into a new generation and makes it visible to readers.
pub(super) async fn pull(session: &mut Session<'_>, calendar: &Calendar) -> Result<Settled, PullError> {
    wait_after_last(session)?;
    report_zone(calendar);
    let context = context(calendar);
    let listing = loop {
        match list(session, calendar, &context).await {
            // Start over with smaller pages, until the smallest size.
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
        changed: false,
    };
    flip(session, calendar, progress, listing.events)
        .instrument(tracing::trace_span!(target: SPANS, "commit"))
        .await
}

/// Reads and writes all pages.
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
    session.report_unreadable(unreadable);
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

/// During a full listing, an expired token is a page token: start over, after a pause.
fn restart(error: PullError) -> PullError {
    match error {
        PullError::Rebuild(_) => PullError::Retry {
            delay: Duration::from_secs(5),
            reason: "listing_restarted",
        },
        error => error,
    }
}

/// Writes a page, with one statement per table. Returns how many of its events could be read.
async fn write_page(
    session: &Session<'_>,
    context: &CalendarContext,
    generation: i64,
    items: Vec<RawEvent>,
) -> Result<usize, PullError> {
    // If an id occurs twice on a page, the later one counts; one statement cannot write a row twice.
    let page: HashMap<String, Incoming> = items
        .into_iter()
        .filter_map(Incoming::parse)
        .map(|event| (event.row.event_id.clone(), event))
        .collect();
    let stored = page.len();
    session.report_unknown_zones(page.values().filter(|event| event.has_unknown_zone()).count());
    let mut expanded = Vec::new();
    let mut events: Vec<NewEvent> = Vec::with_capacity(stored);
    for incoming in page.into_values() {
        if incoming.is_cancelled() && incoming.row.recurring_event_id.is_none() {
            continue;
        }
        if let (true, Some(event)) = (incoming.is_single(), &incoming.event) {
            expanded.extend(single_occurrence(context, event));
        }
        events.push(incoming.into_row(context));
    }
    let mut tx = session.ctx.pool.begin().await?;
    events::upsert(&mut tx, context.id, generation, &events).await?;
    let singles: Vec<String> = expanded.iter().map(|single| single.series_id.clone()).collect();
    let place = Place {
        user: &session.pull.user_id,
        calendar: context.id,
        generation,
    };
    instances::replace_series(&mut tx, place, &singles, &rows(&expanded)).await?;
    session.commit_fenced(tx).await?;
    Ok(stored)
}

/// Logs that the calendar's time zone is unknown, if it is.
fn report_zone(calendar: &Calendar) {
    if Zone::named(&calendar.time_zone).is_none() {
        tracing::warn!(
            calendar.id = %calendar.id,
            "The calendar has an unknown time zone; its days are those of UTC"
        );
    }
}

/// Expands the stored events of a generation, a few series per transaction.
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
        let place = Place {
            user: &session.pull.user_id,
            calendar: context.id,
            generation,
        };
        write_series(&mut tx, place, context, (walk, &series), horizon).await?;
        session.commit_fenced(tx).await?;
        // Expansion is CPU-bound; let other tasks run.
        tokio::task::yield_now().await;
    }
}

/// Expands these series, and those that share ids of instances with them. Writes their instances and, on a walk over everything,
/// their views.
pub(super) async fn write_series(
    conn: &mut PgConnection,
    place: Place<'_>,
    context: &CalendarContext,
    (walk, series): (Walk, &[String]),
    horizon: Window,
) -> sqlx::Result<()> {
    let series = families_of(conn, place.calendar, place.generation, series).await?;
    let stored = events::of_series(conn, place.calendar, place.generation, &series).await?;
    if walk == Walk::Everything {
        events::set_views(conn, place.calendar, place.generation, &views(context, &stored)).await?;
    }
    let expanded = expand_stored(context, stored, horizon);
    instances::replace_series(conn, place, &series, &rows(&expanded)).await?;
    Ok(())
}

/// Makes the new generation visible to readers, unless it would delete suspiciously many events.
async fn flip(
    session: &Session<'_>,
    calendar: &Calendar,
    mut progress: Progress<'_>,
    listed: usize,
) -> Result<Settled, PullError> {
    let pull = session.pull;
    let mut tx = session.ctx.pool.begin().await?;
    // A write that changes the old generation is compared, or waits and changes the new one.
    calendars::lock(&mut tx, calendar.id).await?;
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
                "A full listing would delete most of the calendar; waiting for a second listing to confirm it");
            return Err(PullError::Retry {
                delay: SWEEP_RECHECK,
                reason: "sweep_held",
            });
        }
    }
    if !calendars::expansion_inputs_unchanged(&mut tx, calendar).await? {
        progress.horizon = Horizon::Unknown;
    }
    let regained = calendar.access_lost_at.is_some()
        && calendars::regain_access(&mut tx, session.started, calendar.id).await?;
    let change = if regained {
        // A page that dropped the calendar must load all of it, not only what differs.
        Some(Change::CalendarsChanged {})
    } else {
        listed_change(&mut tx, session, calendar, progress.generation).await?
    };
    let seq = match change {
        Some(change) => {
            if matches!(change, Change::Resync { .. }) {
                metrics::resync_messages("listed", 1);
            }
            Some(outbox::append(&mut tx, session.started, &pull.user_id, change).await?)
        }
        None => None,
    };
    progress.changed = seq.is_some();
    let summary = Summary {
        outcome: Outcome::Listed,
        changed: listed,
        deleted: lost,
        seq,
    };
    session.record(&mut tx, summary).await?;
    if regained {
        // Its channel was stopped.
        sync_state::request_channel(&mut tx, pull.lease.key).await?;
    }
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

/// The change that a flip to this generation brings. None: pages show it already.
async fn listed_change(
    conn: &mut PgConnection,
    session: &Session<'_>,
    calendar: &Calendar,
    generation: i64,
) -> sqlx::Result<Option<Change>> {
    let pull = session.pull;
    let is_first = pull.generation == 0;
    let generations = Generations {
        old: pull.generation,
        new: generation,
        // While a calendar is expanded for another zone or role, no messages are sent.
        all: !is_first && pull.horizon_until.is_none(),
    };
    let times = (session.ctx.clock.now(), session.started);
    Ok(
        match difference::describe(conn, times, calendar, generations).await? {
            // The first listing is news even if the calendar is empty: it is imported.
            Change::EventsChanged {
                upserted, deleted, ..
            } if upserted.is_empty() && deleted.is_empty() && !is_first => None,
            change => Some(change),
        },
    )
}
