//! Reads a `VTIMEZONE`.

use chrono::{DateTime, TimeDelta, Utc};
use icalendar::parser::Component;
use serde_json::{Map, Value};
use zones::Zone;

use super::component::text_of;
use super::time::{self, Time};
use super::zone::{Defined, LocalClock, Rules, Zones, fixed, known};
use crate::recurrence::Series;

/// Adds a `VTIMEZONE`. One that says nothing readable is left out; an event that needs it names it.
pub fn define(zones: &mut Zones, component: &Component) {
    let Some(tzid) = text_of(component, "TZID") else {
        return;
    };
    let place = text_of(component, "X-LIC-LOCATION").and_then(known);
    let defined = place
        .map(Defined::Known)
        .or_else(|| rules(component).map(Defined::Rules));
    if let Some(defined) = defined {
        zones.define(tzid, defined);
    }
}

/// Whether instances that follow this start keep to the zone that it was given.
pub fn may_repeat(zones: &Zones, tzid: Option<&str>, start: Time) -> bool {
    match (tzid.map(|tzid| zones.find(tzid)), start) {
        (Some(Ok(LocalClock::Rules(rules))), Time::At(at)) => rules.zone_from(at.to_utc()).is_some(),
        _ => true,
    }
}

fn rules(zone: &Component) -> Option<Rules> {
    let parts = zone.components.iter().filter(|part| {
        let name = part.name.as_str();
        name.eq_ignore_ascii_case("STANDARD") || name.eq_ignore_ascii_case("DAYLIGHT")
    });
    let mut changes = Vec::new();
    for part in parts {
        let from = offset(text_of(part, "TZOFFSETFROM")?)?;
        let to = offset(text_of(part, "TZOFFSETTO")?)?;
        changes.extend(onsets(part, fixed(from))?.into_iter().map(|at| (at, from, to)));
    }
    Rules::of(changes)
}

/// The moments at which a `STANDARD` or `DAYLIGHT` begins; its times are those of the clock before.
fn onsets(part: &Component, before: Zone) -> Option<Vec<DateTime<Utc>>> {
    let Time::At(start) = Time::parse(text_of(part, "DTSTART")?.trim(), LocalClock::Zone(before))? else {
        return None;
    };
    let first = Time::At(start);
    let mut lines: Vec<Value> = Vec::new();
    for property in &part.properties {
        let line = match property.name.as_str().to_ascii_uppercase().as_str() {
            "RRULE" => time::rule("RRULE", property.val.as_str(), first),
            "RDATE" => time::dates(property, (first, TimeDelta::zero()), &Zones::default()),
            _ => continue,
        };
        // A rule that ended before it began never changes the clock.
        lines.extend(line.ok().map(Value::from));
    }
    let mut body = Map::new();
    body.insert("start".into(), first.body());
    body.insert("end".into(), first.body());
    body.insert("recurrence".into(), lines.into());
    let series = Series::of(&body, Zone::UTC).ok()?;
    let starts = series
        .map(|series| series.starts(None, None, Zone::UTC))
        .unwrap_or_default();
    let mut onsets = vec![start.to_utc()];
    onsets.extend(starts.iter().map(|start| start.instant(Zone::UTC)));
    Some(onsets)
}

/// Seconds east of `+0200` or `-053000`; of an offset only whole minutes count.
fn offset(text: &str) -> Option<i32> {
    let text = text.trim();
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let is_offset = matches!(digits.len(), 4 | 6) && digits.bytes().all(|digit| digit.is_ascii_digit());
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i32>().ok();
    let minutes = number(0..2)? * 60 + number(2..4)?;
    (is_offset && minutes < 24 * 60).then_some(sign * minutes * 60)
}
