//! `freebusy.query`: when calendars are busy, without the reason.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::error::{ApiError, Result};
use crate::event_view::{has_series, instances, overlaps};
use crate::state::{Calendar, State};
use crate::store::{Resource, is_cancelled, text};
use crate::time::span;

pub fn query(state: &State, email: &str, body: &Resource) -> Result<Value> {
    let (from, to) = (instant(body, "timeMin")?, instant(body, "timeMax")?);
    if from >= to {
        return Err(ApiError::time_range_empty());
    }
    let items = body
        .get("items")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut calendars = Map::new();
    for asked in items.iter().filter_map(|item| item.get("id")?.as_str()) {
        let answer = match state.visible(email, State::calendar_id(email, asked)) {
            Ok((calendar, _)) => {
                json!({ "busy": busy(state, calendar, (from, to)).into_iter().map(period).collect::<Vec<_>>() })
            }
            Err(_) => json!({ "errors": [{ "domain": "global", "reason": "notFound" }], "busy": [] }),
        };
        calendars.insert(asked.to_owned(), answer);
    }
    Ok(json!({
        "kind": "calendar#freeBusy",
        "timeMin": stamp(from),
        "timeMax": stamp(to),
        "calendars": calendars,
    }))
}

/// Periods in order, those that touch joined, cut to the window.
fn busy(
    state: &State,
    calendar: &Calendar,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let window = (Some(from), Some(to));
    let head = state.revision();
    let mut periods = BTreeMap::new();
    for (_, version) in calendar.events.snapshot(head) {
        let event = &version.body;
        let events = if event.contains_key("recurrence") {
            instances(calendar, event, head, window)
        } else if has_series(calendar, event, head) || !overlaps(event, window, calendar.zone) {
            continue;
        } else {
            vec![Resource::clone(event)]
        };
        for event in events.iter().filter(|event| is_busy(event)) {
            if let Some((start, end)) = span(event, calendar.zone) {
                let start = start.instant(calendar.zone).max(from);
                let end = end.instant(calendar.zone).min(to);
                let longest = periods.entry(start).or_insert(end);
                *longest = end.max(*longest);
            }
        }
    }
    let mut joined: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (start, end) in periods {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

fn is_busy(event: &Resource) -> bool {
    !is_cancelled(event) && text(event, "transparency") != Some("transparent")
}

fn period((start, end): (DateTime<Utc>, DateTime<Utc>)) -> Value {
    json!({ "start": stamp(start), "end": stamp(end) })
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn instant(body: &Resource, key: &str) -> Result<DateTime<Utc>> {
    let time = text(body, key).ok_or_else(|| ApiError::required(&format!("Missing {key} parameter.")))?;
    let time = DateTime::parse_from_rfc3339(time);
    Ok(time
        .map_err(|_| ApiError::bad_request("badRequest", "Bad Request"))?
        .to_utc())
}
