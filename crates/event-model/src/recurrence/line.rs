//! One line of a `recurrence`, taken apart as text. Editing keeps the parts that it does not understand.

use chrono::{NaiveDateTime, NaiveTime};

use super::stamp::{self, Stamp, parse_stamp};
use crate::span::Span;
use crate::zone::{self, Zone};

/// `NAME;PARAM=VALUE:value`
pub struct Line<'a> {
    head: &'a str,
    value: &'a str,
}

impl<'a> Line<'a> {
    pub fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim();
        // A zone's name may have a colon (`TZID=GMT+02:00`), and dates have none.
        let (head, value) = if line.contains("TZID=") {
            line.rsplit_once(':')?
        } else {
            line.split_once(':')?
        };
        Some(Self { head, value })
    }

    /// `RRULE`, `EXRULE`, `RDATE`, `EXDATE` or another name, in upper case.
    pub fn name(&self) -> String {
        let name = self.head.split(';').next().unwrap_or(self.head);
        name.trim().to_ascii_uppercase()
    }

    pub fn is_rule(&self) -> bool {
        matches!(self.name().as_str(), "RRULE" | "EXRULE")
    }

    /// The TZID parameter. None also where the zone is unknown.
    pub fn zone(&self) -> Option<Zone> {
        self.head
            .split(';')
            .filter_map(|param| param.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("TZID"))
            .and_then(|(_, zone)| zone.trim().trim_matches('"').parse().ok())
    }

    /// The parts of a rule: each a name and a value, or the text of a part without `=`.
    pub fn parts(&self) -> impl Iterator<Item = Result<(&'a str, &'a str), &'a str>> {
        self.value
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (name, value) = part.split_once('=').ok_or(part)?;
                Ok((name.trim(), value.trim()))
            })
    }

    /// The value of a rule's part.
    pub fn part(&self, wanted: &str) -> Option<&'a str> {
        self.parts()
            .flatten()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    }

    /// The dates and times of an RDATE or EXDATE line.
    pub fn values(&self) -> impl Iterator<Item = &'a str> {
        self.value.split(',').map(str::trim)
    }

    /// The rule with these parts and no others.
    pub fn with_parts(&self, parts: &[String]) -> String {
        format!("{}:{}", self.head, parts.join(";"))
    }

    /// The rule with this COUNT or UNTIL, and no other.
    pub fn with_end(&self, name: &str, value: &str) -> String {
        let others = self
            .parts()
            .flatten()
            .filter(|(name, _)| !matches!(name.to_ascii_uppercase().as_str(), "COUNT" | "UNTIL"))
            .map(|(name, value)| format!("{name}={value}"));
        let parts: Vec<String> = others.chain([format!("{name}={value}")]).collect();
        self.with_parts(&parts)
    }

    /// The line with these values; none without a value.
    pub fn with_values(&self, values: &[&str]) -> Option<String> {
        (!values.is_empty()).then(|| format!("{}:{}", self.head, values.join(",")))
    }

    /// A value of an RDATE or EXDATE line, or an UNTIL, in the wall-clock time of a series that starts with `first`.
    pub fn local(&self, value: &str, first: Span) -> Option<NaiveDateTime> {
        let stamp = stamp::of_value(value)?;
        Some(match (stamp, first) {
            (Stamp::Date(date), _) => date.and_time(NaiveTime::MIN),
            (_, Span::Days { .. }) => stamp.date().and_time(NaiveTime::MIN),
            (Stamp::Utc(time), Span::Time { zone, .. }) => zone::local(zone, time.and_utc()),
            (Stamp::Local(time), Span::Time { zone, .. }) => match self.zone() {
                Some(other) if other != zone => zone::local(zone, zone::instant(other, time)?),
                _ => time,
            },
        })
    }

    /// The UNTIL of a rule in the wall-clock time of the series. A date covers its day.
    pub fn local_until(&self, until: &str, first: Span) -> Option<NaiveDateTime> {
        match (parse_stamp(until)?, first) {
            (Stamp::Date(date), Span::Time { .. }) => date.and_hms_opt(23, 59, 59),
            _ => self.local(until, first),
        }
    }
}
