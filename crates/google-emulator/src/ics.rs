//! An `.ics` file (RFC 5545) as one calendar whose events are bodies of Google's `events.insert`.
//!
//! Read: name, zone and description of the calendar; events with their times (`TZID`, UTC, floating, all-day, `DTEND` or
//! `DURATION`), recurrence (`RRULE`, `RDATE`, `EXDATE`), exceptions (`RECURRENCE-ID`), texts, status, guests and alarms.
//! Passed over: to-dos, journals, free/busy, categories and attachments.
//!
//! `UID` becomes `iCalUID`, and the event's id is made of it, so that reading a file twice gives the same ids. Zones that
//! are not IANA names (Outlook's, or those with a vendor's prefix) are translated; an unknown one is an error,
//! because an event at a guessed hour is worse than none.

mod event;
mod time;

use std::collections::HashMap;

use icalendar::parser::{Component, Property, read_components};

use crate::recurrence::Series;
use crate::seed::SeedCalendar;
use event::{Entry, Role};
use time::Zones;
use zones::Zone;

/// Deeper than any calendar nests; the parser recurses, so a hostile file must not choose the depth.
const MAX_DEPTH: usize = 8;

/// The fault and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcsError {
    /// Counted from 1: the line itself for broken syntax, the event's `BEGIN` for the rest.
    pub line: Option<usize>,
    pub what: String,
}

impl IcsError {
    fn new(line: impl Into<Option<usize>>, what: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            what: what.into(),
        }
    }
}

/// Reads a file's text as the secondary calendar `id`, owned by its user.
pub fn calendar(text: &str, id: &str) -> Result<SeedCalendar, IcsError> {
    let lines = unfold(text);
    check_shape(&lines)?;
    let mut content = String::with_capacity(text.len() + lines.len());
    for line in &lines {
        content.push_str(&line.text);
        // With bare newlines the parser would search the rest of the file for a CRLF, once per property.
        content.push_str("\r\n");
    }
    let roots = read_components(&content).map_err(|message| syntax_error(&message, &lines))?;
    let root = roots
        .iter()
        .find(|root| root.name.as_str().eq_ignore_ascii_case("VCALENDAR"))
        .ok_or_else(|| IcsError::new(1, "no BEGIN:VCALENDAR: this is not an iCalendar file"))?;
    let zones = Zones::of(root)?;
    let begins = lines
        .iter()
        .filter(|line| line.text.trim_end().eq_ignore_ascii_case("BEGIN:VEVENT"));
    let entries = root
        .components
        .iter()
        .filter(|component| component.name.as_str().eq_ignore_ascii_case("VEVENT"))
        .zip(begins)
        .map(|(component, begin)| {
            event::read(component, &zones).map_err(|what| {
                let title = text_of(component, "SUMMARY").unwrap_or("no SUMMARY");
                IcsError::new(begin.number, format!("event {title:?}: {what}"))
            })
        })
        .collect::<Result<Vec<Entry>, IcsError>>()?;
    Ok(SeedCalendar {
        id: id.into(),
        summary: text_of(root, "X-WR-CALNAME").unwrap_or(id).into(),
        description: text_of(root, "X-WR-CALDESC").map(Into::into),
        time_zone: zones.calendar.name().into(),
        events: join(entries, zones.calendar),
        ..SeedCalendar::named(id)
    })
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

/// A content line with its folded parts joined.
struct Line {
    /// Of its first part, counted from 1.
    number: usize,
    text: String,
}

/// Joins folded lines and forgets blank ones, whichever line ends and byte order mark the file has.
fn unfold(text: &str) -> Vec<Line> {
    let text = text
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let mut lines: Vec<Line> = Vec::new();
    for (index, part) in text.split('\n').enumerate() {
        match (part.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(line)) => line.text.push_str(rest),
            _ if part.trim().is_empty() => {}
            _ => lines.push(Line {
                number: index + 1,
                text: part.into(),
            }),
        }
    }
    lines
}

/// Input that the parser would refuse without a clear message, or panic on.
fn check_shape(lines: &[Line]) -> Result<(), IcsError> {
    let is = |line: &Line, text: &str| line.text.trim_end().eq_ignore_ascii_case(text);
    let first = lines
        .first()
        .ok_or_else(|| IcsError::new(None, "the file is empty"))?;
    if !is(first, "BEGIN:VCALENDAR") {
        return Err(IcsError::new(
            first.number,
            "expected BEGIN:VCALENDAR: this is not an iCalendar file",
        ));
    }
    if let Some(second) = lines[1..].iter().find(|line| is(line, "BEGIN:VCALENDAR")) {
        return Err(IcsError::new(
            second.number,
            "a second VCALENDAR; put it into a file of its own",
        ));
    }
    let mut depth = 0_usize;
    for line in lines {
        let word = line.text.get(..6).unwrap_or(&line.text).to_ascii_uppercase();
        if word == "BEGIN:" {
            depth += 1;
        } else if word.starts_with("END:") {
            depth = depth.saturating_sub(1);
        }
        if depth > MAX_DEPTH {
            return Err(IcsError::new(
                line.number,
                format!("nested deeper than {MAX_DEPTH} components"),
            ));
        }
    }
    if depth > 0 {
        let last = lines.last().map(|line| line.number);
        return Err(IcsError::new(
            last,
            "the file ends inside a component: an END line is missing",
        ));
    }
    Ok(())
}

/// The parser counts unfolded lines; people count those of the file.
fn syntax_error(message: &str, lines: &[Line]) -> IcsError {
    let unfolded = message.split("at line ").nth(1).and_then(|rest| {
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse::<usize>()
            .ok()
    });
    let line = unfolded.and_then(|number| lines.get(number.checked_sub(1)?));
    let what = match line {
        Some(line) => {
            let start: String = line.text.chars().take(40).collect();
            format!("not a line of an iCalendar component: {start:?}")
        }
        None => "not well-formed: BEGIN and END do not match, or a line has no name and value".into(),
    };
    IcsError::new(line.map(|line| line.number), what)
}

/// The first property of that name.
fn property<'a>(component: &'a Component<'a>, name: &str) -> Option<&'a Property<'a>> {
    component
        .properties
        .iter()
        .find(|property| property.name.as_str().eq_ignore_ascii_case(name))
}

/// The text of a property, `None` when it is missing or blank. The parser has unescaped it.
fn text_of<'a>(component: &'a Component<'a>, name: &str) -> Option<&'a str> {
    property(component, name)
        .map(|property| property.val.as_str())
        .filter(|text| !text.trim().is_empty())
}

/// A parameter without its quotes.
fn parameter<'a>(property: &'a Property<'a>, name: &str) -> Option<&'a str> {
    let found = property
        .params
        .iter()
        .find(|parameter| parameter.key.as_str().eq_ignore_ascii_case(name))?;
    found.val.as_ref().map(|value| value.as_str().trim_matches('"'))
}

#[cfg(test)]
mod tests;
