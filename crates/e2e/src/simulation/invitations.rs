//! Meetings of the two users: an invitation reaches the other's calendar, and the answer travels back.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, Utc};
use google_emulator::Resource;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::accounts::{email, name};
use super::browser::text;
use super::editing::{alive, an_instance, new_event};
use super::ledger::holds;
use super::mirror::field;
use super::plan::{Meeting, User};
use super::records;
use super::world::World;
use crate::bodies::Form;
use crate::normal_form::HeldEvents;

const ANSWERS: [&str; 3] = ["accepted", "tentative", "declined"];

/// Invites the other user to a new event in the own calendar.
pub fn insert(
    world: &World,
    user: User,
    (start, title): (DateTime<Utc>, &str),
    dice: &mut StdRng,
) -> Result<()> {
    let form = if dice.random_bool(0.3) {
        Form::Series
    } else {
        Form::Hour
    };
    let mut body = new_event(form, (start, title), dice);
    let mut guests = body["attendees"].as_array().cloned().unwrap_or_default();
    guests.push(json!({"email": email(user), "responseStatus": "accepted"}));
    guests.push(json!({"email": email(user.other())}));
    body["attendees"] = guests.into();
    world.google.insert(email(user), email(user), body)?;
    Ok(())
}

/// Changes a meeting of both in Google, in the user's own calendar.
pub fn edit(world: &World, user: User, edit: Meeting, dice: &mut StdRng) {
    let (who, other) = (email(user), email(user.other()));
    let (organizer, invited) = if edit == Meeting::Answer {
        (other, who)
    } else {
        (who, other)
    };
    let mut meetings = alive(world, who);
    meetings.retain(|event| is_meeting(event, organizer, invited));
    let Some(meeting) = meetings.get(dice.random_range(0..meetings.len().max(1))) else {
        return;
    };
    let instance = an_instance(world, who, meeting, dice).filter(|_| dice.random());
    let id = instance.unwrap_or_else(|| field(meeting, "id"));
    if edit == Meeting::Cancel {
        drop(world.google.delete(who, who, &id));
        return;
    }
    let event = world.google.event(who, &id);
    let Some(Value::Array(mut guests)) = event.and_then(|mut event| event.remove("attendees")) else {
        return;
    };
    if edit == Meeting::Uninvite {
        guests.retain(|guest| guest["email"] != other);
    }
    for guest in guests.iter_mut().filter(|guest| guest["email"] == who) {
        guest["responseStatus"] = json!(ANSWERS[dice.random_range(0..ANSWERS.len())]);
    }
    drop(world.google.patch(who, who, &id, json!({ "attendees": guests })));
}

fn is_meeting(event: &Resource, organizer: &str, invited: &str) -> bool {
    let guests = event.get("attendees").and_then(Value::as_array);
    let is_invited = guests.is_some_and(|guests| guests.iter().any(|guest| guest["email"] == invited));
    is_invited && event.get("organizer").is_some_and(|by| by["email"] == organizer)
}

/// In the snapshots of both users, a meeting of both has the same answers of both.
pub async fn answers_travel(world: &mut World, states: &[(User, Value)]) -> Result<()> {
    let mut meetings = BTreeMap::new();
    for (user, state) in states {
        let Some(calendar) = own_calendar(world, *user).await? else {
            return Ok(());
        };
        let events = HeldEvents::of_state(state);
        for event in events
            .iter()
            .filter(|event| event["calendarId"] == calendar.as_str())
        {
            let answers = User::ALL.map(|of| answer(event, of));
            if let Some(known) = meetings.insert(text(&event["id"]), answers.clone()) {
                world.ledger.count("meetings of both compared");
                holds!(
                    known == answers,
                    "answers_travel",
                    "{} shows {answers:?} for {}, the other {known:?}",
                    name(*user),
                    event["id"]
                );
            }
        }
    }
    Ok(())
}

/// Calwire's id of the user's own calendar, if it is pulled.
async fn own_calendar(world: &World, user: User) -> Result<Option<String>> {
    let own = records::resources(world).await?.into_iter().find(|resource| {
        let is_own = resource.user == name(user) && resource.calendar.as_deref() == Some(email(user));
        is_own && resource.is_active && !resource.is_paused
    });
    Ok(own.map(|own| own.id.to_string()))
}

fn answer(event: &Value, user: User) -> Option<String> {
    let guests = event["attendees"].as_array()?;
    let guest = guests.iter().find(|guest| guest["email"] == email(user))?;
    Some(text(&guest["responseStatus"]))
}
