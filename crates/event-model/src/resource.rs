//! Reading an event as Google sends it.
//!
//! An event is user input that came through Google: any field may be missing, have another type than documented, or be
//! hostile. Reading is lenient field by field: an odd attendee costs that attendee and not the event, an odd event that event
//! and not the page. An unreadable field is absent here; the stored JSON still has it.

mod clean;
mod conference;
mod raw;
mod time;

use chrono::{DateTime, Utc};

use crate::wire::{Attendee, EventStatus, Person, Reminders, Transparency};
pub use clean::clean;
pub use conference::ConferenceState;
use conference::RawConference;
use raw::{RawBirthday, RawFields, RawPerson, RawReminders, list, read};
pub use time::{Timed, When};

/// The fields of a Google event that Calwire uses.
#[expect(clippy::struct_excessive_bools, reason = "Google's flags, each on its own")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventResource {
    pub id: String,
    /// Opaque. Empty on a sparse tombstone.
    pub etag: String,
    /// `confirmed`, `tentative`, `cancelled`, or a status that Google may add.
    pub status: String,
    pub updated: Option<DateTime<Utc>>,
    pub ical_uid: Option<String>,
    /// The master's id, on an exception of a series. On a bare tombstone it is taken from the form of the id.
    pub recurring_event_id: Option<String>,
    /// The original start of the instance that an exception replaces.
    pub original_start: Option<When>,
    /// None: missing or unreadable. Such an event is stored, but has no occurrence.
    pub start: Option<When>,
    /// Exclusive. None: missing, unreadable, or unspecified.
    pub end: Option<When>,
    /// RRULE, EXRULE, RDATE and EXDATE lines of a master. Empty on other events.
    pub recurrence: Vec<String>,
    pub title: Option<String>,
    pub description: Option<String>,
    pub location: Option<String>,
    /// The event's page at Google; `http` or `https`.
    pub html_link: Option<String>,
    /// Where to join a video meeting; `https`.
    pub conference_url: Option<String>,
    pub conference: ConferenceState,
    /// None: Google sends none.
    pub reminders: Option<Reminders>,
    /// `default` where Google sends none.
    pub event_type: String,
    pub transparency: Transparency,
    pub visibility: Option<String>,
    pub color_id: Option<String>,
    pub attendees: Vec<Attendee>,
    /// `attendees` is not, or may not be, the whole list: Google left guests out, or hides them from other guests.
    pub attendees_omitted: bool,
    pub organizer: Option<Person>,
    pub guests_can_modify: bool,
    pub guests_can_invite_others: bool,
    /// A copy whose main fields Google lets no one change.
    pub locked: bool,
    /// A birthday that a contact or the account's profile owns.
    pub is_linked_birthday: bool,
}

/// The text is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The position in the text, for the log. Never the text itself, which people wrote.
    #[error("the event is not a JSON object (line {line}, column {column})")]
    NotAnObject { line: usize, column: usize },
    #[error("the event has no id")]
    NoId,
}

impl EventResource {
    pub fn is_cancelled(&self) -> bool {
        self.status == "cancelled"
    }

    pub fn is_master(&self) -> bool {
        !self.recurrence.is_empty()
    }

    /// The id of all that a change replaces together: the master's id within a series, otherwise the event's own.
    pub fn series_id(&self) -> &str {
        self.recurring_event_id.as_deref().unwrap_or(&self.id)
    }

    pub fn wire_status(&self) -> EventStatus {
        match self.status.as_str() {
            "cancelled" => EventStatus::Cancelled,
            "tentative" => EventStatus::Tentative,
            // Google's default, and safe for a status that Google may add: the event takes place.
            _ => EventStatus::Confirmed,
        }
    }
}

