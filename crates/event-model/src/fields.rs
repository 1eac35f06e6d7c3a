//! The fields of an event that people edit, under the names of an [`Event`](crate::wire::Event).

mod json;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use ts_rs::TS;

use crate::calendar::CalendarContext;
use crate::resource::{ConferenceState, EventResource};
use crate::span::Span;
use crate::text::non_empty;
use crate::wire::{Reminders, Transparency};

/// One of the fields. Start, end and zone are one: two edits that move an event and lengthen it have no sensible merge.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    TS,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum Field {
    Title,
    #[strum(serialize = "start")]
    When,
    Description,
    Location,
    ColorId,
    Attendees,
    Recurrence,
    Reminders,
    Conference,
    Transparency,
    Visibility,
}

impl Field {
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in `canEdit`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The values of the fields of an event. [`Fields::looks_same`] compares them as a person does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fields {
    pub title: Option<String>,
    /// None: the start is unreadable.
    #[serde(flatten)]
    pub when: Option<Span>,
    pub description: Option<String>,
    pub location: Option<String>,
    pub color_id: Option<String>,
    /// By e-mail address in lower case.
    pub attendees: BTreeMap<String, Guest>,
    /// RRULE, EXDATE and RDATE lines.
    pub recurrence: Vec<String>,
    pub reminders: Option<Reminders>,
    pub conference: Conference,
    #[serde(default)]
    pub transparency: Transparency,
    /// None: the calendar's setting.
    #[serde(default)]
    pub visibility: Option<String>,
}

/// A guest as the organizer edits one. The guest's response is no part of an edit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    pub optional: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// Whether the event has a video meeting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Conference {
    #[default]
    None,
    /// A meeting has been requested from Google and is not created yet. It may never be: it can be requested again.
    Pending,
    /// Google is to create a Meet link, or there is a meeting without a known link.
    Requested,
    At(String),
}

impl Conference {
    /// Whether an edit leaves this alone: Google chooses the link, so any two meetings are alike.
    pub fn is_like(&self, other: &Self) -> bool {
        self.stage() == other.stage()
    }

    fn stage(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::Pending => 1,
            Self::Requested | Self::At(_) => 2,
        }
    }
}

impl Fields {
    pub fn of(event: &EventResource, calendar: &CalendarContext) -> Self {
        let guests = event.attendees.iter().filter_map(|guest| {
            let email = guest.email.as_ref()?.to_lowercase();
            Some((
                email,
                Guest {
                    optional: guest.optional,
                    display_name: guest.display_name.clone(),
                },
            ))
        });
        Self {
            title: non_empty(event.title.as_deref()),
            when: Span::of(event, calendar),
            description: non_empty(event.description.as_deref()),
            location: non_empty(event.location.as_deref()),
            color_id: non_empty(event.color_id.as_deref()),
            attendees: guests.collect(),
            recurrence: event.recurrence.clone(),
            reminders: event.reminders.clone(),
            conference: match (&event.conference_url, event.conference) {
                (Some(url), _) => Conference::At(url.clone()),
                (None, ConferenceState::Exists) => Conference::Requested,
                (None, ConferenceState::Pending) => Conference::Pending,
                (None, ConferenceState::None) => Conference::None,
            },
            transparency: event.transparency,
            visibility: event
                .visibility
                .clone()
                .filter(|visibility| visibility != "default"),
        }
    }

    /// Whether a person sees the same value of a field. Any two video meetings look the same: an edit adds or removes one,
    /// and Google chooses the link.
    pub fn looks_same(&self, other: &Self, field: Field) -> bool {
        match field {
            Field::Title => self.title == other.title,
            Field::When => self.when == other.when,
            Field::Description => self.description == other.description,
            Field::Location => self.location == other.location,
            Field::ColorId => self.color_id == other.color_id,
            Field::Attendees => self.attendees == other.attendees,
            Field::Recurrence => self.recurrence == other.recurrence,
            Field::Reminders => self.reminders == other.reminders,
            Field::Conference => self.conference.is_like(&other.conference),
            Field::Transparency => self.transparency == other.transparency,
            Field::Visibility => self.visibility == other.visibility,
        }
    }

    /// The fields that do not [look the same](Self::looks_same).
    pub fn differing(&self, other: &Self) -> Vec<Field> {
        Field::ALL
            .iter()
            .copied()
            .filter(|&field| !self.looks_same(other, field))
            .collect()
    }
}

#[cfg(test)]
mod tests;
