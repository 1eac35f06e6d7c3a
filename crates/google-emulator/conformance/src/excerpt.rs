//! Parts of answers as a person may send them: an account's own calendars and events are counted, never shown.

use serde_json::Value;

use crate::variables::ID_PREFIX;

/// A value in a few words. Of a list, only the ids of this run's objects; of an object, the names of its fields.
pub fn excerpt(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Array(items)) => list(items),
        Some(Value::Object(fields)) => match fields.get("error") {
            // Google's errors quote nothing but the request.
            Some(error) => format!("{{\"error\":{error}}}"),
            None => object(fields),
        },
        Some(scalar) => scalar.to_string(),
    }
}

fn list(items: &[Value]) -> String {
    let are_scalars = items.iter().all(|item| !item.is_object() && !item.is_array());
    if are_scalars {
        return Value::from(items).to_string();
    }
    let ids: Vec<_> = items.iter().filter_map(own_id).collect();
    format!("{} items, with ids of this run: {ids:?}", items.len())
}

/// The id, where it is one that a case chose, or of an instance of such a series.
fn own_id(item: &Value) -> Option<&str> {
    item["id"].as_str().filter(|id| id.starts_with(ID_PREFIX))
}

fn object(fields: &serde_json::Map<String, Value>) -> String {
    let mut fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| match (name.as_str(), value) {
            ("kind" | "status" | "eventType", scalar) => format!("{name}: {scalar}"),
            (_, Value::Array(items)) if items.iter().any(Value::is_object) => {
                format!("{name}: {}", list(items))
            }
            _ => name.clone(),
        })
        .collect();
    fields.sort_unstable();
    format!("an object with {}", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_excerpt_shows_only_objects_of_this_run() {
        let own = format!("{ID_PREFIX}1a");
        let items = json!([{"id": own, "summary": "Paged"}, {"id": "q1", "summary": "Therapy"}]);
        let shown = excerpt(Some(&items));
        assert_eq!(shown, format!("2 items, with ids of this run: [{own:?}]"));
        let page = json!({"kind": "calendar#events", "summary": "Jane", "items": items});
        assert_eq!(
            excerpt(Some(&page)),
            format!("an object with items: {shown}, kind: \"calendar#events\", summary")
        );
        for (value, shown) in [
            (json!(["RRULE:FREQ=DAILY"]), r#"["RRULE:FREQ=DAILY"]"#),
            (json!({"error": {"code": 400}}), r#"{"error":{"code":400}}"#),
            (json!("confirmed"), r#""confirmed""#),
        ] {
            assert_eq!(excerpt(Some(&value)), shown);
        }
    }
}
