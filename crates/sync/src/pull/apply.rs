//! Writing changed events to the mirror and describing them for browsers, after a pull or a write.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use event_model::calendar::CalendarContext;
use event_model::expansion::{self, Occurrence};
use event_model::normal_form;
use event_model::resource::EventResource;
use event_model::span::first_series;
use event_model::wire::{Change, Series, Window};
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::events::{self, NewEvent, Version};
use store::instances::{self, Place};

use super::series::{Incoming, context, expand, families_of, rows};

/// How many series are read, expanded and written at a time, each with those that Google split off it.
const FAMILIES_AT_ONCE: usize = 50;

/// The result of [`apply`].
#[derive(Debug)]
pub(crate) enum Applied {
    /// The mirror held all of it already.
    Unchanged,
    Changed(Described),
    /// The changed series have more instances than allowed. Some of it is written: roll back.
    TooLarge,
}

/// Changes that are written to the mirror.
#[derive(Debug)]
pub(crate) struct Described {
    /// The message about them.
    pub change: Change,
    /// Events inserted or updated.
    pub changed: usize,
    pub deleted: usize,
}

/// Writes the events that differ from the mirror, and describes them. Locks the calendar's events until the caller
/// commits.
///
/// `max_instances`: more than these are not written in one transaction.
pub(crate) async fn apply(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    calendar: &Calendar,
    generation: i64,
    incoming: HashMap<String, Incoming>,
    max_instances: usize,
) -> sqlx::Result<Applied> {
    if incoming.is_empty() {
        return Ok(Applied::Unchanged);
    }
    calendars::lock(conn, calendar.id).await?;
    let diff = Diff::against_mirror(conn, context(calendar), generation, incoming).await?;
    if diff.series.is_empty() {
        return Ok(Applied::Unchanged);
    }
    #[cfg(feature = "simulation")]
    let diff = Diff {
        upserts: super::mutants::keep_views(conn, (calendar.id, generation), diff.upserts).await?,
        ..diff
    };
    events::upsert(conn, calendar.id, generation, &diff.upserts).await?;
    // After the upsert: a listing may contain exceptions of a series that it deletes.
    events::delete(conn, calendar.id, generation, &diff.deletes).await?;
    let (changed, deleted) = (diff.upserts.len(), diff.deletes.len());
    let change = expand_series(conn, now, calendar, generation, diff, max_instances).await?;
    Ok(change.map_or(Applied::TooLarge, |change| {
        Applied::Changed(Described {
            change,
            changed,
            deleted,
        })
    }))
}

/// The incoming events that differ from the mirror.
struct Diff {
    context: CalendarContext,
    upserts: Vec<NewEvent>,
    /// The readable events of `upserts`, by id.
    parsed: HashMap<String, EventResource>,
    /// Deleted events. Their exceptions are deleted with them.
    deletes: Vec<String>,
    /// The series to expand again.
    series: BTreeSet<String>,
}

impl Diff {
    async fn against_mirror(
        conn: &mut PgConnection,
        context: CalendarContext,
        generation: i64,
        incoming: HashMap<String, Incoming>,
    ) -> sqlx::Result<Self> {
        let rows = incoming.values().map(|event| &event.row);
        let versions = events::versions(conn, context.id, generation, rows).await?;
        let known: HashMap<String, Version> = versions.into_iter().map(|v| (v.event_id.clone(), v)).collect();
        let mut diff = Self {
            context,
            upserts: Vec::new(),
            parsed: HashMap::new(),
            deletes: Vec::new(),
            series: BTreeSet::new(),
        };
        for (id, event) in incoming {
            diff.add(known.get(&id), event);
        }
        Ok(diff)
    }

    fn add(&mut self, known: Option<&Version>, incoming: Incoming) {
        // A cancelled exception is kept as long as its series exists: it records that this instance does not take place.
        let is_exception = incoming.row.recurring_event_id.is_some();
        let is_deleted = incoming.is_cancelled() && !is_exception;
        if known.is_none() && is_deleted || known.is_some_and(|known| is_echo_or_older(known, &incoming)) {
            return;
        }
        self.series.insert(incoming.series_id().to_owned());
        self.series
            .extend(known.and_then(|known| known.recurring_event_id.clone()));
        if is_deleted {
            self.deletes.push(incoming.row.event_id);
            return;
        }
        if let Some(event) = &incoming.event {
            self.parsed.insert(incoming.row.event_id.clone(), event.clone());
        }
        self.upserts.push(incoming.into_row(&self.context));
    }
}

