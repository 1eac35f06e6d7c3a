//! Versions of events: each write stores one and notifies the calendar's channels.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::event_view::exceptions;
use crate::recurrence::Series;
use crate::state::State;
use crate::store::{Resource, is_cancelled, text};
use crate::time;

/// Stores a version and notifies the channels. A change to a master cancels the exceptions whose instances no longer exist,
/// and restoring it restores its exceptions.
pub fn put(state: &mut State, calendar: &str, mut event: Resource, touched: bool) -> Resource {
    event.insert("etag".into(), state.next_etag());
    let id = text(&event, "id").unwrap_or_default().to_owned();
    if touched {
        let updated = updated(state, calendar, &id);
        event.insert("updated".into(), updated);
    }
    let revision = state.next_revision();
    let kind = text(&event, "eventType").unwrap_or("default").to_owned();
    let keeps_orphans = state.settings.keep_orphaned_exceptions;
    let mut orphans = Vec::new();
    if let Some(place) = state.calendars.get_mut(calendar) {
        let revived =
            place.events.head(&id).is_some_and(|old| is_cancelled(&old.body)) && !is_cancelled(&event);
        place.events.put(&id, revision, event.clone());
        if !event.contains_key("recurringEventId") && !is_cancelled(&event) {
            orphans = exceptions(place, &id, revision);
            let series = Series::of(&event, place.zone).ok().flatten();
            orphans.retain_mut(|exception| {
                let start =
                    text(exception, "id").and_then(|id| series.as_ref()?.start_of(id.rsplit_once('_')?.1));
                let orphan = !start.is_some_and(|start| {
                    series
                        .as_ref()
                        .is_some_and(|series| series.contains(&start, place.zone))
                });
                if orphan && !keeps_orphans && !is_cancelled(exception) {
                    exception.insert("status".into(), json!("cancelled"));
                    return true;
                }
                revived
            });
        }
    }
    crate::push::event_changed(state, calendar, &kind, revision);
    for orphan in orphans {
        put(state, calendar, orphan, true);
    }
    event
}

/// Now, but later than the version before: Google does not write an event twice in a millisecond, and a clock that is
/// held still would make it so.
fn updated(state: &State, calendar: &str, id: &str) -> Value {
    let before = state
        .calendars
        .get(calendar)
        .and_then(|place| place.events.head(id));
    let before = before.and_then(|head| text(&head.body, "updated")?.parse::<DateTime<Utc>>().ok());
    let next = before.map(|before| before + TimeDelta::milliseconds(1));
    time::stamp(next.map_or(state.now(), |next| next.max(state.now())))
}
