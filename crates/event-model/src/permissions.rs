//! Which fields of an event the user may change, by Google's rules: for the page before a user edits, and again before a
//! write.

use chrono::TimeDelta;
use strum::{IntoStaticStr, VariantNames};

use crate::calendar::AccessRole;
use crate::resource::EventResource;
use crate::span::Span;

/// A rule of Google's that forbids an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Restriction {
    /// The account may only read this calendar.
    CalendarReadOnly,
    /// The event is private, and the account sees only when it takes place.
    EventPrivate,
    EventCancelled,
    /// Only the organizer changes the fields that guests share, unless `guestsCanModify`.
    NotOrganizer,
    /// A copy whose main fields Google lets no one change.
    EventLocked,
    /// Google made the event (a birthday, a flight from Gmail), or its type has no such field (the location of an
    /// out-of-office event).
    EventType,
    /// Google did not send the whole list of guests; writing a part of it would uninvite the others.
    AttendeesOmitted,
    /// The organizer does not let guests invite others.
    GuestsCannotInvite,
    /// An instance repeats by the rules of its series.
    InstanceOfSeries,
    /// Only a guest can respond.
    NotInvited,
}

impl Restriction {
    /// The `data.reason` of an error, such as `EVENT_LOCKED`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// For the user.
    pub const fn message(self) -> &'static str {
        match self {
            Self::CalendarReadOnly => "You can read this calendar but not change it",
            Self::EventPrivate => "This event is private, and you see only when it takes place",
            Self::EventCancelled => "This event has been cancelled",
            Self::NotOrganizer => "Only the organizer can change this",
            Self::EventLocked => "Google has locked this event",
            Self::EventType => "Events of this type do not allow this change",
            Self::AttendeesOmitted => {
                "Google does not show the whole guest list, so it cannot be changed here"
            }
            Self::GuestsCannotInvite => "The organizer does not let guests invite others",
            Self::InstanceOfSeries => "An event of a series repeats by the rules of its series",
            Self::NotInvited => "You are not among the guests of this event",
        }
    }
}

/// The fields that `canEdit` may list, in this order.
const FIELDS: [&str; 14] = [
    "title",
    "start",
    "end",
    "allDay",
    "description",
    "location",
    "attendees",
    "recurrence",
    "conference",
    "reminders",
    "colorId",
    "transparency",
    "visibility",
    "responseStatus",
];

/// The fields of an [`Event`](crate::wire::Event) that the user may change, and `responseStatus` if the user is a guest.
pub fn can_edit(event: &EventResource, role: &AccessRole) -> Vec<String> {
    FIELDS
        .into_iter()
        .filter(|field| edit_restriction(event, role, field).is_none())
        .map(str::to_owned)
        .collect()
}

/// Why the user may not change a field. None: the user may.
///
/// - Only a writer or an owner changes events, and no one a cancelled event or a private one seen as busy.
/// - Only the organizer changes shared fields (Google answers others with `forbiddenForNonOrganizer`), or every guest if
///   `guestsCanModify`; by default guests may invite others. An event without an organizer belongs to its calendar.
/// - Each type of event has fields that cannot be changed ([`type_restriction`]).
/// - Colour, reminders, visibility, and the response to the invitation belong to each guest's event.
pub fn edit_restriction(event: &EventResource, role: &AccessRole, field: &str) -> Option<Restriction> {
    write_restriction(event, role).or_else(|| match field {
        "responseStatus" => {
            let is_invited = event.attendees.iter().any(|guest| guest.is_self);
            (!is_invited).then_some(Restriction::NotInvited)
        }
        "recurrence" if event.recurring_event_id.is_some() => Some(Restriction::InstanceOfSeries),
        field => type_restriction(event, field).or_else(|| match field {
            "colorId" | "reminders" | "transparency" | "visibility" => None,
            shared => role_restriction(event, shared),
        }),
    })
}

/// Why the user may not delete the event from this calendar. Deleting removes it for all guests if the user organizes it, and
/// otherwise from this calendar alone.
pub fn delete_restriction(event: &EventResource, role: &AccessRole) -> Option<Restriction> {
    write_restriction(event, role).or_else(|| event.is_linked_birthday.then_some(Restriction::EventType))
}

/// Why the user may not move the event to another calendar.
pub fn move_restriction(event: &EventResource, role: &AccessRole) -> Option<Restriction> {
    write_restriction(event, role).or_else(|| {
        if event.recurring_event_id.is_some() {
            Some(Restriction::InstanceOfSeries)
        } else if event.event_type != "default" {
            Some(Restriction::EventType)
        } else {
            (!is_organizer(event)).then_some(Restriction::NotOrganizer)
        }
    })
}

fn write_restriction(event: &EventResource, role: &AccessRole) -> Option<Restriction> {
    if !role.writes() {
        Some(Restriction::CalendarReadOnly)
    } else if *role == AccessRole::WriterWithoutPrivateAccess && is_private(event) {
        Some(Restriction::EventPrivate)
    } else {
        event.is_cancelled().then_some(Restriction::EventCancelled)
    }
}

