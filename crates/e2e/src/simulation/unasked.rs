//! Nothing is written that the user did not change: each write's effect in Google is the effect of one request.

use anyhow::Result;
use google_emulator::{Change, Resource};
use serde_json::{Value, json};
use sync::write::{Command, Scope};

use super::accounts::email;
use super::ledger::{WriteRequest, holds};
use super::mirror::field;
use super::world::World;
use crate::bodies::WORD;
use crate::effect::{comparable, differences, instant};

/// The fields of a guest that a new series takes over.
const OF_A_GUEST: [&str; 5] = ["email", "displayName", "optional", "resource", "organizer"];

pub fn nothing_unasked_is_written(world: &mut World) -> Result<()> {
    for change in world.google.take_changes() {
        let effect = comparable(&change.after, change.before.is_none());
        let requests = world.ledger.writes.iter();
        let own = requests.filter(|request| email(request.user) == change.user);
        let ended = &world.ledger.ended_series;
        let possible = own.flat_map(|request| possible_effects(&change, request, ended));
        let possible = possible.map(|event| comparable(&event, change.before.is_none()));
        let wrong = possible.map(|expected| differences(&expected, &effect));
        let least = wrong.min_by_key(Vec::len);
        holds!(
            least.as_ref().is_some_and(Vec::is_empty),
            "nothing_unasked",
            "{} of {}: {}",
            field(&change.after, "id"),
            change.calendar,
            least.map_or_else(|| "no request is about it".to_owned(), |fields| fields.join("; "))
        );
        if change.before.is_some() && change.after.contains_key("recurrence") {
            world.ledger.ended_series.push(change.after);
        }
    }
    Ok(())
}

/// The event after the change, if the change were exactly what was requested, or a step of it.
fn possible_effects(change: &Change, request: &WriteRequest, ended: &[Resource]) -> Vec<Resource> {
    let Some(before) = &change.before else {
        return match &request.request.command {
            Command::Create { .. } => vec![created(change, request)],
            Command::Update {
                scope: Some(Scope::Following),
                ..
            } => {
                let rests = ended.iter().map(|ended| rest_of(ended, change, request));
                rests.collect()
            }
            _ => vec![],
        };
    };
    let id = field(before, "id");
    let with = |key: &str, value: Value| {
        let mut event = before.clone();
        event.insert(key.to_owned(), value);
        event
    };
    let recurrence = change.after.get("recurrence").cloned().unwrap_or_default();
    match &request.request.command {
        Command::Update { event_id, scope, .. } if is_about(event_id, *scope, &id) => {
            let mut effects = vec![edited(before, change, request)];
            if *scope == Some(Scope::Following) {
                effects.push(with("recurrence", recurrence));
            }
            effects
        }
        Command::Delete { event_id, scope, .. } if is_about(event_id, *scope, &id) => {
            let mut deleted = with("status", json!("cancelled"));
            let mut effects = vec![deleted.clone()];
            // A guest who deletes an invitation declines it.
            deleted.insert(
                "attendees".to_owned(),
                answered(before, &change.calendar, "declined", None),
            );
            effects.push(deleted);
            if *scope == Some(Scope::Following) {
                effects.push(with("recurrence", recurrence));
            }
            effects
        }
        Command::Move { event_id, .. } if *event_id == id => {
            let organizer = change.after.get("organizer").cloned();
            vec![with("organizer", organizer.unwrap_or_default())]
        }
        Command::Respond {
            event_id,
            scope,
            comment,
            ..
        } if is_about(event_id, *scope, &id) => {
            let answers = [None, comment.as_deref()];
            let answers = answers.map(|comment| answered(before, &change.calendar, "accepted", comment));
            answers
                .into_iter()
                .map(|guests| with("attendees", guests))
                .collect()
        }
        _ => vec![],
    }
}

/// Whether a request about `event_id` writes to `written`: itself, or its series.
fn is_about(event_id: &str, scope: Option<Scope>, written: &str) -> bool {
    match scope {
        None | Some(Scope::This) => event_id == written,
        Some(Scope::All | Scope::Following) => {
            event_id == written
                || event_id
                    .rsplit_once('_')
                    .is_some_and(|(series, _)| series == written)
        }
    }
}

