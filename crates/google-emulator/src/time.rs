//! Event times: `{"date"}` for all-day, `{"dateTime","timeZone"}` for a moment, exactly one of the two.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, TimeZone, Utc};
use serde_json::{Map, Value, json};

use crate::error::{ApiError, Result};
use zones::Zone;

/// The start or end of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventTime {
    /// All-day: a date that belongs to no zone.
    Date(NaiveDate),
    At {
        instant: DateTime<Utc>,
        zone: Zone,
    },
}

impl EventTime {
    /// Reads Google's form. A `dateTime` without offset is wall-clock time in `timeZone`, else in the calendar's zone.
    pub fn parse(value: &Value, calendar_zone: Zone, which: &str) -> Result<Self> {
        let invalid = || ApiError::bad_request("invalid", format!("Invalid {which} time."));
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let zone = match text("timeZone") {
            Some(name) => Some(name.parse::<Zone>().map_err(|_| {
                ApiError::bad_request(
                    "invalid",
                    format!("Invalid time zone definition for {which} time."),
                )
            })?),
            None => None,
        };
        match (text("date"), text("dateTime")) {
            (Some(date), None) => {
                let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").map_err(|_| invalid())?;
                Ok(Self::Date(date))
            }
            (None, Some(at)) => {
                let zone = zone.unwrap_or(calendar_zone);
                let instant = match DateTime::parse_from_rfc3339(at) {
                    Ok(instant) => instant.to_utc(),
                    Err(_) => resolve(at.parse::<NaiveDateTime>().map_err(|_| invalid())?, zone),
                };
                Ok(Self::At { instant, zone })
            }
            _ => Err(invalid()),
        }
    }

    /// Google's form, with the offset that `display` has at that moment.
    pub fn render(&self, display: Zone) -> Value {
        match self {
            Self::Date(date) => json!({ "date": date.to_string() }),
            Self::At { instant, zone } => {
                json!({ "dateTime": rfc3339(instant.with_timezone(&display)), "timeZone": zone.name() })
            }
        }
    }

    /// The moment it stands for; a date begins at midnight in the calendar's zone.
    pub fn instant(&self, calendar_zone: Zone) -> DateTime<Utc> {
        match self {
            Self::Date(date) => resolve(date.and_time(NaiveTime::MIN), calendar_zone),
            Self::At { instant, .. } => *instant,
        }
    }

    /// Wall-clock time in its own zone: the time that recurrence rules use.
    pub fn local(&self) -> NaiveDateTime {
        match self {
            Self::Date(date) => date.and_time(NaiveTime::MIN),
            Self::At { instant, zone } => instant.with_timezone(zone).naive_local(),
        }
    }

    /// Another time of the same kind and zone.
    pub fn with_local(&self, local: NaiveDateTime) -> Self {
        match self {
            Self::Date(_) => Self::Date(local.date()),
            Self::At { zone, .. } => Self::At {
                instant: resolve(local, *zone),
                zone: *zone,
            },
        }
    }

    /// `20261122` or `20261122T090000Z`: the end of an instance's id.
    pub fn suffix(&self) -> String {
        match self {
            Self::Date(date) => date.format("%Y%m%d").to_string(),
            Self::At { instant, .. } => instant.format("%Y%m%dT%H%M%SZ").to_string(),
        }
    }

    /// From `start` to `end`, in days for all-day events so that a day stays a day across a change of the clocks.
    pub fn until(&self, end: &Self) -> Length {
        match (self, end) {
            (Self::Date(start), Self::Date(end)) => {
                Length::Days((*end - *start).num_days().try_into().unwrap_or(0))
            }
            (Self::At { instant: start, .. }, Self::At { instant: end, .. }) => Length::Time(*end - *start),
            _ => Length::Time(TimeDelta::zero()),
        }
    }

    pub fn plus(&self, length: Length) -> Self {
        match (self, length) {
            (Self::Date(date), Length::Days(days)) => {
                Self::Date(date.checked_add_days(Days::new(days)).unwrap_or(*date))
            }
            (Self::At { instant, zone }, Length::Time(time)) => Self::At {
                instant: *instant + time,
                zone: *zone,
            },
            _ => *self,
        }
    }
}

/// How long an event lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    Days(u64),
    Time(TimeDelta),
}

/// The moment a wall clock in `zone` shows `local`: the first of two in autumn; in spring's gap, later by the gap.
pub fn resolve(local: NaiveDateTime, zone: Zone) -> DateTime<Utc> {
    if let Some(instant) = zone.from_local_datetime(&local).earliest() {
        return instant.to_utc();
    }
    // No gap in the tz database is longer than a day, so the offset of the day before is the one to keep.
    let before = zone.offset_from_utc_datetime(&(local - TimeDelta::days(1)));
    Utc.from_utc_datetime(&(local - TimeDelta::seconds(seconds_east(&before))))
}

fn seconds_east(offset: &<Zone as TimeZone>::Offset) -> i64 {
    use chrono::Offset;
    i64::from(offset.fix().local_minus_utc())
}

fn rfc3339(at: DateTime<Zone>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2026-11-22T09:00:00.000Z`, as Google writes `created` and `updated`.
pub fn stamp(at: DateTime<Utc>) -> Value {
    Value::from(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Start and end of a stored event, which were checked when it was written.
pub fn span(event: &Map<String, Value>, calendar_zone: Zone) -> Option<(EventTime, EventTime)> {
    let start = EventTime::parse(event.get("start")?, calendar_zone, "start").ok()?;
    let end = EventTime::parse(event.get("end")?, calendar_zone, "end").ok()?;
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zurich() -> Zone {
        Zone::named("Europe/Zurich").unwrap()
    }

    fn parse(value: &Value) -> Result<EventTime> {
        EventTime::parse(value, zurich(), "start")
    }

    #[test]
    fn wall_clock_times_get_the_offset_of_their_day() {
        let winter = parse(&json!({"dateTime": "2026-01-10T09:00:00"})).unwrap();
        assert_eq!(
            winter.render(zurich()),
            json!({"dateTime": "2026-01-10T09:00:00+01:00", "timeZone": "Europe/Zurich"})
        );
        let abroad =
            parse(&json!({"dateTime": "2026-07-10T09:00:00", "timeZone": "America/New_York"})).unwrap();
        assert_eq!(abroad.render(Zone::UTC)["dateTime"], "2026-07-10T13:00:00Z");
        assert_eq!(abroad.suffix(), "20260710T130000Z");
    }

    #[test]
    fn gap_times_move_forward_and_repeated_times_are_the_first() {
        let zone = zurich();
        let gap = "2026-03-29T02:30:00".parse().unwrap();
        assert_eq!(resolve(gap, zone).to_rfc3339(), "2026-03-29T01:30:00+00:00");
        let double = "2026-10-25T02:30:00".parse().unwrap();
        assert_eq!(resolve(double, zone).to_rfc3339(), "2026-10-25T00:30:00+00:00");
    }

    #[test]
    fn a_time_is_either_a_date_or_a_moment() {
        assert!(parse(&json!({"date": "2026-11-22", "dateTime": "2026-11-22T09:00:00Z"})).is_err());
        assert!(parse(&json!({})).is_err());
        assert!(parse(&json!({"date": "2026-13-01"})).is_err());
        assert!(parse(&json!({"dateTime": "2026-11-22T09:00:00Z", "timeZone": "Mars/Olympus"})).is_err());
    }
}
