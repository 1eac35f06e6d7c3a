//! `calendarList` and `calendars`: the left column of Google Calendar.

use serde_json::{Value, json};

use crate::error::{ApiError, Result};
use crate::faults::ListFaults;
use crate::new_id::new_id;
use crate::paging::{Listing, Page};
use crate::params::Params;
use crate::seed::{AccessRole, SeedCalendar};
use crate::state::State;
use crate::store::{Resource, text};

const KNOWN: [&str; 7] = [
    "maxResults",
    "minAccessRole",
    "pageToken",
    "showDeleted",
    "showHidden",
    "showOwnOrganizationOnly",
    "syncToken",
];
/// The fields that a client may change in its own list entry.
const PATCHABLE: [&str; 8] = [
    "selected",
    "hidden",
    "colorId",
    "backgroundColor",
    "foregroundColor",
    "summaryOverride",
    "defaultReminders",
    "notificationSettings",
];

/// A page of `calendarList.list`.
pub fn list(state: &State, email: &str, params: &Params, faults: &ListFaults) -> Result<Resource> {
    params.only(&KNOWN)?;
    let entries = &state.user(email)?.calendar_list;
    let listing = Listing {
        owner: format!("calendarList {email}"),
        params,
        forbidden_with_sync: &["minAccessRole", "showOwnOrganizationOnly"],
        identity: &[],
        page_sizes: (100, 250),
        floor: entries.floor,
    };
    let page = Page::open(&listing, state.revision(), &state.settings, faults)?;
    let incremental = page.since.is_some();
    let show_deleted = params.flag("showDeleted")? == Some(true) || incremental;
    let show_hidden = params.flag("showHidden")? == Some(true) || incremental;
    let least = params.get("minAccessRole").map(parse_role).transpose()?;
    let mut found: Vec<_> = entries
        .snapshot(page.revision)
        .filter(|(_, version)| {
            let entry = &version.body;
            page.since.is_none_or(|since| version.revision > since)
                && (show_deleted || !entry.contains_key("deleted"))
                && (show_hidden || entry.get("hidden") != Some(&json!(true)))
                && least.is_none_or(|least| {
                    text(entry, "accessRole").is_some_and(|role| rank(role) >= rank(least.as_str()))
                })
        })
        .map(|(_, version)| version)
        .collect();
    found.sort_by_key(|version| version.revision);
    let items: Vec<Value> = found[page.range(found.len())]
        .iter()
        .map(|version| Resource::clone(&version.body).into())
        .collect();
    let newest = entries
        .snapshot(page.revision)
        .map(|(_, version)| version.revision)
        .max();
    let mut answer = Resource::new();
    answer.insert("kind".into(), json!("calendar#calendarList"));
    answer.insert("etag".into(), json!(format!("\"p{}\"", newest.unwrap_or(0))));
    page.close(&mut answer, found.len(), least.is_none(), (None, None));
    answer.insert("items".into(), items.into());
    Ok(answer)
}

fn parse_role(text: &str) -> Result<AccessRole> {
    serde_json::from_value(json!(text))
        .map_err(|_| ApiError::invalid_parameter("minAccessRole", format!("Invalid string value: '{text}'.")))
}

fn rank(role: &str) -> u8 {
    match role {
        "freeBusyReader" => 0,
        "reader" => 1,
        "writerWithoutPrivateAccess" => 2,
        "writer" => 3,
        _ => 4,
    }
}

pub fn get(state: &State, email: &str, calendar: &str) -> Result<Resource> {
    let id = State::calendar_id(email, calendar);
    state.visible(email, id)?;
    let entry = state
        .user(email)?
        .calendar_list
        .head(id)
        .ok_or_else(ApiError::not_found)?;
    Ok(Resource::clone(&entry.body))
}

pub fn patch(state: &mut State, email: &str, calendar: &str, body: &Resource) -> Result<Resource> {
    let id = State::calendar_id(email, calendar).to_owned();
    state.visible(email, &id)?;
    let patch = body.iter().filter(|(key, _)| PATCHABLE.contains(&key.as_str()));
    state.patch_entry(
        email,
        &id,
        &patch.map(|(key, value)| (key.clone(), value.clone())).collect(),
    )
}

/// `calendars.insert`: a secondary calendar, owned by the account.
pub fn insert_calendar(state: &mut State, email: &str, body: &Resource) -> Result<Value> {
    let summary = text(body, "summary").ok_or_else(|| ApiError::required("Missing title."))?;
    let mut new = SeedCalendar::named(&format!("{}@group.calendar.google.com", new_id()));
    summary.clone_into(&mut new.summary);
    new.description = text(body, "description").map(ToOwned::to_owned);
    if let Some(zone) = text(body, "timeZone") {
        zone.clone_into(&mut new.time_zone);
    }
    state.add_calendar(email, &new)?;
    calendar(state, email, &new.id)
}

/// `calendars.delete`: a secondary calendar disappears from every list.
pub fn delete_calendar(state: &mut State, email: &str, calendar: &str) -> Result<()> {
    let id = State::calendar_id(email, calendar).to_owned();
    let (_, role) = state.visible(email, &id)?;
    if role != AccessRole::Owner {
        return Err(ApiError::new(403, "global", "forbidden", "Forbidden"));
    }
    if state.users.contains_key(&id) {
        return Err(ApiError::new(
            403,
            "calendar",
            "cannotDeletePrimaryCalendar",
            "Cannot delete a user's primary calendar.",
        ));
    }
    let readers: Vec<String> = state.users.keys().cloned().collect();
    for reader in readers {
        if state.role(&reader, &id).is_some() {
            state.remove_entry(&reader, &id)?;
        }
    }
    state.calendars.remove(&id);
    Ok(())
}

/// `calendars.get`: the calendar itself, the same for everyone who sees it.
pub fn calendar(state: &State, email: &str, calendar: &str) -> Result<Value> {
    let id = State::calendar_id(email, calendar);
    let (calendar, _) = state.visible(email, id)?;
    let entry = state
        .user(email)?
        .calendar_list
        .head(id)
        .ok_or_else(ApiError::not_found)?;
    Ok(json!({
        "kind": "calendar#calendar",
        "etag": entry.body.get("etag"),
        "id": id,
        "summary": calendar.summary,
        "description": calendar.description.clone().unwrap_or_default(),
        "timeZone": calendar.zone.name(),
        "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
    }))
}
