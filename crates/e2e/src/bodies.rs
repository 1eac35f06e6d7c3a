//! New events in Google, of every type, and with the properties that an edit of ours has to leave alone.

use chrono::{DateTime, Days, TimeDelta, Utc};
use rand::RngExt;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The form of a new event. In a plan it has the name of the edit that inserts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    #[serde(rename = "insert")]
    Hour,
    #[serde(rename = "insertDay")]
    Day,
    /// In one of the zones whose rules changed lately, or with a fixed offset.
    #[serde(rename = "insertInZone")]
    InZone,
    /// It begins in one zone and ends in another.
    #[serde(rename = "insertFlight")]
    Flight,
    #[serde(rename = "insertGuests")]
    Guests,
    /// Its description is longer than a browser receives.
    #[serde(rename = "insertLong")]
    Long,
    /// Of any of the four forms that series have here; the caller adds the rule.
    #[serde(rename = "insertSeries")]
    Series,
    #[serde(rename = "insertBirthday")]
    Birthday,
    #[serde(rename = "insertFromGmail")]
    FromGmail,
    #[serde(rename = "insertFocusTime")]
    FocusTime,
    #[serde(rename = "insertOutOfOffice")]
    OutOfOffice,
    #[serde(rename = "insertWorkingLocation")]
    WorkingLocation,
}

impl Form {
    #[cfg(test)]
    const ALL: [Self; 12] = [
        Self::Hour,
        Self::Day,
        Self::InZone,
        Self::Flight,
        Self::Guests,
        Self::Long,
        Self::Series,
        Self::Birthday,
        Self::FromGmail,
        Self::FocusTime,
        Self::OutOfOffice,
        Self::WorkingLocation,
    ];

    /// Google's name of the event's type. None: the default.
    const fn event_type(self) -> Option<&'static str> {
        match self {
            Self::Birthday => Some("birthday"),
            Self::FromGmail => Some("fromGmail"),
            Self::FocusTime => Some("focusTime"),
            Self::OutOfOffice => Some("outOfOffice"),
            Self::WorkingLocation => Some("workingLocation"),
            _ => None,
        }
    }
}

/// Names as Google serves them, among them zones whose rules changed in 2025 and 2026, and fixed offsets.
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "America/Vancouver",
    "America/Edmonton",
    "Asia/Kolkata",
    "GMT+02:00",
    "UTC-03:30",
    "Etc/GMT-2",
];
/// The forms that an inserted series has.
const FORMS_OF_SERIES: [Form; 4] = [Form::Hour, Form::InZone, Form::Guests, Form::Long];
/// More than a browser receives of a description (8,192 characters).
const LONG: usize = 1_100;
/// The word of a long text that edits replace.
pub const WORD: &str = "word7 ";

/// A new event from `start`.
pub fn body(form: Form, start: DateTime<Utc>, title: &str, dice: &mut StdRng) -> Value {
    let id = id(dice);
    let form = match form {
        Form::Series => FORMS_OF_SERIES[dice.random_range(0..FORMS_OF_SERIES.len())],
        form => form,
    };
    let mut zone = || ZONES[dice.random_range(0..ZONES.len())];
    let mut body = match form {
        Form::Day | Form::Birthday => one_day(start),
        Form::Flight => hour(start, "America/Los_Angeles", zone()),
        Form::InZone => {
            let zone = zone();
            hour(start, zone, zone)
        }
        _ => hour(start, "Europe/Berlin", "Europe/Berlin"),
    };
    body["id"] = json!(id);
    body["summary"] = json!(title);
    match form {
        Form::Guests => body["attendees"] = guests(),
        Form::Long => body["description"] = json!(long_text()),
        _ => {}
    }
    if let Some(name) = form.event_type() {
        body["eventType"] = json!(name);
        of_type(&mut body, form);
    }
    furnish(&mut body, form, dice);
    body
}

