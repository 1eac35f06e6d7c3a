//! Invitations: an organizer's event in the calendars of those guests who have an account here.
//!
//! Each calendar has a separate event with the same id. The organizer's changes reach the guests' events, and a guest's
//! answer reaches the organizer's and from there the other guests
//! (<https://developers.google.com/workspace/calendar/api/concepts/inviting-attendees-to-events>), whether mails are sent or
//! not (<https://support.google.com/calendar/answer/9123539>).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::event_put::put;
use crate::event_view::{exceptions, find};
use crate::state::{State, email_of};
use crate::store::{Resource, is_cancelled, text};
use crate::time::EventTime;

/// Fields that differ between calendars. Of extended properties the private ones are, too.
const OWN: [&str; 7] = [
    "etag",
    "updated",
    "reminders",
    "colorId",
    "eventLabelId",
    "transparency",
    "visibility",
];

/// The parts of an attendee that the guest decides on.
const ANSWER: [&str; 3] = ["responseStatus", "comment", "additionalGuests"];

/// Brings the other calendars in line with a write: those of the guests, and before them the organizer's if a guest wrote.
/// `old`: the event before the write.
pub fn spread(state: &mut State, calendar: &str, old: Option<&Resource>, new: &Resource) {
    let Some(organizer) = organizer_elsewhere(calendar, new) else {
        return send(state, calendar, old, new);
    };
    let Some(theirs) = held(state, &organizer, new) else {
        return;
    };
    let mut changed = theirs.clone();
    if may_guests_modify(&theirs) && !is_cancelled(new) {
        changed = in_calendar(state, &organizer, new, Some(&theirs));
    }
    changed.insert("attendees".into(), joined(&theirs, new, calendar));
    if differs(&theirs, &changed) {
        let changed = put(state, &organizer, changed, true);
        send(state, &organizer, Some(&theirs), &changed);
    }
}

/// A guest's event as it is stored: of the list of guests, only their own answer and new guests are theirs to write, and
/// deleting an event declines it. Unchanged where the organizer has no account here.
pub fn own_part(state: &State, calendar: &str, mut event: Resource) -> Resource {
    let theirs = organizer_elsewhere(calendar, &event).and_then(|organizer| held(state, &organizer, &event));
    let Some(theirs) = theirs else {
        return event;
    };
    if is_cancelled(&event)
        && let Some(Value::Array(guests)) = event.get_mut("attendees")
    {
        let own = guests.iter_mut().filter(|guest| guest["email"] == calendar);
        own.for_each(|guest| guest["responseStatus"] = json!("declined"));
    }
    let guests = joined(&theirs, &event, calendar);
    event.insert("attendees".into(), guests);
    event
}

pub fn may_guests_modify(event: &Resource) -> bool {
    event.get("guestsCanModify") == Some(&Value::Bool(true))
}

/// The addresses in the list of guests.
pub fn guests_of(event: &Resource) -> BTreeSet<String> {
    let guests = event.get("attendees").and_then(Value::as_array);
    let addresses = guests
        .into_iter()
        .flatten()
        .filter_map(|guest| guest["email"].as_str());
    addresses.map(ToOwned::to_owned).collect()
}

/// The organizer, if this is a guest's calendar.
fn organizer_elsewhere(calendar: &str, event: &Resource) -> Option<String> {
    let organizer = email_of(event, "organizer")?;
    (organizer != calendar).then(|| organizer.to_owned())
}

/// The same meeting in another calendar, unless it was deleted there.
fn held(state: &State, calendar: &str, event: &Resource) -> Option<Resource> {
    let held = find(state.calendars.get(calendar)?, text(event, "id")?)?;
    (!is_cancelled(&held) && held.get("iCalUID") == event.get("iCalUID")).then_some(held)
}

/// Brings the guests' calendars in line with an event in its organizer's.
fn send(state: &mut State, calendar: &str, old: Option<&Resource>, new: &Resource) {
    let before = old
        .filter(|old| !is_cancelled(old))
        .map(guests_of)
        .unwrap_or_default();
    let guests: BTreeSet<String> = before.union(&guests_of(new)).cloned().collect();
    for guest in &guests {
        deliver(state, calendar, guest, new, !before.contains(guest));
    }
    if new.contains_key("recurringEventId") {
        return;
    }
    // Guests of one instance do not have the series, and new guests of a series do not have its exceptions.
    let (revision, id) = (state.revision(), text(new, "id").unwrap_or_default());
    let place = state.calendars.get(calendar);
    let stored = place
        .map(|place| exceptions(place, id, revision))
        .unwrap_or_default();
    for exception in stored {
        let exception = if is_cancelled(new) {
            cancelled(exception)
        } else {
            exception
        };
        for guest in guests.union(&guests_of(&exception)) {
            deliver(state, calendar, guest, &exception, false);
        }
    }
}

