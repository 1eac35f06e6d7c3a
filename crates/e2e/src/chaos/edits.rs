//! Changes that people make in Google itself.

use anyhow::{Result, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use google_emulator::{Emulator, Resource};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::plan::GoogleEdit;
use crate::bodies::{self, Form};
use crate::google::{account, now};

/// A person makes a change in Google, which may refuse it; then nothing has happened.
pub fn edit(google: &Emulator, user: &str, edit: GoogleEdit, dice: u64) -> Result<()> {
    let mut dice = StdRng::seed_from_u64(dice);
    let (account, title) = (account(user), title(user, "G", &mut dice));
    let who = account.as_str();
    // Events with a location are expected by a write or a probe, and stay as they are.
    let is_free = |event: &Resource| !event.contains_key("location");
    let of_kind = |event: &Resource| match edit {
        GoogleEdit::Describe | GoogleEdit::Furnish => is_made(event),
        GoogleEdit::EditInstance | GoogleEdit::CancelInstance => {
            is_free(event) && event.contains_key("recurrence")
        }
        GoogleEdit::Reschedule => is_free(event) && is_single(event),
        _ => is_free(event) && !event.contains_key("recurringEventId"),
    };
    let mut events = google.events(who);
    events.retain(|event| event["status"] != "cancelled" && of_kind(event));
    let chosen = events
        .get(dice.random_range(0..events.len().max(1)))
        .map(|event| field(event, "id"));
    let start = hour(&mut dice);
    if let GoogleEdit::Insert(form) = edit {
        return insert(google, who, form, (start, &title), &mut dice);
    }
    let when = bodies::hour(start, "Europe/Zurich", "Europe/Zurich");
    match (edit, chosen) {
        (GoogleEdit::Retitle, Some(id)) => drop(google.patch(who, who, &id, json!({"summary": title}))),
        (GoogleEdit::Describe, Some(id)) => drop(google.patch(who, who, &id, json!({"description": title}))),
        (GoogleEdit::Furnish, Some(id)) => {
            let mut more = bodies::furniture(&mut dice);
            if let Some(guests) = google.event(who, &id).and_then(|event| answered(&event)) {
                more["attendees"] = guests;
            }
            drop(google.patch(who, who, &id, more));
        }
        (GoogleEdit::Reschedule, Some(id)) => drop(google.patch(who, who, &id, when)),
        (GoogleEdit::Delete, Some(id)) => drop(google.delete(who, who, &id)),
        (GoogleEdit::EditInstance | GoogleEdit::CancelInstance, Some(series)) => {
            let instances = google.instances(who, &series);
            let Some(instance) = instances.get(dice.random_range(0..instances.len().max(1))) else {
                return Ok(());
            };
            let id = field(instance, "id");
            if edit == GoogleEdit::CancelInstance {
                drop(google.delete(who, who, &id));
            } else {
                drop(google.patch(who, who, &id, json!({"summary": title})));
            }
        }
        _ => {}
    }
    Ok(())
}

fn insert(
    google: &Emulator,
    who: &str,
    form: Form,
    (start, title): (DateTime<Utc>, &str),
    dice: &mut StdRng,
) -> Result<()> {
    let mut body = bodies::body(form, start, title, dice);
    if form == Form::Series {
        let rule = if dice.random() { "DAILY" } else { "WEEKLY" };
        body["recurrence"] = json!([format!("RRULE:FREQ={rule};COUNT={}", dice.random_range(2..7))]);
    }
    let inserted = if form == Form::FromGmail {
        google.receive(who, who, body)
    } else {
        google.insert(who, who, body).map(drop)
    };
    inserted.map_err(|error| anyhow!("Google refused a new event ({form:?}): {error:?}"))
}

/// The guests after each has accepted, with a comment.
fn answered(event: &Resource) -> Option<Value> {
    let mut guests = event.get("attendees")?.clone();
    for guest in guests.as_array_mut()? {
        guest["responseStatus"] = json!("accepted");
        guest["comment"] = json!("See you");
    }
    Some(guests)
}

fn is_made(event: &Resource) -> bool {
    let location = event.get("location").and_then(Value::as_str);
    location.is_some_and(|location| location.starts_with("made by "))
}

fn is_single(event: &Resource) -> bool {
    !event.contains_key("recurrence") && !event.contains_key("recurringEventId")
}

pub fn field(event: &Resource, key: &str) -> String {
    let value = event.get(key).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

/// A full hour within the coming month.
pub fn hour(dice: &mut StdRng) -> DateTime<Utc> {
    let hours = dice.random_range(2..24 * 30);
    let past = TimeDelta::seconds(now().timestamp().rem_euclid(3_600)) + subsecond();
    now() - past + TimeDelta::hours(hours)
}

fn subsecond() -> TimeDelta {
    TimeDelta::nanoseconds(now().timestamp_subsec_nanos().into())
}

/// A title that begins with the user's name, which identifies the event's owner on a page.
pub fn title(user: &str, kind: &str, dice: &mut StdRng) -> String {
    format!("{user} {kind}{:06}", dice.random_range(0..1_000_000))
}