/// The properties that events of this type have.
fn of_type(body: &mut Value, form: Form) {
    match form {
        Form::FocusTime => body["focusTimeProperties"] = json!({"autoDeclineMode": "declineNone"}),
        Form::OutOfOffice => body["outOfOfficeProperties"] = json!({"declineMessage": "Away"}),
        Form::WorkingLocation => {
            body["workingLocationProperties"] = json!({"type": "homeOffice", "homeOffice": {}});
            body["visibility"] = json!("public");
            body["transparency"] = json!("transparent");
        }
        Form::Birthday => {
            body["recurrence"] = json!(["RRULE:FREQ=YEARLY"]);
            body["visibility"] = json!("private");
            body["transparency"] = json!("transparent");
            body["birthdayProperties"] = json!({"type": "birthday"});
        }
        _ => body["description"] = json!("Gate 7"),
    }
}

/// Properties of other programs and of people, each on some events.
fn furnish(body: &mut Value, form: Form, dice: &mut StdRng) {
    if dice.random_bool(0.3) {
        body["colorId"] = json!(dice.random_range(1..12).to_string());
    }
    if dice.random_bool(0.3) {
        body["reminders"] = json!({"useDefault": false, "overrides": [{"method": "popup", "minutes": 7}]});
    }
    if dice.random_bool(0.4) {
        let mut properties = json!({"shared": {"room": "blue"}});
        if form != Form::Birthday {
            properties["private"] = json!({"crmId": "42"});
        }
        body["extendedProperties"] = properties;
    }
    if form.event_type().is_none() && dice.random_bool(0.2) {
        body["attachments"] = json!([{"fileUrl": "https://drive.example/1", "title": "Minutes"}]);
        body["source"] = json!({"url": "https://crm.example/42", "title": "CRM"});
        body["guestsCanInviteOthers"] = json!(false);
    }
}

/// Fields that other programs and people add to an event.
pub fn furniture(dice: &mut StdRng) -> Value {
    let mut fields = json!({"description": long_text()});
    furnish(&mut fields, Form::Hour, dice);
    fields
}

/// One has answered, with a comment and company; one is a room; one has no address, as Google shows some.
fn guests() -> Value {
    json!([
        {"email": "dora@elsewhere.example", "responseStatus": "accepted", "comment": "See you", "additionalGuests": 2},
        {"email": "c_188@resource.calendar.google.com", "resource": true, "responseStatus": "accepted"},
        {"displayName": "Emil", "responseStatus": "tentative"},
        {"email": "finn@elsewhere.example", "displayName": "Finn", "optional": true},
    ])
}

fn long_text() -> String {
    let words: Vec<_> = (0..LONG).map(|word| format!("word{word} ")).collect();
    words.concat()
}

/// An hour that begins in one zone and ends in another.
pub fn hour(start: DateTime<Utc>, from: &str, to: &str) -> Value {
    json!({
        "start": {"dateTime": start, "timeZone": from},
        "end": {"dateTime": start + TimeDelta::hours(1), "timeZone": to},
    })
}

fn one_day(start: DateTime<Utc>) -> Value {
    let first = start.date_naive();
    json!({"start": {"date": first}, "end": {"date": first + Days::new(1)}})
}

/// An id that depends on the seed alone, since listings may be ordered by it.
fn id(dice: &mut StdRng) -> String {
    let digit = |_| char::from(b"0123456789abcdefghijklmnopqrstuv"[dice.random_range(0..32)]);
    (0..26).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::google;

    #[tokio::test]
    async fn google_accepts_every_form() {
        let emulator = google::start().await.unwrap();
        let start = "2026-11-24T09:00:00Z".parse().unwrap();
        for seed in 0..20 {
            let mut dice = StdRng::seed_from_u64(seed);
            for form in Form::ALL {
                let body = body(form, start, "title", &mut dice);
                let inserted = match form {
                    Form::FromGmail => emulator.receive(google::ALICE, google::ALICE, body.clone()),
                    _ => emulator
                        .insert(google::ALICE, google::ALICE, body.clone())
                        .map(drop),
                };
                inserted.unwrap_or_else(|error| panic!("{form:?}: {error:?}: {body:#}"));
            }
        }
    }
}
