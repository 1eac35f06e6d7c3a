//! The start and end that an edit results in.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, Utc};

use super::{EventPatch, Invalid, invalid};
use crate::fields::Fields;
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
    pub(super) fn when(&self, fields: &Fields, calendar_zone: Zone) -> Result<Option<Span>, Invalid> {
        let base = fields.when;
        let zones = [&self.time_zone, &self.end_time_zone];
        let times = [&self.start, &self.end];
        if self.all_day.is_none()
            && zones.iter().all(|zone| zone.is_none())
            && times.iter().all(|time| time.is_none())
        {
            return Ok(None);
        }
        let all_day = self
            .all_day_given()
            .unwrap_or_else(|| base.is_some_and(Span::is_all_day));
        let same_kind = base.filter(|base| base.is_all_day() == all_day);
        if all_day {
            return self.days(same_kind).map(Some);
        }
        let repeats = match &self.recurrence {
            Some(lines) => lines.as_ref().is_some_and(|lines| !lines.is_empty()),
            None => !fields.recurrence.is_empty(),
        };
        let read = |field, name: Option<&str>, given: &[&Option<String>]| {
            let needed = if repeats {
                Some("; a repeating event needs one")
            } else {
                let mut given = given.iter().filter_map(|time| time.as_deref()).peekable();
                let is_instant = given.peek().is_some() && given.all(has_offset);
                (!is_instant).then_some("")
            };
            read_zone(field, name, base, needed)
        };
        let zone = read("timeZone", self.time_zone.as_deref(), &times)?;
        let end_zone = read("endTimeZone", self.end_time_zone.as_deref(), &[&self.end])?;
        self.time(same_kind, zone, end_zone, calendar_zone).map(Some)
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
        // A start that stays in its zone does not determine the zone in which a flight lands.
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
/// None also for a name that we do not know where `needed` is none: a browser's zones may be newer than ours, and times with
/// offsets of an event that does not repeat are right in any zone.
fn read_zone(
    field: &'static str,
    given: Option<&str>,
    base: Option<Span>,
    needed: Option<&str>,
) -> Result<Option<Zone>, Invalid> {
    let Some(name) = given else { return Ok(None) };
    let own = match base {
        Some(Span::Time { zone, end_zone, .. }) => vec![zone, end_zone],
        Some(Span::Days { .. }) | None => vec![],
    };
    let zone = own
        .into_iter()
        .find(|zone| zone.name() == name)
        .or_else(|| Zone::named(name));
    match (zone, needed.or((!may_be_zone(name)).then_some(""))) {
        (None, Some(why)) => Err(invalid(field, format!("{}{why}", zones::UnknownZone))),
        (zone, _) => Ok(zone),
    }
}

/// Whether the name has the form of those in the tz database.
fn may_be_zone(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-/".contains(&byte);
    !name.is_empty() && name.bytes().all(is_part)
}

fn has_offset(time: &str) -> bool {
    DateTime::parse_from_rfc3339(time).is_ok()
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
