//! A calendar's events in the mirror and in Google, to compare.

use google_emulator::Resource;
use serde_json::Value;

use super::ledger::Mirror;
use super::world::World;

/// Google's events of a calendar, now or at a sync token.
pub fn truth(world: &World, calendar: &str, token: Option<&str>) -> Mirror {
    let version = |event: &Resource| (field(event, "id"), (field(event, "etag"), field(event, "status")));
    world
        .google
        .map_events(calendar, token, version)
        .into_iter()
        .collect()
}

/// Copies the etags of tombstones. An instance cancelled through us has none, and cancelling it again changes nothing.
pub fn know_tombstones(mirror: &mut Mirror, truth: &Mirror) {
    for (id, (etag, status)) in mirror {
        if let Some((known, theirs)) = truth.get(id)
            && status == "cancelled"
            && status == theirs
        {
            etag.clone_from(known);
        }
    }
}

/// A text of one of Google's events.
pub fn field(event: &Resource, key: &str) -> String {
    event
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
