//! One account is in trouble, everything else is at rest: the other account is pulled and written to as before, and both
//! users still see the events that they saw.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use common::ids::ConnectionId;
use google_emulator::Rule;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use store::connections::Connected;

use super::accounts::{AT_ONCE, email, name, user_id};
use super::browser::{self, text};
use super::ledger::{holds, violated};
use super::plan::{Trouble, User, Write, word};
use super::world::{World, start_of_day_in};
use super::{editing, equal, outage, rest, writing};
use crate::bodies;
use crate::normal_form::HeldEvents;

/// How long the trouble lasts, in steps: within the wait that Google asks for, then long enough that a grant's end is
/// confirmed.
const STEPS: [TimeDelta; 2] = [TimeDelta::zero(), TimeDelta::seconds(90)];

/// Google's limits pause calls for an hour at most.
const LONGER_THAN_A_PAUSE: TimeDelta = TimeDelta::minutes(61);

/// The other account is given this much time, less than a wait for any limit.
const STEP: TimeDelta = TimeDelta::seconds(2);
const STEPS_MAX: u32 = 5;

/// A process that dies while it refreshes a token holds the account's lease for 40 s. That is no trouble of the other account.
const ORPHANED_LEASE: TimeDelta = TimeDelta::seconds(41);

pub async fn isolate(world: &mut World, user: User, trouble: Trouble, dice: u32) -> Result<()> {
    calm(world).await?;
    world.ledger.count(format!("one account: {}", word(&trouble)));
    let mut dice = StdRng::seed_from_u64(dice.into());
    let before = [shown(world, user).await?, shown(world, user.other()).await?];
    begin(world, user, trouble, &mut dice);
    for step in STEPS {
        world.pass(step).await?;
        for each in User::ALL {
            insert_in_google(world, each, dice.random_range(6..20))?;
        }
        outage::all_workers_run(world).await?;
        if trouble == Trouble::WritesSpent {
            reads_continue(world, user).await?;
        }
        other_is_unaffected(world, user.other(), dice.random()).await?;
        for (each, before) in [user, user.other()].into_iter().zip(&before) {
            nothing_is_hidden(world, each, before).await?;
        }
    }
    world.google.clear_faults();
    Ok(())
}

/// Everything is at rest, and no earlier limit is in force.
async fn calm(world: &mut World) -> Result<()> {
    rest::rest(world).await?;
    world.pass(LONGER_THAN_A_PAUSE).await?;
    outage::all_workers_run(world).await
}

/// Two users have connected the same Google account, and so share its grant. One of them disconnects it: the grant and the
/// other's mirror live on.
pub async fn share_account(world: &mut World, user: User) -> Result<()> {
    calm(world).await?;
    world.ledger.count("one account: shared");
    let other = user.other();
    let (grant, account) = world.connecting(user)?;
    let ctx = world.hosts[0].ctx.clone();
    let connected = sync::connections::connect(&ctx, &user_id(other), &grant, &account).await?;
    let Connected::Done { id, .. } = connected else {
        anyhow::bail!("there is no refresh token");
    };
    outage::all_workers_run(world).await?;
    disconnect(world, user, None).await?;
    insert_in_google(world, user, 3)?;
    outage::all_workers_run(world).await?;
    let lives = world
        .google
        .with(|state| state.grants.consented(email(user)).is_some());
    holds!(
        lives,
        "trouble_is_confined",
        "{} has disconnected, and {}'s grant of the same account has ended",
        name(user),
        name(other)
    );
    if let Err(error) = equal::mirror_is_google(world, other).await {
        violated!("trouble_is_confined", "{}: {error}", name(other));
    }
    disconnect(world, other, Some(id)).await?;
    outage::all_workers_run(world).await
}

async fn disconnect(world: &mut World, user: User, id: Option<ConnectionId>) -> Result<()> {
    for each in User::ALL {
        world.excuse_channels(each);
    }
    let ctx = world.hosts[0].ctx.clone();
    sync::connections::disconnect(&ctx, &user_id(user), id, AT_ONCE).await?;
    Ok(())
}

fn insert_in_google(world: &World, user: User, hour: u32) -> Result<()> {
    let start = start_of_day_in(world, 5, hour)?;
    let mut body = bodies::hour(start, "Europe/Berlin", "Europe/Berlin");
    body["summary"] = json!("G");
    world.google.insert(email(user), email(user), body)?;
    Ok(())
}