/// Puts an event into the calendar of one person, or takes it out if it is cancelled or they are not invited. A guest who
/// deleted it gets it again with a new invitation only.
fn deliver(state: &mut State, from: &str, guest: &str, event: &Resource, is_new: bool) {
    let (true, Some(place)) = (state.users.contains_key(guest), state.calendars.get(guest)) else {
        return;
    };
    let found = text(event, "id").and_then(|id| find(place, id));
    // An event of their own may have the same id.
    let is_own = |found: &Resource| {
        email_of(found, "organizer") == Some(guest) || found.get("iCalUID") != event.get("iCalUID")
    };
    if guest == from || found.as_ref().is_some_and(is_own) {
        return;
    }
    let is_invited = !is_cancelled(event) && guests_of(event).contains(guest);
    let is_deleted = found.as_ref().is_some_and(is_cancelled);
    let next = match (found.as_ref(), is_invited) {
        (None, false) => return,
        (Some(_), false) if is_deleted => return,
        (Some(found), false) => cancelled(found.clone()),
        (Some(_), true) if is_deleted && !is_new => return,
        (found, true) => in_calendar(state, guest, event, found),
    };
    if found.is_none_or(|found| differs(&found, &next)) {
        put(state, guest, next, true);
    }
}

/// An event as another calendar has it: with this calendar's own fields, and times in its zone.
fn in_calendar(state: &State, calendar: &str, event: &Resource, there: Option<&Resource>) -> Resource {
    let mut own = Resource::new();
    for key in OWN {
        if let Some(value) = there.and_then(|there| there.get(key)) {
            own.insert(key.into(), value.clone());
        }
    }
    own.entry("reminders")
        .or_insert_with(|| json!({ "useDefault": true }));
    let properties =
        |event: Option<&Resource>, part: &str| event?.get("extendedProperties")?.get(part).cloned();
    let parts = [
        ("private", properties(there, "private")),
        ("shared", properties(Some(event), "shared")),
    ];
    let parts: Resource = parts
        .into_iter()
        .filter_map(|(part, properties)| Some((part.to_owned(), properties?)))
        .collect();
    if !parts.is_empty() {
        own.insert("extendedProperties".into(), parts.into());
    }
    let mut next = event.clone();
    next.retain(|key, _| !OWN.contains(&key.as_str()) && key != "extendedProperties");
    next.extend(own);
    let zone = state
        .calendars
        .get(calendar)
        .map(|place| place.zone)
        .unwrap_or_default();
    for key in ["start", "end", "originalStartTime"] {
        let time = event
            .get(key)
            .and_then(|time| EventTime::parse(time, zone, key).ok());
        if let Some(time) = time {
            next.insert(key.into(), time.render(zone));
        }
    }
    next
}

/// The organizer's list with a guest's answer, and with the guests whom they invited.
fn joined(theirs: &Resource, written: &Resource, guest: &str) -> Value {
    let list = |event: &Resource| event.get("attendees").and_then(Value::as_array).cloned();
    let (mut guests, written) = (
        list(theirs).unwrap_or_default(),
        list(written).unwrap_or_default(),
    );
    let may_invite =
        may_guests_modify(theirs) || theirs.get("guestsCanInviteOthers") != Some(&Value::Bool(false));
    for each in written {
        let known = guests.iter_mut().find(|known| known["email"] == each["email"]);
        match known.and_then(Value::as_object_mut) {
            Some(known) if each["email"] == guest => {
                for part in ANSWER {
                    match each.get(part) {
                        Some(value) => known.insert(part.to_owned(), value.clone()),
                        None => known.shift_remove(part),
                    };
                }
            }
            None if may_invite => guests.push(each),
            _ => {}
        }
    }
    guests.into()
}

fn cancelled(mut event: Resource) -> Resource {
    event.insert("status".into(), json!("cancelled"));
    event
}

/// Whether they differ in more than the version.
fn differs(old: &Resource, new: &Resource) -> bool {
    let keys = old.keys().chain(new.keys());
    keys.filter(|key| !["etag", "updated"].contains(&key.as_str()))
        .any(|key| old.get(key) != new.get(key))
}
