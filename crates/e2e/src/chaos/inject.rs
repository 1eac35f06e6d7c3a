//! Injects faults and ends them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::TimeDelta;
use serde_json::json;
use tokio::process::Command;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use super::deployment::{Deployment, NEW_KEYS};
use super::edits::field;
use super::fault::Fault;
use super::link::{Replica, ServiceKind};
use super::page::{Look, Page};
use super::record::{BROKER, DATABASE, WORKER};
use super::replica::Running;
use super::trouble::GoogleTrouble;
use crate::google;
use crate::normal_form::HeldEvents;
use crate::rpc::Api;

/// Bound on every recovery.
const RECOVERS_WITHIN: Duration = Duration::from_secs(75);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Injects a fault, waits, and ends it. An error is one of the harness, not of Calwire.
pub async fn inject(deployment: &Arc<Deployment>, fault: &Fault, lasts: Duration) -> Result<()> {
    match *fault {
        Fault::Kill { replica } => kill(deployment, replica, lasts).await,
        Fault::Freeze { replica } => freeze(deployment, replica, lasts).await,
        Fault::Restart { replica } => restart(deployment, replica, None).await,
        Fault::StepClock { replica, seconds } => step_clock(deployment, replica, seconds, lasts).await,
        Fault::CrashDatabase => crash_database(deployment, lasts).await,
        Fault::CrashBroker => crash_broker(deployment, lasts).await,
        Fault::FreezeBroker => freeze_broker(deployment, lasts).await,
        Fault::Network { link, toxic } => {
            deployment.network.poison(link, toxic).await?;
            sleep(lasts).await;
            deployment.network.mend(link, toxic).await
        }
        Fault::Google { trouble, user } => {
            trouble_at_google(deployment, trouble, user, lasts).await;
            Ok(())
        }
        Fault::Push { trouble } => {
            trouble_at_google(deployment, trouble, None, lasts).await;
            Ok(())
        }
        Fault::ExpireAccess { user } => {
            deployment
                .google
                .expire_access_tokens(&deployment.people[user].account);
            Ok(())
        }
        Fault::ExpireSyncToken { user } => {
            let calendar = &deployment.people[user].account;
            deployment.google.expire_sync_tokens(Some(calendar));
            // Google does not notify of that; a change makes Calwire notice.
            deployment
                .google
                .insert(calendar, calendar, marker(deployment, user, "410"))?;
            Ok(())
        }
        Fault::Revoke { user } => revoke(deployment, user, lasts).await,
        Fault::Refuse { trouble, user } => {
            let refused = trouble_at_google(deployment, trouble, Some(user), lasts);
            until_connected_again(deployment, user, refused).await
        }
        Fault::RotateKeys => rotate_keys(deployment).await,
    }
}

async fn trouble_at_google(
    deployment: &Deployment,
    trouble: GoogleTrouble,
    user: Option<usize>,
    lasts: Duration,
) {
    let mut rule = trouble.rule();
    if let Some(user) = user {
        rule = rule.of_user(&deployment.people[user].account);
    }
    let id = deployment.google.fault(rule);
    for person in deployment.people.iter().filter(|_| trouble.is_of_tokens()) {
        deployment.google.expire_access_tokens(&person.account);
    }
    sleep(lasts).await;
    deployment.google.clear_fault(&id);
}

async fn kill(deployment: &Arc<Deployment>, replica: Replica, lasts: Duration) -> Result<()> {
    let mut running = deployment.replica(replica)?.lock().await;
    check_alive(deployment, &mut running);
    running.kill().await;
    if replica.service == ServiceKind::WebhookIngest {
        probe_calendars(deployment)?;
    }
    sleep(lasts).await;
    running.start().await
}

fn check_alive(deployment: &Deployment, running: &mut Running) {
    if running.has_ended() {
        let name = running.replica.name();
        deployment
            .record
            .broken("services_live", format!("{name} has ended by itself"));
    }
}

