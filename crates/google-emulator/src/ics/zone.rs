//! The zones of a file: by name, or by rules of its own.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use icu_time::zone::WindowsParser;
use icu_time::zone::iana::IanaParserExtended;
use zones::Zone;

/// The years from an event on in which a zone must have the clock of a `VTIMEZONE` to stand for it.
const COMPARED_YEARS: i32 = 5;
/// Between comparisons, beside those at the changes of the clock.
const COMPARED_EVERY: TimeDelta = TimeDelta::days(10);
/// Where names of places are; in this order, because several zones have the same clock.
const REGIONS: [&str; 10] = [
    "Europe/",
    "America/",
    "Asia/",
    "Australia/",
    "Pacific/",
    "Africa/",
    "Atlantic/",
    "Indian/",
    "Antarctica/",
    "Arctic/",
];

/// The zones that a calendar of a file speaks of.
#[derive(Default)]
pub struct Zones {
    /// Of the calendar itself. None: its name is unknown.
    calendar: Option<Zone>,
    /// `TZID` → the rules of its `VTIMEZONE`.
    defined: HashMap<String, Defined>,
}

/// The meaning of a `TZID`.
pub enum Defined {
    Known(Zone),
    Rules(Rules),
}

/// The rules that turn a wall clock's time into a moment.
#[derive(Clone, Copy)]
pub enum LocalClock<'a> {
    Zone(Zone),
    Rules(&'a Rules),
}

impl Zones {
    pub fn define(&mut self, tzid: &str, defined: Defined) {
        self.defined.insert(tzid.to_owned(), defined);
    }

    /// Sets the calendar's zone (`X-WR-TIMEZONE`); UTC where there is none.
    pub fn set_calendar(&mut self, name: Option<&str>) -> Result<(), String> {
        let Some(name) = name else {
            self.calendar = Some(Zone::UTC);
            return Ok(());
        };
        self.calendar = known(name);
        if self.calendar.is_none() {
            let unknown = unknown("X-WR-TIMEZONE", name);
            return Err(format!(
                "{unknown}; events without a zone of their own are skipped"
            ));
        }
        Ok(())
    }

    /// The calendar's zone; UTC where it is unknown.
    pub fn calendar(&self) -> Zone {
        self.calendar.unwrap_or_default()
    }

    /// The clock of times without a zone.
    pub fn floating(&self) -> Result<LocalClock<'_>, String> {
        let zone = self.calendar.map(LocalClock::Zone);
        zone.ok_or_else(|| "a time without a zone, and X-WR-TIMEZONE is unknown".into())
    }

    pub fn find(&self, tzid: &str) -> Result<LocalClock<'_>, String> {
        if let Some(zone) = known(tzid) {
            return Ok(LocalClock::Zone(zone));
        }
        match self.defined.get(tzid) {
            Some(Defined::Known(zone)) => Ok(LocalClock::Zone(*zone)),
            Some(Defined::Rules(rules)) => Ok(LocalClock::Rules(rules)),
            None => Err(unknown("TZID", tzid)),
        }
    }
}

impl LocalClock<'_> {
    /// A wall clock's time as a moment (RFC 5545, 3.3.5).
    pub fn resolve(self, local: NaiveDateTime) -> DateTime<Zone> {
        match self {
            Self::Zone(zone) => crate::time::resolve(local, zone).with_timezone(&zone),
            Self::Rules(rules) => {
                let (instant, offset) = rules.resolve(local);
                let zone = rules.zone_from(instant).unwrap_or_else(|| fixed(offset));
                instant.with_timezone(&zone)
            }
        }
    }
}

/// By IANA name, a vendor's prefix before one (`/freeassociation.sourceforge.net/Europe/Zurich`), or Windows' name as CLDR
/// translates it for the world.
pub fn known(name: &str) -> Option<Zone> {
    let name = name.trim();
    let mut tail = Some(name);
    while let Some(candidate) = tail {
        if let Ok(zone) = candidate.parse() {
            return Some(zone);
        }
        tail = candidate.split_once('/').map(|(_, rest)| rest);
    }
    let zone = WindowsParser::new().parse(name, None)?;
    let names = IanaParserExtended::new();
    let iana = names.iter().find(|each| each.time_zone == zone)?;
    iana.canonical.parse().ok()
}

