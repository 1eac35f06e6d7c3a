//! The JSON of an event, as leniently as it is read.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::wire::{Attendee, Person, Reminder, Reminders};

/// Every field stays text at first, so that each is read, or ignored, on its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawFields<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub etag: Option<&'a RawValue>,
    #[serde(borrow)]
    pub status: Option<&'a RawValue>,
    #[serde(borrow)]
    pub updated: Option<&'a RawValue>,
    #[serde(borrow, rename = "iCalUID")]
    pub ical_uid: Option<&'a RawValue>,
    #[serde(borrow)]
    pub recurring_event_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub original_start_time: Option<&'a RawValue>,
    #[serde(borrow)]
    pub start: Option<&'a RawValue>,
    #[serde(borrow)]
    pub end: Option<&'a RawValue>,
    #[serde(borrow)]
    pub end_time_unspecified: Option<&'a RawValue>,
    #[serde(borrow)]
    pub recurrence: Option<&'a RawValue>,
    #[serde(borrow)]
    pub summary: Option<&'a RawValue>,
    #[serde(borrow)]
    pub description: Option<&'a RawValue>,
    #[serde(borrow)]
    pub location: Option<&'a RawValue>,
    #[serde(borrow)]
    pub html_link: Option<&'a RawValue>,
    #[serde(borrow)]
    pub hangout_link: Option<&'a RawValue>,
    #[serde(borrow)]
    pub conference_data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub reminders: Option<&'a RawValue>,
    #[serde(borrow)]
    pub event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    pub transparency: Option<&'a RawValue>,
    #[serde(borrow)]
    pub visibility: Option<&'a RawValue>,
    #[serde(borrow)]
    pub color_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub attendees: Option<&'a RawValue>,
    #[serde(borrow)]
    pub attendees_omitted: Option<&'a RawValue>,
    #[serde(borrow)]
    pub organizer: Option<&'a RawValue>,
    #[serde(borrow)]
    pub guests_can_modify: Option<&'a RawValue>,
    #[serde(borrow)]
    pub guests_can_invite_others: Option<&'a RawValue>,
    #[serde(borrow)]
    pub guests_can_see_other_guests: Option<&'a RawValue>,
    #[serde(borrow)]
    pub locked: Option<&'a RawValue>,
    #[serde(borrow)]
    pub birthday_properties: Option<&'a RawValue>,
}

pub fn read<T: DeserializeOwned>(field: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(field?.get()).ok()
}

/// The readable elements of an array.
pub fn list<T: DeserializeOwned>(field: Option<&RawValue>) -> Vec<T> {
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
pub struct RawPerson {
    email: Option<String>,
    display_name: Option<String>,
    #[serde(rename = "self")]
    is_self: Option<bool>,
    optional: Option<bool>,
    resource: Option<bool>,
    response_status: Option<String>,
}

impl From<RawPerson> for Attendee {
    fn from(person: RawPerson) -> Self {
        Self {
            email: person.email,
            display_name: person.display_name,
            is_self: person.is_self.unwrap_or(false),
            optional: person.optional.unwrap_or(false),
            resource: person.resource.unwrap_or(false),
            response_status: person.response_status.unwrap_or_else(|| "needsAction".to_owned()),
        }
    }
}

impl From<RawPerson> for Person {
    fn from(person: RawPerson) -> Self {
        Self {
            email: person.email,
            display_name: person.display_name,
            is_self: person.is_self.unwrap_or(false),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawReminders {
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
        // Google sends them in any order.
        overrides.sort();
        Self {
            use_default: raw.use_default.unwrap_or(false),
            overrides,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawBirthday {
    contact: Option<String>,
    r#type: Option<String>,
}

impl RawBirthday {
    /// A contact or the account's own profile owns the date.
    pub fn is_linked(&self) -> bool {
        self.contact.is_some() || self.r#type.as_deref() == Some("self")
    }
}
