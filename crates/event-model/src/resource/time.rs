//! The times of an event: a date or an instant, never one in place of the other.

use std::fmt;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, TimeZone, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::zone::{self, Zone};

/// The start or end of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A day in the viewer's calendar, without an instant.
    AllDay(NaiveDate),
    Timed(Timed),
}

/// An instant, and the form in which Google sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed {
    pub instant: DateTime<Utc>,
    pub offset: FixedOffset,
    /// The zone in which the event was created, which may be unknown to us. None: missing.
    pub zone: Option<Zone>,
}

impl When {
    pub fn date(&self) -> Option<NaiveDate> {
        match self {
            Self::AllDay(date) => Some(*date),
            Self::Timed(_) => None,
        }
    }

    pub fn timed(&self) -> Option<Timed> {
        match self {
            Self::AllDay(_) => None,
            Self::Timed(timed) => Some(*timed),
        }
    }
}

impl fmt::Display for When {
    /// The stored form: RFC 3339 in UTC, or a date.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllDay(date) => write!(f, "{date}"),
            Self::Timed(timed) => write!(f, "{}", timed.instant.format("%Y-%m-%dT%H:%M:%SZ")),
        }
    }
}

/// Google's `{date}` or `{dateTime, timeZone}`. Each field is read on its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTime<'a> {
    #[serde(borrow)]
    date: Option<&'a RawValue>,
    #[serde(borrow)]
    date_time: Option<&'a RawValue>,
    #[serde(borrow)]
    time_zone: Option<&'a RawValue>,
}

/// The years that RFC 3339 can write. A time outside of them counts as missing.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

pub(super) fn read(field: Option<&RawValue>) -> Option<When> {
    let time: RawTime<'_> = serde_json::from_str(field?.get()).ok()?;
    let zone = text(time.time_zone).and_then(|name| Zone::of_name(&name));
    let when = match (text(time.date_time), text(time.date)) {
        (Some(time), _) => When::Timed(read_timed(&time, zone)?),
        (None, Some(date)) => When::AllDay(NaiveDate::parse_from_str(&date, "%Y-%m-%d").ok()?),
        (None, None) => return None,
    };
    in_range(when)
}

fn text(field: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(field?.get()).ok()
}

fn read_timed(text: &str, zone: Option<Zone>) -> Option<Timed> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(Timed {
            instant: instant.to_utc(),
            offset: *instant.offset(),
            zone,
        });
    }
    // Google requires an offset unless a zone is named.
    let known = zone.filter(|zone| zone.is_known())?;
    let local: NaiveDateTime = text.parse().ok()?;
    let instant = zone::instant(known, local)?;
    Some(Timed {
        instant,
        offset: zone::offset(known, instant),
        zone,
    })
}

/// The end of an instance's id: `20261122T090000Z` or `20261122`.
pub(super) fn read_basic(text: &str) -> Option<When> {
    let when = match text.len() {
        8 => When::AllDay(NaiveDate::parse_from_str(text, "%Y%m%d").ok()?),
        16 => When::Timed(Timed {
            instant: Utc.from_utc_datetime(&NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").ok()?),
            offset: FixedOffset::east_opt(0)?,
            zone: None,
        }),
        _ => return None,
    };
    in_range(when)
}

fn in_range(when: When) -> Option<When> {
    let year = match when {
        When::AllDay(date) => date.year(),
        When::Timed(timed) => timed.instant.year(),
    };
    YEARS.contains(&year).then_some(when)
}
