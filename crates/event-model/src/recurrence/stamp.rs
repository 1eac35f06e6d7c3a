//! A date or a time in the forms of RFC 5545.

use chrono::{NaiveDate, NaiveDateTime};

/// `20261122`, `20261122T090000Z` and `20261122T090000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    Date(NaiveDate),
    Utc(NaiveDateTime),
    /// Wall-clock time, in the zone of the line or of the event.
    Local(NaiveDateTime),
}

impl Stamp {
    pub fn date(self) -> NaiveDate {
        match self {
            Self::Date(date) => date,
            Self::Utc(time) | Self::Local(time) => time.date(),
        }
    }
}

/// None: the text has none of the three forms.
pub fn parse_stamp(text: &str) -> Option<Stamp> {
    let text = text.trim();
    // `%Y` would accept years of any length.
    match text.len() {
        8 => NaiveDate::parse_from_str(text, "%Y%m%d").ok().map(Stamp::Date),
        15 => parse_time(text).map(Stamp::Local),
        16 => parse_time(text.strip_suffix(['Z', 'z'])?).map(Stamp::Utc),
        _ => None,
    }
}

/// A value of an RDATE or EXDATE line. A period counts as its start.
pub fn of_value(value: &str) -> Option<Stamp> {
    parse_stamp(value.split_once('/').map_or(value, |(start, _)| start))
}

pub fn basic_date(date: NaiveDate) -> String {
    date.format("%Y%m%d").to_string()
}

pub fn basic_time(utc: NaiveDateTime) -> String {
    utc.format("%Y%m%dT%H%M%SZ").to_string()
}

fn parse_time(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok()
}