/// By Google's guides on [event types](https://developers.google.com/workspace/calendar/api/guides/event-types) and
/// [status events](https://developers.google.com/workspace/calendar/api/guides/calendar-status), and the
/// [release note](https://developers.google.com/workspace/calendar/docs/release-notes) on events from Gmail (2024-05-22).
fn type_restriction(event: &EventResource, field: &str) -> Option<Restriction> {
    let allows = match event.event_type.as_str() {
        "birthday" => match field {
            "title" | "reminders" | "colorId" => true,
            // The date of a contact is changed in Google Contacts. A birthday is all day.
            "start" | "end" => !event.is_linked_birthday,
            _ => false,
        },
        "fromGmail" => matches!(
            field,
            "colorId" | "reminders" | "visibility" | "transparency" | "attendees"
        ),
        // Public and free, and without a reminder.
        "workingLocation" => matches!(field, "start" | "end" | "allDay" | "colorId"),
        // Timed and busy.
        "outOfOffice" | "focusTime" => !matches!(
            field,
            "location" | "attendees" | "conference" | "allDay" | "transparency"
        ),
        _ => true,
    };
    (!allows).then_some(Restriction::EventType)
}

/// Whether events of this type may take place then: a birthday, and a working location of whole days, is one day long.
pub fn span_restriction(event: &EventResource, span: Span) -> Option<Restriction> {
    let is_one_day = !span.is_all_day() || span.length() == TimeDelta::days(1);
    let needs_one_day = matches!(event.event_type.as_str(), "birthday" | "workingLocation");
    (needs_one_day && !is_one_day).then_some(Restriction::EventType)
}

/// Whether the event may carry private extended properties of ours. Google refuses them in birthdays
/// (phw198/OutlookGoogleCalendarSync#2103), and has refused them in copies of guests (kewisch/gdata-provider#3).
pub fn takes_properties(event: &EventResource) -> bool {
    let has_known_type = matches!(
        event.event_type.as_str(),
        "default" | "fromGmail" | "focusTime" | "outOfOffice" | "workingLocation"
    );
    has_known_type && is_organizer(event)
}

fn role_restriction(event: &EventResource, field: &str) -> Option<Restriction> {
    let modifies = is_organizer(event) || event.guests_can_modify;
    if field == "attendees" {
        // A write replaces the whole array, so writing a part of it would uninvite the others.
        return if event.attendees_omitted {
            Some(Restriction::AttendeesOmitted)
        } else {
            (!modifies && !event.guests_can_invite_others).then_some(Restriction::GuestsCannotInvite)
        };
    }
    if event.locked {
        Some(Restriction::EventLocked)
    } else {
        (!modifies).then_some(Restriction::NotOrganizer)
    }
}

/// Whether the user organizes the event: true also for an event without an organizer.
pub fn is_organizer(event: &EventResource) -> bool {
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

    fn with(base: &serde_json::Value, change: &serde_json::Value) -> serde_json::Value {
        let mut raw = base.clone();
        for (key, value) in change.as_object().unwrap() {
            raw[key] = value.clone();
        }
        raw
    }

    #[test]
    fn permissions_follow_google() {
        let base = json!({
            "id": "e", "organizer": {"email": "o@example.com"},
            "attendees": [{"email": "me@example.com", "self": true}, {"email": "o@example.com"}],
        });
        let edit = |role: &str, change: serde_json::Value| {
            let raw = with(&base, &change);
            can_edit(&parse(&raw.to_string()).unwrap(), &AccessRole::from(role)).join(" ")
        };
        let all = "title start end allDay description location attendees recurrence conference reminders colorId transparency visibility responseStatus";
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
            "attendees reminders colorId transparency visibility responseStatus"
        );
        assert_eq!(
            edit("owner", json!({"guestsCanInviteOthers": false})),
            "reminders colorId transparency visibility responseStatus"
        );
        assert_eq!(edit("owner", json!({"guestsCanModify": true})), all);
        // An incomplete list of guests is not written back.
        assert_eq!(
            edit(
                "owner",
                json!({"organizer": {"self": true}, "attendeesOmitted": true})
            ),
            all.replace(" attendees", "")
        );
        let hidden = json!({"guestsCanSeeOtherGuests": false, "guestsCanModify": true});
        assert_eq!(edit("owner", hidden), all.replace(" attendees", ""));
        let by_me = json!({"guestsCanSeeOtherGuests": false, "organizer": {"self": true}});
        assert_eq!(edit("owner", by_me), all);
        assert_eq!(
            edit("owner", json!({"organizer": {"self": true}, "locked": true})),
            "attendees reminders colorId transparency visibility responseStatus"
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
        assert_eq!(
            of_type("fromGmail"),
            "attendees reminders colorId transparency visibility"
        );
        assert_eq!(of_type("birthday"), "title start end reminders colorId");
        assert_eq!(of_type("workingLocation"), "start end allDay colorId");
        assert_eq!(
            of_type("outOfOffice"),
            "title start end description recurrence reminders colorId visibility"
        );
        assert_eq!(of_type("somethingNew"), all.replace(" responseStatus", ""));
        // Birthdays that Google Contacts or the account's profile owns.
        for birthday in [json!({"contact": "people/c1"}), json!({"type": "self"})] {
            let linked = json!({"eventType": "birthday", "birthdayProperties": birthday, "attendees": [],
                "organizer": {"self": true}});
            assert_eq!(edit("owner", linked.clone()), "title reminders colorId");
            let event = parse(&with(&base, &linked).to_string()).unwrap();
            assert_eq!(
                delete_restriction(&event, &AccessRole::Owner),
                Some(Restriction::EventType)
            );
        }
    }
}
