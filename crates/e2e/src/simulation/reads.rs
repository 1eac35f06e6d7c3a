//! The answers of reads: they agree with each other, and are as current as they say.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, Utc};
use google_emulator::Resource;
use serde_json::{Value, json};

use super::accounts::name;
use super::browser::{self, EventsById, by_id, text};
use super::equal::difference;
use super::ledger::{Mirror, holds};
use super::mirror::field;
use super::plan::User;
use super::records;
use super::world::World;
use crate::normal_form::HeldEvents;

/// A page that has come back shows what one shows that loads everything.
pub fn returned_is_fresh(world: &World, user: User, state: &Value) -> Result<()> {
    let page = &world.browsers[user.index()];
    if state["seq"] != page.seq || state["window"] != *page.window() {
        return Ok(());
    }
    let (shown, fresh) = (page.shown(), by_id(HeldEvents::of_state(state).iter()));
    holds!(
        shown == fresh,
        "held_is_completed",
        "{}: {}",
        name(user),
        difference(&shown, &fresh)
    );
    Ok(())
}

/// `getEvents` answers the events of the snapshot, with the same ids. Meetings that several calendars have are there once.
pub async fn events_are_snapshot(world: &World, user: User, state: &Value) -> Result<()> {
    let range = json!({"from": state["window"]["from"], "to": state["window"]["to"]});
    let answer = browser::query(&world.api, user, "calendar.google.getEvents", &range).await?;
    let snapshot = by_id(HeldEvents::of_state(state).iter());
    let mut answered = EventsById::new();
    for event in answer["events"].as_array().into_iter().flatten() {
        let mut event = event.clone();
        let copies = event.as_object_mut().and_then(|event| event.remove("copies"));
        for copy in copies.iter().filter_map(Value::as_array).flatten() {
            let key = (text(&copy["calendarId"]), text(&copy["id"]));
            if let Some(other) = snapshot.get(&key) {
                answered.insert(key, other.clone());
            }
        }
        answered.insert((text(&event["calendarId"]), text(&event["id"])), event);
    }
    holds!(
        answered == snapshot,
        "events_are_snapshot",
        "{}: {}",
        name(user),
        difference(&answered, &snapshot)
    );
    Ok(())
}

/// `asOf` of a calendar is not before the last pull that was committed, and the data has every change that Google made before it.
pub async fn freshness_is_honest(world: &World, user: User, state: &Value) -> Result<()> {
    let pulls: Vec<(String, DateTime<Utc>)> = sqlx::query_as(
        "select calendar_id::text, max(started_at) from sync_rounds
         where user_id = $1 and outcome in ('ok', 'no_change', 'listed') group by 1",
    )
    .bind(name(user))
    .fetch_all(&world.database.pool)
    .await?;
    let pulls: BTreeMap<_, _> = pulls.into_iter().collect();
    let mirrors = records::mirrors(world).await?;
    let resources = records::resources(world).await?;
    for freshness in state["calendars"].as_array().into_iter().flatten() {
        let id = text(&freshness["calendarId"]);
        let as_of = time(&freshness["asOf"]);
        let pulled = pulls.get(&id);
        holds!(
            pulled.is_none_or(|pulled| as_of.is_some_and(|as_of| as_of >= *pulled)),
            "freshness_is_honest",
            "{id} of {}: asOf is {as_of:?}, but a pull of {pulled:?} is committed",
            name(user)
        );
        let resource = resources.iter().find(|resource| resource.id.to_string() == id);
        if let Some((as_of, resource)) = as_of.zip(resource)
            && let Some(calendar) = &resource.calendar
        {
            let missing = missing_before(world, calendar, mirrors.get(&resource.id), as_of);
            holds!(
                missing.is_none(),
                "freshness_is_honest",
                "{calendar} of {}: asOf is {as_of}, without {missing:?}",
                name(user)
            );
        }
    }
    Ok(())
}

/// An event that Google changed before `as_of`, and that the mirror does not have so.
fn missing_before(
    world: &World,
    calendar: &str,
    mirror: Option<&Mirror>,
    as_of: DateTime<Utc>,
) -> Option<Resource> {
    let is_missing = |event: &Resource| {
        let known = mirror.and_then(|mirror| mirror.get(&field(event, "id")));
        let etag = field(event, "etag");
        let is_older = event.get("updated").and_then(time).is_some_and(|at| at < as_of);
        field(event, "status") != "cancelled" && is_older && known.is_none_or(|(known, _)| *known != etag)
    };
    world.google.events(calendar).into_iter().find(is_missing)
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}
