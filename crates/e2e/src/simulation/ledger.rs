//! The simulation's record of events so far, to check later states against.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use google_emulator::{Resource, Revision};
use sync::write::Request;
use uuid::Uuid;

use super::plan::User;

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

/// The events of a calendar's mirror: etag and status by id.
pub type Mirror = BTreeMap<String, (String, String)>;

#[derive(Debug, Default)]
pub struct Ledger {
    /// How often each point was passed, and how often a process died or waited there.
    pub reached: BTreeMap<String, u64>,
    pub died: BTreeMap<String, u64>,
    pub waited: BTreeMap<String, u64>,
    /// The planned faults, by kind.
    pub faults: BTreeMap<String, u64>,
    /// The messages of both users, by type.
    pub messages: BTreeMap<String, u64>,
    /// The newest change of which a push was acknowledged, by user and calendar.
    pub acknowledged: HashMap<(String, String), Revision>,
    /// The progress of each resource.
    pub progress: HashMap<Uuid, Progress>,
    pub mirrors: HashMap<Uuid, Mirror>,
    pub writes: Vec<WriteRequest>,
    /// Series as our writes left them.
    pub ended_series: Vec<Resource>,
    pub keys: u64,
    /// Channels that may outlive their grant or connection at Google, because they cannot be stopped any more.
    pub excused: BTreeSet<String>,
    /// Accounts whose grants are known to have ended for a reason.
    pub ended: BTreeSet<String>,
}

/// A write request as it was submitted.
#[derive(Debug, Clone)]
pub struct WriteRequest {
    pub user: User,
    pub key: String,
    pub request: Request,
    /// Google's id.
    pub calendar: String,
    /// The event's title afterwards.
    pub title: Option<String>,
    pub guest: Option<String>,
    /// The new title, word or comment.
    pub text: String,
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