/// Changes each calendar after a worker was killed, and measures when the changes are mirrored.
fn probe_calendars(deployment: &Arc<Deployment>) -> Result<()> {
    let started = Instant::now();
    let mut waits = Vec::new();
    for (user, person) in deployment.people.iter().enumerate() {
        let body = marker(deployment, user, "probe");
        let event = deployment.google.insert(&person.account, &person.account, body)?;
        waits.push((person.name, field(&event, "id")));
    }
    let probing = deployment.clone();
    deployment.probe(async move {
        while !waits.is_empty() && started.elapsed() < RECOVERS_WITHIN {
            sleep(LOOK_AGAIN).await;
            let found = mirrored(&probing, &waits).await;
            waits.retain(|(_, id)| !found.contains(id));
        }
        if waits.is_empty() {
            probing.record.recovered(WORKER, started.elapsed());
        } else {
            let detail = format!("{waits:?} were not mirrored within {RECOVERS_WITHIN:?}");
            probing.record.broken("calendars_move_on", detail);
        }
    });
    Ok(())
}

/// The ones among these events that are in the mirror; none while Postgres is down.
async fn mirrored(deployment: &Deployment, events: &[(&str, String)]) -> Vec<String> {
    let ids: Vec<&str> = events.iter().map(|(_, id)| id.as_str()).collect();
    let found = sqlx::query_scalar("select event_id from events where event_id = any($1)")
        .bind(&ids)
        .fetch_all(&deployment.database.pool)
        .await;
    found.unwrap_or_default()
}

fn marker(deployment: &Deployment, user: usize, what: &str) -> serde_json::Value {
    let mut body = google::timed("", TimeDelta::hours(30), "Europe/Zurich");
    body["summary"] = json!(format!("{} {what}", deployment.people[user].name));
    body["location"] = json!("a marker");
    body
}

async fn freeze(deployment: &Deployment, replica: Replica, lasts: Duration) -> Result<()> {
    let mut running = deployment.replica(replica)?.lock().await;
    check_alive(deployment, &mut running);
    running.signal("STOP").await?;
    sleep(lasts).await;
    running.signal("CONT").await
}

async fn step_clock(deployment: &Deployment, replica: Replica, seconds: i32, lasts: Duration) -> Result<()> {
    let running = deployment.replica(replica)?.lock().await;
    running.set_clock(seconds)?;
    sleep(lasts).await;
    running.set_clock(0)
}

/// Restarts it as an upgrade does, with new keys if given.
async fn restart(deployment: &Deployment, replica: Replica, keys: Option<&str>) -> Result<()> {
    let mut running = deployment.replica(replica)?.lock().await;
    check_alive(deployment, &mut running);
    if let Err(wrong) = running.stop().await {
        deployment.record.broken("stops_in_order", wrong);
    }
    if let Some(keys) = keys {
        running.set("TOKEN_KEYS", keys);
    }
    running.start().await
}

async fn crash_database(deployment: &Arc<Deployment>, lasts: Duration) -> Result<()> {
    let mut server = deployment.server.lock().await;
    server.crash().await?;
    sleep(lasts).await;
    server.resume().await?;
    drop(server);
    let (back, probing) = (Instant::now(), deployment.clone());
    deployment.probe(async move {
        for running in probing.replicas.values() {
            // A process that is being started is measured by its start.
            let Ok(running) = running.try_lock() else {
                continue;
            };
            while !running.is_ready().await {
                if back.elapsed() > RECOVERS_WITHIN {
                    let name = running.replica.name();
                    probing.record.broken("ready_again", format!("{name} is not"));
                    return;
                }
                sleep(LOOK_AGAIN).await;
            }
        }
        probing.record.recovered(DATABASE, back.elapsed());
    });
    Ok(())
}

