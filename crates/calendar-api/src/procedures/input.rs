//! Input types that are valid once they are parsed.

use std::fmt;

use common::ids::CalendarId;
use event_model::zone::Zone;
use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use ts_rs::TS;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Bounded<MIN, MAX> {
    pub const fn new(number: u32) -> Self {
        assert!(MIN <= number && number <= MAX, "out of bounds");
        Self(number)
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number<const MIN: u32, const MAX: u32>;

        impl<const MIN: u32, const MAX: u32> Visitor<'_> for Number<MIN, MAX> {
            type Value = Bounded<MIN, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
                match u32::try_from(number) {
                    Ok(small) if (MIN..=MAX).contains(&small) => Ok(Bounded(small)),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }
        }
        deserializer.deserialize_u64(Number::<MIN, MAX>)
    }
}

/// More calendars than a person has, and few enough for one SQL statement.
const CALENDARS_MAX: usize = 100;

/// Calendars by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarIds(Vec<CalendarId>);

impl CalendarIds {
    pub fn as_slice(&self) -> &[CalendarId] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for CalendarIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut ids = Vec::<CalendarId>::deserialize(deserializer)?;
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > CALENDARS_MAX {
            return Err(D::Error::custom(format!(
                "expected at most {CALENDARS_MAX} calendars"
            )));
        }
        Ok(Self(ids))
    }
}

/// A client's name for one request of its user: visible ASCII, such as a UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

const KEY_MAX_LEN: usize = 200;

impl IdempotencyKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for IdempotencyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
        if key.is_empty() || key.len() > KEY_MAX_LEN || !is_plain {
            return Err(D::Error::custom(format!(
                "expected 1 to {KEY_MAX_LEN} visible ASCII characters, such as a UUID"
            )));
        }
        Ok(Self(key))
    }
}

/// An id or an etag of an Event that the client has received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoogleText(String);

/// Google's ids have at most 1,024 characters, and an instance's a little more.
const GOOGLE_TEXT_MAX_LEN: usize = 1_200;

impl GoogleText {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl<'de> Deserialize<'de> for GoogleText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.len() > GOOGLE_TEXT_MAX_LEN || text.chars().any(char::is_control) {
            return Err(D::Error::custom("expected an unchanged id or etag of an Event"));
        }
        Ok(Self(text))
    }
}

/// A type of event, as Google names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, TS, strum::IntoStaticStr)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum EventType {
    Default,
    Birthday,
    FocusTime,
    FromGmail,
    OutOfOffice,
    WorkingLocation,
}

/// A time zone by its IANA name. None: not given, or unknown here. A browser may know newer zones, or none (`Etc/Unknown`).
pub fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Zone>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(name.and_then(|name| Zone::named(&name)))
}

/// The input of procedures without one.
#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
