//! One `VEVENT` as the body of an `events.insert`.

use chrono::TimeDelta;
use icalendar::parser::{Component, Property};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::component::{parameter, property, text_of};
use super::time::{self, Time};
use super::vtimezone;
use super::zone::Zones;
use crate::recurrence::{Series, is_below_a_day};
use zones::Zone;

pub type Body = Map<String, Value>;

/// Google keeps no more reminders than this on an event.
const MAX_REMINDERS: usize = 5;
/// Four weeks, in minutes: Google's bound for a reminder.
const MAX_REMINDER: i64 = 40_320;

/// A `VEVENT`, before it is known whether its master is in the file.
pub struct Entry {
    pub uid: Option<String>,
    pub role: Role,
    pub sequence: i64,
    cancelled: bool,
    body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    Single,
    Master,
    /// With the end of its instance id.
    Exception(String),
}

impl Entry {
    /// Versions of one and the same event have the same key.
    pub fn key(&self) -> (Option<String>, Role) {
        let role = if self.role == Role::Single {
            Role::Master
        } else {
            self.role.clone()
        };
        (self.uid.clone(), role)
    }

    /// The id derived from the `UID`.
    pub fn id(&self) -> Option<String> {
        self.uid.as_deref().map(id_of)
    }

    /// The series of a master.
    pub fn series(&self, zone: Zone) -> Option<Series> {
        Series::of(&self.body, zone).ok().flatten()
    }

    /// Whether an exception names a start the series has; some programs keep exceptions of rules that were changed.
    pub fn is_instance_of(&self, series: &Series, zone: Zone) -> bool {
        let Role::Exception(suffix) = &self.role else {
            return false;
        };
        series
            .start_of(suffix)
            .is_some_and(|original| series.contains(&original, zone))
    }

    /// `None` for a cancelled event that is not one instance of a series: Google would not import it either.
    pub fn into_body(mut self, master: Option<&str>) -> Option<Body> {
        let id = match (&self.role, master) {
            (Role::Exception(suffix), Some(master)) => {
                self.body.insert("id".into(), format!("{master}_{suffix}").into());
                self.body.insert("recurringEventId".into(), master.into());
                return Some(self.body);
            }
            (Role::Exception(suffix), None) => {
                self.body.shift_remove("originalStartTime");
                self.uid.as_ref().map(|uid| id_of(&format!("{uid} {suffix}")))
            }
            _ => self.id(),
        };
        if let Some(id) = id {
            self.body.insert("id".into(), id.into());
        }
        (!self.cancelled).then_some(self.body)
    }
}

/// What Google accepts as a client's choice (base32hex), as long as those it chooses itself.
fn id_of(name: &str) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let hash = Sha256::digest(name.as_bytes());
    hash.iter()
        .take(26)
        .map(|byte| char::from(DIGITS[usize::from(byte % 32)]))
        .collect()
}

/// Reads one event; the error describes the problem.
pub fn read(event: &Component, zones: &Zones) -> Result<Entry, String> {
    let written = property(event, "DTSTART").ok_or("DTSTART is missing")?;
    let start = Time::of(written, zones)?;
    let end = end(event, start, zones)?;
    let mut body = Body::new();
    let uid = text_of(event, "UID").map(str::to_owned);
    if let Some(uid) = &uid {
        body.insert("iCalUID".into(), uid.as_str().into());
    }
    texts(event, &mut body);
    body.insert("start".into(), start.body());
    body.insert("end".into(), end.body());
    let length = end.since(start).unwrap_or_default();
    let recurrence = recurrence(event, (start, length), zones)?;
    let tzid = parameter(written, "TZID");
    if !recurrence.is_empty() && !vtimezone::may_repeat(zones, tzid, start) {
        let tzid = tzid.unwrap_or_default();
        return Err(format!(
            "TZID {tzid:?} has the clock of no known zone, so the event cannot repeat"
        ));
    }
    let role = match original_start(event, zones)? {
        Some(original) => {
            body.insert("originalStartTime".into(), original.body());
            Role::Exception(original.suffix())
        }
        None if recurrence.is_empty() => Role::Single,
        None => {
            body.insert("recurrence".into(), recurrence.into());
            Role::Master
        }
    };
    Series::of(&body, zones.calendar()).map_err(|err| format!("RRULE: {}", err.message))?;
    people(event, &mut body);
    if let Some(reminders) = reminders(event) {
        body.insert("reminders".into(), reminders);
    }
    Ok(Entry {
        cancelled: body.get("status").and_then(Value::as_str) == Some("cancelled"),
        sequence: text_of(event, "SEQUENCE")
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0),
        uid,
        role,
        body,
    })
}

/// Properties that are one value in, one value out.
fn texts(event: &Component, body: &mut Body) {
    for (name, field) in [
        ("SUMMARY", "summary"),
        ("DESCRIPTION", "description"),
        ("LOCATION", "location"),
    ] {
        if let Some(text) = text_of(event, name) {
            body.insert(field.into(), text.into());
        }
    }
    let known = [
        ("STATUS", "status", ["CONFIRMED", "TENTATIVE", "CANCELLED"]),
        ("TRANSP", "transparency", ["OPAQUE", "TRANSPARENT", ""]),
        ("CLASS", "visibility", ["PUBLIC", "PRIVATE", "CONFIDENTIAL"]),
    ];
    for (name, field, values) in known {
        let Some(text) = text_of(event, name).map(|text| text.trim().to_ascii_uppercase()) else {
            continue;
        };
        if values.contains(&text.as_str()) {
            body.insert(field.into(), text.to_ascii_lowercase().into());
        }
    }
    if let Some(link) = text_of(event, "X-GOOGLE-CONFERENCE").filter(|link| link.starts_with("https://")) {
        body.insert("hangoutLink".into(), link.trim().into());
    }
}

