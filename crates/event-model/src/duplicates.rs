//! The same meeting in several calendars: of several accounts of the user, of colleagues, of a team.
//!
//! Duplicates have the same `iCalUID` and, for an instance of a series, the same original start, whenever they take place
//! now. Two events of one calendar are never duplicates. A deduplicated answer shows the duplicate with the lowest [`rank`],
//! and of equal ones that in the calendar known for longest. The browser applies the same rule
//! (`web/client/src/core/duplicates.ts`); `web/client/tests/vectors/copies.json` tests both. On the wire, duplicates are
//! `copies`.

use std::borrow::Cow;
use std::collections::HashMap;

use ids::CalendarId;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::calendar::{AccessRole, CalendarContext};
use crate::resource::EventResource;
use crate::wire::EventCopy;

/// An instance in an answer.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    pub calendar_id: CalendarId,
    /// An [`Event`](crate::wire::Event) as JSON.
    pub payload: &'a RawValue,
}

/// The decision on one event of a deduplicated answer.
#[derive(Debug, Clone)]
pub enum Deduplicated {
    /// Show the event: it has no duplicates.
    Unique,
    /// Show this JSON: the event with its duplicates in `copies`, itself first.
    Shown(Box<RawValue>),
    /// Do not show the event: a duplicate is shown.
    Hidden,
}

/// The position of an event among its duplicates, from 0 for the one to show: by the part that the account has in it, then
/// by whether the calendar is the account's own, then by the access to that calendar.
pub fn rank(calendar: &CalendarContext, event: &EventResource) -> u16 {
    // In a shared calendar, `self` is its owner and not this account.
    let part = if calendar.is_primary { part(event) } else { 4 };
    let role = match calendar.access_role {
        AccessRole::Owner => 0,
        AccessRole::Writer => 1,
        AccessRole::WriterWithoutPrivateAccess => 2,
        AccessRole::Reader => 3,
        AccessRole::Other(_) => 4,
        AccessRole::FreeBusyReader => 5,
    };
    part * 20 + u16::from(!calendar.is_primary) * 10 + role
}

/// The part of the calendar's owner in an event: invited, organizer, guest, declined, none.
fn part(event: &EventResource) -> u16 {
    let answer = event.attendees.iter().find(|guest| guest.is_self);
    let answer = answer.map(|guest| guest.response_status.as_str());
    let organizes = event
        .organizer
        .as_ref()
        .is_some_and(|organizer| organizer.is_self);
    match answer {
        Some("needsAction") => 0,
        _ if organizes => 1,
        Some("declined") => 3,
        Some(_) => 2,
        None => 4,
    }
}

/// How many meetings these events are.
pub fn count(events: &[Listed<'_>]) -> usize {
    if is_one_calendar(events) {
        events.len()
    } else {
        groups(events).len()
    }
}

/// Decides for each event, in the same order, whether the answer shows it. Fails if a duplicate is not an
/// [`Event`](crate::wire::Event).
pub fn deduplicate(events: &[Listed<'_>]) -> serde_json::Result<Vec<Deduplicated>> {
    let mut result = vec![Deduplicated::Unique; events.len()];
    if is_one_calendar(events) {
        return Ok(result);
    }
    for group in groups(events).into_iter().filter(|group| group.len() > 1) {
        let ranked = ranked(events, &group)?;
        for &index in &group {
            result[index] = Deduplicated::Hidden;
        }
        if let Some(&(first, _)) = ranked.first() {
            let copies: Vec<EventCopy> = ranked.into_iter().map(|(_, copy)| copy).collect();
            result[first] = Deduplicated::Shown(with_copies(events[first].payload, &copies)?);
        }
    }
    Ok(result)
}

/// The fields of an event that decide on duplicates.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    recurring_event_id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "iCalUID")]
    ical_uid: Option<Cow<'a, str>>,
    #[serde(default)]
    copy_rank: u16,
}

#[derive(Deserialize)]
struct Invitation {
    #[serde(default)]
    attendees: Vec<Invited>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invited {
    #[serde(default, rename = "self")]
    is_self: bool,
    response_status: Option<String>,
}

impl Head<'_> {
    /// Identifies the meeting. None: the event has no duplicates.
    fn meeting(&self) -> Option<String> {
        let uid = self.ical_uid.as_deref()?;
        let original_start = self
            .recurring_event_id
            .as_ref()
            .map(|_| self.id.rsplit_once('_').map_or(&*self.id, |(_, start)| start));
        Some(format!("{}\n{uid}", original_start.unwrap_or_default()))
    }
}

/// The indices of the events by meeting, each group in the order of the events.
fn groups(events: &[Listed<'_>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut of_meeting: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, event) in events.iter().enumerate() {
        let head: Option<Head<'_>> = serde_json::from_str(event.payload.get()).ok();
        let Some(meeting) = head.and_then(|head| head.meeting()) else {
            groups.push(vec![index]);
            continue;
        };
        let known = of_meeting.entry(meeting).or_default();
        let lacks_calendar = |group: &[usize]| {
            let is_other = |&other: &usize| events[other].calendar_id != event.calendar_id;
            group.iter().all(is_other)
        };
        let fitting = known.iter().find(|&&group| lacks_calendar(&groups[group]));
        if let Some(&group) = fitting {
            groups[group].push(index);
        } else {
            known.push(groups.len());
            groups.push(vec![index]);
        }
    }
    groups
}

fn is_one_calendar(events: &[Listed<'_>]) -> bool {
    let first = events.first().map(|event| event.calendar_id);
    events.iter().all(|event| Some(event.calendar_id) == first)
}

/// A group, the duplicate to show first.
fn ranked(events: &[Listed<'_>], group: &[usize]) -> serde_json::Result<Vec<(usize, EventCopy)>> {
    let mut copies = Vec::new();
    for &index in group {
        let event = events[index];
        let head: Head<'_> = serde_json::from_str(event.payload.get())?;
        copies.push((head.copy_rank, index, copy(event, &head)?));
    }
    copies.sort_by(|(a, _, left), (b, _, right)| (a, left.calendar_id).cmp(&(b, right.calendar_id)));
    Ok(copies.into_iter().map(|(_, index, copy)| (index, copy)).collect())
}

fn copy(event: Listed<'_>, head: &Head<'_>) -> serde_json::Result<EventCopy> {
    let invitation: Invitation = serde_json::from_str(event.payload.get())?;
    let own = invitation.attendees.into_iter().find(|guest| guest.is_self);
    Ok(EventCopy {
        calendar_id: event.calendar_id,
        id: head.id.clone().into_owned(),
        event_id: head.event_id.clone().into_owned(),
        response_status: own.and_then(|guest| guest.response_status),
    })
}

/// The same JSON with one more field at its end.
fn with_copies(event: &RawValue, copies: &[EventCopy]) -> serde_json::Result<Box<RawValue>> {
    let object = event.get();
    let fields = object.strip_suffix('}').unwrap_or(object);
    RawValue::from_string(format!(
        r#"{fields},"copies":{}}}"#,
        serde_json::to_string(copies)?
    ))
}

#[cfg(test)]
mod tests;