/// Reads one event, as Google sent it or as it is stored. Fails only for text that is not a JSON object with an id.
pub fn parse(raw: &str) -> Result<EventResource, Malformed> {
    let raw = clean(raw);
    let fields: RawFields<'_> = serde_json::from_str(&raw).map_err(|err| Malformed::NotAnObject {
        line: err.line(),
        column: err.column(),
    })?;
    let id: String = read(fields.id)
        .filter(|id: &String| !id.is_empty())
        .ok_or(Malformed::NoId)?;
    let status = read(fields.status).unwrap_or_else(|| "confirmed".to_owned());
    let mut recurring_event_id: Option<String> = read(fields.recurring_event_id);
    let mut original_start = time::read(fields.original_start_time);
    if status == "cancelled" && fields.start.is_none() {
        // Google documents that a cancelled instance names its series, yet a bare `{id, status}` has been seen.
        if let Some((series, original)) = instance_of(&id) {
            recurring_event_id.get_or_insert_with(|| series.to_owned());
            original_start = original_start.or(Some(original));
        }
    }
    let organizer = read::<RawPerson>(fields.organizer).map(Person::from);
    let is_guest = organizer.as_ref().is_some_and(|organizer| !organizer.is_self);
    let sees_guests = read(fields.guests_can_see_other_guests).unwrap_or(true);
    let conference: Option<RawConference> = read(fields.conference_data);
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
        conference: match &conference {
            _ if hangout_link.is_some() => ConferenceState::Exists,
            None => ConferenceState::None,
            Some(conference) => conference.state(),
        },
        conference_url: conference_url(hangout_link, conference),
        reminders: read::<RawReminders>(fields.reminders).map(Reminders::from),
        event_type: read(fields.event_type).unwrap_or_else(|| "default".to_owned()),
        transparency: read(fields.transparency).unwrap_or_default(),
        visibility: read(fields.visibility),
        color_id: read(fields.color_id),
        attendees: list::<RawPerson>(fields.attendees)
            .into_iter()
            .map(Attendee::from)
            .collect(),
        attendees_omitted: read(fields.attendees_omitted).unwrap_or(false) || (is_guest && !sees_guests),
        organizer,
        guests_can_modify: read(fields.guests_can_modify).unwrap_or(false),
        guests_can_invite_others: read(fields.guests_can_invite_others).unwrap_or(true),
        locked: read(fields.locked).unwrap_or(false),
        is_linked_birthday: read::<RawBirthday>(fields.birthday_properties)
            .is_some_and(|birthday| birthday.is_linked()),
        id,
        status,
        recurring_event_id,
        original_start,
    })
}

/// Splits an instance's id, `<series>_20261122T090000Z` or `<series>_20261122`, into the series' id and the original start. The
/// instance may also be one of a series that was split off it, see [`first_series`](crate::span::first_series). None for other
/// ids: `<series>_R20261122T090000`, a series split off another, is a master itself.
pub fn instance_of(id: &str) -> Option<(&str, When)> {
    let (master, start) = id.rsplit_once('_')?;
    if master.is_empty() || !start.is_ascii() {
        return None;
    }
    Some((master, time::read_basic(start)?))
}

/// The video entry point, or else Google's own short form of it. Only `https`, since people click this link.
fn conference_url(hangout_link: Option<String>, conference: Option<RawConference>) -> Option<String> {
    conference
        .into_iter()
        .flat_map(|conference| conference.entry_points)
        .filter(|entry| entry.entry_point_type.as_deref() == Some("video"))
        .filter_map(|entry| entry.uri)
        .chain(hangout_link)
        .find(|uri| has_scheme(uri, &["https"]))
}

/// The scheme of a link on a page must not run code (`javascript:`, `data:`). It must be followed by `//`: on an `https`
/// page, browsers take `https:next` for a path of that page.
fn has_scheme(link: &str, allowed: &[&str]) -> bool {
    let is_written = link
        .split_once("://")
        .is_some_and(|(scheme, _)| allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(scheme)));
    is_written && url::Url::parse(link).is_ok_and(|url| url.has_host())
}

#[cfg(test)]
mod tests;
