//! Events as a reader sees them: instances of a series, the reader's permissions, stubs of deleted events.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::recurrence::Series;
use crate::seed::AccessRole;
use crate::state::{Calendar, email_of};
use crate::store::{Resource, Revision, is_cancelled, text};
use crate::time::EventTime;
use zones::Zone;

/// A user looking at a calendar.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    pub email: &'a str,
    pub calendar: &'a str,
    pub role: AccessRole,
    /// Times are shown with this zone's offset.
    pub zone: Option<Zone>,
    /// Of a longer list of guests only the reader is shown.
    pub max_attendees: Option<usize>,
}

impl Viewer<'_> {
    /// The event with `self` marks, without what this reader may not see.
    pub fn render(&self, event: &Resource) -> Resource {
        let hidden = match self.role {
            AccessRole::FreeBusyReader => true,
            AccessRole::Reader | AccessRole::WriterWithoutPrivateAccess => {
                matches!(text(event, "visibility"), Some("private" | "confidential"))
            }
            AccessRole::Writer | AccessRole::Owner => false,
        };
        let mut shown = if hidden { only(event, &BUSY) } else { event.clone() };
        if hidden {
            shown.insert("visibility".into(), json!("private"));
        }
        mark_self(&mut shown, "creator", self.email);
        mark_self(&mut shown, "organizer", self.calendar);
        if let Some(Value::Array(attendees)) = shown.get_mut("attendees") {
            for attendee in attendees.iter_mut().filter(|each| each["email"] == self.calendar) {
                attendee["self"] = json!(true);
            }
        }
        self.hide_guests(&mut shown);
        self.omit_attendees(&mut shown);
        if let Some(zone) = self.zone {
            for key in ["start", "end"] {
                let time = shown
                    .get(key)
                    .and_then(|time| EventTime::parse(time, zone, key).ok());
                if let Some(time) = time {
                    shown.insert(key.into(), time.render(zone));
                }
            }
        }
        shown
    }

    /// Where guests do not see each other, one sees the organizer and oneself. By the documentation of `attendeesOmitted`, a list
    /// that is shortened so may come without it
    /// (<https://developers.google.com/workspace/calendar/api/v3/reference/events#guestsCanSeeOtherGuests>).
    fn hide_guests(&self, event: &mut Resource) {
        let organizer = email_of(event, "organizer").unwrap_or(self.calendar).to_owned();
        let sees_all =
            event.get("guestsCanSeeOtherGuests") != Some(&json!(false)) || organizer == self.calendar;
        if let (false, Some(Value::Array(attendees))) = (sees_all, event.get_mut("attendees")) {
            attendees.retain(|each| each["email"] == self.calendar || each["email"] == organizer);
        }
    }

    fn omit_attendees(&self, event: &mut Resource) {
        let Some(Value::Array(attendees)) = event.get_mut("attendees") else {
            return;
        };
        if self.max_attendees.is_some_and(|most| attendees.len() > most) {
            attendees.retain(|attendee| attendee["self"] == json!(true));
            event.insert("attendeesOmitted".into(), json!(true));
        }
    }
}

/// The view of a user with free/busy access.
const BUSY: [&str; 13] = [
    "kind",
    "etag",
    "id",
    "status",
    "htmlLink",
    "updated",
    "start",
    "end",
    "recurrence",
    "recurringEventId",
    "originalStartTime",
    "transparency",
    "iCalUID",
];

/// A deleted event in an incremental list: only its identity is certain.
pub fn tombstone(event: &Resource) -> Resource {
    only(
        event,
        &[
            "kind",
            "etag",
            "id",
            "status",
            "recurringEventId",
            "originalStartTime",
        ],
    )
}

fn only(event: &Resource, keys: &[&str]) -> Resource {
    keys.iter()
        .filter_map(|key| Some(((*key).to_owned(), event.get(*key)?.clone())))
        .collect()
}

fn mark_self(event: &mut Resource, role: &str, email: &str) {
    if email_of(event, role) == Some(email)
        && let Some(Value::Object(person)) = event.get_mut(role)
    {
        person.insert("self".into(), json!(true));
    }
}

