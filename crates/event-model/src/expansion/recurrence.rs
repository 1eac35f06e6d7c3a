//! The lines of an event's `recurrence`: rules, and single dates added or taken away.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;

use super::rule::{Rule, Stamp, Unreadable, parse_date_or_time};
use super::zone;

/// When an instance begins by its series: what tells it from its siblings, wherever an exception has moved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Start {
    Day(NaiveDate),
    At(DateTime<Utc>),
}

impl Start {
    /// Google's id of the instance that begins here.
    pub fn instance_id(self, master: &str) -> String {
        match self {
            Self::Day(date) => format!("{master}_{}", date.format("%Y%m%d")),
            Self::At(instant) => format!("{master}_{}", instant.format("%Y%m%dT%H%M%SZ")),
        }
    }
}

/// A series' lines, read.
#[derive(Debug, Default)]
pub struct Recurrence {
    pub rules: Vec<Rule>,
    /// EXRULE has left the standard; Google still documents it among its lines.
    pub excluded_rules: Vec<Rule>,
    /// RDATE.
    pub added: Vec<Start>,
    /// EXDATE.
    pub excluded: HashSet<Start>,
    /// Lines that cannot be followed.
    pub unreadable: Vec<Unreadable>,
}

impl Recurrence {
    /// `zone`: the event's, or none for an all-day series.
    pub fn parse(lines: &[String], zone: Option<Tz>) -> Self {
        let mut recurrence = Self::default();
        for line in lines {
            if let Err(why) = recurrence.read(line, zone) {
                recurrence.unreadable.push(why);
            }
        }
        recurrence
    }

    fn read(&mut self, line: &str, zone: Option<Tz>) -> Result<(), Unreadable> {
        let line = Line::parse(line).ok_or(Unreadable::Property)?;
        match line.name.as_str() {
            "RRULE" => self.rules.push(Rule::parse(line.value)?),
            "EXRULE" => self.excluded_rules.push(Rule::parse(line.value)?),
            "RDATE" => self.added.extend(line.starts(zone)?),
            "EXDATE" => self.excluded.extend(line.starts(zone)?),
            _ => return Err(Unreadable::Property),
        }
        Ok(())
    }
}

/// `NAME;PARAM=VALUE:value`
struct Line<'a> {
    name: String,
    zone: Option<Tz>,
    value: &'a str,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (head, value) = line.trim().split_once(':')?;
        let mut head = head.split(';');
        let name = head.next()?.trim().to_ascii_uppercase();
        let zone = head
            .filter_map(|param| param.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("TZID"))
            .and_then(|(_, zone)| zone.trim().trim_matches('"').parse().ok());
        Some(Self { name, zone, value })
    }

    /// A period counts as its start. A time for an all-day series counts as its date, and a date for a timed series as its
    /// midnight: Google too takes an EXDATE without a time to mean no instance but one at midnight.
    fn starts(&self, zone: Option<Tz>) -> Result<Vec<Start>, Unreadable> {
        self.value
            .split(',')
            .map(|date| date.split_once('/').map_or(date, |(start, _)| start))
            .map(|date| parse_date_or_time(date).and_then(|stamp| self.start(zone, stamp)))
            .collect::<Option<_>>()
            .ok_or_else(|| Unreadable::Date(crate::resource::cut(&self.name, 20)))
    }

    fn start(&self, zone: Option<Tz>, stamp: Stamp) -> Option<Start> {
        let Some(zone) = zone else {
            return Some(Start::Day(match stamp {
                Stamp::Date(date) => date,
                Stamp::Utc(time) | Stamp::Local(time) => time.date(),
            }));
        };
        Some(Start::At(match stamp {
            Stamp::Date(date) => zone::instant(zone, date.and_time(NaiveTime::MIN))?,
            Stamp::Utc(time) => time.and_utc(),
            Stamp::Local(time) => zone::instant(self.zone.unwrap_or(zone), time)?,
        }))
    }
}
