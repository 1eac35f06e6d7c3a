//! Resources with their history.
//!
//! Every write gets the next revision of the whole emulator and every version is kept. A list is therefore a snapshot
//! at the revision of its first page, however long its paging takes, and "what must a client have that holds this sync
//! token" has an exact answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

pub type Resource = Map<String, Value>;
pub type Revision = u64;

/// One state of a resource. Deleted ones have `"status":"cancelled"` (events) or `"deleted":true` (calendar list).
#[derive(Debug, Clone)]
pub struct Version {
    pub revision: Revision,
    pub body: Arc<Resource>,
}

/// A resource's versions, oldest first, never empty.
#[derive(Debug, Clone)]
struct Row(Vec<Version>);

/// The resources of one list, by id.
#[derive(Debug, Clone, Default)]
pub struct Collection {
    rows: BTreeMap<String, Row>,
    /// Sync tokens older than this answer 410.
    pub floor: Revision,
}

impl Collection {
    pub fn head(&self, id: &str) -> Option<&Version> {
        self.rows.get(id)?.0.last()
    }

    /// The version that was current at a revision.
    pub fn at(&self, id: &str, revision: Revision) -> Option<&Version> {
        self.rows.get(id)?.at(revision)
    }

    /// All resources as they were at a revision, by id.
    pub fn snapshot(&self, revision: Revision) -> impl Iterator<Item = (&str, &Version)> {
        self.rows
            .iter()
            .filter_map(move |(id, row)| Some((id.as_str(), row.at(revision)?)))
    }

    /// Those whose id starts so, as they are now.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Version)> {
        self.rows
            .range(prefix.to_owned()..)
            .take_while(move |(id, _)| id.starts_with(prefix))
            .filter_map(|(id, row)| Some((id.as_str(), row.0.last()?)))
    }

    pub fn put(&mut self, id: &str, revision: Revision, body: Resource) {
        let version = Version {
            revision,
            body: Arc::new(body),
        };
        match self.rows.get_mut(id) {
            Some(row) => row.0.push(version),
            None => {
                self.rows.insert(id.to_owned(), Row(vec![version]));
            }
        }
    }
}

impl Row {
    fn at(&self, revision: Revision) -> Option<&Version> {
        let after = self.0.partition_point(|version| version.revision <= revision);
        self.0.get(after.checked_sub(1)?)
    }
}

/// A string field.
pub fn text<'a>(resource: &'a Resource, key: &str) -> Option<&'a str> {
    resource.get(key)?.as_str()
}

pub fn is_cancelled(event: &Resource) -> bool {
    text(event, "status") == Some("cancelled")
}

/// JSON merge patch (RFC 7396), as PATCH works: objects merge, arrays replace, `null` removes.
pub fn merge(target: &mut Resource, patch: &Resource) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.shift_remove(key);
            }
            Value::Object(patch) => {
                let mut inner = match target.get_mut(key) {
                    Some(Value::Object(inner)) => std::mem::take(inner),
                    _ => Resource::new(),
                };
                merge(&mut inner, patch);
                target.insert(key.clone(), Value::Object(inner));
            }
            _ => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Resource {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_snapshot_shows_what_was_current_then() {
        let mut events = Collection::default();
        events.put("a", 1, object(json!({"n": 1})));
        events.put("a", 5, object(json!({"n": 5})));
        events.put("b", 3, object(json!({"n": 3})));
        let seen = |revision| {
            events
                .snapshot(revision)
                .map(|(id, version)| (id.to_owned(), version.revision))
                .collect::<Vec<_>>()
        };
        assert_eq!(seen(0), []);
        assert_eq!(seen(4), [("a".into(), 1), ("b".into(), 3)]);
        assert_eq!(seen(9), [("a".into(), 5), ("b".into(), 3)]);
    }

    #[test]
    fn a_patch_merges_objects_replaces_arrays_and_removes_nulls() {
        let mut event = object(
            json!({"start": {"dateTime": "x", "timeZone": "y"}, "attendees": [1, 2], "location": "z"}),
        );
        merge(
            &mut event,
            &object(json!({"start": {"dateTime": null, "date": "d"}, "attendees": [3], "location": null})),
        );
        assert_eq!(
            Value::from(event),
            json!({"start": {"timeZone": "y", "date": "d"}, "attendees": [3]})
        );
    }
}
