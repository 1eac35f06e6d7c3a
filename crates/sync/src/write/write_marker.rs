//! The ids of the last requests that were written to an event, kept in the event itself, in private extended properties
//! that only this application reads. They show whether a request was applied.

use serde_json::{Map, Value};
use uuid::Uuid;

const PROPERTY: &str = "calwireWrites";

/// Requests that may write to one event at the same time and still be found. A property holds 1,024 characters, an id takes
/// 32.
const IDS_MAX: usize = 8;

/// Adds the request to those that `before` (the event as Google has it) carries, beside the body's other properties.
pub fn add(body: &mut Map<String, Value>, before: &Value, request: Uuid) {
    let mut ids = vec![request.simple().to_string()];
    ids.extend(carried(before).map(str::to_owned).take(IDS_MAX - 1));
    let mut properties = taken(body, "extendedProperties");
    let mut private = taken(&mut properties, "private");
    private.insert(PROPERTY.into(), ids.join(" ").into());
    properties.insert("private".into(), private.into());
    body.insert("extendedProperties".into(), properties.into());
}

fn taken(body: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match body.remove(key) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Whether the request has been written to the event.
pub fn contains(event: &Value, request: Uuid) -> bool {
    let id = request.simple().to_string();
    carried(event).any(|carried| carried == id)
}

fn carried(event: &Value) -> impl Iterator<Item = &str> {
    event["extendedProperties"]["private"][PROPERTY]
        .as_str()
        .unwrap_or_default()
        .split_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_carries_its_last_eight_requests() {
        let ids: Vec<Uuid> = (0..12).map(Uuid::from_u128).collect();
        let mut event = json!({"extendedProperties": {"private": {"other": "x"}}});
        for id in &ids {
            let mut body = Map::new();
            add(&mut body, &event, *id);
            event = body.into();
        }
        let carried: Vec<bool> = ids.iter().map(|id| contains(&event, *id)).collect();
        assert_eq!(carried, [[false; 4].as_slice(), &[true; 8]].concat());
        let text = event["extendedProperties"]["private"][PROPERTY].as_str();
        assert!(text.is_some_and(|text| text.len() <= 1_024));
        assert!(!contains(&json!({}), ids[0]));
    }
}
