//! How writes propagate between the organizer and the guests.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{ApiError, Result};
use crate::invitations::may_guests_modify;
use crate::log::{Mail, MailKind};
use crate::params::Params;
use crate::state::{State, email_of};
use crate::store::{Resource, is_cancelled, text};

/// The recipients of mail about a write (`sendUpdates`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SendUpdates {
    All,
    /// Guests who have no account here.
    ExternalOnly,
    #[default]
    None,
}

impl SendUpdates {
    /// `sendUpdates`, or the older `sendNotifications`; none if neither is given.
    pub fn of(params: &Params) -> Result<Self> {
        match (params.get("sendUpdates"), params.get("sendNotifications")) {
            (Some("all"), _) | (None, Some("true")) => Ok(Self::All),
            (Some("externalOnly"), _) => Ok(Self::ExternalOnly),
            (Some("none"), _) | (None, None | Some("false")) => Ok(Self::None),
            (Some(_), _) => Err(ApiError::invalid_parameter(
                "sendUpdates",
                "Invalid value for: sendUpdates",
            )),
            (None, Some(_)) => Err(ApiError::invalid_parameter(
                "sendNotifications",
                "Invalid value for: sendNotifications",
            )),
        }
    }
}

/// <https://support.google.com/calendar/answer/37161>: up to 200 people.
const GUESTS_MAX: usize = 200;

/// Refuses a longer list of guests, except one that is there already.
pub fn check_number(old: Option<&Resource>, new: &Resource) -> Result<()> {
    let number = |event: &Resource| {
        event
            .get("attendees")
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    };
    if number(new) > GUESTS_MAX.max(old.map_or(0, number)) {
        return Err(ApiError::bad_request("invalid", "Too many attendees."));
    }
    Ok(())
}

/// Fields whose changes do not reach guests.
const OWN: [&str; 9] = [
    "etag",
    "updated",
    "sequence",
    "attendees",
    "reminders",
    "colorId",
    "transparency",
    "visibility",
    "extendedProperties",
];

/// Mails whom a write concerns: new guests an invitation, those taken off the list and those of a deleted event a
/// cancellation, the others what changed; and the organizer a guest's answer. A guest who deletes an event, or writes a
/// list without another guest, uninvites no one.
pub fn mail(
    state: &mut State,
    writer: (&str, &str),
    send_updates: SendUpdates,
    old: Option<&Resource>,
    new: &Resource,
) {
    if send_updates == SendUpdates::None {
        return;
    }
    let (email, calendar) = writer;
    let organizer = email_of(new, "organizer").unwrap_or(calendar).to_owned();
    let (before, after) = (guests(old), guests(Some(new)));
    let mut mails: Vec<(String, MailKind)> = Vec::new();
    let is_organizer = organizer == calendar;
    let answer = |guests: &BTreeMap<String, Value>| guests.get(calendar).cloned();
    if !is_organizer && answer(&before) != answer(&after) {
        mails.push((organizer.clone(), MailKind::Response));
    }
    if !is_cancelled(new) {
        let may_change = is_organizer || may_guests_modify(new);
        let changed = may_change && old.is_some_and(|old| changed(old, new));
        for guest in after.keys() {
            match before.contains_key(guest) {
                false => mails.push((guest.clone(), MailKind::Invitation)),
                true if changed => mails.push((guest.clone(), MailKind::Update)),
                true => {}
            }
        }
    }
    if is_organizer {
        let is_gone = |guest: &String| is_cancelled(new) || !after.contains_key(guest);
        let gone = before.into_keys().filter(is_gone);
        mails.extend(gone.map(|guest| (guest, MailKind::Cancellation)));
    }
    for (to, kind) in mails {
        let is_external = !state.users.contains_key(&to);
        let is_own = to == calendar || to == email || (to == organizer && kind != MailKind::Response);
        if is_own || (send_updates == SendUpdates::ExternalOnly && !is_external) {
            continue;
        }
        let mail = Mail {
            at: state.now(),
            to,
            kind,
            calendar: calendar.to_owned(),
            event: text(new, "id").unwrap_or_default().to_owned(),
        };
        state.log.mailed(mail);
    }
}

fn guests(event: Option<&Resource>) -> BTreeMap<String, Value> {
    let list = event.and_then(|event| event.get("attendees")?.as_array());
    list.into_iter()
        .flatten()
        .filter_map(|guest| {
            Some((
                guest["email"].as_str()?.to_owned(),
                guest["responseStatus"].clone(),
            ))
        })
        .collect()
}

fn changed(old: &Resource, new: &Resource) -> bool {
    let keys = old.keys().chain(new.keys());
    keys.filter(|key| !OWN.contains(&key.as_str()))
        .any(|key| old.get(key) != new.get(key))
}

/// A write with `attendeesOmitted` updates the writer's own response and leaves the list as it is. By the documentation
/// of the field the response alone: a comment beside it is dropped
/// (<https://developers.google.com/workspace/calendar/api/v3/reference/events#attendeesOmitted>).
pub fn only_own_answer(calendar: &str, old: &Resource, body: &Resource) -> Resource {
    let mut body = body.clone();
    if body.get("attendeesOmitted") != Some(&Value::Bool(true)) {
        return body;
    }
    body.shift_remove("attendeesOmitted");
    let given = match body.shift_remove("attendees") {
        Some(Value::Array(given)) => given,
        _ => Vec::new(),
    };
    let Some(Value::Array(mut list)) = old.get("attendees").cloned() else {
        return body;
    };
    let answer = given.iter().find(|guest| guest["email"] == calendar);
    let own = list.iter_mut().find(|guest| guest["email"] == calendar);
    if let (Some(Value::Object(answer)), Some(Value::Object(own))) = (answer, own)
        && let Some(response) = answer.get("responseStatus")
    {
        own.insert("responseStatus".to_owned(), response.clone());
    }
    body.insert("attendees".into(), Value::Array(list));
    body
}
