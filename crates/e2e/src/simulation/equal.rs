//! Consistency at rest: Google, the mirror and the browsers have the same events, and every write has ended as reported.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::accounts::{email, name, user_id};
use super::browser::{self, EventsById, text};
use super::ledger::{holds, violated};
use super::mirror::{self, field};
use super::plan::User;
use super::world::World;
use super::{invitations, reads, records, results};
use crate::normal_form::HeldEvents;

pub async fn all_equal(world: &mut World) -> Result<()> {
    let mut states = Vec::new();
    for user in User::ALL {
        mirror_is_google(world, user).await?;
        states.push((user, browser_is_mirror(world, user).await?));
    }
    invitations::answers_travel(world, &states).await?;
    watched(world).await?;
    quota(world)?;
    results::all_ended(world).await?;
    status_is_honest(world).await
}

pub async fn mirror_is_google(world: &World, user: User) -> Result<()> {
    let mut mirrors = records::mirrors(world).await?;
    for resource in records::resources(world).await? {
        let Some(calendar) = &resource.calendar else {
            continue;
        };
        if resource.user != name(user) || !resource.is_active || resource.is_paused {
            continue;
        }
        let mut mirror = mirrors.remove(&resource.id).unwrap_or_default();
        let truth = mirror::truth(world, calendar, None);
        mirror::know_tombstones(&mut mirror, &truth);
        if mirror != truth {
            let of = |from: &BTreeMap<_, _>, without: &BTreeMap<String, (String, String)>| {
                let rest = from
                    .iter()
                    .filter(|(id, version)| without.get(*id) != Some(version));
                rest.map(|each| format!("{each:?}")).collect::<Vec<_>>().join(" ")
            };
            violated!(
                "mirror_is_google",
                "{calendar} of {}: the mirror alone has {}; Google alone has {}",
                name(user),
                of(&mirror, &truth),
                of(&truth, &mirror)
            );
        }
    }
    Ok(())
}

/// Returns the user's snapshot.
async fn browser_is_mirror(world: &mut World, user: User) -> Result<Value> {
    let published = world.broker.published(name(user));
    let browser = &mut world.browsers[user.index()];
    browser.recover();
    browser.receive(&world.api, &published, usize::MAX).await?;
    let state = browser::state(&world.api, user).await?;
    if *world.browsers[user.index()].window() != state["window"] {
        // On a new day a page loads everything again.
        let browser = &mut world.browsers[user.index()];
        browser.reload(&world.api).await?;
    }
    let fresh = browser::by_id(HeldEvents::of_state(&state).iter());
    let shown = world.browsers[user.index()].shown();
    holds!(
        shown == fresh,
        "browser_is_mirror",
        "{}: {}",
        name(user),
        difference(&shown, &fresh)
    );
    snapshot_is_google(world, user, &state).await?;
    reads::events_are_snapshot(world, user, &state).await?;
    reads::freshness_is_honest(world, user, &state).await?;
    Ok(state)
}

pub fn difference(shown: &EventsById, fresh: &EventsById) -> String {
    let differing = shown
        .keys()
        .chain(fresh.keys())
        .filter(|key| shown.get(*key) != fresh.get(*key));
    differing
        .take(3)
        .map(|key| format!("{key:?}: {}", fields(shown.get(key), fresh.get(key))))
        .collect::<Vec<_>>()
        .join("; ")
}

