//! Runs many simulations in parallel, and sums up their results.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::database::Template;
use super::ledger::{Ledger, Violation};
use super::plan::Operation;
use super::{Outcome, run};

/// A seed whose plan violated an invariant.
#[derive(Debug, Clone)]
pub struct Failed {
    pub seed: u64,
    pub step: usize,
    pub violation: Violation,
}

#[derive(Debug, Default)]
pub struct Tally {
    pub seeds: u64,
    pub operations: usize,
    pub faults: BTreeMap<String, u64>,
    pub reached: BTreeMap<String, u64>,
    pub died: BTreeMap<String, u64>,
    pub waited: BTreeMap<String, u64>,
    pub messages: BTreeMap<String, u64>,
    pub failed: Vec<Failed>,
    pub took: Duration,
}

impl Tally {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.seeds += 1;
        self.operations += outcome.operations;
        let Ledger {
            faults,
            reached,
            died,
            waited,
            messages,
            ..
        } = outcome.ledger;
        for (sum, part) in [
            (&mut self.faults, faults),
            (&mut self.reached, reached),
            (&mut self.died, died),
            (&mut self.waited, waited),
            (&mut self.messages, messages),
        ] {
            for (name, count) in part {
                *sum.entry(name).or_default() += count;
            }
        }
        self.failed
            .extend(outcome.failure.map(|(step, violation)| Failed {
                seed,
                step,
                violation,
            }));
    }

    /// The share of resyncs among the messages, in per cent.
    fn resyncs(&self) -> String {
        let all: u64 = self.messages.values().sum();
        let resyncs = self
            .messages
            .iter()
            .filter(|(kind, _)| kind.starts_with("resync"));
        let resyncs: u64 = resyncs.map(|(_, count)| count).sum();
        let tenths = resyncs * 1_000 / all.max(1);
        format!(
            "messages     {all}, of them {resyncs} resyncs ({}.{} %)",
            tenths / 10,
            tenths % 10
        )
    }

    pub fn table(&self) -> String {
        let mut lines = vec![
            format!("seeds        {}", self.seeds),
            format!("operations   {}", self.operations),
            format!("took         {:.1} s", self.took.as_secs_f64()),
            format!("violations   {}", self.failed.len()),
            format!("faults       {}", self.faults.values().sum::<u64>()),
        ];
        lines.extend(
            self.faults
                .iter()
                .map(|(kind, count)| format!("  {kind:34} {count:>7}")),
        );
        lines.push(self.resyncs());
        lines.extend(
            self.messages
                .iter()
                .map(|(kind, count)| format!("  {kind:44} {count:>7}")),
        );
        lines.push(format!(
            "points where a process died: {}, where a worker was held: {}",
            self.died.len(),
            self.waited.len()
        ));
        lines.join("\n")
    }
}

/// A number of simulations to run.
pub struct Campaign<'a> {
    pub template: &'a Template,
    /// In the order in which they are started.
    pub seeds: Vec<u64>,
    pub threads: usize,
    /// No further seed is started after the first failure.
    pub stops_at_first: bool,
    pub plan: &'a (dyn Fn(u64) -> Vec<Operation> + Sync),
    /// Called after each seed.
    pub progress: &'a (dyn Fn(u64, &Outcome) + Sync),
}

impl Campaign<'_> {
    /// Blocks until all are done. Each thread takes one seed after the other.
    pub fn run(&self) -> Result<Tally> {
        let started = Instant::now();
        let next = AtomicUsize::new(0);
        let tally = Mutex::new(Tally::default());
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads)
                .map(|_| scope.spawn(|| self.work(&next, &tally)))
                .collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| anyhow::bail!("a simulation panicked"))
            })
        })?;
        let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        tally.failed.sort_by_key(|failed| failed.seed);
        tally.took = started.elapsed();
        Ok(tally)
    }

    fn work(&self, next: &AtomicUsize, tally: &Mutex<Tally>) -> Result<()> {
        let runtime = runtime()?;
        loop {
            let seed = self.seeds.get(next.fetch_add(1, Ordering::Relaxed));
            let has_failed = || {
                !tally
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .failed
                    .is_empty()
            };
            let Some(&seed) = seed.filter(|_| !(self.stops_at_first && has_failed())) else {
                return Ok(());
            };
            let outcome = runtime
                .block_on(run(self.template, seed, &(self.plan)(seed)))
                .with_context(|| format!("seed {seed}"))?;
            (self.progress)(seed, &outcome);
            tally
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(seed, outcome);
        }
    }
}

/// A runtime for the emulator, the broker and the checks; the simulated processes have their own.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?)
}
