//! Coming to rest: all faults end, time passes, the workers run until nothing is left to do, and then everything is [equal].

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use common::worker::Pass;

use super::accounts::{name, user_id};
use super::host::Done;
use super::ledger::{holds, violated};
use super::plan::{Job, User};
use super::work::{self, settle};
use super::world::{Purpose, World};
use super::{check, equal, records};

/// Seconds to wait before each round. The last are longer than any lease, pause or backoff.
const ROUNDS: [i64; 14] = [
    1_500, 30, 61, 61, 120, 301, 301, 700, 1_300, 4_000, 4_000, 8_000, 23_000, 4_000,
];
/// More passes of one job than there can be work.
const PASSES_MAX: u32 = 200;
/// Attempts to get a lock. On a busy machine a lock may outlive its holder for a moment.
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
    equal::all_equal(world).await?;
    reconnect(world).await
}

/// Resumes all held work, so that blocked work can end after the work that blocks it.
async fn release_all(world: &mut World) -> Result<()> {
    for _ in 0..50 {
        if world.hosts.iter().all(|host| host.held() == 0) {
            return Ok(());
        }
        for host in 0..world.hosts.len() {
            work::resume_at(world, host, 0).await?;
        }
    }
    violated!("comes_to_rest", "held work does not end")
}

/// Every worker runs until there is nothing left to do.
async fn drain(world: &mut World) -> Result<()> {
    work_off(world, Job::Poll).await?;
    for _ in 0..PASSES_MAX {
        let mut worked = false;
        world.collect_pushes();
        for push in std::mem::take(&mut world.underway) {
            work::deliver(world, 0, push, None).await?;
        }
        for job in [
            Job::Watch,
            Job::StopWatches,
            Job::Writes,
            Job::Pull,
            Job::Horizon,
            Job::Disconnect,
            Job::Recheck,
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
        let ran = world.work(0, job, None).await?;
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

/// Everything that is not done yet.
pub async fn waiting(world: &World) -> Result<Vec<String>> {
    let mut waits = Vec::new();
    for resource in records::resources(world).await? {
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
         union all select 'disconnecting', count(*) from connections where disconnected_at is not null
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
        format!("{calendar} of {email}: its access counts as lost, but Google grants it")
    }));
    Ok(waits)
}

/// Calendars whose access counts as lost although Google shows them to their account.
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

/// Connects each user whose grant has ended, so that the following operations have an effect.
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
