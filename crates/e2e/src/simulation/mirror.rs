//! A calendar's events in the mirror and in Google, to compare.

use anyhow::Result;
use google_emulator::Resource;
use serde_json::Value;
use uuid::Uuid;

use super::ledger::Mirror;
use super::world::World;

/// The events of a calendar in the mirror.
pub async fn mirror(world: &World, calendar: Uuid) -> Result<Mirror> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select e.event_id, e.etag, e.status from events e
         join sync_state s on s.resource_id = e.calendar_id and s.generation = e.generation
         where e.calendar_id = $1",
    )
    .bind(calendar)
    .fetch_all(&world.database.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, etag, status)| (id, (etag, status)))
        .collect())
}

/// Google's events of a calendar, now or at a sync token.
pub fn truth(world: &World, calendar: &str, token: Option<&str>) -> Mirror {
    let events = match token {
        Some(token) => world.google.events_at(calendar, token).unwrap_or_default(),
        None => world.google.events(calendar),
    };
    events
        .iter()
        .map(|event| (field(event, "id"), (field(event, "etag"), field(event, "status"))))
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
