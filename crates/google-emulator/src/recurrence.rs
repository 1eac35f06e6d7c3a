//! Expands a recurring master into the starts of its instances.
//!
//! Rules count in wall-clock time of the event's own zone. The crate `rrule` is therefore given local times as if they
//! were UTC, and each result is converted back here: DST changes are resolved in one place
//! ([`crate::time::resolve`]), and all-day events never touch a zone.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rrule::RRuleSet;
use serde_json::{Map, Value};

use crate::error::{ApiError, Result};
use crate::time::{EventTime, Length, span};
use zones::Zone;

/// Google's own expansion of an endless weekly series was seen to end after about this many instances.
pub const MAX_INSTANCES: usize = 750;
/// A series whose rules exclude this many instances in a row has no more: an `EXRULE` may exclude all there are.
const MAX_EXCLUDED: usize = 10_000;

/// A master: when it starts, how long each instance lasts, and by which rules it repeats.
pub struct Series {
    first: EventTime,
    length: Length,
    rules: RRuleSet,
    excluded_rules: Vec<RRuleSet>,
    excluded: BTreeSet<NaiveDateTime>,
    added: BTreeSet<NaiveDateTime>,
}

impl Series {
    /// `None` when the event does not recur.
    pub fn of(event: &Map<String, Value>, calendar_zone: Zone) -> Result<Option<Self>> {
        let lines: Vec<&str> = match event.get("recurrence") {
            Some(Value::Array(lines)) if !lines.is_empty() => {
                lines.iter().filter_map(Value::as_str).collect()
            }
            _ => return Ok(None),
        };
        let (first, end) = span(event, calendar_zone)
            .ok_or_else(|| ApiError::bad_request("invalid", "Invalid start time."))?;
        Self::parse(first, first.until(&end), &lines).map(Some)
    }

    fn parse(first: EventTime, length: Length, lines: &[&str]) -> Result<Self> {
        let start = first.local().and_utc().with_timezone(&rrule::Tz::UTC);
        let mut series = Self {
            first,
            length,
            rules: RRuleSet::new(start),
            excluded_rules: Vec::new(),
            excluded: BTreeSet::new(),
            // The first start is an instance even if the rules do not make it, and does not count for COUNT
            // (https://github.com/fmeringdal/rust-rrule/issues/119).
            added: BTreeSet::from([first.local()]),
        };
        for line in lines {
            // The name of a zone may have a colon (`TZID=GMT+02:00`), and dates have none.
            let (head, value) = if line.contains("TZID=") {
                line.rsplit_once(':')
            } else {
                line.split_once(':')
            }
            .ok_or_else(invalid)?;
            let (name, options) = head.split_once(';').unwrap_or((head, ""));
            match name.to_ascii_uppercase().as_str() {
                name @ ("RRULE" | "EXRULE") => {
                    if is_below_a_day(value) {
                        return Err(invalid());
                    }
                    let rule: rrule::RRule<rrule::Unvalidated> = series
                        .local_until(value)
                        .ok_or_else(invalid)?
                        .parse()
                        .map_err(|_| invalid())?;
                    let rule = rule.validate(start).map_err(|_| invalid())?;
                    if name == "RRULE" {
                        series.rules = series.rules.rrule(rule);
                    } else {
                        series.excluded_rules.push(RRuleSet::new(start).rrule(rule));
                    }
                }
                "EXDATE" => {
                    let dates = series.locals(options, value).ok_or_else(invalid)?;
                    series.excluded.extend(dates);
                }
                "RDATE" => {
                    let dates = series.locals(options, value).ok_or_else(invalid)?;
                    series.added.extend(dates);
                }
                _ => return Err(invalid()),
            }
        }
        Ok(series)
    }

