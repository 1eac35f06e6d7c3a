//! Injects faults and ends them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::TimeDelta;
use serde_json::json;
use tokio::process::Command;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use super::edits::field;
use super::fault::Fault;
use super::ledger::{BROKER, DATABASE, WORKER};
use super::link::{Replica, Service};
use super::page::{Look, Page};
use super::replica::Running;
use super::trouble::Trouble;
use super::world::{NEW_KEYS, World};
use crate::google;

/// Bound on every recovery.
const RECOVERS_WITHIN: Duration = Duration::from_secs(75);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Injects a fault, waits, and ends it. An error is one of the harness, not of Calwire.
pub async fn inject(world: &Arc<World>, fault: &Fault, lasts: Duration) -> Result<()> {
    match *fault {
        Fault::Kill { replica } => kill(world, replica, lasts).await,
        Fault::Freeze { replica } => freeze(world, replica, lasts).await,
        Fault::Restart { replica } => restart(world, replica, None).await,
        Fault::StepClock { replica, seconds } => step_clock(world, replica, seconds, lasts).await,
        Fault::CrashDatabase => crash_database(world, lasts).await,
        Fault::CrashBroker => crash_broker(world, lasts).await,
        Fault::FreezeBroker => freeze_broker(world, lasts).await,
        Fault::Network { link, toxic } => {
            world.network.poison(link, toxic).await?;
            sleep(lasts).await;
            world.network.mend(link, toxic).await
        }
        Fault::Google { trouble, user } => {
            trouble_at_google(world, trouble, user, lasts).await;
            Ok(())
        }
        Fault::Push { trouble } => {
            trouble_at_google(world, trouble, None, lasts).await;
            Ok(())
        }
        Fault::ExpireAccess { user } => {
            world.google.expire_access_tokens(&world.people[user].account);
            Ok(())
        }
        Fault::ExpireSyncToken { user } => {
            let calendar = &world.people[user].account;
            world.google.expire_sync_tokens(Some(calendar));
            // Google does not notify of that; a change makes Calwire notice.
            world
                .google
                .insert(calendar, calendar, marker(world, user, "410"))?;
            Ok(())
        }
        Fault::Revoke { user } => revoke(world, user, lasts).await,
        Fault::RotateKeys => rotate_keys(world).await,
    }
}

async fn trouble_at_google(world: &World, trouble: Trouble, user: Option<usize>, lasts: Duration) {
    let mut rule = trouble.rule();
    if let Some(user) = user {
        rule = rule.of_user(&world.people[user].account);
    }
    let id = world.google.fault(rule);
    sleep(lasts).await;
    world.google.clear_fault(&id);
}

async fn kill(world: &Arc<World>, replica: Replica, lasts: Duration) -> Result<()> {
    let mut running = world.replica(replica)?.lock().await;
    check_alive(world, &mut running);
    running.kill().await;
    if replica.service == Service::WebhookIngest {
        probe_calendars(world)?;
    }
    sleep(lasts).await;
    running.start().await
}

fn check_alive(world: &World, running: &mut Running) {
    if running.has_ended() {
        let name = running.replica.name();
        world
            .ledger
            .broken("services_live", format!("{name} has ended by itself"));
    }
}

/// Changes each calendar after a worker was killed, and measures when the changes are mirrored.
fn probe_calendars(world: &Arc<World>) -> Result<()> {
    let started = Instant::now();
    let mut waits = Vec::new();
    for (user, person) in world.people.iter().enumerate() {
        let body = marker(world, user, "probe");
        let event = world.google.insert(&person.account, &person.account, body)?;
        waits.push((person.name, field(&event, "id")));
    }
    let probing = world.clone();
    world.probe(async move {
        while !waits.is_empty() && started.elapsed() < RECOVERS_WITHIN {
            sleep(LOOK_AGAIN).await;
            let found = mirrored(&probing, &waits).await;
            waits.retain(|(_, id)| !found.contains(id));
        }
        if waits.is_empty() {
            probing.ledger.recovered(WORKER, started.elapsed());
        } else {
            let detail = format!("{waits:?} were not mirrored within {RECOVERS_WITHIN:?}");
            probing.ledger.broken("calendars_move_on", detail);
        }
    });
    Ok(())
}

/// The ones among these events that are in the mirror; none while Postgres is down.
async fn mirrored(world: &World, events: &[(&str, String)]) -> Vec<String> {
    let ids: Vec<&str> = events.iter().map(|(_, id)| id.as_str()).collect();
    let found = sqlx::query_scalar("select event_id from events where event_id = any($1)")
        .bind(&ids)
        .fetch_all(&world.database.pool)
        .await;
    found.unwrap_or_default()
}

fn marker(world: &World, user: usize, what: &str) -> serde_json::Value {
    let mut body = google::timed("", TimeDelta::hours(30), "Europe/Zurich");
    body["summary"] = json!(format!("{} {what}", world.people[user].name));
    body["location"] = json!("a marker");
    body
}

async fn freeze(world: &World, replica: Replica, lasts: Duration) -> Result<()> {
    let mut running = world.replica(replica)?.lock().await;
    check_alive(world, &mut running);
    running.signal("STOP").await?;
    sleep(lasts).await;
    running.signal("CONT").await
}

