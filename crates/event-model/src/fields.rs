//! The fields of an event that people edit, in the names of [`crate::wire::Event`].

mod span;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use span::Span;

use crate::expansion::CalendarContext;
use crate::resource::{EventResource, cut};
pub use crate::wire::{Reminder, Reminders};

/// One of those fields. Begin, end and zone are one: an event that moved in one place and grew in another has no middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "camelCase")]
pub enum Field {
    Title,
    When,
    Description,
    Location,
    ColorId,
    Attendees,
    Recurrence,
    Reminders,
    Conference,
}

impl Field {
    pub const ALL: [Self; 9] = [
        Self::Title,
        Self::When,
        Self::Description,
        Self::Location,
        Self::ColorId,
        Self::Attendees,
        Self::Recurrence,
        Self::Reminders,
        Self::Conference,
    ];

    /// As `canEdit` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::When => "start",
            Self::Description => "description",
            Self::Location => "location",
            Self::ColorId => "colorId",
            Self::Attendees => "attendees",
            Self::Recurrence => "recurrence",
            Self::Reminders => "reminders",
            Self::Conference => "conference",
        }
    }
}

/// What an event has in those fields. Two that are equal here look the same to a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fields {
    pub title: Option<String>,
    /// None: Google's start cannot be read.
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
}

/// A guest as the organizer edits one. What a guest answered is the guest's own and no part of an edit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    pub optional: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// Whether there is a video meeting. Two that ask for one want the same.
#[derive(Debug, Clone, Default, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Conference {
    #[default]
    None,
    /// Google makes a Meet link.
    Requested,
    At(String),
}

impl PartialEq for Conference {
    fn eq(&self, other: &Self) -> bool {
        matches!(self, Self::None) == matches!(other, Self::None)
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
            title: text(event.title.as_deref()),
            when: Span::of(event, calendar),
            description: text(event.description.as_deref()),
            location: text(event.location.as_deref()),
            color_id: text(event.color_id.as_deref()),
            attendees: guests.collect(),
            recurrence: event.recurrence.clone(),
            reminders: event.reminders.clone(),
            conference: match (&event.conference_url, event.has_conference) {
                (Some(url), _) => Conference::At(url.clone()),
                (None, true) => Conference::Requested,
                (None, false) => Conference::None,
            },
        }
    }

    pub fn is_same(&self, other: &Self, field: Field) -> bool {
        match field {
            Field::Title => self.title == other.title,
            Field::When => self.when == other.when,
            Field::Description => self.description == other.description,
            Field::Location => self.location == other.location,
            Field::ColorId => self.color_id == other.color_id,
            Field::Attendees => self.attendees == other.attendees,
            Field::Recurrence => self.recurrence == other.recurrence,
            Field::Reminders => self.reminders == other.reminders,
            Field::Conference => self.conference == other.conference,
        }
    }

    /// The fields in which the two differ.
    pub fn differing(&self, other: &Self) -> Vec<Field> {
        Field::ALL
            .into_iter()
            .filter(|&field| !self.is_same(other, field))
            .collect()
    }

    /// As a conflict tells it: each field by itself, in the names of the Event.
    pub fn told(&self) -> Value {
        let mut told = Map::new();
        told.insert("title".into(), json!(self.title));
        if let Some(Value::Object(when)) = self.when.map(|when| json!(when)) {
            told.extend(when);
        }
        told.insert("description".into(), json!(self.description));
        told.insert("location".into(), json!(self.location));
        told.insert("colorId".into(), json!(self.color_id));
        let guests = self.attendees.iter().map(|(email, guest)| {
            json!({"email": email, "optional": guest.optional, "displayName": guest.display_name})
        });
        told.insert("attendees".into(), guests.collect());
        told.insert("recurrence".into(), json!(self.recurrence));
        told.insert("reminders".into(), json!(self.reminders));
        let url = match &self.conference {
            Conference::At(url) => Some(url),
            Conference::None | Conference::Requested => None,
        };
        told.insert("conferenceUrl".into(), json!(url));
        told.into()
    }

    /// The body of a write that makes `before` (an event as Google has it, with `fields`) into this: what differs and
    /// nothing else. `request_id` names a Meet link that is asked for.
    pub fn write_over(&self, before: &Value, fields: &Self, request_id: &str) -> Map<String, Value> {
        let mut body = Map::new();
        for field in self.differing(fields) {
            match field {
                Field::Title => drop(body.insert("summary".into(), json!(self.title))),
                Field::When => body.extend(self.when.into_iter().flat_map(Span::google)),
                Field::Description => drop(body.insert("description".into(), json!(self.description))),
                Field::Location => drop(body.insert("location".into(), json!(self.location))),
                Field::ColorId => drop(body.insert("colorId".into(), json!(self.color_id))),
                Field::Attendees => drop(body.insert("attendees".into(), self.guests_over(before))),
                Field::Recurrence => drop(body.insert("recurrence".into(), json!(self.recurrence))),
                Field::Reminders => drop(body.insert("reminders".into(), self.google_reminders())),
                Field::Conference => drop(body.insert("conferenceData".into(), self.meet(request_id))),
            }
        }
        body
    }

    /// The list as Google has it, edited: it is replaced as a whole, and knows more of a guest than we do.
    fn guests_over(&self, before: &Value) -> Value {
        let known: BTreeMap<String, &Value> = before["attendees"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|guest| Some((guest["email"].as_str()?.to_lowercase(), guest)))
            .collect();
        let guests = self.attendees.iter().map(|(email, guest)| {
            let mut told = match known.get(email) {
                Some(Value::Object(known)) => known.clone(),
                _ => Map::from_iter([("email".to_owned(), json!(email))]),
            };
            told.insert("optional".into(), json!(guest.optional));
            if let Some(name) = &guest.display_name {
                told.insert("displayName".into(), json!(name));
            }
            Value::Object(told)
        });
        guests.collect()
    }

    fn google_reminders(&self) -> Value {
        let default = Reminders {
            use_default: true,
            overrides: Vec::new(),
        };
        let reminders = self.reminders.as_ref().unwrap_or(&default);
        if reminders.use_default {
            // Google refuses overrides beside the default ones, and a patch would keep those that are there.
            json!({"useDefault": true, "overrides": null})
        } else {
            json!({"useDefault": false, "overrides": reminders.overrides})
        }
    }

    fn meet(&self, request_id: &str) -> Value {
        match self.conference {
            Conference::None => Value::Null,
            Conference::Requested | Conference::At(_) => json!({"createRequest": {
                "requestId": request_id, "conferenceSolutionKey": {"type": "hangoutsMeet"}}}),
        }
    }
}

/// An empty text and none look the same, and Google makes the one of the other.
pub fn text(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Whether `given` is what a browser was shown of `full`, which is cut where it is very long: no edit.
pub fn is_shown(given: Option<&str>, full: Option<&str>, max: usize) -> bool {
    match (given, full) {
        (Some(given), Some(full)) => given == cut(full, max),
        _ => false,
    }
}
