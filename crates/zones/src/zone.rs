//! A zone, however it was found.

use std::fmt;

use chrono::FixedOffset;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

/// A zone by its name. Zones are equal if their names are.
///
/// Google serves names of the tz database, fixed offsets (`GMT+02:00`, of events that were imported:
/// <https://github.com/home-assistant/core/issues/81917>) and now and then a name that we do not know, because Google's
/// database is newer. Each is kept and written back as it is.
#[derive(Clone, Copy)]
pub struct Zone(pub(crate) &'static Definition);

pub(crate) struct Definition {
    pub name: &'static str,
    pub rules: Rules,
    pub is_known: bool,
}

#[derive(Clone)]
pub(crate) enum Rules {
    Named(TimeZone),
    Fixed(FixedOffset),
}

pub(crate) const UTC_OFFSET: FixedOffset = match FixedOffset::east_opt(0) {
    Some(offset) => offset,
    None => panic!("zero is an offset"),
};

impl Zone {
    pub const UTC: Self = Self(&Definition {
        name: "UTC",
        rules: Rules::Fixed(UTC_OFFSET),
        is_known: true,
    });

    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// False: its clock is that of another zone.
    pub fn is_known(self) -> bool {
        self.0.is_known
    }
}

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

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
