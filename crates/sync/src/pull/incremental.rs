//! What changed since the last pull, in one commit.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use common::lease::Settled;
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::events::{self, NewEvent, Version};
use store::occurrences::{self, Place};
use store::rounds::Outcome;
use store::sync_state::{self, Horizon, Progress};

use super::decision::Stop;
use super::series::{Incoming, context, expand_stored, rows};
use super::session::{End, Pages, Session};
use crate::expand::{self, Occurrence};
use crate::payload::{Change, Series};
use crate::tell::tell;

/// More changes than these are not gathered in memory: a listing into a new generation keeps it flat.
const CHANGES_MAX: usize = 10_000;

/// Reads all pages first, then commits events, occurrences, sync token, seq and message together.
pub(super) async fn pull(
    session: &mut Session<'_>,
    calendar: &Calendar,
    sync_token: &str,
) -> Result<Settled, Stop> {
    let mut pages = Pages::from(Some(sync_token));
    let mut changes = HashMap::new();
    let mut unreadable = 0;
    while let Some(page) = session.events(&calendar.google_id, &mut pages).await? {
        unreadable += page.unreadable;
        for event in page.items {
            match Incoming::read(event) {
                // An event that comes twice changed while the pages were read; the later one counts.
                Some(incoming) => drop(changes.insert(incoming.row.event_id.clone(), incoming)),
                None => unreadable += 1,
            }
        }
        if changes.len() > CHANGES_MAX {
            return Err(Stop::Rebuild);
        }
    }
    super::report_unreadable(calendar.id, unreadable);
    let next = pages.sync_token().unwrap_or(sync_token);
    let mut tx = session.ctx.pool.begin().await?;
    let applied = apply(&mut tx, session, calendar, changes).await?;
    session.record(&mut tx, applied).await?;
    let progress = Progress {
        sync_token: next,
        generation: session.pull.generation,
        horizon: Horizon::AsBefore,
        pulled_at: session.started,
        changed: applied.seq.is_some(),
    };
    match sync_state::settle(&mut tx, session.pull, progress).await? {
        Settled::Lost => Err(Stop::LeaseLost),
        settled => {
            tx.commit().await?;
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
) -> Result<End<'static>, Stop> {
    let regained = calendar.access_lost_at.is_some()
        && calendars::regain_access(conn, session.started, calendar.id).await?;
    let news = News::of(conn, session, changes).await?;
    let (changed, deleted) = (news.upserts.len(), news.deletes.len());
    let told = if !news.is_empty() {
        Some(write(conn, session, calendar, news).await?)
    } else if regained {
        Some(Change::CalendarsChanged {})
    } else {
        None
    };
    let seq = match told {
        Some(change) => Some(tell(conn, session.started, &session.pull.user_id, change).await?),
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

/// The changes that are news here, by what has to be done.
struct News {
    upserts: Vec<NewEvent>,
    /// Events that are gone, with their exceptions.
    deletes: Vec<String>,
    series: BTreeSet<String>,
}

impl News {
    async fn of(
        conn: &mut PgConnection,
        session: &Session<'_>,
        changes: HashMap<String, Incoming>,
    ) -> sqlx::Result<Self> {
        let ids: Vec<String> = changes.keys().cloned().collect();
        let known: HashMap<String, Version> = if ids.is_empty() {
            HashMap::new()
        } else {
            let versions = events::versions(
                conn,
                session.pull.lease.key.as_uuid().into(),
                session.pull.generation,
                &ids,
            )
            .await?;
            versions.into_iter().map(|v| (v.event_id.clone(), v)).collect()
        };
        let mut news = Self {
            upserts: Vec::new(),
            deletes: Vec::new(),
            series: BTreeSet::new(),
        };
        for (id, incoming) in changes {
            news.add(known.get(&id), incoming);
        }
        Ok(news)
    }

    fn add(&mut self, known: Option<&Version>, incoming: Incoming) {
        // An exception is kept cancelled for as long as its series lives: it says that this instance is not there.
        let is_exception = incoming.row.recurring_event_id.is_some();
        let gone = incoming.is_cancelled() && !is_exception;
        if known.is_none() && gone || known.is_some_and(|known| is_echo_or_older(known, &incoming)) {
            return;
        }
        self.series.insert(incoming.series_id().to_owned());
        self.series
            .extend(known.and_then(|known| known.recurring_event_id.clone()));
        if gone {
            self.deletes.push(incoming.row.event_id);
        } else {
            self.upserts.push(incoming.row);
        }
    }

    fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

/// Our own write coming back, a push that told of what we have, or an answer from a replica that lags behind.
fn is_echo_or_older(known: &Version, incoming: &Incoming) -> bool {
    let row = &incoming.row;
    let same = known.etag == row.etag && known.status == row.status;
    // A bare tombstone has neither etag nor time; it says only that the event is gone, which is news just once.
    let older = match (known.updated, row.updated) {
        (Some(known), Some(incoming)) => incoming < known,
        _ => false,
    };
    same && !row.etag.is_empty() || incoming.is_cancelled() && known.status == row.status || older
}

async fn write(
    conn: &mut PgConnection,
    session: &Session<'_>,
    calendar: &Calendar,
    news: News,
) -> Result<Change, Stop> {
    let generation = session.pull.generation;
    let series: Vec<String> = news.series.into_iter().collect();
    events::upsert(conn, calendar.id, generation, &news.upserts).await?;
    // Last, for a listing may have exceptions of a series that is gone.
    events::delete(conn, calendar.id, generation, &news.deletes).await?;
    let stored = events::of_series(conn, calendar.id, generation, &series).await?;
    let expanded = expand_stored(&context(calendar), stored, expand::horizon(session.started));
    let place = Place {
        user: &session.pull.user_id,
        calendar: calendar.id,
        generation,
    };
    let rows = rows(&expanded).map_err(|error| sqlx::Error::Encode(error.into()))?;
    occurrences::replace_series(conn, place, &series, &rows).await?;
    Ok(change(calendar, session.started, &series, expanded))
}

/// Per changed series all its instances in the hot window; they replace what a browser had of it.
fn change(
    calendar: &Calendar,
    as_of: DateTime<Utc>,
    series: &[String],
    occurrences: Vec<Occurrence>,
) -> Change {
    let window = expand::hot_window(as_of);
    let alive: HashSet<String> = occurrences.iter().map(|o| o.series_id.clone()).collect();
    let mut hot: HashMap<String, Vec<_>> = HashMap::new();
    for occurrence in occurrences {
        if expand::overlaps(occurrence.starts_at, occurrence.ends_at, window) {
            hot.entry(occurrence.series_id)
                .or_default()
                .push(occurrence.event);
        }
    }
    let (upserted, deleted): (Vec<_>, Vec<_>) = series.iter().partition(|id| alive.contains(id.as_str()));
    Change::EventsChanged {
        calendar_id: calendar.id,
        as_of,
        window,
        upserted: upserted
            .into_iter()
            .map(|id| Series {
                event_id: id.clone(),
                occurrences: hot.remove(id).unwrap_or_default(),
            })
            .collect(),
        deleted: deleted.into_iter().cloned().collect(),
    }
}
