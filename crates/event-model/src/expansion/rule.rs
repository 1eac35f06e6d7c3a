//! A recurrence rule (RFC 5545, section 3.3.10) as data.

use chrono::{NaiveDate, NaiveDateTime, Weekday};

/// How often a rule's periods come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// The last moment at which an instance may begin, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The whole day, in the event's zone.
    Date(NaiveDate),
    /// UTC (`…Z`).
    Utc(NaiveDateTime),
    /// Wall-clock time in the event's zone.
    Local(NaiveDateTime),
}

impl Until {
    pub fn date(self) -> NaiveDate {
        match self {
            Self::Date(date) => date,
            Self::Utc(time) | Self::Local(time) => time.date(),
        }
    }
}

/// One RRULE or EXRULE. A list that is empty does not restrict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub frequency: Frequency,
    /// At least 1.
    pub interval: u32,
    pub count: Option<u32>,
    pub until: Option<Until>,
    pub by_second: Vec<u32>,
    pub by_minute: Vec<u32>,
    pub by_hour: Vec<u32>,
    /// Each with which one of the month or year it is, from the end if negative; 0 is every one.
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
    #[error("a rule has no FREQ, or one that RFC 5545 does not know")]
    Frequency,
    #[error("the rule part {0} has no value that RFC 5545 allows")]
    Part(String),
    #[error("the date or time of an {0} line is not one of RFC 5545's forms")]
    Date(String),
    #[error("the line is neither RRULE, EXRULE, RDATE nor EXDATE")]
    Property,
}

impl Rule {
    /// Reads the value of an RRULE line: `FREQ=WEEKLY;BYDAY=MO,WE`. A part that is unknown (`X-…`, `RSCALE`) is passed over;
    /// one that is known and wrong makes the rule unreadable, for following the rest would put instances on wrong days.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
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
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| Unreadable::Part(shown(part)))?;
            let (name, value) = (name.trim().to_ascii_uppercase(), value.trim());
            if name == "FREQ" {
                frequency = Some(parse_frequency(value).ok_or(Unreadable::Frequency)?);
            } else {
                rule.set(&name, value)
                    .ok_or_else(|| Unreadable::Part(shown(&name)))?;
            }
        }
        rule.frequency = frequency.ok_or(Unreadable::Frequency)?;
        Ok(rule)
    }

    /// None: the value is not one of this part.
    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "INTERVAL" => self.interval = value.parse().ok().filter(|&interval| interval > 0)?,
            "COUNT" => self.count = Some(value.parse().ok()?),
            "UNTIL" => self.until = Some(parse_until(value)?),
            // A leap second is the second before, as everywhere in Google's times.
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

/// A name for a message: what Google sent may be of any length.
fn shown(name: &str) -> String {
    crate::resource::cut(name, 20)
}

fn parse_frequency(text: &str) -> Option<Frequency> {
    Some(match text.to_ascii_uppercase().as_str() {
        "SECONDLY" => Frequency::Secondly,
        "MINUTELY" => Frequency::Minutely,
        "HOURLY" => Frequency::Hourly,
        "DAILY" => Frequency::Daily,
        "WEEKLY" => Frequency::Weekly,
        "MONTHLY" => Frequency::Monthly,
        "YEARLY" => Frequency::Yearly,
        _ => return None,
    })
}

fn parse_weekday(text: &str) -> Option<Weekday> {
    Some(match text.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    })
}

/// Each once.
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

/// Sorted, each once.
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

/// From 1 to `max`, or from the end.
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

fn parse_until(text: &str) -> Option<Until> {
    Some(match parse_date_or_time(text)? {
        Stamp::Date(date) => Until::Date(date),
        Stamp::Utc(time) => Until::Utc(time),
        Stamp::Local(time) => Until::Local(time),
    })
}

/// RFC 5545's `20261122`, `20261122T090000Z` and `20261122T090000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    Date(NaiveDate),
    Utc(NaiveDateTime),
    Local(NaiveDateTime),
}

pub fn parse_date_or_time(text: &str) -> Option<Stamp> {
    let text = text.trim();
    // `%Y` would take years of any length.
    match text.len() {
        8 => NaiveDate::parse_from_str(text, "%Y%m%d").ok().map(Stamp::Date),
        15 => parse_time(text).map(Stamp::Local),
        16 => parse_time(text.strip_suffix(['Z', 'z'])?).map(Stamp::Utc),
        _ => None,
    }
}

fn parse_time(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok()
}
