//! What a simulation remembers, to hold it against what it sees.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use google_emulator::Revision;
use uuid::Uuid;

use super::writing::Asked;

/// An invariant does not hold.
#[derive(Debug, Clone)]
pub struct Violation {
    pub invariant: &'static str,
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.detail)
    }
}

impl std::error::Error for Violation {}

/// Ends the simulation with a violation of the invariant of this name.
macro_rules! violated {
    ($invariant:literal, $($detail:tt)*) => {
        anyhow::bail!($crate::simulation::ledger::Violation {
            invariant: $invariant,
            detail: format!($($detail)*),
        })
    };
}
pub(super) use violated;

/// As `violated`, unless the condition holds.
macro_rules! holds {
    ($condition:expr, $invariant:literal, $($detail:tt)*) => {
        if !$condition {
            $crate::simulation::ledger::violated!($invariant, $($detail)*);
        }
    };
}
pub(super) use holds;

/// Which events a calendar's mirror shows: by id, the etag and the status.
pub type Mirror = BTreeMap<String, (String, String)>;

#[derive(Debug, Default)]
pub struct Ledger {
    /// How often each point was passed, and what happened there.
    pub reached: BTreeMap<String, u64>,
    pub died: BTreeMap<String, u64>,
    pub waited: BTreeMap<String, u64>,
    /// What went wrong on purpose, by kind.
    pub faults: BTreeMap<String, u64>,
    /// The newest change of which a push was acknowledged, by user and calendar.
    pub acknowledged: HashMap<(String, String), Revision>,
    /// How far each resource had come.
    pub progress: HashMap<Uuid, Progress>,
    pub mirrors: HashMap<Uuid, Mirror>,
    pub writes: Vec<Asked>,
    pub keys: u64,
    /// Channels that may outlive their grant or their connection at Google, where nobody can stop them any more.
    pub excused: BTreeSet<String>,
    /// The accounts whose grants have ended for a reason.
    pub ended: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    pub synced_seq: i64,
    pub revision: Revision,
}

impl Ledger {
    pub fn count(&mut self, fault: impl Into<String>) {
        *self.faults.entry(fault.into()).or_default() += 1;
    }
}