fn patch_of(request: &WriteRequest) -> Value {
    match &request.request.command {
        Command::Create { event: patch } | Command::Update { patch, .. } => json!(patch),
        _ => Value::Null,
    }
}

/// Google's name of a field, if Google has the value as it is given.
fn same_in_google(name: &str) -> Option<&'static str> {
    match name {
        "title" => Some("summary"),
        "colorId" => Some("colorId"),
        "recurrence" => Some("recurrence"),
        _ => None,
    }
}

/// An event with the edits of a request.
fn edited(before: &Resource, change: &Change, request: &WriteRequest) -> Resource {
    let mut event = before.clone();
    for (name, value) in patch_of(request).as_object().into_iter().flatten() {
        if let Some(key) = same_in_google(name) {
            event.insert(key.to_owned(), value.clone());
        }
        match name.as_str() {
            "description" => {
                let text = field(before, "description").replacen(WORD, &request.text, 1);
                event.insert("description".to_owned(), text.into());
            }
            "attendees" => invite(&mut event, value),
            "start" | "end" => {
                // A day has no zone to keep; then it is the calendar's.
                let zone = |event: &Resource| Some(event.get(name)?["timeZone"].as_str()?.to_owned());
                let zone = zone(before).or_else(|| zone(&change.after));
                event.insert(name.clone(), json!({"dateTime": value, "timeZone": zone}));
            }
            _ => {}
        }
    }
    event
}

/// Adds those of the list who are not guests yet.
fn invite(event: &mut Resource, list: &Value) {
    let guests = event.entry("attendees").or_insert_with(|| json!([]));
    let Some(guests) = guests.as_array_mut() else {
        return;
    };
    for email in list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|guest| guest["email"].as_str())
    {
        if guests.iter().all(|known| known["email"] != email) {
            guests.push(json!({"email": email, "responseStatus": "needsAction"}));
        }
    }
}

/// The guests after the owner of the calendar has answered.
fn answered(before: &Resource, calendar: &str, response: &str, comment: Option<&str>) -> Value {
    let mut guests = before.get("attendees").cloned().unwrap_or_default();
    for guest in guests.as_array_mut().into_iter().flatten() {
        if guest["email"] == calendar {
            guest["responseStatus"] = json!(response);
            if let Some(comment) = comment {
                guest["comment"] = json!(comment);
            }
        }
    }
    guests
}

/// A new event as it was requested.
fn created(change: &Change, request: &WriteRequest) -> Resource {
    let patch = patch_of(request);
    let empty = json!({
        "status": "confirmed", "eventType": "default", "reminders": {"useDefault": true},
        "start": {"timeZone": patch["timeZone"]}, "end": {"timeZone": patch["timeZone"]},
    });
    edited(empty.as_object().unwrap_or(&Resource::new()), change, request)
}

/// The new series of a split: the old one with the edit, whose guests have yet to answer.
fn rest_of(ended: &Resource, change: &Change, request: &WriteRequest) -> Resource {
    let mut event = edited(ended, change, request);
    for guest in event
        .get_mut("attendees")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Value::Object(guest) = guest {
            guest.retain(|key, _| OF_A_GUEST.contains(&key.as_str()));
            let is_organizer = guest.get("organizer") == Some(&json!(true));
            let response = if is_organizer { "accepted" } else { "needsAction" };
            guest.insert("responseStatus".to_owned(), response.into());
        }
    }
    for key in ["start", "end"] {
        let Some(time) = change.after.get(key) else {
            continue;
        };
        let mut time = time.clone();
        if instant(&time).is_some() {
            time["timeZone"] = ended
                .get(key)
                .map(|time| time["timeZone"].clone())
                .unwrap_or_default();
        }
        event.insert(key.to_owned(), time);
    }
    let recurrence = change.after.get("recurrence").cloned();
    event.insert("recurrence".to_owned(), recurrence.unwrap_or_default());
    event
}
