//! What Calwire reads of an event as Google has it.
//!
//! An event is user input that came through Google: any field may be missing, of another type than documented, or
//! hostile. Reading is lenient field by field, so that one odd attendee costs that attendee and not the event, and one
//! odd event costs that event and not the page. What cannot be read is absent here and still whole in the stored JSON.

mod clean;
mod time;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use clean::{clean, cut};
pub use time::{Timed, When};

use crate::wire::{Attendee, EventStatus, Person, Reminder, Reminders, Transparency};

/// The part of a Google event that Calwire uses.
#[expect(clippy::struct_excessive_bools, reason = "Google's flags, each on its own")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventResource {
    pub id: String,
    /// Opaque. Empty on a sparse tombstone.
    pub etag: String,
    /// `confirmed`, `tentative`, `cancelled`, or what Google adds next.
    pub status: String,
    pub updated: Option<DateTime<Utc>>,
    pub ical_uid: Option<String>,
    /// On an exception of a series: the master's id. On a bare tombstone it is derived from the id's form.
    pub recurring_event_id: Option<String>,
    /// On an exception: which instance of the series it stands for, wherever it has been moved.
    pub original_start: Option<When>,
    /// None: missing or unreadable. Such an event is stored and has no place in a calendar, so no occurrence.
    pub start: Option<When>,
    /// Exclusive. None: missing or unreadable, or the event's end is unspecified.
    pub end: Option<When>,
    /// RRULE, EXRULE, RDATE and EXDATE lines of a master; empty on every other event.
    pub recurrence: Vec<String>,
    pub title: Option<String>,
    pub description: Option<String>,
    pub location: Option<String>,
    /// The event's page at Google; `http` or `https`.
    pub html_link: Option<String>,
    /// Where to join a video meeting; `https`.
    pub conference_url: Option<String>,
    /// There is a meeting, even if we know no link to it.
    pub has_conference: bool,
    /// None: Google says nothing.
    pub reminders: Option<Reminders>,
    /// `default` where Google says nothing.
    pub event_type: String,
    pub transparency: Transparency,
    pub visibility: Option<String>,
    pub color_id: Option<String>,
    pub attendees: Vec<Attendee>,
    /// The list of attendees above is not the whole list.
    pub attendees_omitted: bool,
    pub organizer: Option<Person>,
    pub guests_can_modify: bool,
    pub guests_can_invite_others: bool,
    /// A copy whose main fields Google does not let anyone change.
    pub locked: bool,
}

/// The text is no event: not a JSON object, or one without an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The position in the text, for the log. Never the text itself: it holds what people wrote.
    #[error("an event is not a JSON object (line {line}, column {column})")]
    NotAnObject { line: usize, column: usize },
    #[error("an event has no id")]
    NoId,
}

impl EventResource {
    pub fn is_cancelled(&self) -> bool {
        self.status == "cancelled"
    }

    pub fn is_master(&self) -> bool {
        !self.recurrence.is_empty()
    }

    /// What a change replaces as a whole: the master's id for everything of a series, the event's own id otherwise.
    pub fn series_id(&self) -> &str {
        self.recurring_event_id.as_deref().unwrap_or(&self.id)
    }

    pub fn payload_status(&self) -> EventStatus {
        match self.status.as_str() {
            "cancelled" => EventStatus::Cancelled,
            "tentative" => EventStatus::Tentative,
            // Google's default, and the safe reading of a status it may add: the event takes place.
            _ => EventStatus::Confirmed,
        }
    }
}

/// Reads one event as Google sent it, or as the store kept it.
pub fn parse(raw: &str) -> Result<EventResource, Malformed> {
    let raw = clean(raw);
    let fields: Fields<'_> = serde_json::from_str(&raw).map_err(|err| Malformed::NotAnObject {
        line: err.line(),
        column: err.column(),
    })?;
    let id: String = read(fields.id)
        .filter(|id: &String| !id.is_empty())
        .ok_or(Malformed::NoId)?;
    let status = read(fields.status).unwrap_or_else(|| "confirmed".to_owned());
    let mut recurring_event_id: Option<String> = read(fields.recurring_event_id);
    let mut original_start = time::read(fields.original_start_time);
    if status == "cancelled" && recurring_event_id.is_none() && fields.start.is_none() {
        // Google guarantees a cancelled instance's series, yet bare `{id, status}` has been seen in the wild.
        if let Some((master, original)) = instance_of(&id) {
            recurring_event_id = Some(master.to_owned());
            original_start = original_start.or(Some(original));
        }
    }
    let conference: Option<Conference> = read(fields.conference_data);
    let hangout_link: Option<String> = read(fields.hangout_link);
    Ok(EventResource {
        etag: read(fields.etag).unwrap_or_default(),
        updated: read(fields.updated),
        ical_uid: read(fields.ical_uid),
        start: time::read(fields.start),
        end: time::read(fields.end).filter(|_| read::<bool>(fields.end_time_unspecified) != Some(true)),
        recurrence: list(fields.recurrence),
        title: read(fields.summary),
        description: read(fields.description),
        location: read(fields.location),
        html_link: read::<String>(fields.html_link).filter(|link| has_scheme(link, &["https", "http"])),
        has_conference: hangout_link.is_some() || conference.is_some(),
        conference_url: conference_url(hangout_link, conference),
        reminders: read::<RawReminders>(fields.reminders).map(Reminders::from),
        event_type: read(fields.event_type).unwrap_or_else(|| "default".to_owned()),
        transparency: read(fields.transparency).unwrap_or_default(),
        visibility: read(fields.visibility),
        color_id: read(fields.color_id),
        attendees: list::<Guest>(fields.attendees)
            .into_iter()
            .map(Attendee::from)
            .collect(),
        attendees_omitted: read(fields.attendees_omitted).unwrap_or(false),
        organizer: read::<Guest>(fields.organizer).map(Person::from),
        guests_can_modify: read(fields.guests_can_modify).unwrap_or(false),
        guests_can_invite_others: read(fields.guests_can_invite_others).unwrap_or(true),
        locked: read(fields.locked).unwrap_or(false),
        id,
        status,
        recurring_event_id,
        original_start,
    })
}

