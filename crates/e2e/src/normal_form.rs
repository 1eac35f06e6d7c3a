//! Messages and snapshots, read by their description in docs/api.md: an event with its instances becomes flat events, as
//! procedures answer.
//!
//! Written without the code under test, against which it is an oracle.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// The events that a page holds, by calendar and series. Each is flat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldEvents {
    series: BTreeMap<(String, String), Vec<Value>>,
}

impl HeldEvents {
    /// Those of an answer of `realtime.getState` with a snapshot.
    pub fn of_state(state: &Value) -> Self {
        let mut held = Self::default();
        let calendars = state["snapshot"]["series"].as_object();
        for (calendar, all) in calendars.into_iter().flatten() {
            for series in list(all) {
                held.replace(calendar, series);
            }
        }
        held
    }

    /// Applies the changes of an `events.changed`.
    pub fn apply(&mut self, message: &Value) {
        let calendar = text(&message["calendarId"]);
        for series in list(&message["upserted"]) {
            self.replace(&calendar, series);
        }
        for series in list(&message["deleted"]) {
            self.series.remove(&(calendar.clone(), text(series)));
        }
    }

    fn replace(&mut self, calendar: &str, series: &Value) {
        let key = (calendar.to_owned(), text(&series["seriesId"]));
        let events = events(calendar, series);
        if events.is_empty() {
            self.series.remove(&key);
        } else {
            self.series.insert(key, events);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.series.values().flatten()
    }
}

/// The flat events that a message adds or changes.
pub fn upserted(message: &Value) -> Vec<Value> {
    let calendar = text(&message["calendarId"]);
    let series = list(&message["upserted"]);
    series.flat_map(|series| events(&calendar, series)).collect()
}

/// The flat events of a series, in order of their start texts' instants within each event.
pub fn events(calendar: &str, series: &Value) -> Vec<Value> {
    list(&series["events"])
        .flat_map(|event| flat(calendar, event))
        .collect()
}

/// The instances of one event.
fn flat<'a>(calendar: &'a str, event: &'a Value) -> impl Iterator<Item = Value> + 'a {
    let mut view = defaults();
    view.extend(event.as_object().cloned().unwrap_or_default());
    view.remove("instances");
    complete(&mut view);
    list(&event["instances"]).map(move |instance| {
        let mut event = view.clone();
        event.insert("id".to_owned(), id(&event, &instance[0]).into());
        event.insert("calendarId".to_owned(), calendar.into());
        event.insert("start".to_owned(), instance[0].clone());
        event.insert("end".to_owned(), instance[1].clone());
        event.into()
    })
}

/// Adds the fields that people and reminders may leave out.
fn complete(view: &mut Map<String, Value>) {
    let person = json!({"email": null, "displayName": null, "self": false});
    let guest = json!({
        "email": null, "displayName": null, "self": false, "optional": false, "responseStatus": "needsAction",
    });
    let reminders = json!({"useDefault": false, "overrides": []});
    let guests = view.get_mut("attendees").and_then(Value::as_array_mut);
    guests.into_iter().flatten().for_each(|shown| fill(shown, &guest));
    for (name, defaults) in [("organizer", &person), ("reminders", &reminders)] {
        if let Some(shown) = view.get_mut(name) {
            fill(shown, defaults);
        }
    }
}

fn fill(shown: &mut Value, defaults: &Value) {
    let (Some(shown), Some(defaults)) = (shown.as_object_mut(), defaults.as_object()) else {
        return;
    };
    for (name, value) in defaults {
        shown.entry(name.as_str()).or_insert_with(|| value.clone());
    }
}

/// The fields that an event may leave out, with the values that they then have.
fn defaults() -> Map<String, Value> {
    let defaults = json!({
        "recurringEventId": null, "title": "", "allDay": false, "timeZone": null, "description": null, "location": null,
        "htmlLink": null, "status": "confirmed", "eventType": "default", "transparency": "opaque",
        "visibility": "default", "colorId": null, "attendees": [], "organizer": null, "conferenceUrl": null,
        "recurrence": [], "reminders": null, "canEdit": [], "canDelete": false, "etag": "", "iCalUID": null, "copyRank": 0,
    });
    match defaults {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Google's id of an instance: of a master's, the first series' id and the start in UTC.
fn id(event: &Map<String, Value>, start: &Value) -> String {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let (event_id, series) = (text("eventId"), text("recurringEventId"));
    if event_id != series {
        return event_id.to_owned();
    }
    let start = start.as_str().unwrap_or_default();
    let original = match start.parse::<DateTime<Utc>>() {
        Ok(instant) => instant.format("%Y%m%dT%H%M%SZ").to_string(),
        // A date.
        Err(_) => start.replace('-', ""),
    };
    format!("{}_{original}", first(event_id))
}

/// The id of the series from which Google split this one off, as `<id>_R20261122T090000`, or its own.
fn first(id: &str) -> &str {
    let split = id.rfind("_R").filter(|&at| at > 0);
    let is_time =
        |end: &str| end.len() >= 8 && end.chars().all(|c| c.is_ascii_digit() || c == 'T' || c == 'Z');
    match split {
        Some(at) if is_time(&id[at + 2..]) => &id[..at],
        _ => id,
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_of_a_master_have_derived_ids() {
        let series = json!({"seriesId": "a_R20261122T090000", "events": [
            {"eventId": "a_R20261122T090000", "recurringEventId": "a_R20261122T090000", "title": "Standup", "etag": "1",
             "instances": [["2026-12-07T09:15:00+01:00", "2026-12-07T09:30:00+01:00"]]},
            {"eventId": "a_20261208T081500Z", "recurringEventId": "a_R20261122T090000", "title": "Later", "etag": "2",
             "instances": [["2026-12-08T10:00:00+01:00", "2026-12-08T10:15:00+01:00"]]},
        ]});
        let events = events("c", &series);
        let ids: Vec<_> = events.iter().map(|event| event["id"].as_str()).collect();
        assert_eq!(ids, [Some("a_20261207T081500Z"), Some("a_20261208T081500Z")]);
        assert_eq!(
            (
                &events[0]["title"],
                &events[0]["status"],
                &events[0]["calendarId"]
            ),
            (&json!("Standup"), &json!("confirmed"), &json!("c"))
        );
        assert!(events[0].get("instances").is_none());
    }

    #[test]
    fn days_of_a_master_and_single_events() {
        let series = json!({"seriesId": "a", "events": [
            {"eventId": "a_Rx", "recurringEventId": "a_Rx", "allDay": true, "instances": [["2026-12-07", "2026-12-08"]]},
            {"eventId": "b", "allDay": true, "instances": [["2026-12-07", "2026-12-08"]]},
        ]});
        let events = events("c", &series);
        assert_eq!(events[0]["id"], "a_Rx_20261207");
        assert_eq!(
            (&events[1]["id"], &events[1]["recurringEventId"]),
            (&json!("b"), &Value::Null)
        );
    }

    #[test]
    fn a_series_replaces_what_is_held() {
        let single = |title: &str| {
            json!({"seriesId": "a", "events": [
                {"eventId": "a", "title": title, "instances": [["2026-12-07T09:15:00Z", "2026-12-07T09:30:00Z"]]}]})
        };
        let mut held = HeldEvents::of_state(&json!({"snapshot": {"series": {"c": [single("Before")]}}}));
        held.apply(&json!({"calendarId": "c", "upserted": [single("After")], "deleted": []}));
        let titles: Vec<_> = held.iter().map(|event| event["title"].as_str()).collect();
        assert_eq!(titles, [Some("After")]);
        let empty = json!({"seriesId": "a", "events": []});
        held.apply(&json!({"calendarId": "c", "upserted": [empty], "deleted": []}));
        assert_eq!(held.iter().count(), 0);
    }
}
