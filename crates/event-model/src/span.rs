//! When an event takes place, as one value.

mod json;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::calendar::CalendarContext;
use crate::resource::{EventResource, When};
use crate::zone::{self, Zone};

/// Dates, or instants in zones. As JSON: `start`, `end`, `allDay`, `timeZone` and `endTimeZone`, in the form of an
/// [`Event`](crate::wire::Event).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The end is exclusive, at least a day after the start.
    Days { start: NaiveDate, end: NaiveDate },
    Time {
        start: DateTime<Utc>,
        /// Not before the start.
        end: DateTime<Utc>,
        zone: Zone,
        /// Almost always the zone of the start; a flight lands in another.
        end_zone: Zone,
    },
}

/// The id of the series that Google split `master` off, or `master` itself. A change of "this and following events" on Google's
/// page ends a series and starts `<id>_R20261122T090000`, whose instances have ids of the first series:
/// <https://github.com/odoo/odoo/pull/287171>.
pub fn first_series(master: &str) -> &str {
    match master.rsplit_once("_R") {
        Some((first, start))
            if !first.is_empty()
                && start.len() >= 8
                && start
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'T' | b'Z')) =>
        {
            first
        }
        _ => master,
    }
}

/// The start of an instance by the rules of its series. It identifies the instance, wherever an exception has moved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Start {
    Day(NaiveDate),
    At(DateTime<Utc>),
}

impl Start {
    /// Google's id of the instance of `master` that starts here.
    pub fn instance_id(self, master: &str) -> String {
        let series = first_series(master);
        match self {
            Self::Day(date) => format!("{series}_{}", date.format("%Y%m%d")),
            Self::At(instant) => format!("{series}_{}", instant.format("%Y%m%dT%H%M%SZ")),
        }
    }

    /// The instant; for a day, its midnight in UTC.
    pub fn as_utc(self) -> DateTime<Utc> {
        match self {
            Self::Day(day) => day.and_time(NaiveTime::MIN).and_utc(),
            Self::At(at) => at,
        }
    }
}

impl From<When> for Start {
    fn from(when: When) -> Self {
        match when {
            When::AllDay(date) => Self::Day(date),
            When::Timed(timed) => Self::At(timed.instant),
        }
    }
}

impl Span {
    /// None: the event has no start. An end that is missing, before the start, or a date for a timed event (or the reverse)
    /// gives the event its shortest length: one day, or none.
    pub fn of(event: &EventResource, calendar: &CalendarContext) -> Option<Self> {
        match event.start? {
            When::AllDay(start) => {
                let end = event.end.and_then(|end| end.date()).unwrap_or(start);
                let shortest = start.checked_add_days(Days::new(1))?;
                Some(Self::Days {
                    start,
                    end: end.max(shortest),
                })
            }
            When::Timed(start) => {
                let end = event.end.and_then(|end| end.timed()).unwrap_or(start);
                // An unknown zone keeps its name and follows the calendar's clock.
                let known = |zone: Zone| zone.following(calendar.time_zone);
                let zone = start.zone.map_or(calendar.time_zone, known);
                Some(Self::Time {
                    start: start.instant,
                    end: end.instant.max(start.instant),
                    zone,
                    end_zone: end.zone.map_or(zone, known),
                })
            }
        }
    }

    /// As long, from another start: an instance of the series whose first instance this is. None: a day for a timed series
    /// or the reverse, or outside the years that chrono supports.
    pub fn at(self, start: Start) -> Option<Self> {
        let length = self.length();
        match (self, start) {
            (Self::Days { .. }, Start::Day(day)) => Some(Self::Days {
                start: day,
                end: day.checked_add_signed(length)?,
            }),
            (Self::Time { zone, end_zone, .. }, Start::At(at)) => Some(Self::Time {
                start: at,
                end: at.checked_add_signed(length)?,
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

    /// Exact, however the clocks change within it.
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Days { start, end } => end - start,
            Self::Time { start, end, .. } => end - start,
        }
    }

    /// The dates of whole days, the second exclusive.
    pub fn dates(self) -> Option<(NaiveDate, NaiveDate)> {
        match self {
            Self::Days { start, end } => Some((start, end)),
            Self::Time { .. } => None,
        }
    }

    /// Start and end as a browser receives them: dates, or RFC 3339 with the offset of each end's zone.
    pub fn texts(self) -> (String, String) {
        match self {
            Self::Days { start, end } => (start.to_string(), end.to_string()),
            Self::Time {
                start,
                end,
                zone,
                end_zone,
            } => (zone::rfc3339(start, zone), zone::rfc3339(end, end_zone)),
        }
    }

    pub fn is_all_day(self) -> bool {
        matches!(self, Self::Days { .. })
    }

    /// The zone of the start, in which rules are followed; none for dates.
    pub fn zone(self) -> Option<Zone> {
        match self {
            Self::Days { .. } => None,
            Self::Time { zone, .. } => Some(zone),
        }
    }

    /// The zones of both ends; none for dates.
    pub fn zones(self) -> Option<(Zone, Zone)> {
        match self {
            Self::Days { .. } => None,
            Self::Time { zone, end_zone, .. } => Some((zone, end_zone)),
        }
    }

    /// The wall-clock time of the start; midnight of the first day.
    pub fn local_start(self) -> NaiveDateTime {
        match self {
            Self::Days { start, .. } => start.and_time(NaiveTime::MIN),
            Self::Time { start, zone, .. } => zone::local(zone, start),
        }
    }

    /// How far its start has moved in wall-clock time.
    pub fn distance(self, to: Self) -> TimeDelta {
        to.local_start() - self.local_start()
    }

    /// This span after the change that made `from` into `to`: moved by as much in wall-clock time, and as long as `to`.
    /// None: outside the years that chrono supports.
    pub fn moved_like(self, from: Self, to: Self) -> Option<Self> {
        let local = self.local_start().checked_add_signed(from.distance(to))?;
        let start = match to {
            Self::Days { .. } => Start::Day(local.date()),
            Self::Time { zone, .. } => Start::At(zone::instant(zone, local)?),
        };
        to.at(start)
    }
}