fn end(event: &Component, start: Time, zones: &Zones) -> Result<Time, String> {
    let end = if let Some(end) = property(event, "DTEND") {
        Time::of(end, zones)?
    } else if let Some(text) = text_of(event, "DURATION") {
        time::duration(text)
            .and_then(|duration| start.plus(duration))
            .ok_or_else(|| format!("DURATION {text:?} is not a duration such as PT1H30M"))?
    } else {
        start.default_end().ok_or("DTSTART is beyond the calendar")?
    };
    match (start, end) {
        (Time::Date(from), Time::Date(to)) if to < from => Err("DTEND is before DTSTART".into()),
        (Time::At(from), Time::At(to)) if to < from => Err("DTEND is before DTSTART".into()),
        // Some programs write the same day twice and mean that day.
        (Time::Date(from), Time::Date(to)) if to == from => start
            .default_end()
            .ok_or_else(|| "DTSTART is beyond the calendar".into()),
        (Time::Date(_), Time::Date(_)) | (Time::At(_), Time::At(_)) => Ok(end),
        _ => Err("DTSTART and DTEND are not both dates or both times".into()),
    }
}

fn recurrence(
    event: &Component,
    (start, length): (Time, TimeDelta),
    zones: &Zones,
) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for property in &event.properties {
        let value = property.val.as_str();
        match property.name.as_str().to_ascii_uppercase().as_str() {
            "RRULE" | "EXRULE" if is_below_a_day(value) => {
                return Err(format!(
                    "{value:?} repeats within a day; Google repeats events by days at most"
                ));
            }
            name @ ("RRULE" | "EXRULE") => lines.push(time::rule(name, value, start)?),
            "EXDATE" | "RDATE" if !value.trim().is_empty() => {
                lines.push(time::dates(property, (start, length), zones)?);
            }
            _ => {}
        }
    }
    // Exceptions to nothing.
    if lines.iter().all(|line| line.starts_with("EX")) {
        lines.clear();
    }
    Ok(lines)
}

fn original_start(event: &Component, zones: &Zones) -> Result<Option<Time>, String> {
    let Some(property) = property(event, "RECURRENCE-ID") else {
        return Ok(None);
    };
    if parameter(property, "RANGE").is_some() {
        return Err(
            "RECURRENCE-ID with RANGE is not supported; the series is read without this change".into(),
        );
    }
    Time::of(property, zones).map(Some)
}

fn people(event: &Component, body: &mut Body) {
    let organizer = property(event, "ORGANIZER").and_then(address);
    let mut attendees = Vec::new();
    for guest in event
        .properties
        .iter()
        .filter(|property| property.name.as_str().eq_ignore_ascii_case("ATTENDEE"))
    {
        let Some(email) = address(guest) else { continue };
        let mut attendee = Map::new();
        attendee.insert("email".into(), email.as_str().into());
        if let Some(name) = parameter(guest, "CN") {
            attendee.insert("displayName".into(), name.into());
        }
        let upper = |name| parameter(guest, name).unwrap_or_default().to_ascii_uppercase();
        let answer = match upper("PARTSTAT").as_str() {
            "ACCEPTED" => "accepted",
            "DECLINED" => "declined",
            "TENTATIVE" => "tentative",
            _ => "needsAction",
        };
        attendee.insert("responseStatus".into(), answer.into());
        let flags = [
            ("optional", upper("ROLE") == "OPT-PARTICIPANT"),
            (
                "resource",
                matches!(upper("CUTYPE").as_str(), "RESOURCE" | "ROOM"),
            ),
            ("organizer", organizer.as_ref() == Some(&email)),
        ];
        attendee.extend(
            flags
                .into_iter()
                .filter(|(_, set)| *set)
                .map(|(flag, _)| (flag.into(), true.into())),
        );
        attendees.push(Value::Object(attendee));
    }
    if !attendees.is_empty() {
        body.insert("attendees".into(), attendees.into());
    }
    if let Some(email) = organizer {
        body.insert("organizer".into(), json!({ "email": email }));
    }
}

/// The address of a `mailto:`.
fn address(person: &Property) -> Option<String> {
    let value = person.val.as_str().trim();
    let email = value
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
        .map(|_| &value[7..])?;
    email.contains('@').then(|| email.to_ascii_lowercase())
}

/// Alarms before the start; Google knows no others.
fn reminders(event: &Component) -> Option<Value> {
    let overrides: Vec<Value> = event
        .components
        .iter()
        .filter(|component| component.name.as_str().eq_ignore_ascii_case("VALARM"))
        .filter_map(|alarm| {
            let trigger = property(alarm, "TRIGGER")?;
            let at_end =
                parameter(trigger, "RELATED").is_some_and(|related| related.eq_ignore_ascii_case("END"));
            let before = TimeDelta::zero()
                .checked_sub(&time::duration(trigger.val.as_str())?)?
                .num_minutes();
            let email = text_of(alarm, "ACTION").is_some_and(|action| action.eq_ignore_ascii_case("EMAIL"));
            let method = if email { "email" } else { "popup" };
            (!at_end && (0..=MAX_REMINDER).contains(&before))
                .then(|| json!({ "method": method, "minutes": before }))
        })
        .take(MAX_REMINDERS)
        .collect();
    (!overrides.is_empty()).then(|| json!({ "useDefault": false, "overrides": overrides }))
}