    /// `UNTIL` is a date or UTC; the rule is counted in local time, so it is put there.
    fn local_until(&self, rule: &str) -> Option<String> {
        let mut parts = Vec::new();
        for part in rule.split(';').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((key, value)) if key.eq_ignore_ascii_case("UNTIL") => {
                    let until = match (&self.first, value.len()) {
                        (EventTime::Date(_), _) => date(value.get(..8)?)?.and_time(NaiveTime::MIN),
                        // A bare date covers its whole day.
                        (EventTime::At { .. }, 8) => date(value)?.and_hms_opt(23, 59, 59)?,
                        (EventTime::At { zone, .. }, _) => local(value, *zone)?,
                    };
                    parts.push(format!("UNTIL={}Z", until.format("%Y%m%dT%H%M%S")));
                }
                _ => parts.push(part.to_owned()),
            }
        }
        Some(parts.join(";"))
    }

    fn locals(&self, options: &str, values: &str) -> Option<Vec<NaiveDateTime>> {
        let own_zone = match self.first {
            EventTime::Date(_) => Zone::UTC,
            EventTime::At { zone, .. } => zone,
        };
        let written_in = options
            .split(';')
            .find_map(|option| option.strip_prefix("TZID="))
            .map_or(Some(own_zone), |name| name.parse().ok())?;
        values
            .split(',')
            .map(|value| match self.first {
                EventTime::Date(_) => Some(date(value.get(..8)?)?.and_time(NaiveTime::MIN)),
                // A bare date is its midnight: of a timed series it excludes nothing else (https://stackoverflow.com/a/25171709).
                EventTime::At { .. } if value.len() == 8 => Some(date(value)?.and_time(NaiveTime::MIN)),
                EventTime::At { .. } if value.ends_with('Z') => local(value, own_zone),
                EventTime::At { .. } => {
                    let there = NaiveDateTime::parse_from_str(value, "%Y%m%dT%H%M%S").ok()?;
                    Some(
                        crate::time::resolve(there, written_in)
                            .with_timezone(&own_zone)
                            .naive_local(),
                    )
                }
            })
            .collect()
    }

    /// The starts of the instances, in order: at most [`MAX_INSTANCES`] that end after `from`, none that starts at or
    /// after `to`.
    pub fn starts(
        &self,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        calendar_zone: Zone,
    ) -> Vec<EventTime> {
        let ruled = self.rules.into_iter().map(|at| at.naive_utc());
        let mut added = self.added.iter().copied().peekable();
        let mut ruled = ruled.peekable();
        let mut excluded: Vec<_> = self
            .excluded_rules
            .iter()
            .map(|rule| rule.into_iter().map(|at| at.naive_utc()).peekable())
            .collect();
        let (mut last, mut excluded_in_a_row) = (None, 0);
        let mut starts = Vec::new();
        while starts.len() < MAX_INSTANCES {
            let next = match (ruled.peek(), added.peek()) {
                (Some(rule), Some(extra)) if extra < rule => added.next(),
                (Some(_), _) => ruled.next(),
                (None, _) => added.next(),
            };
            let Some(local) = next else { break };
            let is_excluded = excluded.iter_mut().any(|rule| {
                while rule.next_if(|at| *at < local).is_some() {}
                rule.peek() == Some(&local)
            });
            excluded_in_a_row = if is_excluded { excluded_in_a_row + 1 } else { 0 };
            if excluded_in_a_row > MAX_EXCLUDED {
                break;
            }
            if is_excluded || self.excluded.contains(&local) || last.replace(local) == Some(local) {
                continue;
            }
            let start = self.first.with_local(local);
            if to.is_some_and(|to| start.instant(calendar_zone) >= to) {
                break;
            }
            if from.is_none_or(|from| start.plus(self.length).instant(calendar_zone) > from) {
                starts.push(start);
            }
        }
        starts
    }

    /// Whether an instance starts then by the rules.
    pub fn contains(&self, start: &EventTime, calendar_zone: Zone) -> bool {
        let instant = start.instant(calendar_zone);
        let after = instant + chrono::TimeDelta::seconds(1);
        self.starts(
            Some(instant - chrono::TimeDelta::seconds(1)),
            Some(after),
            calendar_zone,
        )
        .contains(start)
    }

    pub fn length(&self) -> Length {
        self.length
    }

    /// The start an instance id's suffix names, as a time of this series.
    pub fn start_of(&self, suffix: &str) -> Option<EventTime> {
        match self.first {
            EventTime::Date(_) => Some(EventTime::Date(date(suffix)?)),
            EventTime::At { zone, .. } => {
                let instant = NaiveDateTime::parse_from_str(suffix, "%Y%m%dT%H%M%SZ")
                    .ok()?
                    .and_utc();
                Some(EventTime::At { instant, zone })
            }
        }
    }
}

/// Google Calendar repeats events by days at most, and counting seconds over years would hold everybody up.
pub fn is_below_a_day(rule: &str) -> bool {
    let rule = rule.to_ascii_uppercase();
    ["FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=HOURLY"]
        .iter()
        .any(|freq| rule.contains(freq))
}

fn invalid() -> ApiError {
    ApiError::bad_request("invalid", "Invalid recurrence rule.")
}

fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y%m%d").ok()
}

