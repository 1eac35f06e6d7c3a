//! An `.ics` file (RFC 5545) as one calendar whose events are bodies of Google's `events.insert`.
//!
//! Read: name, zone and description of the calendar; events with their times (`TZID`, UTC, floating, all-day, `DTEND` or
//! `DURATION`), recurrence (`RRULE`, `RDATE`, `EXDATE`, `EXRULE`), exceptions (`RECURRENCE-ID`), texts, status, guests and
//! alarms; of several calendars in a file all events. Passed over: to-dos, journals, free/busy, categories and attachments.
//!
//! An event that cannot be read is skipped and named, and the others are read. `UID` becomes `iCalUID`, and the event's id is made
//! of it, so that reading a file twice gives the same ids. Zones that are not IANA names (Outlook's, or those with a vendor's
//! prefix) are translated, else the rules of their `VTIMEZONE` count; an event in an unknown one is skipped, because an event
//! at a guessed hour is worse than none.

mod component;
mod error;
mod event;
mod lines;
mod time;
mod vtimezone;
mod zone;

use std::collections::HashMap;

use icalendar::parser::read_components;

use crate::recurrence::Series;
use crate::seed::SeedCalendar;
use component::text_of;
pub use error::IcsError;
use event::{Entry, Role};
use lines::{Line, Section};
use zone::Zones;
use zones::Zone;

/// The readable part of a file.
#[derive(Debug)]
pub struct Import {
    pub calendar: SeedCalendar,
    /// The events that could not be read, and other things that were left out.
    pub skipped: Vec<IcsError>,
}

/// Reads a file's text as the secondary calendar `id`, owned by its user. An error is about the file as a whole.
pub fn calendar(text: &str, id: &str) -> Result<Import, IcsError> {
    let lines = lines::unfold(text);
    let mut skipped = Vec::new();
    let (mut head, mut zone, mut entries) = (HashMap::new(), None, Vec::new());
    for section in lines::calendars(&lines)? {
        let own_head = properties(&section, &mut skipped);
        let zones = zones_of(&section, own_head.get("X-WR-TIMEZONE"), &mut skipped);
        zone.get_or_insert(zones.calendar());
        entries.extend(events(&section, &zones, &mut skipped));
        for (name, value) in own_head {
            head.entry(name).or_insert(value);
        }
    }
    skipped.sort_by_key(|error| error.line);
    let zone = zone.unwrap_or_default();
    let calendar = SeedCalendar {
        id: id.into(),
        summary: head.remove("X-WR-CALNAME").unwrap_or_else(|| id.into()),
        description: head.remove("X-WR-CALDESC"),
        time_zone: zone.name().into(),
        events: join(entries, zone),
        ..SeedCalendar::named(id)
    };
    Ok(Import { calendar, skipped })
}

/// The properties of a calendar itself, by upper-case name; of several the first.
fn properties(section: &Section<'_>, skipped: &mut Vec<IcsError>) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for line in &section.head {
        let text = format!("BEGIN:VCALENDAR\r\n{}\r\nEND:VCALENDAR\r\n", line.text);
        let Ok(components) = read_components(&text) else {
            skipped.push(lines::broken(line));
            continue;
        };
        for property in components.iter().flat_map(|component| &component.properties) {
            let value = property.val.as_str();
            if !value.trim().is_empty() {
                let name = property.name.as_str().to_ascii_uppercase();
                found.entry(name).or_insert_with(|| value.to_owned());
            }
        }
    }
    found
}

fn zones_of(section: &Section<'_>, name: Option<&String>, skipped: &mut Vec<IcsError>) -> Zones {
    let mut zones = Zones::default();
    for part in section.parts("VTIMEZONE") {
        match lines::parse(part, |component| vtimezone::define(&mut zones, component)) {
            Ok(()) => {}
            Err(error) => skipped.push(error),
        }
    }
    if let Err(what) = zones.set_calendar(name.map(String::as_str)) {
        skipped.push(IcsError::new(None, what));
    }
    zones
}

fn events(section: &Section<'_>, zones: &Zones, skipped: &mut Vec<IcsError>) -> Vec<Entry> {
    let read = |part: &[Line]| {
        lines::parse(part, |component| {
            event::read(component, zones).map_err(|what| {
                let title = text_of(component, "SUMMARY").unwrap_or("no SUMMARY");
                let begin = part.first().map(|line| line.number);
                IcsError::new(begin, format!("event {title:?}: {what}"))
            })
        })?
    };
    let mut entries = Vec::new();
    for part in section.parts("VEVENT") {
        match read(part) {
            Ok(entry) => entries.push(entry),
            Err(error) => skipped.push(error),
        }
    }
    entries
}

/// Masters, single events and their exceptions. Of several versions of an event the one with the highest `SEQUENCE`
/// counts; an exception whose master is not in the file (an invitation to one day only), or has no instance then, is an
/// event of its own.
fn join(entries: Vec<Entry>, zone: Zone) -> Vec<event::Body> {
    let mut newest: HashMap<(Option<String>, Role), i64> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.uid.is_some()) {
        let sequence = newest.entry(entry.key()).or_insert(entry.sequence);
        *sequence = entry.sequence.max(*sequence);
    }
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries {
        // `remove`: of two with the same number the first stays.
        if entry.uid.is_none() || newest.get(&entry.key()) == Some(&entry.sequence) {
            newest.remove(&entry.key());
            kept.push(entry);
        }
    }
    let masters: HashMap<String, (String, Series)> = kept
        .iter()
        .filter(|entry| entry.role == Role::Master)
        .filter_map(|entry| Some((entry.uid.clone()?, (entry.id()?, entry.series(zone)?))))
        .collect();
    kept.into_iter()
        .filter_map(|entry| {
            let master = entry.uid.as_ref().and_then(|uid| masters.get(uid));
            let master = master.filter(|(_, series)| entry.is_instance_of(series, zone));
            entry.into_body(master.map(|(id, _)| id.as_str()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
