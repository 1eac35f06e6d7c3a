//! Who may change what, as Google would answer: asked before a person begins to type, and again before a write.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::resource::EventResource;

/// What a user may do in a calendar (`accessRole`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessRole {
    FreeBusyReader,
    Reader,
    /// Writes, and sees private events as busy only.
    WriterWithoutPrivateAccess,
    Writer,
    Owner,
    /// What Google adds next; it reads.
    Other(String),
}

impl From<&str> for AccessRole {
    fn from(text: &str) -> Self {
        match text {
            "freeBusyReader" => Self::FreeBusyReader,
            "reader" => Self::Reader,
            "writerWithoutPrivateAccess" => Self::WriterWithoutPrivateAccess,
            "writer" => Self::Writer,
            "owner" => Self::Owner,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl AccessRole {
    pub fn writes(&self) -> bool {
        matches!(
            self,
            Self::WriterWithoutPrivateAccess | Self::Writer | Self::Owner
        )
    }
}

/// The rule that stands in the way of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rule {
    /// The account may only read this calendar.
    CalendarReadOnly,
    /// The event is private, and the account sees no more of it than when it is.
    EventPrivate,
    EventCancelled,
    /// Only the organizer changes what all guests share, unless `guestsCanModify`.
    NotOrganizer,
    /// A copy whose main fields Google lets nobody change.
    EventLocked,
    /// Google made the event (a birthday, a mail), or its kind has no such field (a place of being out of office).
    EventType,
    /// Google did not tell the whole list of guests; to write a part of it would uninvite the rest.
    AttendeesOmitted,
    /// The organizer does not let guests invite others.
    GuestsCannotInvite,
    /// An instance of a series repeats by its series' rules.
    InstanceOfSeries,
    /// Only who is invited can answer.
    NotInvited,
}

impl Rule {
    /// As an error names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CalendarReadOnly => "CALENDAR_READ_ONLY",
            Self::EventPrivate => "EVENT_PRIVATE",
            Self::EventCancelled => "EVENT_CANCELLED",
            Self::NotOrganizer => "NOT_ORGANIZER",
            Self::EventLocked => "EVENT_LOCKED",
            Self::EventType => "EVENT_TYPE",
            Self::AttendeesOmitted => "ATTENDEES_OMITTED",
            Self::GuestsCannotInvite => "GUESTS_CANNOT_INVITE",
            Self::InstanceOfSeries => "INSTANCE_OF_SERIES",
            Self::NotInvited => "NOT_INVITED",
        }
    }

    /// For people.
    pub const fn message(self) -> &'static str {
        match self {
            Self::CalendarReadOnly => "You can read this calendar but not change it",
            Self::EventPrivate => "This event is private, and you see only when it is",
            Self::EventCancelled => "This event has been cancelled",
            Self::NotOrganizer => "Only the organizer can change this",
            Self::EventLocked => "Google has locked this event",
            Self::EventType => "Events of this kind cannot be changed like that",
            Self::AttendeesOmitted => {
                "Google does not show the whole guest list, so it cannot be changed here"
            }
            Self::GuestsCannotInvite => "The organizer does not let guests invite others",
            Self::InstanceOfSeries => "One event of a series repeats as its series does",
            Self::NotInvited => "You are not among the guests of this event",
        }
    }
}

/// The fields that `canEdit` may list, in its order.
const FIELDS: [&str; 11] = [
    "title",
    "start",
    "end",
    "description",
    "location",
    "attendees",
    "recurrence",
    "conference",
    "reminders",
    "colorId",
    "responseStatus",
];

/// The fields of [`crate::wire::Event`] that the user may change, and `responseStatus` where the user is a guest.
pub fn can_edit(event: &EventResource, role: &AccessRole) -> Vec<String> {
    FIELDS
        .into_iter()
        .filter(|field| refusal(event, role, field).is_none())
        .map(str::to_owned)
        .collect()
}

/// Why the user may not change a field; none where it may be changed.
///
/// - Only a writer or an owner changes anything, and no one a cancelled event or a private one seen as busy.
/// - Shared fields are the organizer's (Google answers others with `forbiddenForNonOrganizer`), or every guest's where
///   `guestsCanModify`; guests may by default invite others. An event without organizer is the calendar's own.
/// - Events from Gmail and birthdays are made by Google and take few changes; status events (out of office, focus time,
///   working location) have neither place nor guests.
/// - Colour and reminders are each copy's own, and so is the answer to the invitation.
pub fn refusal(event: &EventResource, role: &AccessRole, field: &str) -> Option<Rule> {
    refusal_to_write(event, role).or_else(|| match field {
        "reminders"
            if matches!(
                event.event_type.as_str(),
                "fromGmail" | "birthday" | "workingLocation"
            ) =>
        {
            Some(Rule::EventType)
        }
        "colorId" | "reminders" => None,
        "responseStatus" => {
            let is_invited = event.attendees.iter().any(|guest| guest.is_self);
            (!is_invited).then_some(Rule::NotInvited)
        }
        "recurrence" if event.recurring_event_id.is_some() => Some(Rule::InstanceOfSeries),
        shared => by_type(event, shared).or_else(|| by_role(event, shared)),
    })
}

