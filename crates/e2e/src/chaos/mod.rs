//! Chaos: the real processes, a real Postgres and Centrifugo, real WebSocket clients, and a proxy in every link. A plan kills,
//! stops, cuts off and misleads all of them, and in the end everything has to be consistent.
//!
//! A plan is made from a seed before it runs, so the same seed does the same things at the same times. Their effect depends on
//! the machine: the scheduling of processes, Postgres and the network is not repeatable, so a failing seed may have to be run
//! several times to fail again.
//!
//! The simulation (`crates/e2e/src/simulation`) is repeatable to the last step, and checks internal state; this checks only
//! what people, Google and the database see.

mod client;
mod deployment;
mod edits;
pub mod fault;
mod inject;
mod judge;
mod link;
mod network;
mod page;
mod people;
pub mod plan;
pub mod record;
mod replica;
pub mod report;
mod rest;
mod trouble;
mod waiting;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::database::Private;
use deployment::{Deployment, NEW_KEYS, OLD_KEYS};
use plan::{Action, Plan};
use record::Counts;

/// How a run of a plan ended.
pub struct RunOutcome {
    pub counts: Counts,
    pub rested: Duration,
}

/// Runs a plan. Logs of all processes go to `folder`; `say` is called with each fault. After the last fault has ended,
/// everything has to come to rest `within`.
pub async fn run(
    plan: &Plan,
    server: Arc<Mutex<Private>>,
    folder: &Path,
    within: Duration,
    say: &(dyn Fn(&str) + Sync),
) -> Result<RunOutcome> {
    let started = Instant::now();
    let deployment = Deployment::start(plan.seed, server, folder)
        .await
        .context("the stack does not start")?;
    say(&format!("started in {:.1} s", started.elapsed().as_secs_f64()));
    let (mut faults, mut writes) = (JoinSet::new(), JoinSet::new());
    let begun = tokio::time::Instant::now();
    for step in &plan.steps {
        sleep_until(begun + Duration::from_millis(step.at)).await;
        act(&deployment, &step.act, &mut faults, &mut writes, say, step.at)?;
    }
    while let Some(ended) = faults.join_next().await {
        ended??;
    }
    deployment.google.clear_faults();
    let rested = rest::come_to_rest(&deployment, within).await?;
    // Writes without a result by now have been reported.
    let ended = timeout(Duration::from_secs(1), async {
        while writes.join_next().await.is_some() {}
    });
    let _ = ended.await;
    writes.shutdown().await;
    deployment.probed().await;
    let keys = if plan.rotates_keys() { NEW_KEYS } else { OLD_KEYS };
    judge::judge(&deployment, keys).await?;
    std::fs::write(
        folder.join("centrifugo.log"),
        deployment.broker.lock().await.log()?,
    )?;
    let counts = deployment.record.counts().clone();
    Ok(RunOutcome { counts, rested })
}

fn act(
    deployment: &Arc<Deployment>,
    act: &Action,
    faults: &mut JoinSet<Result<()>>,
    writes: &mut JoinSet<()>,
    say: &(dyn Fn(&str) + Sync),
    at: u64,
) -> Result<()> {
    let (deployment, act) = (deployment.clone(), act.clone());
    let mut counts = deployment.record.counts();
    match act {
        Action::Edit { user, edit, dice } => {
            counts.edits += 1;
            drop(counts);
            edits::edit(&deployment.google, deployment.people[user].name, edit, dice)?;
        }
        Action::Write {
            user,
            write,
            dice,
            twice,
        } => {
            counts.writes += 1;
            drop(counts);
            writes.spawn(async move {
                let person = &deployment.people[user];
                person.write(&deployment.record, write, dice, twice).await;
            });
        }
        Action::Fault { fault, lasts } => {
            let name = fault.name();
            #[expect(clippy::cast_precision_loss, reason = "seconds of a run")]
            let (at, seconds) = (at as f64 / 1e3, lasts as f64 / 1e3);
            say(&format!("{at:6.1} s  {name}, {seconds:.1} s"));
            *counts.faults.entry(name).or_default() += 1;
            drop(counts);
            faults.spawn(async move {
                let injected = inject::inject(&deployment, &fault, Duration::from_millis(lasts)).await;
                injected.with_context(|| fault.name())
            });
        }
    }
    Ok(())
}