fn fields(shown: Option<&Value>, fresh: Option<&Value>) -> String {
    let (Some(Value::Object(shown)), Some(Value::Object(fresh))) = (shown, fresh) else {
        let title =
            |event: Option<&Value>| event.map(|event| format!("{} {}", event["title"], event["start"]));
        return format!("shown {:?}, not {:?}", title(shown), title(fresh));
    };
    let differing = fresh.iter().filter(|(key, value)| shown.get(*key) != Some(value));
    differing
        .map(|(key, value)| format!("{key} is {:?}, not {value}", shown.get(key)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Compares timed events well within the window, by id, title and start, with Google's own instances.
async fn snapshot_is_google(world: &World, user: User, state: &Value) -> Result<()> {
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let (Some(from), Some(to)) = (time(&state["window"]["from"]), time(&state["window"]["to"])) else {
        violated!("browser_is_google", "a snapshot without a window: {state}");
    };
    let within = |at: DateTime<Utc>| at > from + TimeDelta::days(2) && at < to - TimeDelta::days(2);
    let events = HeldEvents::of_state(state);
    let resources = records::resources(world).await?;
    let own = resources
        .iter()
        .filter(|resource| resource.user == name(user) && resource.is_active && !resource.is_paused);
    for resource in own {
        let Some(calendar) = &resource.calendar else {
            continue;
        };
        let id = resource.id.to_string();
        let shown: BTreeSet<_> = events
            .iter()
            .filter(|event| event["calendarId"] == id.as_str())
            .filter_map(|event| Some((text(&event["id"]), text(&event["title"]), time(&event["start"])?)))
            .filter(|(.., start)| within(*start))
            .collect();
        let mut expected = BTreeSet::new();
        for event in world
            .google
            .events(calendar)
            .iter()
            .filter(|event| !event.contains_key("recurringEventId"))
        {
            for instance in world.google.instances(calendar, &field(event, "id")) {
                let Some(start) = time(&instance["start"]["dateTime"]) else {
                    continue;
                };
                if within(start) {
                    let text = |key| field(&instance, key);
                    expected.insert((text("id"), text("summary"), start));
                }
            }
        }
        let differing: Vec<_> = shown.symmetric_difference(&expected).take(4).collect();
        holds!(
            differing.is_empty(),
            "browser_is_google",
            "{calendar} of {}: {differing:?}",
            name(user)
        );
    }
    Ok(())
}

/// Each resource that can be watched has one live channel, Google has it too, and Google has no other.
async fn watched(world: &World) -> Result<()> {
    let rows: Vec<(String, String, Vec<String>)> = sqlx::query_as(
        "select s.user_id, coalesce(c.google_id, ''),
                array(select w.channel_id from watches w where w.resource_id = s.resource_id and w.state = 'live')
         from sync_state s join connections n on n.id = s.connection_id left join calendars c on c.id = s.resource_id
         where n.disconnected_at is null and n.grant_ended_at is null and s.not_before < 'infinity'
           and (c.id is null or c.selected and c.push_supported and c.access_lost_at is null)",
    )
    .fetch_all(&world.database.pool)
    .await?;
    let at_google: BTreeSet<String> = world
        .google
        .channels()
        .iter()
        .map(|channel| text(&channel["id"]))
        .collect();
    let mut live = BTreeSet::new();
    for (user, calendar, channels) in rows {
        let [channel] = channels.as_slice() else {
            violated!("one_channel", "{calendar} of {user} has {channels:?}");
        };
        holds!(
            at_google.contains(channel),
            "one_channel",
            "{calendar} of {user}: Google does not have {channel}"
        );
        live.insert(channel.clone());
    }
    orphans(world, &at_google, &live).await
}

async fn orphans(world: &World, at_google: &BTreeSet<String>, live: &BTreeSet<String>) -> Result<()> {
    // Without a resource id a channel cannot be stopped; it ends by itself.
    let unstoppable: Vec<String> = sqlx::query_scalar(
        "select channel_id from watches where state = 'replaced' and google_resource_id is null",
    )
    .fetch_all(&world.database.pool)
    .await?;
    // Channels of an account whose grant Google has refused for good cannot be stopped either, even if that was a fault.
    let ended: Vec<String> =
        sqlx::query_scalar("select email from connections where grant_ended_at is not null")
            .fetch_all(&world.database.pool)
            .await?;
    for channel in world.google.channels() {
        let (id, email) = (text(&channel["id"]), text(&channel["user"]));
        let is_known = !at_google.contains(&id)
            || live.contains(&id)
            || unstoppable.contains(&id)
            || ended.contains(&email);
        if !is_known && !world.ledger.excused.contains(&id) {
            let row: Option<Value> =
                sqlx::query_scalar("select to_jsonb(w) from watches w where channel_id = $1")
                    .bind(&id)
                    .fetch_optional(&world.database.pool)
                    .await?;
            violated!(
                "no_orphans",
                "Google still pushes on {id}: {channel}; our row: {row:?}"
            );
        }
    }
    Ok(())
}

/// Google was not called more often than its quota allows.
fn quota(world: &World) -> Result<()> {
    let mut by_minute: BTreeMap<(Option<String>, i64), u32> = BTreeMap::new();
    for request in world.google.requests() {
        if !request.endpoint.starts_with("oauth.") {
            *by_minute
                .entry((request.user, request.at.timestamp() / 60))
                .or_default() += 1;
        }
    }
    let most = by_minute.iter().max_by_key(|(_, calls)| **calls);
    if let Some(((user, minute), calls)) = most {
        holds!(
            *calls <= 600,
            "within_quota",
            "{user:?} made {calls} calls in the minute {minute}"
        );
    }
    Ok(())
}

/// A connection whose grant Google has ended is reported so.
async fn status_is_honest(world: &World) -> Result<()> {
    for user in User::ALL {
        let mut conn = world.database.pool.acquire().await?;
        for connection in store::connections::of_user(&mut conn, &user_id(user)).await? {
            let lives = world
                .google
                .with(|state| state.grants.consented(email(user)).is_some());
            let ended = connection.grant_ended_at.is_some();
            holds!(
                lives || ended,
                "honest_status",
                "{}: Google has ended the grant, and the status does not show it",
                name(user)
            );
        }
    }
    Ok(())
}
