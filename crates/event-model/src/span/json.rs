//! A span as JSON: in the form of an `Event`, and in Google's.

use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::Span;
use crate::zone::{Zone, rfc3339};

/// The keys of an [`Event`](crate::wire::Event) that determine when it takes place.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson {
    start: String,
    end: String,
    all_day: bool,
    time_zone: Option<Zone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_time_zone: Option<Zone>,
}

impl From<Span> for SpanJson {
    fn from(span: Span) -> Self {
        match span {
            Span::Days { start, end } => Self {
                start: start.to_string(),
                end: end.to_string(),
                all_day: true,
                time_zone: None,
                end_time_zone: None,
            },
            Span::Time {
                start,
                end,
                zone,
                end_zone,
            } => Self {
                start: rfc3339(start, zone),
                end: rfc3339(end, end_zone),
                all_day: false,
                time_zone: Some(zone),
                end_time_zone: Some(end_zone).filter(|other| *other != zone),
            },
        }
    }
}

impl SpanJson {
    fn into_span(self) -> Result<Span, String> {
        if self.all_day {
            let date = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
            return Ok(Span::Days {
                start: date(&self.start)?,
                end: date(&self.end)?,
            });
        }
        let time =
            |text: &str| DateTime::parse_from_rfc3339(text).map_err(|error| format!("{text}: {error}"));
        let (start, end) = (time(&self.start)?, time(&self.end)?);
        let zone = self.time_zone.unwrap_or(Zone::UTC);
        Ok(Span::Time {
            start: start.to_utc(),
            end: end.to_utc(),
            zone: with_offset_of(zone, start),
            end_zone: with_offset_of(self.end_time_zone.unwrap_or(zone), end),
        })
    }
}

/// The clock that an unknown zone followed is not written; its offset then is.
fn with_offset_of(zone: Zone, time: DateTime<FixedOffset>) -> Zone {
    Zone::named(&time.offset().to_string()).map_or(zone, |fixed| zone.following(fixed))
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SpanJson::from(*self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SpanJson::deserialize(deserializer)?
            .into_span()
            .map_err(D::Error::custom)
    }
}

impl Span {
    /// `start` and `end` of a patch for Google. The key of the other kind is cleared, or Google would keep both.
    pub fn google_patch(self) -> [(String, Value); 2] {
        let (start, end) = match self {
            Self::Days { start, end } => {
                let date = |date: NaiveDate| json!({"date": date, "dateTime": null, "timeZone": null});
                (date(start), date(end))
            }
            Self::Time {
                start,
                end,
                zone,
                end_zone,
            } => {
                let time = |time, zone: Zone| json!({"date": null, "dateTime": rfc3339(time, zone), "timeZone": zone.name()});
                (time(start, zone), time(end, end_zone))
            }
        };
        [("start".to_owned(), start), ("end".to_owned(), end)]
    }

    /// `start` and `end` of a new event for Google.
    pub fn google_insert(self) -> Map<String, Value> {
        self.google_patch()
            .into_iter()
            .map(|(key, mut time)| {
                if let Value::Object(time) = &mut time {
                    time.retain(|_, part| !part.is_null());
                }
                (key, time)
            })
            .collect()
    }
}
