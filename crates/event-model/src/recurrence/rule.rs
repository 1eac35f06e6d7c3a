//! A recurrence rule (RFC 5545, section 3.3.10) as data.

use chrono::Weekday;
use strum::EnumString;

use super::line::Line;
use super::stamp::{Stamp, parse_stamp};
use crate::text;

/// FREQ: the length of a rule's periods, shortest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumString)]
#[strum(ascii_case_insensitive)]
pub enum Frequency {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// One RRULE or EXRULE. An empty list does not restrict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub frequency: Frequency,
    /// At least 1.
    pub interval: u32,
    pub count: Option<u32>,
    /// The last moment at which an instance may start, inclusive. A date is the whole day, and a local time a wall-clock
    /// time, in the zone of the event.
    pub until: Option<Stamp>,
    pub by_second: Vec<u32>,
    pub by_minute: Vec<u32>,
    pub by_hour: Vec<u32>,
    /// Each weekday with its ordinal in the month or year, negative from the end; 0 is every one.
    pub by_day: Vec<(i32, Weekday)>,
    pub by_month_day: Vec<i32>,
    pub by_year_day: Vec<i32>,
    pub by_week_no: Vec<i32>,
    pub by_month: Vec<u32>,
    pub by_set_pos: Vec<i32>,
    pub week_start: Weekday,
}

/// Why a recurrence line cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the rule has no FREQ of RFC 5545")]
    Frequency,
    #[error("the rule part {0} has a value that RFC 5545 does not allow")]
    Part(String),
    #[error("a date or time in an {0} line has none of RFC 5545's forms")]
    Date(String),
    #[error("the line is neither RRULE, EXRULE, RDATE nor EXDATE")]
    Property,
}

impl Rule {
    /// Reads the parts of a line, such as `FREQ=WEEKLY;BYDAY=MO,WE`. An unknown part (`X-…`, `RSCALE`) is ignored. A known
    /// part with a wrong value makes the rule unreadable: the other parts alone would put instances on wrong days.
    pub fn parse(line: &Line<'_>) -> Result<Self, Unreadable> {
        let mut rule = Self {
            frequency: Frequency::Yearly,
            interval: 1,
            count: None,
            until: None,
            by_second: Vec::new(),
            by_minute: Vec::new(),
            by_hour: Vec::new(),
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_year_day: Vec::new(),
            by_week_no: Vec::new(),
            by_month: Vec::new(),
            by_set_pos: Vec::new(),
            week_start: Weekday::Mon,
        };
        let mut frequency = None;
        for part in line.parts() {
            let (name, value) = part.map_err(|part| Unreadable::Part(shown(part)))?;
            let name = name.to_ascii_uppercase();
            if name == "FREQ" {
                frequency = Some(value.parse().map_err(|_| Unreadable::Frequency)?);
            } else {
                rule.set(&name, value)
                    .ok_or_else(|| Unreadable::Part(shown(&name)))?;
            }
        }
        rule.frequency = frequency.ok_or(Unreadable::Frequency)?;
        Ok(rule)
    }

    /// None: not a value of this part.
    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "INTERVAL" => self.interval = value.parse().ok().filter(|&interval| interval > 0)?,
            "COUNT" => self.count = Some(value.parse().ok()?),
            "UNTIL" => self.until = Some(parse_stamp(value)?),
            // A leap second counts as the second before, as in all times of Google's.
            "BYSECOND" => {
                self.by_second = numbers(value, 0, 60)?;
                self.by_second
                    .iter_mut()
                    .for_each(|second| *second = (*second).min(59));
            }
            "BYMINUTE" => self.by_minute = numbers(value, 0, 59)?,
            "BYHOUR" => self.by_hour = numbers(value, 0, 23)?,
            "BYDAY" => self.by_day = days(value)?,
            "BYMONTHDAY" => self.by_month_day = ordinals(value, 31)?,
            "BYYEARDAY" => self.by_year_day = ordinals(value, 366)?,
            "BYWEEKNO" => self.by_week_no = ordinals(value, 53)?,
            "BYMONTH" => self.by_month = numbers(value, 1, 12)?,
            "BYSETPOS" => self.by_set_pos = ordinals(value, 366)?,
            "WKST" => self.week_start = parse_weekday(value)?,
            _ => {}
        }
        Some(())
    }
}

/// A name for an error message: Google passes on names of any length.
fn shown(name: &str) -> String {
    text::cut(name, 20)
}

pub const WEEK: [(&str, Weekday); 7] = [
    ("MO", Weekday::Mon),
    ("TU", Weekday::Tue),
    ("WE", Weekday::Wed),
    ("TH", Weekday::Thu),
    ("FR", Weekday::Fri),
    ("SA", Weekday::Sat),
    ("SU", Weekday::Sun),
];

fn parse_weekday(text: &str) -> Option<Weekday> {
    WEEK.into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, weekday)| weekday)
}

/// Sorted, without duplicates.
fn days(text: &str) -> Option<Vec<(i32, Weekday)>> {
    let mut days = text.split(',').map(parse_day).collect::<Option<Vec<_>>>()?;
    days.sort_unstable_by_key(|&(nth, weekday)| (nth, weekday.num_days_from_monday()));
    days.dedup();
    Some(days)
}

/// `MO`, `2MO`, `+2MO` or `-1SU`.
fn parse_day(text: &str) -> Option<(i32, Weekday)> {
    let text = text.trim();
    let split = text.len().checked_sub(2)?;
    let weekday = parse_weekday(text.get(split..)?)?;
    let nth = match text.get(..split)? {
        "" => 0,
        nth => *ordinals(nth, 53)?.first()?,
    };
    Some((nth, weekday))
}

/// Sorted, without duplicates.
fn numbers(text: &str, min: u32, max: u32) -> Option<Vec<u32>> {
    let mut numbers = text
        .split(',')
        .map(|number| number.trim().parse().ok())
        .map(|number| number.filter(|number| (min..=max).contains(number)))
        .collect::<Option<Vec<u32>>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

/// From 1 to `max`, or from -1 to `-max`; sorted, without duplicates.
fn ordinals(text: &str, max: i32) -> Option<Vec<i32>> {
    let mut ordinals = text
        .split(',')
        .map(|number| number.trim().parse().ok())
        .map(|number| number.filter(|&number: &i32| number != 0 && (-max..=max).contains(&number)))
        .collect::<Option<Vec<i32>>>()?;
    ordinals.sort_unstable();
    ordinals.dedup();
    Some(ordinals)
}
