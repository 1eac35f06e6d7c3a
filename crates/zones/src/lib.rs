#![doc = include_str!("../README.md")]

mod clock;
mod database;
mod interned;
mod offset;

use std::fmt;
use std::str::FromStr;

use chrono::{FixedOffset, NaiveDateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use clock::ZoneOffset;
pub use database::{Data, Source, data};

/// A zone by its name. Zones are equal if their names are.
///
/// Google serves names of the tz database, fixed offsets (`GMT+02:00`, of events that were imported:
/// <https://github.com/home-assistant/core/issues/81917>) and now and then a name that we do not know, because Google's
/// database is newer. Each is kept and written back as it is.
#[derive(Clone, Copy)]
pub struct Zone(&'static Definition);

struct Definition {
    name: &'static str,
    rules: Rules,
    is_known: bool,
}

#[derive(Clone)]
enum Rules {
    Named(TimeZone),
    Fixed(FixedOffset),
}

/// The name is neither in the tz database nor a fixed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the IANA name of a time zone, such as Europe/Berlin")]
pub struct UnknownZone;

impl Zone {
    pub const UTC: Self = Self(&Definition {
        name: "UTC",
        rules: Rules::Fixed(UTC_OFFSET),
        is_known: true,
    });

    /// A zone of the tz database, or a fixed offset. None: unknown.
    pub fn named(name: &str) -> Option<Self> {
        interned::named(name)
    }

    /// As [`Self::named`]; an unknown name is kept and has the clock of UTC until it is [`following`](Self::following)
    /// another zone. None: empty, longer than 100 bytes, or one of more than 10,000 unknown names in this process.
    pub fn of_name(name: &str) -> Option<Self> {
        interned::named(name).or_else(|| interned::unknown(name))
    }

    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// False: its clock is that of another zone.
    pub fn is_known(self) -> bool {
        self.0.is_known
    }

    /// An unknown zone with the clock of `other`; a known one as it is.
    pub fn following(self, other: Self) -> Self {
        if self.is_known() {
            self
        } else {
            interned::following(self, other)
        }
    }

    /// The offset before the gap that contains this wall-clock time. None: the time exists.
    pub fn offset_before_gap(self, local: NaiveDateTime) -> Option<FixedOffset> {
        let Rules::Named(rules) = &self.0.rules else {
            return None;
        };
        match rules.to_ambiguous_timestamp(clock::civil(local)).offset() {
            AmbiguousOffset::Gap { before, .. } => Some(clock::fixed(before)),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => None,
        }
    }
}

const UTC_OFFSET: FixedOffset = match FixedOffset::east_opt(0) {
    Some(offset) => offset,
    None => panic!("zero is an offset"),
};

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    /// Known zones only.
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        Self::named(name).ok_or(UnknownZone)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    /// An unknown name is kept.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::of_name(&name).ok_or_else(|| serde::de::Error::custom(UnknownZone))
    }
}

#[cfg(test)]
mod tests;
