//! An edit as a client sends it, under the names of an [`Event`](crate::wire::Event).

mod when;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use ts_rs::TS;

use crate::fields::{Conference, Field, Fields, Guest};
use crate::recurrence;
use crate::span::Span;
use crate::text::{MAX_DESCRIPTION, MAX_LOCATION, MAX_TITLE, non_empty, restore};
use crate::wire::{Reminders, Transparency, Visibility};
use crate::zone::Zone;

/// Google's own limit for one event.
const GUESTS_MAX: usize = 200;
const LINES_MAX: usize = 50;
const OVERRIDES_MAX: usize = 5;
/// Four weeks.
const MINUTES_MAX: u32 = 40_320;

/// The fields to change. An absent field stays as it is; `null` clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[ts(optional_fields)]
pub struct EventPatch {
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub title: Option<Option<String>>,
    /// RFC 3339 (or wall-clock time in `timeZone`, without an offset), or a date. Without `end` the event keeps its length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// As `start`; the end of an all-day event is exclusive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Rarely needed: a start without a time makes an event all-day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_day: Option<bool>,
    /// An IANA name, or that of the event. An unknown name changes nothing if the times have offsets and the event does not
    /// repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The zone of the end, if it is another. Default: as it is while `timeZone` stays, otherwise `timeZone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time_zone: Option<String>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub location: Option<Option<String>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub color_id: Option<Option<String>>,
    /// The whole list. Guests keep their responses; a guest who is missing is uninvited. Guests without an address stay.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub attendees: Option<Option<Vec<GuestInput>>>,
    /// RRULE, EXDATE and RDATE lines.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Option<Vec<String>>>,
    /// `null`: the calendar's setting.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub reminders: Option<Option<Reminders>>,
    /// `"meet"` requests a Meet link from Google where there is no meeting yet.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub conference: Option<Option<ConferenceInput>>,
    /// Whether its time is taken. `null`: it is.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub transparency: Option<Option<Transparency>>,
    /// Visibility of the details. `null`: the calendar's setting.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Option<Visibility>>,
}

/// A guest to invite. An attendee of an Event will do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GuestInput {
    /// `null`: a guest whose address Google does not show. Such guests stay as they are, listed or not.
    #[serde(deserialize_with = "Option::deserialize")]
    pub email: Option<String>,
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub optional: bool,
    #[serde(default)]
    #[ts(optional, as = "Option<Option<String>>")]
    pub display_name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ConferenceInput {
    Meet,
}

/// Distinguishes `null` from an absent field.
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A field of an edit is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// As an [`Event`](crate::wire::Event) names it.
    pub field: &'static str,
    /// The expected form, for the developer of the client.
    pub message: String,
}

fn invalid(field: &'static str, message: impl Into<String>) -> Invalid {
    Invalid {
        field,
        message: message.into(),
    }
}