fn unknown(property: &str, name: &str) -> String {
    format!("{property} {name:?} is no zone this emulator knows; use an IANA name such as Europe/Zurich")
}

/// The clock that a `VTIMEZONE` describes.
pub struct Rules {
    /// Seconds east of UTC before the first change.
    first: i32,
    /// Each change and the offset from then on, oldest first.
    changes: Vec<(DateTime<Utc>, i32)>,
    /// By year: the zone that has this clock from then on.
    zones: RefCell<HashMap<i32, Option<Zone>>>,
}

impl Rules {
    /// Of the changes of the clock, in any order, each with the offsets before and after it. None: there is none.
    pub fn of(mut changes: Vec<(DateTime<Utc>, i32, i32)>) -> Option<Self> {
        changes.sort_unstable();
        let (_, first, _) = *changes.first()?;
        Some(Self {
            first,
            changes: changes.into_iter().map(|(at, _, to)| (at, to)).collect(),
            zones: RefCell::default(),
        })
    }

    fn offset_at(&self, instant: DateTime<Utc>) -> i32 {
        let after = self.changes.partition_point(|(at, _)| *at <= instant);
        let last = after.checked_sub(1).and_then(|last| self.changes.get(last));
        last.map_or(self.first, |(_, offset)| *offset)
    }

    /// The moment, and the offset at it: of two the first, and in a gap later by the gap.
    fn resolve(&self, local: NaiveDateTime) -> (DateTime<Utc>, i32) {
        let at = |offset: i32| (local - TimeDelta::seconds(offset.into())).and_utc();
        let offsets = self.changes.iter().map(|(_, offset)| *offset).chain([self.first]);
        let valid = offsets
            .filter(|offset| self.offset_at(at(*offset)) == *offset)
            .max();
        let offset = valid.unwrap_or_else(|| self.offset_at(at(0) - TimeDelta::days(1)));
        (at(offset), offset)
    }

    /// The zone that has this clock in the years from this moment on.
    pub fn zone_from(&self, instant: DateTime<Utc>) -> Option<Zone> {
        let year = instant.year();
        if let Some(found) = self.zones.borrow().get(&year) {
            return *found;
        }
        let found = self.compare(year);
        self.zones.borrow_mut().insert(year, found);
        found
    }

    fn compare(&self, year: i32) -> Option<Zone> {
        let start = |year| {
            Some(
                NaiveDate::from_ymd_opt(year, 1, 1)?
                    .and_time(NaiveTime::MIN)
                    .and_utc(),
            )
        };
        let (from, to) = (start(year)?, start(year.checked_add(COMPARED_YEARS)?)?);
        let mut probes = vec![from];
        let changes = self
            .changes
            .iter()
            .map(|(at, _)| *at)
            .filter(|at| (from..to).contains(at));
        probes.extend(changes.flat_map(|at| [at - TimeDelta::seconds(1), at]));
        let regular = std::iter::successors(Some(from), |at| Some(*at + COMPARED_EVERY));
        probes.extend(regular.take_while(|at| *at < to));
        if probes
            .iter()
            .all(|at| self.offset_at(*at) == self.offset_at(from))
        {
            return Some(fixed(self.offset_at(from)));
        }
        let names = IanaParserExtended::new();
        let in_region = |region: &'static str| {
            let names = names.iter().map(|each| each.canonical);
            names.filter(move |name| name.starts_with(region))
        };
        let places = REGIONS.into_iter().flat_map(in_region);
        places.filter_map(Zone::named).find(|zone| {
            let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
            probes
                .iter()
                .all(|at| offset(*at).local_minus_utc() == self.offset_at(*at))
        })
    }
}

/// A fixed offset by the name that Google has for it.
pub fn fixed(seconds: i32) -> Zone {
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    Zone::named(&format!("GMT{sign}{:02}:{:02}", minutes / 60, minutes % 60)).unwrap_or_default()
}
