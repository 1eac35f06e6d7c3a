//! The start and end that an edit results in.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, Utc};

use super::{EventPatch, Invalid, invalid};
use crate::span::Span;
use crate::zone::{self, Zone};

impl EventPatch {
    /// Whether the event is to be all-day. None: as it is.
    pub fn all_day_given(&self) -> Option<bool> {
        let is_date = |text: &String| text.parse::<NaiveDate>().is_ok();
        self.all_day
            .or_else(|| self.start.as_ref().or(self.end.as_ref()).map(is_date))
    }

    /// None: the edit leaves start and end as they are.
    pub(super) fn when(&self, base: Option<Span>, calendar_zone: Zone) -> Result<Option<Span>, Invalid> {
        let zones = [&self.time_zone, &self.end_time_zone];
        let times = [&self.start, &self.end];
        if self.all_day.is_none()
            && zones.iter().all(|zone| zone.is_none())
            && times.iter().all(|time| time.is_none())
        {
            return Ok(None);
        }
        let zone = read_zone("timeZone", self.time_zone.as_deref(), base)?;
        let end_zone = read_zone("endTimeZone", self.end_time_zone.as_deref(), base)?;
        let all_day = self
            .all_day_given()
            .unwrap_or_else(|| base.is_some_and(Span::is_all_day));
        let base = base.filter(|base| base.is_all_day() == all_day);
        if all_day {
            self.days(base).map(Some)
        } else {
            self.time(base, zone, end_zone, calendar_zone).map(Some)
        }
    }

    fn days(&self, base: Option<Span>) -> Result<Span, Invalid> {
        let date = |field, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => text
                .parse::<NaiveDate>()
                .map(Some)
                .map_err(|_| invalid(field, "expected a date, such as 2026-11-22")),
        };
        let before = match base {
            Some(Span::Days { start, end }) => Some((start, end)),
            _ => None,
        };
        let start = date("start", &self.start)?
            .or(before.map(|(start, _)| start))
            .ok_or_else(|| invalid("start", "expected the first day"))?;
        let end = match (date("end", &self.end)?, before) {
            (Some(end), _) => end,
            (None, Some((from, to))) => start
                .checked_add_signed(to - from)
                .ok_or_else(|| invalid("start", "expected a year up to 9999"))?,
            (None, None) => return Err(invalid("end", "expected the day after the last")),
        };
        let least = start.checked_add_days(Days::new(1));
        if least.is_none_or(|least| end < least) {
            return Err(invalid(
                "end",
                "expected a day after `start`; the end of an all-day event is exclusive",
            ));
        }
        Ok(Span::Days { start, end })
    }

    fn time(
        &self,
        base: Option<Span>,
        zone: Option<Zone>,
        end_zone: Option<Zone>,
        calendar_zone: Zone,
    ) -> Result<Span, Invalid> {
        let before = match base {
            Some(Span::Time {
                start,
                end,
                zone,
                end_zone,
            }) => Some((start, end, zone, end_zone)),
            _ => None,
        };
        let zone = zone
            .or(before.map(|(_, _, zone, _)| zone))
            .unwrap_or(calendar_zone);
        // A start that stays in its zone says nothing about the zone in which a flight lands.
        let end_zone = end_zone
            .or(before.and_then(|(_, _, start, end)| (start == zone).then_some(end)))
            .unwrap_or(zone);
        let start = read_time("start", self.start.as_deref(), zone)?
            .or(before.map(|(start, ..)| start))
            .ok_or_else(|| invalid("start", "expected a time"))?;
        let end = match (read_time("end", self.end.as_deref(), end_zone)?, before) {
            (Some(end), _) => end,
            (None, Some((from, to, ..))) => start
                .checked_add_signed(to - from)
                .ok_or_else(|| invalid("start", "expected a year up to 9999"))?,
            (None, None) => return Err(invalid("end", "expected a time")),
        };
        if end < start {
            return Err(invalid("end", "expected a time not before `start`"));
        }
        Ok(Span::Time {
            start,
            end,
            zone,
            end_zone,
        })
    }
}

/// A zone that we know, or one of the event's, which a client may send back and which then follows the same clock as before.
fn read_zone(field: &'static str, given: Option<&str>, base: Option<Span>) -> Result<Option<Zone>, Invalid> {
    let Some(name) = given else { return Ok(None) };
    let own = match base {
        Some(Span::Time { zone, end_zone, .. }) => vec![zone, end_zone],
        Some(Span::Days { .. }) | None => vec![],
    };
    own.into_iter()
        .find(|zone| zone.name() == name)
        .or_else(|| Zone::named(name))
        .map(Some)
        .ok_or_else(|| invalid(field, zones::UnknownZone.to_string()))
}

/// RFC 3339, or wall-clock time in the zone.
fn read_time(field: &'static str, given: Option<&str>, zone: Zone) -> Result<Option<DateTime<Utc>>, Invalid> {
    let Some(given) = given else { return Ok(None) };
    if let Ok(time) = DateTime::parse_from_rfc3339(given) {
        return Ok(Some(time.to_utc()));
    }
    let local: Option<NaiveDateTime> = given.parse().ok();
    local
        .and_then(|local| zone::instant(zone, local))
        .map(Some)
        .ok_or_else(|| invalid(field, "expected a time, such as 2026-11-22T10:00:00+01:00"))
}
