//! The record of a run: broken promises, faults, and the times of recoveries.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenPromise {
    pub promise: &'static str,
    pub detail: String,
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.detail)
    }
}

/// The measured recoveries, as in the table.
pub const WORKER: &str = "webhook-ingest killed → a change in each calendar is mirrored";
pub const DATABASE: &str = "Postgres is back → every running process is ready";
pub const BROKER: &str = "Centrifugo is back → every page is connected and equal";
pub const REST: &str = "the last fault is lifted → everything is at rest and equal";

#[derive(Debug, Default, Clone)]
pub struct Counts {
    pub faults: BTreeMap<String, u64>,
    pub edits: u64,
    pub writes: u64,
    pub loads: u64,
    pub sockets: u64,
    pub messages: u64,
    pub recoveries: BTreeMap<&'static str, Vec<Duration>>,
    pub violations: Vec<BrokenPromise>,
}

#[derive(Debug, Default)]
pub struct Record(Mutex<Counts>);

/// Violations of one promise that are kept; the first ones are the most useful.
const KEPT: usize = 5;

impl Record {
    pub fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn broken(&self, promise: &'static str, detail: impl Into<String>) {
        let detail = detail.into();
        let mut counts = self.counts();
        let of_it = counts.violations.iter().filter(|known| known.promise == promise);
        if of_it.count() < KEPT {
            counts.violations.push(BrokenPromise { promise, detail });
        }
    }

    pub fn recovered(&self, from: &'static str, took: Duration) {
        self.counts().recoveries.entry(from).or_default().push(took);
    }
}
