#![doc = include_str!("../README.md")]

mod clock;
mod database;
mod interned;
mod offset;
mod zone;

use std::str::FromStr;

use serde::{Deserialize, Deserializer};

pub use clock::ZoneOffset;
pub use database::{Data, Source, Unused, data};
pub use zone::Zone;

/// The name is neither in the tz database nor a fixed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the IANA name of a time zone, such as Europe/Berlin")]
pub struct UnknownZone;

impl Zone {
    /// A zone of the tz database, or a fixed offset. None: unknown.
    pub fn named(name: &str) -> Option<Self> {
        interned::named(name)
    }

    /// As [`Self::named`]; an unknown name is kept and has the clock of UTC until it is [`following`](Self::following)
    /// another zone. None: empty, longer than 100 bytes, or one of more than 10,000 unknown names in this process.
    pub fn of_name(name: &str) -> Option<Self> {
        interned::named(name).or_else(|| interned::unknown(name))
    }

    /// An unknown zone with the clock of `other`; a known one as it is.
    pub fn following(self, other: Self) -> Self {
        if self.is_known() {
            self
        } else {
            interned::following(self, other)
        }
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    /// Known zones only.
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        Self::named(name).ok_or(UnknownZone)
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
