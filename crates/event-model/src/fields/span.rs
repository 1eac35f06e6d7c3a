//! When an event is, as one value.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::expansion::{CalendarContext, Start, rfc3339, zone};
use crate::resource::{EventResource, When};

/// Dates, or instants in zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Told", try_from = "Told")]
pub enum Span {
    /// The end is exclusive, at least a day after the start.
    Days { start: NaiveDate, end: NaiveDate },
    Time {
        start: DateTime<Utc>,
        /// Not before the start.
        end: DateTime<Utc>,
        zone: Tz,
        /// Almost always the same; a flight lands in another.
        end_zone: Tz,
    },
}

/// As the Event tells it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    start: String,
    end: String,
    all_day: bool,
    time_zone: Option<Tz>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_time_zone: Option<Tz>,
}

impl From<Span> for Told {
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

impl TryFrom<Told> for Span {
    type Error = String;

    fn try_from(told: Told) -> Result<Self, String> {
        let span = if told.all_day {
            let date = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
            Self::Days {
                start: date(&told.start)?,
                end: date(&told.end)?,
            }
        } else {
            let time = |text: &str| {
                DateTime::parse_from_rfc3339(text)
                    .map(|time| time.to_utc())
                    .map_err(|error| format!("{text}: {error}"))
            };
            let zone = told.time_zone.unwrap_or(Tz::UTC);
            Self::Time {
                start: time(&told.start)?,
                end: time(&told.end)?,
                zone,
                end_zone: told.end_time_zone.unwrap_or(zone),
            }
        };
        Ok(span)
    }
}

impl Span {
    /// None where there is no start, or where start and end are of two kinds. A missing end makes an event as short as
    /// it can be.
    pub fn of(event: &EventResource, calendar: &CalendarContext) -> Option<Self> {
        match event.start? {
            When::AllDay(start) => {
                let end = event.end.map_or(Some(start), |end| end.date())?;
                let least = start.checked_add_days(Days::new(1))?;
                Some(Self::Days {
                    start,
                    end: end.max(least),
                })
            }
            When::Timed(start) => {
                let end = event.end.map_or(Some(start), |end| end.timed())?;
                let zone = start.zone.unwrap_or(calendar.time_zone);
                Some(Self::Time {
                    start: start.instant,
                    end: end.instant.max(start.instant),
                    zone,
                    end_zone: end.zone.unwrap_or(zone),
                })
            }
        }
    }

    /// The instance of a series whose first one this is: as long, at another start.
    pub fn at(self, begin: Start) -> Option<Self> {
        match (self, begin) {
            (Self::Days { start, end }, Start::Day(day)) => Some(Self::Days {
                start: day,
                end: day.checked_add_signed(end - start)?,
            }),
            (
                Self::Time {
                    start,
                    end,
                    zone,
                    end_zone,
                },
                Start::At(at),
            ) => Some(Self::Time {
                start: at,
                end: at.checked_add_signed(end - start)?,
                zone,
                end_zone,
            }),
            _ => None,
        }
    }

    pub fn start(self) -> Start {
        match self {
            Self::Days { start, .. } => Start::Day(start),
            Self::Time { start, .. } => Start::At(start),
        }
    }

    pub fn is_all_day(self) -> bool {
        matches!(self, Self::Days { .. })
    }

    pub fn zone(self) -> Option<Tz> {
        match self {
            Self::Days { .. } => None,
            Self::Time { zone, .. } => Some(zone),
        }
    }

    /// What clocks show at its start; midnight of its first day.
    pub fn local_start(self) -> NaiveDateTime {
        match self {
            Self::Days { start, .. } => start.and_time(NaiveTime::MIN),
            Self::Time { start, zone, .. } => zone::local(zone, start),
        }
    }

    /// This span, changed as `from` was changed into `to`: moved by as much in wall-clock time, and as long as `to`.
    /// None: beyond the years that can be told.
    pub fn moved_like(self, from: Self, to: Self) -> Option<Self> {
        let by = to.local_start() - from.local_start();
        let local = self.local_start().checked_add_signed(by)?;
        match to {
            Self::Days { start, end } => Some(Self::Days {
                start: local.date(),
                end: local.date().checked_add_signed(end - start)?,
            }),
            Self::Time {
                start,
                end,
                zone,
                end_zone,
            } => {
                let begin = zone::instant(zone, local)?;
                Some(Self::Time {
                    start: begin,
                    end: begin.checked_add_signed(end - start)?,
                    zone,
                    end_zone,
                })
            }
        }
    }

    /// How far its start was moved in wall-clock time.
    pub fn distance(self, to: Self) -> TimeDelta {
        to.local_start() - self.local_start()
    }

    /// `start` and `end` of a patch. The key of the other kind is cleared, or Google would keep both.
    pub fn google(self) -> [(String, Value); 2] {
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
                let time = |time, zone: Tz| json!({"date": null, "dateTime": rfc3339(time, zone), "timeZone": zone.name()});
                (time(start, zone), time(end, end_zone))
            }
        };
        [("start".to_owned(), start), ("end".to_owned(), end)]
    }

    /// `start` and `end` of a new event.
    pub fn google_new(self) -> Map<String, Value> {
        self.google()
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
