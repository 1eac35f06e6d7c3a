//! The content of a seed, and its checks.

use std::collections::{HashMap, HashSet};
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zones::Zone;

use crate::recurrence::Series;
use crate::time::EventTime;

/// The accounts the emulator starts with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    pub users: Vec<SeedUser>,
}

/// One Google account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedUser {
    pub email: String,
    /// Display name; the e-mail address where it is empty.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub calendars: Vec<SeedCalendar>,
}

/// One entry of a user's calendar list, with the calendar's events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedCalendar {
    /// Google's id: the user's e-mail address for the primary calendar, `…@group.calendar.google.com` for others.
    pub id: String,
    pub summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// IANA name.
    #[serde(default = "utc")]
    pub time_zone: String,
    #[serde(default)]
    pub access_role: AccessRole,
    #[serde(default)]
    pub primary: bool,
    /// `#rrggbb`
    #[serde(default = "default_background")]
    pub background_color: String,
    /// `#rrggbb`
    #[serde(default = "default_foreground")]
    pub foreground_color: String,
    /// `false` for a calendar Google cannot watch (public holidays): `events.watch` answers
    /// `pushNotSupportedForRequestedResource`.
    #[serde(default = "yes")]
    pub push_supported: bool,
    /// Bodies as for `events.insert`; see the module's documentation.
    #[serde(default)]
    pub events: Vec<Map<String, Value>>,
}

/// A user's role in a calendar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessRole {
    FreeBusyReader,
    Reader,
    WriterWithoutPrivateAccess,
    Writer,
    #[default]
    Owner,
}

