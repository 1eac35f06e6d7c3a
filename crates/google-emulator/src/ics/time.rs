//! Times, durations and rules of iCalendar.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta};
use icalendar::parser::Property;
use serde_json::{Value, json};
use zones::Zone;

use super::component::parameter;
use super::zone::{LocalClock, Zones};

/// A date, or a moment with the zone it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    Date(NaiveDate),
    At(DateTime<Zone>),
}

impl Time {
    /// The single value of `DTSTART`, `DTEND` or `RECURRENCE-ID`.
    pub fn of(property: &Property, zones: &Zones) -> Result<Self, String> {
        let text = property.val.as_str().trim();
        let clock = match parameter(property, "TZID") {
            Some(tzid) => zones.find(tzid)?,
            None if text.contains('T') && !text.ends_with('Z') => zones.floating()?,
            None => LocalClock::Zone(Zone::UTC),
        };
        Self::parse(text, clock).ok_or_else(|| format!("{} {text:?} is not a date or time", property.name))
    }

    /// `20261122`, `20261122T090000` (by `clock`) or `20261122T080000Z`; and `20261122Z`, which Google exports.
    pub fn parse(text: &str, clock: LocalClock<'_>) -> Option<Self> {
        let (text, clock) = match text.strip_suffix('Z') {
            Some(utc) => (utc, LocalClock::Zone(Zone::UTC)),
            None => (text, clock),
        };
        if text.len() == 8 {
            return Some(Self::Date(date(text)?));
        }
        let local = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok()?;
        (local.date() == date(text.get(..8)?)?).then(|| Self::At(clock.resolve(local)))
    }

    /// How long after `start` this is. None: one of them is a date, and the other is not.
    pub fn since(self, start: Self) -> Option<TimeDelta> {
        match (start, self) {
            (Self::Date(start), Self::Date(end)) => Some(end - start),
            (Self::At(start), Self::At(end)) => Some(end - start),
            _ => None,
        }
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

/// An `RRULE` or `EXRULE` line as Google keeps it: `UNTIL` is a date for all-day events and UTC for others.
pub fn rule(name: &str, value: &str, start: Time) -> Result<String, String> {
    let mut line = format!("{name}:");
    for part in value.trim().trim_end_matches(';').split(';') {
        if !line.ends_with(':') {
            line.push(';');
        }
        match part.split_once('=') {
            Some((key, until)) if key.eq_ignore_ascii_case("UNTIL") => {
                let last =
                    until_of(until, start).ok_or_else(|| format!("UNTIL {until:?} is not a date or time"))?;
                if last.since(start).is_some_and(|time| time < TimeDelta::zero()) {
                    return Err(format!(
                        "UNTIL {until:?} is before DTSTART: the series has no instance"
                    ));
                }
                let _ = write!(line, "UNTIL={}", last.suffix());
            }
            _ => line.push_str(part),
        }
    }
    Ok(line)
}

fn until_of(text: &str, start: Time) -> Option<Time> {
    let own = own_clock(start);
    Some(match (start, Time::parse(text, own)?) {
        (Time::Date(_), Time::At(at)) => Time::Date(at.date_naive()),
        // A bare date covers its whole day.
        (Time::At(_), Time::Date(date)) => Time::At(own.resolve(date.and_hms_opt(23, 59, 59)?)),
        (_, until) => until,
    })
}

/// The clock of an event's own times.
fn own_clock(start: Time) -> LocalClock<'static> {
    LocalClock::Zone(match start {
        Time::Date(_) => Zone::UTC,
        Time::At(at) => at.timezone(),
    })
}

/// An `EXDATE` or `RDATE` line, its times written as the event's start is. Of periods, which have ends of their own, the
/// starts are read if each lasts as long as the event.
pub fn dates(
    property: &Property,
    (start, length): (Time, TimeDelta),
    zones: &Zones,
) -> Result<String, String> {
    let name = property.name.as_str().to_ascii_uppercase();
    let own = own_clock(start);
    let clock = match parameter(property, "TZID") {
        Some(tzid) => zones.find(tzid)?,
        None => own,
    };
    let mut values = Vec::new();
    for text in property.val.as_str().split(',').map(str::trim) {
        let invalid = || format!("{name} {text:?} is not a date or time");
        let (text, end) = text
            .split_once('/')
            .map_or((text, None), |(text, end)| (text, Some(end)));
        let time = Time::parse(text, clock).ok_or_else(invalid)?;
        let lasts = |end: &str| duration(end).or_else(|| Time::parse(end, clock)?.since(time));
        if end.is_some_and(|end| lasts(end) != Some(length)) {
            return Err(format!(
                "{name} has a period that does not last as long as the event"
            ));
        }
        values.push(match (start, time) {
            (Time::Date(_), Time::At(at)) => Time::Date(at.date_naive()).suffix(),
            // A bare date means the instance of that day.
            (Time::At(at), Time::Date(date)) => Time::At(own.resolve(date.and_time(at.time()))).suffix(),
            (_, time) => time.suffix(),
        });
    }
    let kind = if matches!(start, Time::Date(_)) {
        ";VALUE=DATE"
    } else {
        ""
    };
    Ok(format!("{name}{kind}:{}", values.join(",")))
}
