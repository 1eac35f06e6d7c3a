//! What is news of events that came from Google, by a pull or as the answer to a write.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use common::ids::CalendarId;
use event_model::expansion::{self, Occurrence};
use event_model::wire::{Change, Series, Window};
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::events::{self, NewEvent, Version};
use store::occurrences::{self, Place};

use super::series::{Incoming, context, expand_stored, rows};

/// How many series are read, expanded and written at a time.
const SERIES_AT_ONCE: usize = 50;

/// News that was written.
pub(crate) struct Applied {
    /// What is to be told of it.
    pub change: Change,
    /// Events that came or changed, and that went.
    pub changed: usize,
    pub deleted: usize,
}

/// The news has more instances than were to be written. Some of it is: the caller rolls back.
pub(super) struct TooMuch;

/// Writes what is news; none when there was none. Nobody else writes to the calendar's
/// events until the caller commits.
pub(crate) async fn apply(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    calendar: &Calendar,
    generation: i64,
    changes: HashMap<String, Incoming>,
) -> sqlx::Result<Option<Applied>> {
    let written = apply_up_to(conn, now, calendar, generation, changes, usize::MAX).await?;
    Ok(written.unwrap_or(None))
}

/// As [`apply`], as long as it has no more instances than `most`.
pub(super) async fn apply_up_to(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    calendar: &Calendar,
    generation: i64,
    changes: HashMap<String, Incoming>,
    most: usize,
) -> sqlx::Result<Result<Option<Applied>, TooMuch>> {
    if changes.is_empty() {
        return Ok(Ok(None));
    }
    calendars::lock(conn, calendar.id).await?;
    let news = News::of(conn, calendar.id, generation, changes).await?;
    if news.is_empty() {
        return Ok(Ok(None));
    }
    let (changed, deleted) = (news.upserts.len(), news.deletes.len());
    let written = write(conn, now, calendar, generation, news, most).await?;
    Ok(written.map(|change| {
        Some(Applied {
            change,
            changed,
            deleted,
        })
    }))
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
        calendar: CalendarId,
        generation: i64,
        changes: HashMap<String, Incoming>,
    ) -> sqlx::Result<Self> {
        let ids: Vec<String> = changes.keys().cloned().collect();
        let versions = events::versions(conn, calendar, generation, &ids).await?;
        let known: HashMap<String, Version> = versions.into_iter().map(|v| (v.event_id.clone(), v)).collect();
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
    now: DateTime<Utc>,
    calendar: &Calendar,
    generation: i64,
    news: News,
    most: usize,
) -> sqlx::Result<Result<Change, TooMuch>> {
    let series: Vec<String> = news.series.into_iter().collect();
    events::upsert(conn, calendar.id, generation, &news.upserts).await?;
    // Last, for a listing may have exceptions of a series that is gone.
    events::delete(conn, calendar.id, generation, &news.deletes).await?;
    let place = Place {
        user: &calendar.user_id,
        calendar: calendar.id,
        generation,
    };
    let window = expansion::hot_window(now);
    let (mut written, mut upserted, mut deleted) = (0, Vec::new(), Vec::new());
    for series in series.chunks(SERIES_AT_ONCE) {
        let stored = events::of_series(conn, calendar.id, generation, series).await?;
        let expanded = expand_stored(&context(calendar), stored, expansion::horizon(now));
        written += expanded.len();
        if written > most {
            return Ok(Err(TooMuch));
        }
        let rows = rows(&expanded).map_err(|error| sqlx::Error::Encode(error.into()))?;
        occurrences::replace_series(conn, place, series, &rows).await?;
        let (alive, gone) = told(series, expanded, window);
        upserted.extend(alive);
        deleted.extend(gone);
    }
    Ok(Ok(Change::EventsChanged {
        calendar_id: calendar.id,
        as_of: now,
        window,
        upserted,
        deleted,
    }))
}

/// Per changed series all its instances in the hot window, which replace what a browser had of it; and the series that
/// have no instance any more.
fn told(series: &[String], occurrences: Vec<Occurrence>, window: Window) -> (Vec<Series>, Vec<String>) {
    let alive: HashSet<String> = occurrences.iter().map(|o| o.series_id.clone()).collect();
    let mut hot: HashMap<String, Vec<_>> = HashMap::new();
    for occurrence in occurrences {
        if expansion::overlaps(occurrence.starts_at, occurrence.ends_at, window) {
            hot.entry(occurrence.series_id)
                .or_default()
                .push(occurrence.event);
        }
    }
    let (upserted, deleted): (Vec<_>, Vec<_>) = series.iter().cloned().partition(|id| alive.contains(id));
    let upserted = upserted.into_iter().map(|event_id| Series {
        occurrences: hot.remove(&event_id).unwrap_or_default(),
        event_id,
    });
    (upserted.collect(), deleted)
}
