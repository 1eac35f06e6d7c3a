//! Shortens a failing plan by removing operations: delta debugging (Zeller's ddmin).

use anyhow::Result;

use super::database::Template;
use super::plan::Operation;
use super::run;

/// Limit of runs.
const RUNS_MAX: usize = 120;

/// A shorter plan in which the same invariant breaks, and how many runs that took.
pub async fn shrink(
    template: &Template,
    seed: u64,
    plan: &[Operation],
    invariant: &str,
) -> Result<(Vec<Operation>, usize)> {
    let mut plan = plan.to_vec();
    let mut runs = 0;
    let mut parts = 2;
    while plan.len() > 1 && runs < RUNS_MAX {
        let size = plan.len().div_ceil(parts);
        let mut shorter = None;
        for start in (0..plan.len()).step_by(size) {
            let mut rest = plan.clone();
            rest.drain(start..(start + size).min(plan.len()));
            runs += 1;
            if let Some((step, violation)) = Box::pin(run(template, seed, &rest)).await?.failure
                && violation.invariant == invariant
            {
                rest.truncate(step + 1);
                shorter = Some(rest);
                break;
            }
            if runs >= RUNS_MAX {
                break;
            }
        }
        match shorter {
            Some(rest) => {
                plan = rest;
                parts = parts.saturating_sub(1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(plan.len()),
        }
    }
    Ok((plan, runs))
}
