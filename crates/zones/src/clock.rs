//! Zones as chrono uses them.

use std::fmt;

use chrono::offset::LocalResult;
use chrono::{
    DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike,
};
use jiff::Timestamp;
use jiff::tz::AmbiguousOffset;

use crate::zone::{Rules, UTC_OFFSET, Zone};

/// The offset of a zone at some moment.
#[derive(Clone, Copy)]
pub struct ZoneOffset {
    zone: Zone,
    fixed: FixedOffset,
}

impl Offset for ZoneOffset {
    fn fix(&self) -> FixedOffset {
        self.fixed
    }
}

impl fmt::Debug for ZoneOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.fixed, self.zone)
    }
}

impl fmt::Display for ZoneOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fixed.fmt(f)
    }
}

impl Zone {
    /// The offset before the gap that contains this wall-clock time. None: the time exists.
    pub fn offset_before_gap(self, local: NaiveDateTime) -> Option<FixedOffset> {
        let Rules::Named(rules) = &self.0.rules else {
            return None;
        };
        match rules.to_ambiguous_timestamp(civil(local)).offset() {
            AmbiguousOffset::Gap { before, .. } => Some(fixed(before)),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => None,
        }
    }

    fn at(self, fixed: FixedOffset) -> ZoneOffset {
        ZoneOffset { zone: self, fixed }
    }
}

impl TimeZone for Zone {
    type Offset = ZoneOffset;

    fn from_offset(offset: &ZoneOffset) -> Self {
        offset.zone
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> LocalResult<ZoneOffset> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<ZoneOffset> {
        let rules = match &self.0.rules {
            Rules::Named(rules) => rules,
            Rules::Fixed(offset) => return LocalResult::Single(self.at(*offset)),
        };
        match rules.to_ambiguous_timestamp(civil(*local)).offset() {
            AmbiguousOffset::Unambiguous { offset } => LocalResult::Single(self.at(fixed(offset))),
            AmbiguousOffset::Gap { .. } => LocalResult::None,
            AmbiguousOffset::Fold { before, after } => {
                LocalResult::Ambiguous(self.at(fixed(before)), self.at(fixed(after)))
            }
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        self.at(match &self.0.rules {
            Rules::Named(rules) => fixed(rules.to_offset(timestamp(*utc))),
            Rules::Fixed(offset) => *offset,
        })
    }
}

fn fixed(offset: jiff::tz::Offset) -> FixedOffset {
    FixedOffset::east_opt(offset.seconds()).unwrap_or(UTC_OFFSET)
}

/// Of a year beyond those that jiff supports (-9999 to 9999), the nearest moment.
fn timestamp(utc: NaiveDateTime) -> Timestamp {
    let utc: DateTime<chrono::Utc> = utc.and_utc();
    Timestamp::from_second(utc.timestamp()).unwrap_or(if utc.timestamp() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// To the second, as clocks change. As [`timestamp`] for years.
fn civil(local: NaiveDateTime) -> jiff::civil::DateTime {
    let (date, time) = (local.date(), local.time());
    let small = |number: u32| i8::try_from(number).unwrap_or(i8::MAX);
    i16::try_from(date.year())
        .ok()
        .and_then(|year| {
            jiff::civil::DateTime::new(
                year,
                small(date.month()),
                small(date.day()),
                small(time.hour()),
                small(time.minute()),
                small(time.second()),
                0,
            )
            .ok()
        })
        .unwrap_or(if date.year() < 0 {
            jiff::civil::DateTime::MIN
        } else {
            jiff::civil::DateTime::MAX
        })
}
