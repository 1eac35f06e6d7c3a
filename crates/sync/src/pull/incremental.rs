//! What changed since the last pull, in one commit.

use std::collections::HashMap;

use common::crash_point;
use common::lease::Settled;
use common::telemetry::trace::SPANS;
use event_model::wire::Change;
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::pull_log::Outcome;
use store::sync_state::{self, Horizon, Progress};
use tracing::Instrument;

use super::apply::{TooMuch, apply_up_to};
use super::decision::PullError;
use super::series::Incoming;
use super::session::{End, Pages, Session};
use crate::metrics;
use crate::outbox;

/// More changes than these are not gathered in memory: a listing into a new generation keeps it flat.
const CHANGES_MAX: usize = 10_000;

/// More instances than these are not written in one commit, which has to end within its lease. A weekly series has 61, a
/// daily one 430.
const INSTANCES_MAX: usize = 20_000;

/// Reads all pages first, then commits events, occurrences, sync token, seq and message together.
pub(super) async fn pull(
    session: &mut Session<'_>,
    calendar: &Calendar,
    sync_token: &str,
) -> Result<Settled, PullError> {
    let mut pages = Pages::from(Some(sync_token));
    let mut changes = HashMap::new();
    let mut unreadable = 0;
    while let Some(page) = session.events(&calendar.google_id, &mut pages).await? {
        unreadable += page.unreadable;
        if common::mutant!("page_two_dropped") && session.pages == 2 {
            continue;
        }
        for event in page.items {
            match Incoming::read(event) {
                // An event that comes twice changed while the pages were read; the later one counts.
                Some(incoming) => drop(changes.insert(incoming.row.event_id.clone(), incoming)),
                None => unreadable += 1,
            }
        }
        if changes.len() > CHANGES_MAX {
            return Err(PullError::Rebuild("many_changes"));
        }
    }
    super::report_unreadable(calendar.id, unreadable);
    let next = pages.sync_token().unwrap_or(sync_token);
    commit(session, calendar, next, changes)
        .instrument(tracing::trace_span!(target: SPANS, "commit"))
        .await
}

async fn commit(
    session: &Session<'_>,
    calendar: &Calendar,
    next: &str,
    changes: HashMap<String, Incoming>,
) -> Result<Settled, PullError> {
    #[cfg(feature = "simulation")]
    crate::mutants::save_token_first(session, next).await?;
    let mut tx = session.ctx.pool.begin().await?;
    let applied = apply(&mut tx, session, calendar, changes).await?;
    session.record(&mut tx, applied).await?;
    let progress = Progress {
        sync_token: next,
        page_size: session.pull.page_size,
        generation: session.pull.generation,
        horizon: Horizon::AsBefore,
        pulled_at: session.started,
        changed: applied.seq.is_some(),
    };
    match sync_state::settle(&mut tx, session.pull, progress).await? {
        Settled::Lost => Err(PullError::LeaseLost),
        settled => {
            crash_point!("pull.before_commit");
            tx.commit().await?;
            crash_point!("pull.after_commit");
            metrics::mirrored(applied.changed, applied.deleted);
            Ok(settled)
        }
    }
}

/// Writes what is news and tells of it, if there is any.
async fn apply(
    conn: &mut PgConnection,
    session: &Session<'_>,
    calendar: &Calendar,
    changes: HashMap<String, Incoming>,
) -> Result<End<'static>, PullError> {
    let regained = calendar.access_lost_at.is_some()
        && calendars::regain_access(conn, session.started, calendar.id).await?;
    let generation = session.pull.generation;
    let news = apply_up_to(
        conn,
        session.started,
        calendar,
        generation,
        changes,
        INSTANCES_MAX,
    )
    .await?
    .map_err(|TooMuch| PullError::Rebuild("many_changes"))?;
    let (changed, deleted) = news.as_ref().map_or((0, 0), |news| (news.changed, news.deleted));
    // A page that dropped the calendar needs all of it, not only what has changed meanwhile.
    let told = if regained {
        Some(Change::CalendarsChanged {})
    } else {
        news.map(|news| news.change)
    };
    let seq = match told {
        Some(change) => Some(outbox::append(conn, session.started, &session.pull.user_id, change).await?),
        None => None,
    };
    Ok(End {
        outcome: if seq.is_some() {
            Outcome::Ok
        } else {
            Outcome::NoChange
        },
        changed,
        deleted,
        seq,
    })
}