impl AccessRole {
    /// As Google writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FreeBusyReader => "freeBusyReader",
            Self::Reader => "reader",
            Self::WriterWithoutPrivateAccess => "writerWithoutPrivateAccess",
            Self::Writer => "writer",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for AccessRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Seed {
    /// Adds another seed. Users are matched by e-mail address; a calendar both seeds have for a user gets the events of
    /// both; a second primary calendar becomes a plain one.
    pub fn merge(&mut self, other: Self) {
        for user in other.users {
            match self.users.iter_mut().find(|known| known.email == user.email) {
                Some(known) => known.merge(user),
                None => self.users.push(user),
            }
        }
    }

    /// Checks beyond the types; the error names the place in the file.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut emails = HashSet::new();
        let mut calendars: HashMap<&str, HashSet<&str>> = HashMap::new();
        for (u, user) in self.users.iter().enumerate() {
            let place = format!("users[{u}] ({})", user.email);
            if !user.email.contains('@') || user.email.contains(char::is_whitespace) {
                return Err(format!("{place}: email is not an e-mail address"));
            }
            if !emails.insert(&user.email) {
                return Err(format!("{place}: this e-mail address is there twice"));
            }
            user.check(&place)?;
            for calendar in &user.calendars {
                let ids = calendars.entry(&calendar.id).or_default();
                for id in calendar
                    .events
                    .iter()
                    .filter_map(|event| event.get("id")?.as_str())
                {
                    if !ids.insert(id) {
                        return Err(format!(
                            "{place}, calendar {:?}: event id {id:?} is there twice",
                            calendar.id
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

impl SeedUser {
    fn merge(&mut self, other: Self) {
        let has_primary = self.calendars.iter().any(|calendar| calendar.primary);
        for mut calendar in other.calendars {
            if let Some(known) = self.calendars.iter_mut().find(|known| known.id == calendar.id) {
                known.events.append(&mut calendar.events);
            } else {
                calendar.primary &= !has_primary;
                self.calendars.push(calendar);
            }
        }
    }

    fn check(&self, place: &str) -> Result<(), String> {
        let mut ids = HashSet::new();
        for (c, calendar) in self.calendars.iter().enumerate() {
            let place = format!("{place}.calendars[{c}] ({})", calendar.summary);
            if calendar.id.is_empty() {
                return Err(format!("{place}: id is empty"));
            }
            if !ids.insert(&calendar.id) {
                return Err(format!(
                    "{place}: the user has a calendar with the id {:?} already",
                    calendar.id
                ));
            }
            calendar.check(&place)?;
        }
        if self.calendars.iter().filter(|calendar| calendar.primary).count() > 1 {
            return Err(format!("{place}: more than one calendar is primary"));
        }
        Ok(())
    }
}

impl SeedCalendar {
    /// An empty calendar with the defaults of the JSON form, called like its id.
    pub fn named(id: &str) -> Self {
        Self {
            id: id.into(),
            summary: id.into(),
            description: None,
            time_zone: utc(),
            access_role: AccessRole::Owner,
            primary: false,
            background_color: default_background(),
            foreground_color: default_foreground(),
            push_supported: true,
            events: Vec::new(),
        }
    }

    fn check(&self, place: &str) -> Result<(), String> {
        let zone = self.time_zone.parse::<Zone>().map_err(|_| {
            let name = &self.time_zone;
            format!("{place}: timeZone {name:?} is not an IANA name such as Europe/Zurich")
        })?;
        for color in [&self.background_color, &self.foreground_color] {
            if color.len() != 7
                || !color.starts_with('#')
                || !color[1..].bytes().all(|b| b.is_ascii_hexdigit())
            {
                return Err(format!("{place}: colour {color:?} is not of the form #rrggbb"));
            }
        }
        let series = |event: &Map<String, Value>| Series::of(event, zone).ok().flatten();
        let masters: HashMap<&str, Series> = self
            .events
            .iter()
            .filter_map(|event| Some((event.get("id")?.as_str()?, series(event)?)))
            .collect();
        for (e, event) in self.events.iter().enumerate() {
            let title = event
                .get("summary")
                .and_then(Value::as_str)
                .unwrap_or("no summary");
            check_event(event, &masters, zone)
                .map_err(|what| format!("{place}.events[{e}] ({title}): {what}"))?;
        }
        Ok(())
    }
}

fn check_event(
    event: &Map<String, Value>,
    masters: &HashMap<&str, Series>,
    zone: Zone,
) -> Result<(), String> {
    if let Some(id) = event.get("id") {
        id.as_str().ok_or("id is not a string")?;
    }
    let exception = event.get("recurringEventId");
    if let Some(master) = exception {
        let master = master.as_str().ok_or("recurringEventId is not a string")?;
        let series = masters
            .get(master)
            .ok_or_else(|| format!("no event with \"recurrence\" and the id {master:?} in this calendar"))?;
        check_time(event, "originalStartTime")?;
        let original = EventTime::parse(&event["originalStartTime"], zone, "original start");
        let original = original
            .ok()
            .and_then(|original| series.start_of(&original.suffix()));
        if !original.is_some_and(|original| series.contains(&original, zone)) {
            return Err(format!("{master:?} has no instance at this originalStartTime"));
        }
    }
    if exception.is_some() && event.get("status").and_then(Value::as_str) == Some("cancelled") {
        return Ok(());
    }
    let all_day = check_time(event, "start")?;
    if check_time(event, "end")? != all_day {
        return Err("start and end are not both a date or both a dateTime".into());
    }
    Series::of(event, zone).map_err(|err| format!("recurrence: {}", err.message))?;
    Ok(())
}

/// Whether the time is a date (all-day).
fn check_time(event: &Map<String, Value>, field: &str) -> Result<bool, String> {
    let time = event.get(field).ok_or_else(|| format!("{field} is missing"))?;
    if let Some(zone) = time.get("timeZone") {
        let known = zone.as_str().is_some_and(|zone| zone.parse::<Zone>().is_ok());
        known
            .then_some(())
            .ok_or_else(|| format!("{field}.timeZone {zone} is not an IANA name"))?;
    }
    let text = |key| time.get(key).and_then(Value::as_str);
    match (text("date"), text("dateTime")) {
        (Some(date), None) if date.parse::<NaiveDate>().is_ok() => Ok(true),
        (None, Some(instant)) if is_date_time(instant) => Ok(false),
        _ => Err(format!(
            "{field} needs a date (2026-11-22) or a dateTime (2026-11-22T09:00:00+01:00)"
        )),
    }
}

/// RFC 3339, or the same without the offset (then a `timeZone` says where).
fn is_date_time(text: &str) -> bool {
    chrono::DateTime::parse_from_rfc3339(text).is_ok() || text.parse::<chrono::NaiveDateTime>().is_ok()
}

fn utc() -> String {
    "UTC".into()
}

fn default_background() -> String {
    "#9fe1e7".into()
}

fn default_foreground() -> String {
    "#000000".into()
}

fn yes() -> bool {
    true
}