/// An event or instance by id, including deleted ones: a stored row, or an instance without an exception.
pub fn find(calendar: &Calendar, id: &str) -> Option<Resource> {
    if let Some(version) = calendar.events.head(id) {
        let mut event = Resource::clone(&version.body);
        // Deleting a series deletes its exceptions, which have separate rows here.
        let master = text(&event, "recurringEventId").and_then(|master| calendar.events.head(master));
        if master.is_some_and(|master| is_cancelled(&master.body)) {
            event.insert("status".into(), json!("cancelled"));
        }
        return Some(event);
    }
    let (first, suffix) = id.rsplit_once('_')?;
    if first_series(first) != first {
        return None;
    }
    let split_off = format!("{first}_R");
    let masters = calendar.events.head(first).into_iter();
    let masters = masters.chain(
        calendar
            .events
            .with_prefix(&split_off)
            .map(|(_, version)| version),
    );
    masters.map(|version| &version.body).find_map(|master| {
        let series = Series::of(master, calendar.zone).ok()??;
        let start = series.start_of(suffix)?;
        series
            .contains(&start, calendar.zone)
            .then(|| instance(master, &series, &start, calendar.zone))
    })
}

/// The id of an instance. Those of a series that was split off another by Google's page, `<id>_R20261122T090000`, have ids of the
/// first series: <https://github.com/odoo/odoo/pull/287171>.
pub fn instance_id(master: &str, start: &EventTime) -> String {
    format!("{}_{}", first_series(master), start.suffix())
}

fn first_series(master: &str) -> &str {
    let is_start = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'T' | b'Z'));
    match master.rsplit_once("_R") {
        Some((first, start)) if !first.is_empty() && is_start(start) => first,
        _ => master,
    }
}

/// An untouched instance of a series.
pub fn instance(master: &Resource, series: &Series, start: &EventTime, zone: Zone) -> Resource {
    let mut event = master.clone();
    event.shift_remove("recurrence");
    let id = text(master, "id").unwrap_or_default();
    let original = start.render(zone);
    event.insert("id".into(), json!(instance_id(id, start)));
    event.insert("recurringEventId".into(), json!(id));
    event.insert("originalStartTime".into(), original.clone());
    event.insert("start".into(), original);
    event.insert("end".into(), start.plus(series.length()).render(zone));
    event
}

/// The instances of a master at a revision, cancelled ones included, that overlap the window.
pub fn instances(
    calendar: &Calendar,
    master: &Resource,
    revision: Revision,
    (from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
) -> Vec<Resource> {
    let zone = calendar.zone;
    let Ok(Some(series)) = Series::of(master, zone) else {
        return Vec::new();
    };
    let id = text(master, "id").unwrap_or_default();
    // An exception stands for its instance wherever it was moved to, so the window is applied to where it is now.
    let mut found = exceptions(calendar, id, revision);
    let touched: HashSet<String> = found
        .iter()
        .filter_map(|event| Some(text(event, "id")?.to_owned()))
        .collect();
    found.retain(|event| overlaps(event, (from, to), zone));
    for start in series.starts(from, to, zone) {
        if !touched.contains(&instance_id(id, &start)) {
            found.push(instance(master, &series, &start, zone));
        }
    }
    if is_cancelled(master) {
        for event in &mut found {
            event.insert("status".into(), json!("cancelled"));
        }
    }
    found
}

/// Whether the event is an instance of a series that this calendar has. Guests of one instance do not have its series.
pub fn has_series(calendar: &Calendar, event: &Resource, revision: Revision) -> bool {
    text(event, "recurringEventId").is_some_and(|master| calendar.events.at(master, revision).is_some())
}

/// The rows of single instances of a series, as they were at a revision.
pub fn exceptions(calendar: &Calendar, master: &str, revision: Revision) -> Vec<Resource> {
    let prefix = format!("{}_", first_series(master));
    calendar
        .events
        .with_prefix(&prefix)
        .filter_map(|(id, _)| Some(Resource::clone(&calendar.events.at(id, revision)?.body)))
        .filter(|event| text(event, "recurringEventId") == Some(master))
        .collect()
}

/// Whether an event, or any instance of a master, is partly within `[from, to)`.
pub fn overlaps(
    event: &Resource,
    (from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    zone: Zone,
) -> bool {
    if from.is_none() && to.is_none() {
        return true;
    }
    if let Ok(Some(series)) = Series::of(event, zone) {
        return !series.starts(from, to, zone).is_empty();
    }
    let Some((start, end)) = crate::time::span(event, zone) else {
        return true;
    };
    let (start, end) = (start.instant(zone), end.instant(zone));
    from.is_none_or(|from| end > from || (start == end && start >= from)) && to.is_none_or(|to| start < to)
}
