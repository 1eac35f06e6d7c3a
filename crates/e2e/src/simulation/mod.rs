//! A whole Calwire in one process, on a real Postgres and an emulated Google, at a clock that only the simulation moves.
//!
//! A seed becomes a [plan](plan::of_seed): what people do in Google and by way of Calwire, what the network does with
//! pushes, which worker makes a pass in which of two processes, what Google and the broker get wrong, and at which named
//! points of the code a process dies or is held up. After every operation, and more so whenever everything comes to rest,
//! the invariants are checked. A plan that fails is [made shorter](shrink) and kept among the regressions.
//!
//! Real: the code of all services below their HTTP, and calendar-api with its HTTP; Postgres, with its clock turned into
//! a row; Google's calls over HTTP. Not real: the broker writes down what it would tell, by Centrifugo's rules; pushes are
//! handed over instead of being posted; a process is a runtime with one thread, and its death the end of that runtime.
//!
//! What a seed decides: the plan, Google's faults, every wait's jitter. What it does not: ids, the order of a hash map, and
//! when a thread gets its turn.

mod act;
mod api;
mod broker;
mod browser;
mod check;
pub mod database;
mod editing;
mod forging;
mod host;
pub mod ledger;
pub mod outage;
pub mod plan;
pub mod points;
pub mod report;
mod rest;
pub mod shrink;
mod world;
mod writing;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use database::Template;
use ledger::{Ledger, Violation};
use plan::Operation;
use world::World;

/// A plan that failed once, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Regression {
    /// What it showed, for people.
    pub about: String,
    pub seed: u64,
    pub operations: Vec<Operation>,
}

/// How a simulation ended.
pub struct Outcome {
    /// The operation that broke something, counted from 0, and what.
    pub failure: Option<(usize, Violation)>,
    pub operations: usize,
    pub ledger: Ledger,
}

/// Runs a plan to its end, or until something is broken.
pub async fn run(template: &Template, seed: u64, plan: &[Operation]) -> Result<Outcome> {
    let mut world = World::start(template, seed).await?;
    let mut failure = None;
    let mut operations = 0_usize;
    for (step, operation) in plan.iter().enumerate() {
        operations += 1;
        if let Err(error) = act::perform(&mut world, operation).await {
            failure = Some((step, violation(error)));
            break;
        }
    }
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

/// What is no violation by name is one of the promise that nothing hangs, panics or fails.
fn violation(error: anyhow::Error) -> Violation {
    match error.downcast::<Violation>() {
        Ok(violation) => violation,
        Err(error) => Violation {
            invariant: "nothing_fails",
            detail: format!("{error:#}"),
        },
    }
}
