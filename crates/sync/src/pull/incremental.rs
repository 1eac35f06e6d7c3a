//! An incremental pull: all changes since the sync token, in one commit.

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

use super::apply::{Applied, apply};
use super::decision::PullError;
use super::series::Incoming;
use super::session::{Pages, Session, Summary};
use crate::metrics;
use crate::outbox;

/// More changes than this are not collected in memory: a full listing writes page by page.
const CHANGES_MAX: usize = 10_000;

/// More instances than this are not written in one commit, which has to finish within its lease. A weekly series has
/// 61, a daily one 430.
const INSTANCES_MAX: usize = 20_000;

/// Reads all pages, then commits events, occurrences, sync token, seq and message together.
pub(super) async fn pull(
    session: &mut Session<'_>,
    calendar: &Calendar,
    sync_token: &str,
) -> Result<Settled, PullError> {
    let mut pages = Pages::from(Some(sync_token));
    let mut incoming = HashMap::new();
    let mut unreadable = 0;
    while let Some(page) = session.events(&calendar.google_id, &mut pages).await? {
        unreadable += page.unreadable;
        if common::mutant!("page_two_dropped") && session.pages == 2 {
            continue;
        }
        for event in page.items {
            match Incoming::parse(event) {
                // An event on two pages changed while they were read; the later one counts.
                Some(event) => drop(incoming.insert(event.row.event_id.clone(), event)),
                None => unreadable += 1,
            }
        }
        if incoming.len() > CHANGES_MAX {
            return Err(PullError::Rebuild("many_changes"));
        }
    }
    session.report_unreadable(unreadable);
    session.report_unknown_zones(incoming.values().filter(|event| event.has_unknown_zone()).count());
    let next = pages.sync_token().unwrap_or(sync_token);
    commit(session, calendar, next, incoming)
        .instrument(tracing::trace_span!(target: SPANS, "commit"))
        .await
}

async fn commit(
    session: &Session<'_>,
    calendar: &Calendar,
    next: &str,
    incoming: HashMap<String, Incoming>,
) -> Result<Settled, PullError> {
    #[cfg(feature = "simulation")]
    super::mutants::save_token_first(session, next).await?;
    let mut tx = session.ctx.pool.begin().await?;
    let summary = write(&mut tx, session, calendar, incoming).await?;
    session.record(&mut tx, summary).await?;
    let progress = Progress {
        sync_token: next,
        page_size: session.pull.page_size,
        generation: session.pull.generation,
        horizon: Horizon::Unchanged,
        pulled_at: if common::mutant!("as_of_when_asked") {
            session.pull.asked_at.unwrap_or(session.started)
        } else {
            session.started
        },
        changed: summary.seq.is_some(),
    };
    match sync_state::settle(&mut tx, session.pull, progress).await? {
        Settled::Lost => Err(PullError::LeaseLost),
        settled => {
            crash_point!("pull.before_commit");
            tx.commit().await?;
            crash_point!("pull.after_commit");
            metrics::mirrored(summary.changed, summary.deleted);
            Ok(settled)
        }
    }
}

/// Writes the changes and appends the message about them, if there are any.
async fn write(
    conn: &mut PgConnection,
    session: &Session<'_>,
    calendar: &Calendar,
    incoming: HashMap<String, Incoming>,
) -> Result<Summary<'static>, PullError> {
    let regained = calendar.access_lost_at.is_some()
        && calendars::regain_access(conn, session.started, calendar.id).await?;
    let (now, generation) = (session.started, session.pull.generation);
    let (change, changed, deleted) =
        match apply(conn, now, calendar, generation, incoming, INSTANCES_MAX).await? {
            Applied::Unchanged => (None, 0, 0),
            Applied::Changed(described) => (Some(described.change), described.changed, described.deleted),
            Applied::TooLarge => return Err(PullError::Rebuild("many_changes")),
        };
    // A page that dropped the calendar must load all of it, not only these changes.
    let change = if regained {
        Some(Change::CalendarsChanged {})
    } else {
        change
    };
    let seq = match change {
        Some(change) => Some(outbox::append(conn, now, &session.pull.user_id, change).await?),
        None => None,
    };
    if regained {
        // Its channel was stopped. Lock order: the stream before rows of the queue, see `user_stream::next_seq`.
        sync_state::request_channel(conn, session.pull.lease.key).await?;
    }
    Ok(Summary {
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
