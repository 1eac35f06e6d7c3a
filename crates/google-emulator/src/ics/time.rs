//! Times, zones and durations of iCalendar.

use std::collections::HashMap;
use std::fmt::Write;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta};
use icalendar::parser::{Component, Property};
use serde_json::{Value, json};
use zones::Zone;

use super::{IcsError, parameter, text_of};

/// Windows' names of the zones that Outlook's exports use most (Unicode CLDR, `windowsZones.xml`, territory 001).
const WINDOWS: [(&str, &str); 26] = [
    ("AUS Eastern Standard Time", "Australia/Sydney"),
    ("Arabian Standard Time", "Asia/Dubai"),
    ("Argentina Standard Time", "America/Buenos_Aires"),
    ("Atlantic Standard Time", "America/Halifax"),
    ("Central Europe Standard Time", "Europe/Budapest"),
    ("Central European Standard Time", "Europe/Warsaw"),
    ("Central Standard Time", "America/Chicago"),
    ("China Standard Time", "Asia/Shanghai"),
    ("E. South America Standard Time", "America/Sao_Paulo"),
    ("Eastern Standard Time", "America/New_York"),
    ("FLE Standard Time", "Europe/Kiev"),
    ("GMT Standard Time", "Europe/London"),
    ("GTB Standard Time", "Europe/Bucharest"),
    ("Greenwich Standard Time", "Atlantic/Reykjavik"),
    ("India Standard Time", "Asia/Calcutta"),
    ("Israel Standard Time", "Asia/Jerusalem"),
    ("Mountain Standard Time", "America/Denver"),
    ("Nepal Standard Time", "Asia/Katmandu"),
    ("New Zealand Standard Time", "Pacific/Auckland"),
    ("Pacific Standard Time", "America/Los_Angeles"),
    ("Romance Standard Time", "Europe/Paris"),
    ("Russian Standard Time", "Europe/Moscow"),
    ("Singapore Standard Time", "Asia/Singapore"),
    ("South Africa Standard Time", "Africa/Johannesburg"),
    ("Tokyo Standard Time", "Asia/Tokyo"),
    ("W. Europe Standard Time", "Europe/Berlin"),
];

/// The zones a file speaks of.
pub struct Zones {
    /// Of floating times, and of the calendar itself.
    pub calendar: Zone,
    /// `TZID` → what its `VTIMEZONE` says it is.
    defined: HashMap<String, Zone>,
}

impl Zones {
    pub fn of(root: &Component) -> Result<Self, IcsError> {
        let defined: HashMap<String, Zone> = root
            .components
            .iter()
            .filter(|component| component.name.as_str().eq_ignore_ascii_case("VTIMEZONE"))
            .filter_map(|zone| {
                Some((
                    text_of(zone, "TZID")?.to_owned(),
                    known(text_of(zone, "X-LIC-LOCATION")?)?,
                ))
            })
            .collect();
        let calendar = match text_of(root, "X-WR-TIMEZONE") {
            Some(name) => known(name).ok_or_else(|| IcsError::new(None, unknown("X-WR-TIMEZONE", name)))?,
            None => Zone::UTC,
        };
        Ok(Self { calendar, defined })
    }

    fn find(&self, tzid: &str) -> Result<Zone, String> {
        known(tzid)
            .or_else(|| self.defined.get(tzid).copied())
            .ok_or_else(|| unknown("TZID", tzid))
    }
}

/// By IANA name, a vendor's prefix before one (`/freeassociation.sourceforge.net/Europe/Zurich`), or Windows' name.
fn known(name: &str) -> Option<Zone> {
    let name = name.trim();
    let mut tail = Some(name);
    while let Some(candidate) = tail {
        if let Ok(zone) = candidate.parse() {
            return Some(zone);
        }
        tail = candidate.split_once('/').map(|(_, rest)| rest);
    }
    WINDOWS
        .iter()
        .find(|(windows, _)| *windows == name)
        .and_then(|(_, iana)| iana.parse().ok())
}

fn unknown(property: &str, name: &str) -> String {
    format!("{property} {name:?} is no zone this emulator knows; use an IANA name such as Europe/Zurich")
}

/// A date, or a moment with the zone it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    Date(NaiveDate),
    At(DateTime<Zone>),
}

impl Time {
    /// The single value of `DTSTART`, `DTEND` or `RECURRENCE-ID`.
    pub fn of(property: &Property, zones: &Zones) -> Result<Self, String> {
        let zone = parameter(property, "TZID")
            .map(|tzid| zones.find(tzid))
            .transpose()?;
        Self::parse(property.val.as_str().trim(), zone.unwrap_or(zones.calendar)).ok_or_else(|| {
            format!(
                "{} {:?} is not a date or time",
                property.name,
                property.val.as_str()
            )
        })
    }

    /// `20261122`, `20261122T090000` (in `zone`) or `20261122T080000Z`.
    fn parse(text: &str, zone: Zone) -> Option<Self> {
        if text.len() == 8 {
            return Some(Self::Date(date(text)?));
        }
        let (text, zone) = match text.strip_suffix('Z') {
            Some(utc) => (utc, Zone::UTC),
            None => (text, zone),
        };
        let local = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok()?;
        (local.date() == date(text.get(..8)?)?).then(|| Self::At(resolve(local, zone)))
    }