async fn crash_broker(deployment: &Arc<Deployment>, lasts: Duration) -> Result<()> {
    let mut broker = deployment.broker.lock().await;
    block_in_place(|| broker.kill());
    sleep(lasts).await;
    block_in_place(|| broker.start_again())?;
    drop(broker);
    let (back, probing) = (Instant::now(), deployment.clone());
    deployment.probe(async move {
        let mut committed = None;
        while back.elapsed() < RECOVERS_WITHIN {
            // The messages committed by now; Postgres may be down too.
            if committed.is_none() {
                committed = seqs(&probing).await.ok();
            }
            if let Some(committed) = &committed
                && all_pages_have(&probing, committed).await
            {
                probing.record.recovered(BROKER, back.elapsed());
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
        let detail = "a page is not connected, or behind";
        probing.record.broken("pages_come_back", detail);
    });
    Ok(())
}

/// The last seq of each user.
async fn seqs(deployment: &Deployment) -> sqlx::Result<BTreeMap<String, i64>> {
    let seqs: Vec<_> = sqlx::query_as("select user_id, seq from user_stream")
        .fetch_all(&deployment.database.pool)
        .await?;
    Ok(seqs.into_iter().collect())
}

/// Whether every page is connected and has all messages up to these.
async fn all_pages_have(deployment: &Deployment, committed: &BTreeMap<String, i64>) -> bool {
    for person in &deployment.people {
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

async fn freeze_broker(deployment: &Deployment, lasts: Duration) -> Result<()> {
    let broker = deployment.broker.lock().await;
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

async fn revoke(deployment: &Deployment, user: usize, lasts: Duration) -> Result<()> {
    let revoked = async {
        deployment.google.revoke(&deployment.people[user].account);
        sleep(lasts).await;
    };
    until_connected_again(deployment, user, revoked).await
}

/// An account in trouble, whose user then connects it again.
async fn until_connected_again(
    deployment: &Deployment,
    user: usize,
    trouble: impl Future<Output = ()>,
) -> Result<()> {
    let person = &deployment.people[user];
    let api = &deployment.direct[user];
    let before = shown_ids(api).await;
    trouble.await;
    // A page may be loaded while the account is in trouble. A busy API is no answer.
    if let (Some(before), Some(after)) = (before, shown_ids(api).await) {
        let events = deployment.google.events(&person.account);
        let alive: BTreeSet<_> = events
            .iter()
            .filter(|event| event["status"] != "cancelled")
            .map(|event| field(event, "id"))
            .collect();
        let hidden: Vec<_> = before
            .difference(&after)
            .filter(|id| alive.contains(*id))
            .collect();
        if !hidden.is_empty() {
            let detail = format!("{} no longer sees {hidden:?}", person.name);
            deployment.record.broken("trouble_hides_nothing", detail);
        }
    }
    let started = Instant::now();
    while started.elapsed() < RECOVERS_WITHIN {
        let consent = google::consent(
            &deployment.google,
            &deployment.direct[user],
            &person.account,
            None,
        );
        if let Ok(Ok(landed)) = timeout(Duration::from_secs(15), consent).await
            && landed.contains("connected")
        {
            return Ok(());
        }
        sleep(Duration::from_millis(300)).await;
    }
    let detail = format!("{} could not connect again", person.name);
    deployment.record.broken("connects_again", detail);
    Ok(())
}

/// The ids of the events that a page would show. None: the API does not answer now.
async fn shown_ids(api: &Api) -> Option<BTreeSet<String>> {
    let state = timeout(
        Duration::from_secs(5),
        api.query("realtime.getState", json!({"live": false})),
    );
    let state = state.await.ok()?.ok()?;
    let events = HeldEvents::of_state(&state);
    let ids = events.iter().filter_map(|event| event["eventId"].as_str());
    Some(ids.map(str::to_owned).collect())
}

/// As in docs/operations.md: the new key in front, every service restarted, then the command.
async fn rotate_keys(deployment: &Deployment) -> Result<()> {
    for replica in deployment.replicas.keys() {
        restart(deployment, *replica, Some(NEW_KEYS)).await?;
    }
    let started = Instant::now();
    loop {
        let output = deployment.command("rotate-keys", NEW_KEYS).await?;
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
