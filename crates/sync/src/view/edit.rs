//! Who may change what, as Google would answer.

use super::EventResource;

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

/// Fields shared by every copy of an event: the organizer's, unless guests may modify.
const SHARED: [&str; 6] = ["title", "start", "end", "description", "location", "attendees"];

/// The fields of [`crate::payload::Event`] that the user may change, and `responseStatus` where the user is a guest.
///
/// - Only a writer or an owner changes anything, and no one a cancelled event or a private one seen as busy.
/// - Shared fields are the organizer's (Google answers others with `forbiddenForNonOrganizer`), or every guest's where
///   `guestsCanModify`; guests may by default invite others. An event without organizer is the calendar's own.
/// - Events from Gmail and birthdays are made by Google and take few changes; status events (out of office, focus time,
///   working location) have neither place nor guests.
/// - The colour is each copy's own, and so is the answer to the invitation.
pub fn can_edit(event: &EventResource, role: &AccessRole) -> Vec<String> {
    let writes = match role {
        AccessRole::Owner | AccessRole::Writer => true,
        AccessRole::WriterWithoutPrivateAccess => !is_private(event),
        AccessRole::FreeBusyReader | AccessRole::Reader | AccessRole::Other(_) => false,
    };
    if !writes || event.is_cancelled() {
        return Vec::new();
    }
    let mut fields: Vec<&str> = SHARED
        .into_iter()
        .filter(|field| may_edit_shared(event, field))
        .collect();
    fields.push("colorId");
    if event.attendees.iter().any(|guest| guest.is_self) {
        fields.push("responseStatus");
    }
    fields.into_iter().map(str::to_owned).collect()
}

fn may_edit_shared(event: &EventResource, field: &str) -> bool {
    let by_type = match event.event_type.as_str() {
        "fromGmail" => false,
        "birthday" => field == "title",
        "workingLocation" => matches!(field, "start" | "end"),
        "outOfOffice" | "focusTime" => !matches!(field, "location" | "attendees"),
        _ => true,
    };
    let organizes = event.organizer.as_ref().is_none_or(|organizer| organizer.is_self);
    let by_role = match field {
        // The array is replaced as a whole: editing a part of it would uninvite the rest.
        "attendees" => {
            !event.attendees_omitted
                && (organizes || event.guests_can_modify || event.guests_can_invite_others)
        }
        _ => !event.locked && (organizes || event.guests_can_modify),
    };
    by_type && by_role
}

fn is_private(event: &EventResource) -> bool {
    matches!(event.visibility.as_deref(), Some("private" | "confidential"))
}
