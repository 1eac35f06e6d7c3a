//! One meeting, and its copies in several calendars: of several accounts of the user, of colleagues, of a team.
//!
//! Copies are what has the same `iCalUID` and, for an instance of a series, the same original start, wherever the copy has
//! been moved. Two events of one calendar are never copies of each other. An answer that has each meeting once shows the
//! copy to answer from, the one with the lowest [`rank`]; of equals, that in the calendar known for longest. The browser
//! goes by the same rule (`web/client/src/core/duplicates.ts`), and both by `web/client/tests/vectors/copies.json`.

use std::borrow::Cow;
use std::collections::HashMap;

use common::ids::CalendarId;
use event_model::wire::EventCopy;
use serde::Deserialize;
use serde_json::value::RawValue;
use store::occurrences::Found;

/// What tells copies from other events.
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
struct Answers {
    #[serde(default)]
    attendees: Vec<Guest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Guest {
    #[serde(default, rename = "self")]
    is_self: bool,
    response_status: Option<String>,
}

impl Head<'_> {
    /// None: nothing can be known to be a copy of it.
    fn meeting(&self) -> Option<String> {
        let uid = self.ical_uid.as_deref()?;
        let original_start = self
            .recurring_event_id
            .as_ref()
            .map(|_| self.id.rsplit_once('_').map_or(&*self.id, |(_, start)| start));
        Some(format!("{}\n{uid}", original_start.unwrap_or_default()))
    }
}

/// Which of the events belong together, each group in the order of the events.
fn groups(found: &[&Found]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut of_meeting: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, event) in found.iter().enumerate() {
        let head: Option<Head<'_>> = serde_json::from_str(event.payload.get()).ok();
        let Some(meeting) = head.and_then(|head| head.meeting()) else {
            groups.push(vec![index]);
            continue;
        };
        let known = of_meeting.entry(meeting).or_default();
        let lacks_its_calendar = |group: &[usize]| {
            let other = |&other: &usize| found[other].calendar_id != event.calendar_id;
            group.iter().all(other)
        };
        let fitting = known.iter().find(|&&group| lacks_its_calendar(&groups[group]));
        if let Some(&group) = fitting {
            groups[group].push(index);
        } else {
            known.push(groups.len());
            groups.push(vec![index]);
        }
    }
    groups
}

/// How many meetings these events are.
pub(crate) fn count(found: &[&Found]) -> usize {
    if of_one_calendar(found) {
        found.len()
    } else {
        groups(found).len()
    }
}

/// Leaves of each meeting the copy that is shown, where it was, and has it tell of the others.
pub(crate) fn merge(found: Vec<Found>) -> serde_json::Result<Vec<Found>> {
    let all: Vec<&Found> = found.iter().collect();
    if of_one_calendar(&all) {
        return Ok(found);
    }
    let mut shown: Vec<Option<Vec<EventCopy>>> = all.iter().map(|_| None).collect();
    for group in groups(&all) {
        let copies = ranked(&all, &group)?;
        let first = copies.first().map_or(group[0], |(index, _)| *index);
        shown[first] = Some(copies.into_iter().map(|(_, copy)| copy).collect());
    }
    let kept = found.into_iter().zip(shown);
    kept.filter_map(|(event, copies)| Some(with_copies(event, &copies?)))
        .collect()
}

fn of_one_calendar(found: &[&Found]) -> bool {
    let first = found.first().map(|event| event.calendar_id);
    found.iter().all(|event| Some(event.calendar_id) == first)
}

/// A group with the copy to be shown first. Nothing, where there is but one.
fn ranked(found: &[&Found], group: &[usize]) -> serde_json::Result<Vec<(usize, EventCopy)>> {
    if group.len() < 2 {
        return Ok(Vec::new());
    }
    let mut copies = Vec::new();
    for &index in group {
        let event = found[index];
        let head: Head<'_> = serde_json::from_str(event.payload.get())?;
        copies.push((
            head.copy_rank,
            index,
            copy(event.calendar_id, &head, &event.payload)?,
        ));
    }
    copies.sort_by(|(a, _, left), (b, _, right)| (a, left.calendar_id).cmp(&(b, right.calendar_id)));
    Ok(copies.into_iter().map(|(_, index, copy)| (index, copy)).collect())
}

fn copy(calendar_id: CalendarId, head: &Head<'_>, payload: &RawValue) -> serde_json::Result<EventCopy> {
    let answers: Answers = serde_json::from_str(payload.get())?;
    let own = answers.attendees.into_iter().find(|guest| guest.is_self);
    Ok(EventCopy {
        calendar_id,
        id: head.id.clone().into_owned(),
        event_id: head.event_id.clone().into_owned(),
        response_status: own.and_then(|guest| guest.response_status),
    })
}

/// The stored JSON goes on as it is, with one more field at its end.
fn with_copies(event: Found, copies: &[EventCopy]) -> serde_json::Result<Found> {
    if copies.is_empty() {
        return Ok(event);
    }
    let object = event.payload.get();
    let fields = object.strip_suffix('}').unwrap_or(object);
    let payload = format!(r#"{fields},"copies":{}}}"#, serde_json::to_string(copies)?);
    Ok(Found {
        payload: RawValue::from_string(payload)?,
        ..event
    })
}

#[cfg(test)]
mod tests;
