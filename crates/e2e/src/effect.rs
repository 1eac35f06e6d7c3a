//! The effect of a write in Google, compared field by field. The times are compared as moments in named zones. Google sets
//! some fields by itself, and the ids of our requests are Calwire's own.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use google_emulator::Resource;
use serde_json::{Value, json};

/// The fields that Google sets with each write.
const OF_A_VERSION: [&str; 3] = ["etag", "updated", "sequence"];
/// The fields that Google sets once.
const OF_AN_EVENT: [&str; 7] = [
    "kind",
    "id",
    "htmlLink",
    "created",
    "creator",
    "organizer",
    "iCalUID",
];

/// The event without the fields that Google sets and the ids of our requests.
pub fn comparable(event: &Resource, is_new: bool) -> Resource {
    let mut event = event.clone();
    event.retain(|key, _| {
        let is_googles = OF_A_VERSION.contains(&key.as_str());
        !is_googles && (!is_new || !OF_AN_EVENT.contains(&key.as_str()))
    });
    for key in ["start", "end", "originalStartTime"] {
        if let Some(time) = event.get_mut(key)
            && let Some(at) = instant(time)
        {
            *time = json!({"at": at, "timeZone": time["timeZone"]});
        }
    }
    if let Some(Value::Object(properties)) = event.get_mut("extendedProperties") {
        if let Some(Value::Object(private)) = properties.get_mut("private") {
            private.shift_remove("calwireWrites");
        }
        properties.retain(|_, kind| kind.as_object().is_none_or(|kind| !kind.is_empty()));
        if properties.is_empty() {
            event.shift_remove("extendedProperties");
        }
    }
    event
}

/// The moment of a start or an end. None: a day.
pub fn instant(time: &Value) -> Option<DateTime<Utc>> {
    time["dateTime"].as_str()?.parse().ok()
}

/// The fields in which an effect is not as expected, each with both values.
pub fn differences(expected: &Resource, effect: &Resource) -> Vec<String> {
    let keys: BTreeSet<_> = expected.keys().chain(effect.keys()).collect();
    keys.into_iter()
        .filter(|key| expected.get(*key) != effect.get(*key))
        .map(|key| {
            let shown = |event: &Resource| event.get(key).map_or_else(String::new, shorten);
            format!("{key} is {}, expected {}", shown(effect), shown(expected))
        })
        .collect()
}

fn shorten(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}
