//! Everything that is wrong ends, time passes, and then all has to be one: Google, the mirror, and the browsers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use common::worker::Pass;
use serde_json::Value;

use super::act::{self, settle};
use super::browser::{self, Shown, text};
use super::check;
use super::host::Done;
use super::ledger::{holds, violated};
use super::plan::{Job, User};
use super::world::{Purpose, World, email, name, user_id};
use super::writing;

/// How long is waited from round to round, in seconds: longer than every lease, pause and wait of ours in the end.
const ROUNDS: [i64; 14] = [
    1_500, 30, 61, 61, 120, 301, 301, 700, 1_300, 4_000, 4_000, 8_000, 23_000, 4_000,
];
/// More passes of one job than there can be work for.
const PASSES_MAX: u32 = 200;
/// A busy machine may keep a lock that nobody needs any more for a moment; one that is held for good outlives these.
const LOCKED_MAX: u32 = 20;
const LOCKED_FOR: Duration = Duration::from_millis(100);

pub async fn rest(world: &mut World) -> Result<()> {
    world.google.clear_faults();
    world.broker.end_troubles();
    release_all(world).await?;
    let mut waits = Vec::new();
    for seconds in ROUNDS {
        world.pass(TimeDelta::seconds(seconds)).await?;
        drain(world).await?;
        check::after_each(world).await?;
        waits = waiting(world).await?;
        if waits.is_empty() {
            break;
        }
    }
    holds!(waits.is_empty(), "comes_to_rest", "{}", waits.join("; "));
    equal(world).await?;
    reconnect(world).await
}

/// What waits at a point goes on, the one that blocks before the one that is blocked.
async fn release_all(world: &mut World) -> Result<()> {
    for _ in 0..50 {
        if world.hosts.iter().all(|host| host.held() == 0) {
            return Ok(());
        }
        for host in 0..world.hosts.len() {
            act::go_on_at(world, host, 0).await?;
        }
    }
    violated!("comes_to_rest", "work that was held up does not end")
}

/// Everybody works until there is nothing to do.
async fn drain(world: &mut World) -> Result<()> {
    work_off(world, Job::Poll).await?;
    for _ in 0..PASSES_MAX {
        let mut worked = false;
        world.collect_pushes();
        for push in std::mem::take(&mut world.underway) {
            act::deliver(world, 0, push, None).await?;
        }
        for job in [
            Job::Watch,
            Job::StopWatches,
            Job::Writes,
            Job::Pull,
            Job::Horizon,
            Job::Leave,
            Job::Relay,
        ] {
            worked |= work_off(world, job).await?;
        }
        world.collect_pushes();
        if !worked && world.underway.is_empty() {
            return work_off(world, Job::Tidy).await.map(drop);
        }
    }
    violated!("comes_to_rest", "there is always more to do")
}

async fn work_off(world: &mut World, job: Job) -> Result<bool> {
    let mut locked = 0;
    for pass in 0..PASSES_MAX {
        let work = world.hosts[0].job(job);
        let ran = world.hosts[0].run(work, None, Purpose::Job).await?;
        let done = settle(world, 0, ran, Purpose::Job).await?;
        match done {
            Some(Done::Pass(Ok(Pass::Worked))) => {}
            Some(Done::Pass(Err(error))) if error.contains("lock timeout") && locked < LOCKED_MAX => {
                locked += 1;
                tokio::time::sleep(LOCKED_FOR).await;
            }
            Some(Done::Pass(Err(error))) => {
                violated!("comes_to_rest", "{job:?} fails without a fault: {error}")
            }
            _ => return Ok(pass > 0),
        }
    }
    violated!("comes_to_rest", "{job:?} always finds work")
}

/// What still waits for something.
pub async fn waiting(world: &World) -> Result<Vec<String>> {
    let mut waits = Vec::new();
    for resource in check::resources(world).await? {
        if resource.is_leased {
            waits.push(format!("{:?} of {} is leased", resource.calendar, resource.user));
        }
        if resource.is_active && !resource.is_paused && resource.is_due() {
            waits.push(format!("{:?} of {} is due", resource.calendar, resource.user));
        }
    }
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "select 'outbox', count(*) from outbox
         union all select 'open writes', count(*) from write_intents where state in ('pending', 'sent')
         union all select 'channels being made', count(*) from watches where state = 'pending'
         union all select 'channels to stop', count(*) from watches w join connections n on n.id = w.connection_id
             where w.state = 'replaced' and w.google_resource_id is not null
         union all select 'suspect grants', count(*) from connections where grant_suspect_at is not null and grant_ended_at is null
         union all select 'leaving', count(*) from connections where disconnected_at is not null
         union all select 'horizons', count(*) from sync_state s join calendars c on c.id = s.resource_id
             where s.generation > 0 and s.horizon_until is null",
    )
    .fetch_all(&world.database.pool)
    .await?;
    waits.extend(
        counts
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{what}: {count}")),
    );
    let lost = lost_without_cause(world).await?;
    waits.extend(lost.into_iter().map(|(email, calendar)| {
        format!("{calendar} of {email}: its access counts as lost, and Google gives it")
    }));
    Ok(waits)
}