async fn step_clock(world: &World, replica: Replica, seconds: i32, lasts: Duration) -> Result<()> {
    let running = world.replica(replica)?.lock().await;
    running.set_clock(seconds)?;
    sleep(lasts).await;
    running.set_clock(0)
}

/// Restarts it as an upgrade does, with new keys if given.
async fn restart(world: &World, replica: Replica, keys: Option<&str>) -> Result<()> {
    let mut running = world.replica(replica)?.lock().await;
    check_alive(world, &mut running);
    if let Err(wrong) = running.stop().await {
        world.ledger.broken("stops_in_order", wrong);
    }
    if let Some(keys) = keys {
        running.set("TOKEN_KEYS", keys);
    }
    running.start().await
}

async fn crash_database(world: &Arc<World>, lasts: Duration) -> Result<()> {
    let mut server = world.server.lock().await;
    server.crash().await?;
    sleep(lasts).await;
    server.resume().await?;
    drop(server);
    let (back, probing) = (Instant::now(), world.clone());
    world.probe(async move {
        for running in probing.replicas.values() {
            // A process that is being started is measured by its start.
            let Ok(running) = running.try_lock() else {
                continue;
            };
            while !running.is_ready().await {
                if back.elapsed() > RECOVERS_WITHIN {
                    let name = running.replica.name();
                    probing.ledger.broken("ready_again", format!("{name} is not"));
                    return;
                }
                sleep(LOOK_AGAIN).await;
            }
        }
        probing.ledger.recovered(DATABASE, back.elapsed());
    });
    Ok(())
}

async fn crash_broker(world: &Arc<World>, lasts: Duration) -> Result<()> {
    let mut broker = world.broker.lock().await;
    block_in_place(|| broker.kill());
    sleep(lasts).await;
    block_in_place(|| broker.start_again())?;
    drop(broker);
    let (back, probing) = (Instant::now(), world.clone());
    world.probe(async move {
        let mut committed = None;
        while back.elapsed() < RECOVERS_WITHIN {
            // The messages committed by now; Postgres may be down too.
            if committed.is_none() {
                committed = seqs(&probing).await.ok();
            }
            if let Some(committed) = &committed
                && all_pages_have(&probing, committed).await
            {
                probing.ledger.recovered(BROKER, back.elapsed());
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
        let detail = "a page is not connected, or behind";
        probing.ledger.broken("pages_come_back", detail);
    });
    Ok(())
}

/// The last seq of each user.
async fn seqs(world: &World) -> sqlx::Result<BTreeMap<String, i64>> {
    let seqs: Vec<_> = sqlx::query_as("select user_id, seq from user_stream")
        .fetch_all(&world.database.pool)
        .await?;
    Ok(seqs.into_iter().collect())
}

/// Whether every page is connected and has all messages up to these.
async fn all_pages_have(world: &World, committed: &BTreeMap<String, i64>) -> bool {
    for person in &world.people {
        let seq = committed.get(person.name).copied().unwrap_or_default();
        let has_all = |look: Look| look.is_live && look.seq >= seq;
        if !person.pages.iter().map(Page::look).all(has_all) {
            return false;
        }
        if !person.client.look().await.is_ok_and(has_all) {
            return false;
        }
    }
    true
}

async fn freeze_broker(world: &World, lasts: Duration) -> Result<()> {
    let broker = world.broker.lock().await;
    let pid = broker.pid().context("Centrifugo is running")?;
    signal(pid, "STOP").await?;
    sleep(lasts).await;
    signal(pid, "CONT").await
}

async fn signal(pid: u32, signal: &str) -> Result<()> {
    let status = Command::new("kill")
        .arg(format!("-{signal}"))
        .arg(pid.to_string())
        .status()
        .await?;
    ensure!(status.success(), "kill -{signal} {pid} failed");
    Ok(())
}

async fn revoke(world: &World, user: usize, lasts: Duration) -> Result<()> {
    let person = &world.people[user];
    world.google.revoke(&person.account);
    sleep(lasts).await;
    let started = Instant::now();
    while started.elapsed() < RECOVERS_WITHIN {
        let consent = google::consent(&world.google, &world.direct[user], &person.account, None);
        if let Ok(Ok(landed)) = timeout(Duration::from_secs(15), consent).await
            && landed.contains("connected")
        {
            return Ok(());
        }
        sleep(Duration::from_millis(300)).await;
    }
    let detail = format!("{} could not connect again", person.name);
    world.ledger.broken("connects_again", detail);
    Ok(())
}

/// As in docs/operations.md: the new key in front, every service restarted, then the command.
async fn rotate_keys(world: &World) -> Result<()> {
    for replica in world.replicas.keys() {
        restart(world, *replica, Some(NEW_KEYS)).await?;
    }
    let started = Instant::now();
    loop {
        let output = world.command("rotate-keys", NEW_KEYS).await?;
        if output.status.success() {
            return Ok(());
        }
        // Postgres may be down.
        if started.elapsed() > RECOVERS_WITHIN {
            bail!("rotate-keys: {}", String::from_utf8_lossy(&output.stderr));
        }
        sleep(Duration::from_millis(500)).await;
    }
}
