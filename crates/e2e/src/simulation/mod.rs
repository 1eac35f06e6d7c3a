//! A whole Calwire in one process, on a real Postgres and an emulated Google, at a clock that only the simulation moves.
//!
//! A seed becomes a [plan](plan::of_seed): the changes of people in Google and through Calwire, the network's treatment of
//! pushes, the passes of workers in two processes, the faults of Google and the broker, and the named points of the code at
//! which a process dies or is held. Some [invariants](check) are checked after every operation, and [more](equal) whenever
//! everything comes to rest. A failing plan is [shortened](shrink) and kept among the regressions.
//!
//! Real: the code of all services below their HTTP, and calendar-api with its HTTP; Postgres, with its clock turned into
//! a row; Google's calls over HTTP. Not real: the broker records publications by Centrifugo's rules; pushes are passed in
//! memory instead of posted; a process is a runtime with one thread, and dies by the end of that runtime.
//!
//! A seed decides the plan, Google's faults and the jitter of every wait. It does not decide ids, the order of a hash map, and
//! when a thread is scheduled.

mod accounts;
mod act;
mod api;
mod broker;
mod browser;
mod check;
pub mod database;
mod editing;
mod equal;
mod forging;
mod host;
mod invitations;
mod isolation;
mod jobs;
pub mod known;
pub mod ledger;
mod mirror;
pub mod outage;
pub mod plan;
pub mod points;
mod reads;
mod records;
pub mod report;
mod rest;
mod results;
mod settings;
pub mod shrink;
mod unasked;
mod work;
mod world;
mod writing;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use database::Template;
use ledger::{Ledger, Violation};
use plan::Operation;
use world::World;

/// A plan that failed once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Regression {
    /// A description for people.
    pub about: String,
    pub seed: u64,
    pub operations: Vec<Operation>,
}

/// How a simulation ended.
pub struct Outcome {
    /// The operation that violated an invariant, counted from 0.
    pub failure: Option<(usize, Violation)>,
    pub operations: usize,
    pub ledger: Ledger,
}

/// Runs a plan to its end, or until an invariant is violated.
pub async fn run(template: &Template, seed: u64, plan: &[Operation]) -> Result<Outcome> {
    let mut world = World::start(template, seed).await?;
    let mut failure = None;
    let mut operations = 0_usize;
    for (step, operation) in plan.iter().enumerate() {
        operations += 1;
        if let Err(error) = Box::pin(act::perform(&mut world, operation)).await {
            failure = Some((step, violation(error)));
            break;
        }
    }
    world.count_messages().await?;
    let (ledger, deadlocks) = world.stop().await?;
    if failure.is_none() && deadlocks > 0 {
        let detail = format!("Postgres had to break {deadlocks}; its log has the statements");
        let invariant = "no_deadlock";
        failure = Some((operations.saturating_sub(1), Violation { invariant, detail }));
    }
    Ok(Outcome {
        failure,
        operations,
        ledger,
    })
}

/// Any other error violates the invariant that nothing hangs, panics or fails.
fn violation(error: anyhow::Error) -> Violation {
    match error.downcast::<Violation>() {
        Ok(violation) => violation,
        Err(error) => Violation {
            invariant: "nothing_fails",
            detail: format!("{error:#}"),
        },
    }
}