/// The calendars that we take for lost, and Google shows to their account.
async fn lost_without_cause(world: &World) -> Result<Vec<(String, String)>> {
    let lost: Vec<(String, String)> = sqlx::query_as(
        "select n.email, c.google_id from calendars c
         join connections n on n.id = c.connection_id join sync_state s on s.resource_id = c.id
         where c.access_lost_at is not null and n.disconnected_at is null and n.grant_ended_at is null
           and s.not_before < 'infinity'
         order by n.email, c.google_id",
    )
    .fetch_all(&world.database.pool)
    .await?;
    let is_shown = |(email, calendar): &(String, String)| {
        world.google.with(|state| state.role(email, calendar).is_some())
    };
    Ok(lost.into_iter().filter(is_shown).collect())
}

/// The end of every doubt.
pub async fn equal(world: &mut World) -> Result<()> {
    for user in User::ALL {
        mirror_is_google(world, user).await?;
        browser_is_mirror(world, user).await?;
    }
    watched(world).await?;
    quota(world)?;
    writing::all_ended(world).await?;
    honest(world).await
}

async fn mirror_is_google(world: &World, user: User) -> Result<()> {
    for resource in check::resources(world).await? {
        let Some(calendar) = &resource.calendar else {
            continue;
        };
        if resource.user != name(user) || !resource.is_active || resource.is_paused {
            continue;
        }
        let mut mirror = check::mirror(world, resource.id).await?;
        let truth = check::truth(world, calendar, None);
        check::know_tombstones(&mut mirror, &truth);
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

async fn browser_is_mirror(world: &mut World, user: User) -> Result<()> {
    let told = world.broker.told(name(user));
    let browser = &mut world.browsers[user.index()];
    browser.recover();
    if let Err(detail) = browser.hear(&world.api, &told, usize::MAX).await {
        violated!("snapshot_covers_what_was_told", "{}: {detail}", name(user));
    }
    let state = browser::state(&world.api, user)
        .await
        .map_err(anyhow::Error::msg)?;
    if *world.browsers[user.index()].window() != state["window"] {
        // A new day: a page asks anew.
        let browser = &mut world.browsers[user.index()];
        browser.reload(&world.api).await.map_err(anyhow::Error::msg)?;
    }
    let fresh = browser::by_id(state["events"].as_array().into_iter().flatten());
    let shown = world.browsers[user.index()].shown();
    holds!(
        shown == fresh,
        "browser_is_mirror",
        "{}: {}",
        name(user),
        difference(&shown, &fresh)
    );
    snapshot_is_google(world, user, &state).await
}

fn difference(shown: &Shown, fresh: &Shown) -> String {
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

/// Timed events well within the window: by id, title and start, as Google itself counts instances.
async fn snapshot_is_google(world: &World, user: User, state: &Value) -> Result<()> {
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let (Some(from), Some(to)) = (time(&state["window"]["from"]), time(&state["window"]["to"])) else {
        violated!("browser_is_google", "a snapshot without a window: {state}");
    };
    let within = |at: DateTime<Utc>| at > from + TimeDelta::days(2) && at < to - TimeDelta::days(2);
    let resources = check::resources(world).await?;
    let own = resources
        .iter()
        .filter(|resource| resource.user == name(user) && resource.is_active && !resource.is_paused);
    for resource in own {
        let Some(calendar) = &resource.calendar else {
            continue;
        };
        let id = resource.id.to_string();
        let shown: BTreeSet<_> = state["events"]
            .as_array()
            .into_iter()
            .flatten()
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
            for instance in world
                .google
                .instances(calendar, &super::editing::text(event, "id"))
            {
                let Some(start) = time(&instance["start"]["dateTime"]) else {
                    continue;
                };
                if within(start) {
                    let text = |key| super::editing::text(&instance, key);
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

/// Each resource that can be watched has one live channel, which Google has too, and Google has no other.
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
    // Nobody was told the resource id of these, so nobody can stop them before Google does.
    let unstoppable: Vec<String> = sqlx::query_scalar(
        "select channel_id from watches where state = 'replaced' and google_resource_id is null",
    )
    .fetch_all(&world.database.pool)
    .await?;
    // Nor can those of an account that Google has refused for good, even if Google did not mean it.
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

/// Google has not been asked more often than it allows.
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

/// The status says that somebody has to connect again if, and only if, it is so.
async fn honest(world: &World) -> Result<()> {
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
                "{}: Google has ended the grant, and nobody says so",
                name(user)
            );
        }
    }
    Ok(())
}

/// Whoever has to connects again, so that there is something to see in what follows.
async fn reconnect(world: &mut World) -> Result<()> {
    for user in User::ALL {
        let ended: Option<bool> =
            sqlx::query_scalar("select grant_ended_at is not null from connections where user_id = $1")
                .bind(name(user))
                .fetch_optional(&world.database.pool)
                .await?;
        if ended != Some(false) {
            let (grant, account) = world.connecting(user)?;
            let ctx = world.hosts[0].ctx.clone();
            world.excuse_channels(user);
            let who = user_id(user);
            let work = async move {
                let connected = sync::connections::connect(&ctx, &who, &grant, &account).await;
                Done::Acted(connected.map(drop).map_err(|error| error.to_string()))
            };
            let ran = world.hosts[0].run(work, None, Purpose::Act).await?;
            settle(world, 0, ran, Purpose::Act).await?;
        }
    }
    Ok(())
}