impl EventPatch {
    /// The names in `canEdit` of the fields to change.
    pub fn edits(&self) -> Vec<&'static str> {
        [
            ("title", self.title.is_some()),
            (
                "start",
                self.start.is_some() || self.all_day.is_some() || self.time_zone.is_some(),
            ),
            ("end", self.end.is_some() || self.end_time_zone.is_some()),
            ("description", self.description.is_some()),
            ("location", self.location.is_some()),
            ("attendees", self.attendees.is_some()),
            ("recurrence", self.recurrence.is_some()),
            ("conference", self.conference.is_some()),
            ("reminders", self.reminders.is_some()),
            ("colorId", self.color_id.is_some()),
            ("transparency", self.transparency.is_some()),
            ("visibility", self.visibility.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect()
    }

    /// The fields to change.
    pub fn touched(&self) -> BTreeSet<Field> {
        self.edits()
            .into_iter()
            .map(|name| {
                let field = Field::ALL.iter().find(|field| field.name() == name);
                field.copied().unwrap_or(Field::When)
            })
            .collect()
    }

    /// The event with this edit. `zone`: the calendar's, for an event without one.
    pub fn apply(&self, base: &Fields, zone: Zone) -> Result<Fields, Invalid> {
        let mut fields = base.clone();
        edit_text(&mut fields.title, self.title.as_ref(), MAX_TITLE);
        edit_text(
            &mut fields.description,
            self.description.as_ref(),
            MAX_DESCRIPTION,
        );
        edit_text(&mut fields.location, self.location.as_ref(), MAX_LOCATION);
        edit_text(&mut fields.color_id, self.color_id.as_ref(), usize::MAX);
        if let Some(when) = self.when(base, zone)? {
            fields.when = Some(when);
        }
        if let Some(guests) = &self.attendees {
            fields.attendees = read_guests(guests.as_deref().unwrap_or_default(), &base.attendees)?;
        }
        if let Some(lines) = &self.recurrence {
            let lines = lines.clone().unwrap_or_default();
            check_lines(&lines, fields.when.and_then(Span::zone))?;
            fields.recurrence = lines;
        }
        if let Some(reminders) = &self.reminders {
            fields.reminders = Some(read_reminders(reminders.as_ref())?);
        }
        match self.conference {
            Some(None) => fields.conference = Conference::None,
            Some(Some(ConferenceInput::Meet))
                if !matches!(fields.conference, Conference::At(_) | Conference::Requested) =>
            {
                fields.conference = Conference::Requested;
            }
            None | Some(Some(ConferenceInput::Meet)) => {}
        }
        if let Some(transparency) = self.transparency {
            fields.transparency = transparency.unwrap_or_default();
        }
        if let Some(visibility) = self.visibility {
            fields.visibility = visibility
                .filter(|visibility| *visibility != Visibility::Default)
                .map(|visibility| <&str>::from(visibility).to_owned());
        }
        Ok(fields)
    }
}

fn edit_text(field: &mut Option<String>, edit: Option<&Option<String>>, shown_max: usize) {
    let Some(edit) = edit else { return };
    let edited = match (edit, &field) {
        (Some(edit), Some(present)) => Some(restore(edit, present, shown_max)),
        (edit, _) => edit.clone(),
    };
    *field = non_empty(edited.as_deref());
}

fn read_guests(
    given: &[GuestInput],
    before: &BTreeMap<String, Guest>,
) -> Result<BTreeMap<String, Guest>, Invalid> {
    let mut guests = BTreeMap::new();
    for guest in given {
        let Some(email) = &guest.email else { continue };
        let email = email.trim().to_lowercase();
        let is_address = email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if !is_address || email.contains(char::is_whitespace) {
            return Err(invalid("attendees", "expected an e-mail address for each guest"));
        }
        let known = before.get(&email).and_then(|known| known.display_name.clone());
        let guest = Guest {
            optional: guest.optional,
            display_name: guest.display_name.clone().or(known),
        };
        guests.insert(email, guest);
    }
    if guests.len() > GUESTS_MAX {
        return Err(invalid(
            "attendees",
            format!("expected at most {GUESTS_MAX} guests"),
        ));
    }
    Ok(guests)
}

fn check_lines(lines: &[String], zone: Option<Zone>) -> Result<(), Invalid> {
    if lines.len() > LINES_MAX || lines.iter().any(|line| line.contains(['\n', '\r'])) {
        return Err(invalid(
            "recurrence",
            format!("expected at most {LINES_MAX} lines, each an element"),
        ));
    }
    match recurrence::unreadable(lines, zone) {
        None => Ok(()),
        Some(why) => Err(invalid("recurrence", why.to_string())),
    }
}

fn read_reminders(given: Option<&Reminders>) -> Result<Reminders, Invalid> {
    let Some(given) = given else {
        return Ok(Reminders {
            use_default: true,
            overrides: Vec::new(),
        });
    };
    let is_known = |method: &str| matches!(method, "popup" | "email");
    let is_invalid = given
        .overrides
        .iter()
        .any(|reminder| !is_known(&reminder.method) || reminder.minutes > MINUTES_MAX);
    if is_invalid
        || given.overrides.len() > OVERRIDES_MAX
        || (given.use_default && !given.overrides.is_empty())
    {
        return Err(invalid(
            "reminders",
            "expected `useDefault`, or up to five overrides by popup or email, at most 40320 minutes before",
        ));
    }
    let mut reminders = given.clone();
    reminders.overrides.sort();
    Ok(reminders)
}

#[cfg(test)]
mod tests;
