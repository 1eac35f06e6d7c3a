//! The same meeting in several calendars: of several accounts of the user, of colleagues, of a team.
//!
//! Duplicates have the same `iCalUID` and, for an instance of a series, the same original start, whenever they take place
//! now. Two events of one calendar are never duplicates. A deduplicated answer shows the duplicate with the lowest [`rank`],
//! and of equal ones that in the calendar known for longest. The browser applies the same rule
//! (`web/client/src/core/duplicates.ts`); `web/client/tests/vectors/copies.json` tests both. On the wire, duplicates are
//! `copies`.

use std::collections::HashMap;

use ids::CalendarId;

use crate::calendar::{AccessRole, CalendarContext};
use crate::expansion::Occurrence;
use crate::resource::EventResource;
use crate::wire::{EventCopy, EventView};

/// An instance in an answer.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    pub calendar_id: CalendarId,
    /// As the `id` of its [`Event`](crate::wire::Event).
    pub id: &'a str,
    pub event_id: &'a str,
    pub is_in_series: bool,
    pub view: &'a EventView,
}

impl<'a> Listed<'a> {
    pub fn new(calendar_id: CalendarId, occurrence: &'a Occurrence) -> Self {
        Self {
            calendar_id,
            id: &occurrence.instance_id,
            event_id: &occurrence.event_id,
            is_in_series: occurrence.is_in_series(),
            view: &occurrence.view,
        }
    }

    /// Identifies the meeting. None: the event has no duplicates.
    fn meeting(&self) -> Option<(&'a str, &'a str)> {
        let uid = self.view.ical_uid.as_deref()?;
        let original_start = if self.is_in_series {
            self.id.rsplit_once('_').map_or(self.id, |(_, start)| start)
        } else {
            ""
        };
        Some((original_start, uid))
    }

    fn copy(&self) -> EventCopy {
        let own = self.view.attendees.iter().find(|guest| guest.is_self);
        EventCopy {
            calendar_id: self.calendar_id,
            id: self.id.to_owned(),
            event_id: self.event_id.to_owned(),
            response_status: own.map(|guest| guest.response_status.clone()),
        }
    }
}

/// The decision on one event of a deduplicated answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deduplicated {
    /// Show the event: it has no duplicates.
    Unique,
    /// Show the event with these duplicates, itself first.
    Shown(Vec<EventCopy>),
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

/// Decides for each event, in the same order, whether the answer shows it.
pub fn deduplicate(events: &[Listed<'_>]) -> Vec<Deduplicated> {
    let mut result = vec![Deduplicated::Unique; events.len()];
    if is_one_calendar(events) {
        return result;
    }
    for mut group in groups(events).into_iter().filter(|group| group.len() > 1) {
        group.sort_by_key(|&index| (events[index].view.copy_rank, events[index].calendar_id));
        let copies = group.iter().map(|&index| events[index].copy()).collect();
        for &index in &group {
            result[index] = Deduplicated::Hidden;
        }
        result[group[0]] = Deduplicated::Shown(copies);
    }
    result
}

/// The indices of the events by meeting, each group in the order of the events.
fn groups(events: &[Listed<'_>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut of_meeting: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (index, event) in events.iter().enumerate() {
        let Some(meeting) = event.meeting() else {
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

#[cfg(test)]
mod tests;