/// From now on the account's calls fail in this way. One odd answer about a calendar is not enough to believe it.
fn begin(world: &World, user: User, trouble: Trouble, dice: &mut StdRng) {
    let (endpoint, fault) = editing::fault(trouble, dice);
    if endpoint == "oauth.token" {
        world.google.expire_access_tokens(email(user));
    }
    let rule = Rule::new(endpoint, fault).of_user(email(user));
    world.google.fault(match trouble {
        Trouble::Missing | Trouble::Forbidden => rule.times(1),
        _ => rule,
    });
}

/// The account has every change soon. A push may be late: on a busy machine it is refused, and Google sends it again.
async fn reads_continue(world: &mut World, user: User) -> Result<()> {
    for _ in 0..STEPS_MAX {
        if equal::mirror_is_google(world, user).await.is_ok() {
            return Ok(());
        }
        world.pass(STEP).await?;
        outage::all_workers_run(world).await?;
    }
    if let Err(error) = equal::mirror_is_google(world, user).await {
        violated!("trouble_is_confined", "reads wait with the writes: {error}");
    }
    Ok(())
}

/// The other account has every change soon, a write is answered, and its state is as if nothing had happened.
async fn other_is_unaffected(world: &mut World, other: User, dice: u32) -> Result<()> {
    let keys = world.ledger.keys;
    writing::write(world, (other, 0), Write::Create, dice, false, None).await?;
    let key = (world.ledger.keys > keys).then(|| format!("key-{}", world.ledger.keys));
    let mut wrong = Vec::new();
    for _ in 0..STEPS_MAX {
        wrong = affected(world, other, key.as_deref()).await?;
        if wrong.is_empty() {
            return Ok(());
        }
        // On a busy machine a lock may outlive its holder for a moment.
        let is_leased = sqlx::query_scalar(
            "select exists (select from connections where user_id = $1 and refresh_leased_until > clock_timestamp())",
        );
        let is_leased: bool = is_leased
            .bind(name(other))
            .fetch_one(&world.database.pool)
            .await?;
        world.pass(if is_leased { ORPHANED_LEASE } else { STEP }).await?;
        outage::all_workers_run(world).await?;
    }
    violated!(
        "trouble_is_confined",
        "only the other account is in trouble: {}",
        wrong.join("; ")
    )
}

/// How the account is affected by the trouble of the other.
async fn affected(world: &World, other: User, key: Option<&str>) -> Result<Vec<String>> {
    let user = name(other);
    let mut wrong: Vec<String> = sqlx::query_scalar(
        "select 'a pull of ' || s.user_id || ' fails: ' || s.last_error
         from sync_state s join connections n on n.id = s.connection_id
         left join calendars c on c.id = s.resource_id
         where s.user_id = $1 and n.disconnected_at is null and n.grant_ended_at is null
           and coalesce(c.selected, true) and c.access_lost_at is null and s.last_error is not null
         union all
         select 'a write of ' || user_id || ' is ' || state from write_intents
         where user_id = $1 and idempotency_key = $2 and state <> 'done'
         union all
         select 'paused: ' || bucket from quota_pauses
         where until > clock_timestamp() and (bucket = 'project' or bucket like '%:' || $3)",
    )
    .bind(user)
    .bind(key)
    .bind(email(other))
    .fetch_all(&world.database.pool)
    .await?;
    if let Err(error) = equal::mirror_is_google(world, other).await {
        wrong.push(error.to_string());
    }
    Ok(wrong)
}

/// The timed events that a user sees, by calendar and id: their starts.
type ShownStarts = BTreeMap<(String, String), DateTime<Utc>>;

async fn shown(world: &World, user: User) -> Result<ShownStarts> {
    let state = browser::state(&world.api, user).await?;
    let events = HeldEvents::of_state(&state);
    let timed = events.iter().filter_map(|event: &Value| {
        let key = (text(&event["calendarId"]), text(&event["id"]));
        Some((key, event["start"].as_str()?.parse().ok()?))
    });
    Ok(timed.collect())
}

/// A read shows every event that it showed before the trouble. Nothing has been deleted since.
async fn nothing_is_hidden(world: &World, user: User, before: &ShownStarts) -> Result<()> {
    let now = shown(world, user).await?;
    // The window of a read moves with the days.
    let soon = world.clock.now() - TimeDelta::days(1);
    let hidden: Vec<_> = before
        .iter()
        .filter(|(key, start)| **start > soon && !now.contains_key(*key))
        .collect();
    holds!(
        hidden.is_empty(),
        "trouble_hides_nothing",
        "{} no longer sees {hidden:?}",
        name(user)
    );
    Ok(())
}