/// An echo of our own write, a push about a version that we hold, or a response from a replica that lags behind. An equal
/// etag is not enough: Google has been seen to change an event's content, such as its conference, without it.
fn is_echo_or_older(known: &Version, incoming: &Incoming) -> bool {
    let row = &incoming.row;
    let same = known.etag == row.etag && known.status == row.status && known.has_same_content;
    // A bare tombstone has neither etag nor time. Its only content is the deletion, which is a change only once.
    let older = match (known.updated, row.updated) {
        (Some(known), Some(incoming)) => incoming < known,
        _ => false,
    };
    same && !row.etag.is_empty() || incoming.is_cancelled() && known.status == row.status || older
}

/// Replaces the instances of the changed series, and describes them. None: more than `max_instances`.
async fn expand_series(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    calendar: &Calendar,
    generation: i64,
    mut diff: Diff,
    max_instances: usize,
) -> sqlx::Result<Option<Change>> {
    let place = Place {
        user: &calendar.user_id,
        calendar: calendar.id,
        generation,
    };
    let window = expansion::hot_window(now);
    let (mut written, mut upserted, mut deleted) = (0, Vec::new(), Vec::new());
    let families = by_family(std::mem::take(&mut diff.series));
    for changed in families.chunks(FAMILIES_AT_ONCE) {
        let changed = changed.concat();
        let series = families_of(conn, calendar.id, generation, &changed).await?;
        let stored = events::of_series(conn, calendar.id, generation, &series).await?;
        let mut described: BTreeSet<String> = stored.iter().map(|event| event.series_id.clone()).collect();
        described.extend(changed);
        let expanded = expand(&diff.context, stored, &mut diff.parsed, expansion::horizon(now));
        written += expanded.len();
        if written > max_instances {
            return Ok(None);
        }
        instances::replace_series(conn, place, &series, &rows(&expanded)).await?;
        let (alive, gone) = describe(described, &expanded, window);
        upserted.extend(alive);
        deleted.extend(gone);
    }
    Ok(Some(Change::EventsChanged {
        calendar_id: calendar.id,
        as_of: now,
        window,
        upserted,
        deleted,
    }))
}

fn by_family(series: BTreeSet<String>) -> Vec<Vec<String>> {
    let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in series {
        families.entry(first_series(&id).to_owned()).or_default().push(id);
    }
    families.into_values().collect()
}

/// For each of the series, all its instances in the hot window, which replace the browser's; and the series that have
/// no instance any more.
fn describe(
    series: BTreeSet<String>,
    occurrences: &[Occurrence],
    window: Window,
) -> (Vec<Series>, Vec<String>) {
    let alive: HashSet<&str> = occurrences.iter().map(|o| o.series_id.as_str()).collect();
    let hot = occurrences
        .iter()
        .filter(|o| series.contains(&o.series_id) && expansion::overlaps(o.starts_at, o.ends_at, window));
    let upserted = upserted(hot);
    with_hidden(upserted, series, |id| alive.contains(id))
}

/// These instances, as series of a message.
pub(super) fn upserted<'a>(hot: impl Iterator<Item = &'a Occurrence>) -> Vec<Series> {
    normal_form::series(hot.filter(|o| !common::mutant!("exception_not_sent") || o.event_id == o.series_id))
}

/// The series of a message, with those of `changed` that have instances only beyond its window, or none: the latter are
/// returned apart.
pub(super) fn with_hidden(
    mut upserted: Vec<Series>,
    changed: BTreeSet<String>,
    is_alive: impl Fn(&str) -> bool,
) -> (Vec<Series>, Vec<String>) {
    let shown: HashSet<String> = upserted.iter().map(|series| series.series_id.clone()).collect();
    let (beyond, deleted): (Vec<_>, Vec<_>) = changed
        .into_iter()
        .filter(|id| !shown.contains(id))
        .partition(|id| is_alive(id));
    upserted.extend(beyond.into_iter().map(|series_id| Series {
        series_id,
        events: Vec::new(),
    }));
    (upserted, deleted)
}