/// Splits an instance's id, `<master>_20261122T090000Z` or `<master>_20261122`, into the master's id and the original
/// start. A series split off another, `<master>_R20261122T090000`, is a master itself.
pub fn instance_of(id: &str) -> Option<(&str, When)> {
    let (master, start) = id.rsplit_once('_')?;
    if master.is_empty() || !start.is_ascii() {
        return None;
    }
    Some((master, time::read_basic(start)?))
}

/// Every field is kept as text first, so that each is read, or given up, on its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    etag: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    updated: Option<&'a RawValue>,
    #[serde(borrow, rename = "iCalUID")]
    ical_uid: Option<&'a RawValue>,
    #[serde(borrow)]
    recurring_event_id: Option<&'a RawValue>,
    #[serde(borrow)]
    original_start_time: Option<&'a RawValue>,
    #[serde(borrow)]
    start: Option<&'a RawValue>,
    #[serde(borrow)]
    end: Option<&'a RawValue>,
    #[serde(borrow)]
    end_time_unspecified: Option<&'a RawValue>,
    #[serde(borrow)]
    recurrence: Option<&'a RawValue>,
    #[serde(borrow)]
    summary: Option<&'a RawValue>,
    #[serde(borrow)]
    description: Option<&'a RawValue>,
    #[serde(borrow)]
    location: Option<&'a RawValue>,
    #[serde(borrow)]
    html_link: Option<&'a RawValue>,
    #[serde(borrow)]
    hangout_link: Option<&'a RawValue>,
    #[serde(borrow)]
    conference_data: Option<&'a RawValue>,
    #[serde(borrow)]
    reminders: Option<&'a RawValue>,
    #[serde(borrow)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    transparency: Option<&'a RawValue>,
    #[serde(borrow)]
    visibility: Option<&'a RawValue>,
    #[serde(borrow)]
    color_id: Option<&'a RawValue>,
    #[serde(borrow)]
    attendees: Option<&'a RawValue>,
    #[serde(borrow)]
    attendees_omitted: Option<&'a RawValue>,
    #[serde(borrow)]
    organizer: Option<&'a RawValue>,
    #[serde(borrow)]
    guests_can_modify: Option<&'a RawValue>,
    #[serde(borrow)]
    guests_can_invite_others: Option<&'a RawValue>,
    #[serde(borrow)]
    locked: Option<&'a RawValue>,
}

fn read<T: DeserializeOwned>(field: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(field?.get()).ok()
}

/// The elements of an array that can be read.
fn list<T: DeserializeOwned>(field: Option<&RawValue>) -> Vec<T> {
    let elements: Vec<&RawValue> = field
        .and_then(|field| serde_json::from_str(field.get()).ok())
        .unwrap_or_default();
    elements
        .into_iter()
        .filter_map(|element| read(Some(element)))
        .collect()
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Guest {
    email: Option<String>,
    display_name: Option<String>,
    #[serde(rename = "self")]
    is_self: Option<bool>,
    optional: Option<bool>,
    response_status: Option<String>,
}

impl From<Guest> for Attendee {
    fn from(guest: Guest) -> Self {
        Self {
            email: guest.email,
            display_name: guest.display_name,
            is_self: guest.is_self.unwrap_or(false),
            optional: guest.optional.unwrap_or(false),
            response_status: guest.response_status.unwrap_or_else(|| "needsAction".to_owned()),
        }
    }
}

impl From<Guest> for Person {
    fn from(guest: Guest) -> Self {
        Self {
            email: guest.email,
            display_name: guest.display_name,
            is_self: guest.is_self.unwrap_or(false),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReminders {
    use_default: Option<bool>,
    #[serde(default)]
    overrides: Vec<RawReminder>,
}

#[derive(Deserialize)]
struct RawReminder {
    method: String,
    minutes: u32,
}

impl From<RawReminders> for Reminders {
    fn from(raw: RawReminders) -> Self {
        let mut overrides: Vec<_> = raw
            .overrides
            .into_iter()
            .map(|RawReminder { method, minutes }| Reminder { method, minutes })
            .collect();
        // Google tells them in any order.
        overrides.sort();
        Self {
            use_default: raw.use_default.unwrap_or(false),
            overrides,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Conference {
    #[serde(default)]
    entry_points: Vec<EntryPoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryPoint {
    entry_point_type: Option<String>,
    uri: Option<String>,
}

/// The video entry point, else Google's own short form of it. Only `https`: this is a link that people click.
fn conference_url(hangout_link: Option<String>, conference: Option<Conference>) -> Option<String> {
    conference
        .into_iter()
        .flat_map(|conference| conference.entry_points)
        .filter(|entry| entry.entry_point_type.as_deref() == Some("video"))
        .filter_map(|entry| entry.uri)
        .chain(hangout_link)
        .find(|uri| has_scheme(uri, &["https"]))
}

/// A link goes on screen as a link, so its scheme must be one that cannot run anything (`javascript:`, `data:`). It must
/// also be written as it is meant: a browser reads `https:next` on a page of `https` as a path of that page.
fn has_scheme(link: &str, allowed: &[&str]) -> bool {
    let is_written = link
        .split_once("://")
        .is_some_and(|(scheme, _)| allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(scheme)));
    is_written && url::Url::parse(link).is_ok_and(|url| url.has_host())
}

#[cfg(test)]
mod tests;
