//! The message about the changes of a calendar that was read or expanded as a whole.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use event_model::expansion;
use event_model::wire::Change;
use sqlx::PgConnection;
use store::calendars::Calendar;
use store::events::{self, Comparison};
use store::instances::{FoundEvent, ReadRange};

use super::apply::{upserted, with_hidden};
use super::series::context;
use crate::outbox::CHANGE_MAX_LEN;
use crate::read;

/// The messages about a change have room for the ids of about as many.
const SERIES_MAX: usize = 2_000;

/// The generation that pages show, and the one that they are to show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Generations {
    pub old: i64,
    pub new: i64,
    /// Pages may show neither: the message has all series.
    pub all: bool,
}

/// The change from one generation to another, which may have no series. As of `as_of`, in the hot window of `now`. A `resync`:
/// it is too large for a message. The caller has locked the calendar.
pub(super) async fn describe(
    conn: &mut PgConnection,
    (now, as_of): (DateTime<Utc>, DateTime<Utc>),
    calendar: &Calendar,
    generations: Generations,
) -> sqlx::Result<Change> {
    let window = expansion::hot_window(now);
    let compared = Comparison {
        calendar: calendar.id,
        calendar_zone: &calendar.time_zone,
        old: generations.old,
        new: generations.new,
        all: generations.all,
        range: ReadRange {
            from: window.from,
            to: window.to,
        },
        max_series: SERIES_MAX,
        max_bytes: CHANGE_MAX_LEN,
    };
    let Some(mut different) = events::differences(conn, compared).await? else {
        return Ok(Change::Resync {
            calendar_id: calendar.id,
        });
    };
    if common::mutant!("flip_loses_series") {
        different.pop();
    }
    let near: Vec<FoundEvent> = different
        .iter_mut()
        .flat_map(|series| std::mem::take(&mut series.events))
        .collect();
    let hot = read::occurrences(&near, window, context(calendar).time_zone)?;
    let alive = different.iter().filter(|series| series.is_alive);
    let alive: HashSet<&str> = alive.map(|series| series.series_id.as_str()).collect();
    let changed = different.iter().map(|series| series.series_id.clone()).collect();
    let (upserted, deleted) = with_hidden(upserted(hot.iter()), changed, |id| alive.contains(id));
    Ok(Change::EventsChanged {
        calendar_id: calendar.id,
        as_of,
        window,
        upserted,
        deleted,
    })
}