/// A UTC (`…Z`) or local time of a rule as local time of `zone`.
fn local(text: &str, zone: Zone) -> Option<NaiveDateTime> {
    let naive = NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%Y%m%dT%H%M%S").ok()?;
    Some(if text.ends_with('Z') {
        naive.and_utc().with_timezone(&zone).naive_local()
    } else {
        naive
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn starts(event: &Value) -> Vec<String> {
        let series = Series::of(event.as_object().unwrap(), Zone::UTC)
            .unwrap()
            .unwrap();
        series
            .starts(None, None, Zone::UTC)
            .iter()
            .take(6)
            .map(EventTime::suffix)
            .collect()
    }

    #[test]
    fn nine_in_the_morning_stays_nine_across_dst() {
        let event = json!({
            "start": {"dateTime": "2026-10-19T09:00:00+02:00", "timeZone": "Europe/Zurich"},
            "end": {"dateTime": "2026-10-19T10:00:00+02:00", "timeZone": "Europe/Zurich"},
            "recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20261102T080000Z"],
        });
        assert_eq!(
            starts(&event),
            ["20261019T070000Z", "20261026T080000Z", "20261102T080000Z"]
        );
    }

    #[test]
    fn exdates_and_rdates_in_other_zones_name_the_same_moments() {
        let event = json!({
            "start": {"dateTime": "2026-11-23T09:00:00+01:00", "timeZone": "Europe/Zurich"},
            "end": {"dateTime": "2026-11-23T10:00:00+01:00", "timeZone": "Europe/Zurich"},
            "recurrence": [
                "RRULE:FREQ=DAILY;COUNT=4",
                "EXDATE:20261124T080000Z",
                "EXDATE;TZID=America/New_York:20261125T030000",
                "RDATE;TZID=Europe/Zurich:20261130T090000",
            ],
        });
        assert_eq!(
            starts(&event),
            ["20261123T080000Z", "20261126T080000Z", "20261130T080000Z"]
        );
    }

    #[test]
    fn a_bare_date_excludes_no_timed_instance() {
        let event = json!({
            "start": {"dateTime": "2026-11-23T09:00:00+01:00", "timeZone": "Europe/Zurich"},
            "end": {"dateTime": "2026-11-23T10:00:00+01:00", "timeZone": "Europe/Zurich"},
            "recurrence": ["RRULE:FREQ=DAILY;COUNT=4", "EXDATE;VALUE=DATE:20261124"],
        });
        assert_eq!(starts(&event).len(), 4);
    }

    #[test]
    fn the_first_start_is_an_instance_besides_the_rules() {
        let event = json!({
            "start": {"dateTime": "2024-05-30T20:00:00+02:00", "timeZone": "Europe/Berlin"},
            "end": {"dateTime": "2024-05-30T21:00:00+02:00", "timeZone": "Europe/Berlin"},
            "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3;INTERVAL=1;BYDAY=WE"],
        });
        assert_eq!(
            starts(&event),
            [
                "20240530T180000Z",
                "20240605T180000Z",
                "20240612T180000Z",
                "20240619T180000Z"
            ]
        );
    }

    #[test]
    fn excluded_rules_take_instances_out() {
        let daily = |more: &str| {
            starts(&json!({
                "start": {"date": "2026-11-23"}, "end": {"date": "2026-11-24"},
                "recurrence": ["RRULE:FREQ=DAILY;COUNT=4", more],
            }))
        };
        assert_eq!(daily("EXRULE:FREQ=DAILY;INTERVAL=2"), ["20261124", "20261126"]);
        assert_eq!(daily("EXRULE:FREQ=DAILY"), Vec::<String>::new());
    }

    #[test]
    fn series_follow_new_rules_and_fixed_offsets() {
        let weekly = |start: &str, zone: &str, more: &str| {
            let end = start.replace("T09", "T10");
            starts(&json!({
                "start": {"dateTime": start, "timeZone": zone}, "end": {"dateTime": end, "timeZone": zone},
                "recurrence": ["RRULE:FREQ=WEEKLY;INTERVAL=9;COUNT=3", more],
            }))
        };
        let none = "EXDATE:20200101T000000Z";
        assert_eq!(
            weekly("2026-10-05T09:00:00-07:00", "America/Vancouver", none),
            ["20261005T160000Z", "20261207T160000Z", "20270208T160000Z"]
        );
        assert_eq!(
            weekly(
                "2027-02-01T09:00:00+02:00",
                "GMT+02:00",
                "EXDATE;TZID=GMT+02:00:20270405T090000"
            ),
            ["20270201T070000Z", "20270607T070000Z"]
        );
    }

    #[test]
    fn all_day_series_know_no_zone() {
        let event = json!({
            "start": {"date": "2026-03-28"}, "end": {"date": "2026-03-29"},
            "recurrence": ["RRULE:FREQ=DAILY;UNTIL=20260331", "EXDATE;VALUE=DATE:20260329"],
        });
        assert_eq!(starts(&event), ["20260328", "20260330", "20260331"]);
    }

    #[test]
    fn a_rule_google_would_refuse_is_refused() {
        for rule in [
            "RRULE:FREQ=SOMETIMES",
            "FREQ=DAILY",
            "DTSTART:20260101T000000Z",
            "RRULE:FREQ=HOURLY",
        ] {
            let event =
                json!({"start": {"date": "2026-03-28"}, "end": {"date": "2026-03-29"}, "recurrence": [rule]});
            assert!(
                Series::of(event.as_object().unwrap(), Zone::UTC).is_err(),
                "{rule}"
            );
        }
    }

    #[test]
    fn rules_that_never_meet_a_day_end() {
        let asked = std::time::Instant::now();
        for rule in ["FREQ=YEARLY", "FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY"] {
            let rule = format!("RRULE:{rule};BYMONTH=2;BYMONTHDAY=30");
            let event =
                json!({"start": {"date": "2026-03-28"}, "end": {"date": "2026-03-29"}, "recurrence": [rule]});
            if let Ok(series) = Series::of(event.as_object().unwrap(), Zone::UTC) {
                let starts = series.unwrap().starts(None, None, Zone::UTC);
                assert_eq!(starts.len(), 1, "{rule}: the first start alone");
            }
        }
        assert!(
            asked.elapsed() < std::time::Duration::from_secs(20),
            "{:?}",
            asked.elapsed()
        );
    }
}