    /// Google's `{"date"}` or `{"dateTime","timeZone"}`.
    pub fn body(self) -> Value {
        match self {
            Self::Date(date) => json!({ "date": date }),
            Self::At(at) => {
                json!({ "dateTime": at.to_rfc3339_opts(SecondsFormat::Secs, true), "timeZone": at.timezone().name() })
            }
        }
    }

    /// The end of an instance's id: `20261122`, or UTC `20261122T080000Z`.
    pub fn suffix(self) -> String {
        match self {
            Self::Date(date) => date.format("%Y%m%d").to_string(),
            Self::At(at) => at.to_utc().format("%Y%m%dT%H%M%SZ").to_string(),
        }
    }

    pub fn plus(self, duration: TimeDelta) -> Option<Self> {
        match self {
            Self::Date(date) => date.checked_add_signed(duration).map(Self::Date),
            Self::At(at) => at.checked_add_signed(duration).map(Self::At),
        }
    }

    /// The end when none is written: the whole day, or no time at all (RFC 5545, 3.6.1).
    pub fn default_end(self) -> Option<Self> {
        match self {
            Self::Date(date) => date.succ_opt().map(Self::Date),
            Self::At(_) => Some(self),
        }
    }
}

/// Four digits a year, none of them a sign.
fn date(text: &str) -> Option<NaiveDate> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| NaiveDate::parse_from_str(text, "%Y%m%d").ok())
        .flatten()
}

/// A wall clock's time as a moment (RFC 5545, 3.3.5).
fn resolve(local: NaiveDateTime, zone: Zone) -> DateTime<Zone> {
    crate::time::resolve(local, zone).with_timezone(&zone)
}

/// `PT1H30M`, `P1D`, `-PT15M`, `P2W`.
pub fn duration(text: &str) -> Option<TimeDelta> {
    let (sign, text) = match text.trim().strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.trim().trim_start_matches('+')),
    };
    let seconds = match iso8601::duration(text).ok()? {
        iso8601::Duration::Weeks(weeks) => i64::from(weeks) * 7 * 86_400,
        iso8601::Duration::YMDHMS {
            year: 0,
            month: 0,
            day,
            hour,
            minute,
            second,
            ..
        } => i64::from(day) * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second),
        iso8601::Duration::YMDHMS { .. } => return None,
    };
    TimeDelta::try_seconds(sign * seconds)
}

/// An `RRULE` line as Google keeps it: `UNTIL` is a date for all-day events and UTC for others.
pub fn rule(value: &str, start: Time) -> Result<String, String> {
    let mut line = String::from("RRULE:");
    for part in value.trim().trim_end_matches(';').split(';') {
        if !line.ends_with(':') {
            line.push(';');
        }
        match part.split_once('=') {
            Some((name, until)) if name.eq_ignore_ascii_case("UNTIL") => {
                let until =
                    until_of(until, start).ok_or_else(|| format!("UNTIL {until:?} is not a date or time"))?;
                let _ = write!(line, "UNTIL={until}");
            }
            _ => line.push_str(part),
        }
    }
    Ok(line)
}

fn until_of(text: &str, start: Time) -> Option<String> {
    let zone = match start {
        Time::Date(_) => Zone::UTC,
        Time::At(at) => at.timezone(),
    };
    Some(match (start, Time::parse(text, zone)?) {
        (Time::Date(_), Time::Date(date)) => Time::Date(date).suffix(),
        (Time::Date(_), Time::At(at)) => Time::Date(at.date_naive()).suffix(),
        (Time::At(_), until @ Time::At(_)) => until.suffix(),
        // A bare date covers its whole day.
        (Time::At(_), Time::Date(date)) => Time::At(resolve(date.and_hms_opt(23, 59, 59)?, zone)).suffix(),
    })
}

/// An `EXDATE` or `RDATE` line, its times written as the event's start is.
pub fn dates(property: &Property, start: Time, zones: &Zones) -> Result<String, String> {
    let name = property.name.as_str().to_ascii_uppercase();
    if parameter(property, "VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("PERIOD")) {
        return Err(format!(
            "{name} with VALUE=PERIOD is not supported; write the starts as times"
        ));
    }
    let own = match start {
        Time::Date(_) => Zone::UTC,
        Time::At(at) => at.timezone(),
    };
    let zone = parameter(property, "TZID")
        .map(|tzid| zones.find(tzid))
        .transpose()?
        .unwrap_or(own);
    let mut values = Vec::new();
    for text in property.val.as_str().split(',').map(str::trim) {
        let time = Time::parse(text, zone).ok_or_else(|| format!("{name} {text:?} is not a date or time"))?;
        values.push(match (start, time) {
            (Time::Date(_), Time::Date(date)) => Time::Date(date).suffix(),
            (Time::Date(_), Time::At(at)) => Time::Date(at.date_naive()).suffix(),
            // A bare date means the instance of that day.
            (Time::At(at), Time::Date(date)) => Time::At(resolve(date.and_time(at.time()), own)).suffix(),
            (Time::At(_), at) => at.suffix(),
        });
    }
    let kind = if matches!(start, Time::Date(_)) {
        ";VALUE=DATE"
    } else {
        ""
    };
    Ok(format!("{name}{kind}:{}", values.join(",")))
}