/// Why the user may not take the event out of this calendar: it goes for all guests if the user organizes it, and from
/// this calendar alone otherwise.
pub fn refusal_to_delete(event: &EventResource, role: &AccessRole) -> Option<Rule> {
    refusal_to_write(event, role)
}

/// Why the event cannot be given to another calendar.
pub fn refusal_to_move(event: &EventResource, role: &AccessRole) -> Option<Rule> {
    refusal_to_write(event, role).or_else(|| {
        if event.recurring_event_id.is_some() {
            Some(Rule::InstanceOfSeries)
        } else if event.event_type != "default" {
            Some(Rule::EventType)
        } else {
            (!organizes(event)).then_some(Rule::NotOrganizer)
        }
    })
}

fn refusal_to_write(event: &EventResource, role: &AccessRole) -> Option<Rule> {
    if !role.writes() {
        Some(Rule::CalendarReadOnly)
    } else if *role == AccessRole::WriterWithoutPrivateAccess && is_private(event) {
        Some(Rule::EventPrivate)
    } else {
        event.is_cancelled().then_some(Rule::EventCancelled)
    }
}

fn by_type(event: &EventResource, field: &str) -> Option<Rule> {
    let allows = match event.event_type.as_str() {
        "fromGmail" => false,
        "birthday" => field == "title",
        "workingLocation" => matches!(field, "start" | "end"),
        "outOfOffice" | "focusTime" => !matches!(field, "location" | "attendees" | "conference"),
        _ => true,
    };
    (!allows).then_some(Rule::EventType)
}

fn by_role(event: &EventResource, field: &str) -> Option<Rule> {
    let modifies = organizes(event) || event.guests_can_modify;
    if field == "attendees" {
        // The array is replaced as a whole: editing a part of it would uninvite the rest.
        return if event.attendees_omitted {
            Some(Rule::AttendeesOmitted)
        } else {
            (!modifies && !event.guests_can_invite_others).then_some(Rule::GuestsCannotInvite)
        };
    }
    if event.locked {
        Some(Rule::EventLocked)
    } else {
        (!modifies).then_some(Rule::NotOrganizer)
    }
}

pub fn organizes(event: &EventResource) -> bool {
    event.organizer.as_ref().is_none_or(|organizer| organizer.is_self)
}

fn is_private(event: &EventResource) -> bool {
    matches!(event.visibility.as_deref(), Some("private" | "confidential"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::parse;

    #[test]
    fn who_may_edit_follows_google() {
        let base = json!({
            "id": "e", "organizer": {"email": "o@example.com"},
            "attendees": [{"email": "me@example.com", "self": true}, {"email": "o@example.com"}],
        });
        let edit = |role: &str, change: serde_json::Value| {
            let mut raw = base.clone();
            for (key, value) in change.as_object().unwrap() {
                raw[key] = value.clone();
            }
            can_edit(&parse(&raw.to_string()).unwrap(), &AccessRole::from(role)).join(" ")
        };
        let all = "title start end description location attendees recurrence conference reminders colorId responseStatus";
        let mine = json!({"organizer": {"self": true}});
        assert_eq!(edit("owner", mine.clone()), all);
        assert_eq!(edit("writer", json!({"organizer": null})), all);
        assert_eq!(
            edit("owner", json!({"attendees": [], "organizer": {"self": true}})),
            all.replace(" responseStatus", "")
        );
        // A guest.
        assert_eq!(
            edit("owner", json!({})),
            "attendees reminders colorId responseStatus"
        );
        assert_eq!(
            edit("owner", json!({"guestsCanInviteOthers": false})),
            "reminders colorId responseStatus"
        );
        assert_eq!(edit("owner", json!({"guestsCanModify": true})), all);
        // Not the whole list is not to be written back.
        assert_eq!(
            edit(
                "owner",
                json!({"organizer": {"self": true}, "attendeesOmitted": true})
            ),
            all.replace(" attendees", "")
        );
        assert_eq!(
            edit("owner", json!({"organizer": {"self": true}, "locked": true})),
            "attendees reminders colorId responseStatus"
        );
        // Roles.
        for role in ["reader", "freeBusyReader", "none", "somethingNew", ""] {
            assert_eq!(edit(role, mine.clone()), "", "{role}");
        }
        assert_eq!(edit("writerWithoutPrivateAccess", mine.clone()), all);
        assert_eq!(
            edit(
                "writerWithoutPrivateAccess",
                json!({"organizer": {"self": true}, "visibility": "private"})
            ),
            ""
        );
        assert_eq!(edit("owner", json!({"status": "cancelled"})), "");
        // Types.
        let of_type = |kind: &str| {
            edit(
                "owner",
                json!({"eventType": kind, "organizer": {"self": true}, "attendees": []}),
            )
        };
        assert_eq!(of_type("fromGmail"), "colorId");
        assert_eq!(of_type("birthday"), "title colorId");
        assert_eq!(of_type("workingLocation"), "start end colorId");
        assert_eq!(
            of_type("outOfOffice"),
            "title start end description recurrence reminders colorId"
        );
        assert_eq!(
            of_type("somethingNew"),
            "title start end description location attendees recurrence conference reminders colorId"
        );
    }
}
