//! The operations of a simulation, listed before it starts.
//!
//! An operation has a kind and a number, `dice`, which chooses among the events, calendars and so on that exist when its turn
//! comes. So every operation has a meaning in every state, and removing operations from a plan leaves a valid plan.

mod generate;
mod kinds;

use serde::{Deserialize, Serialize};

pub use generate::{of_mutant, of_point, of_seed};
pub use kinds::{Act, BrokerTrouble, Edit, Forgery, Job, Meeting, Trouble, Viewing, Way, Write};

/// A user with a Google account, a calendar of their own, and one that both share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum User {
    Alice,
    Bob,
}

impl User {
    pub const ALL: [Self; 2] = [Self::Alice, Self::Bob];

    pub const fn index(self) -> usize {
        self as usize
    }

    pub const fn other(self) -> Self {
        match self {
            Self::Alice => Self::Bob,
            Self::Bob => Self::Alice,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Operation {
    /// A person changes a calendar in Google.
    Edit {
        user: User,
        edit: Edit,
        dice: u32,
    },
    /// A user changes an event that they see, through Calwire.
    Write {
        user: User,
        host: usize,
        write: Write,
        dice: u32,
        twice: bool,
        snare: Option<Snare>,
    },
    /// The network handles one of Google's pushes.
    Push {
        way: Way,
        host: usize,
        dice: u32,
        snare: Option<Snare>,
    },
    /// An attempt at something forbidden.
    Forge {
        forgery: Forgery,
        user: User,
        dice: u32,
    },
    /// A worker of a process makes one pass.
    Work {
        host: usize,
        job: Job,
        snare: Option<Snare>,
    },
    /// Work held at a point continues.
    Resume {
        dice: u32,
    },
    /// A process dies between two passes and is started again.
    Kill {
        host: usize,
    },
    /// Google's next calls of some kind fail.
    Trouble {
        user: User,
        trouble: Trouble,
        dice: u32,
    },
    /// A user does something other than an edit.
    Person {
        user: User,
        host: usize,
        act: Act,
        dice: u32,
        snare: Option<Snare>,
    },
    PassTime {
        seconds: u32,
    },
    Broker {
        trouble: BrokerTrouble,
    },
    Browser {
        user: User,
        act: Viewing,
    },
    /// Everything comes to rest; then one account is in trouble, and the other is not.
    Isolate {
        user: User,
        trouble: Trouble,
        dice: u32,
    },
    /// Everything comes to rest; then both users connect this user's account, and this user disconnects it.
    ShareAccount {
        user: User,
    },
    /// All faults end, and everything has to become consistent.
    Rest,
}

/// A trap at a named point of the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snare {
    pub point: String,
    pub passes: u32,
    /// True: the process dies there. False: the work waits there until a later operation.
    pub dies: bool,
}

impl Operation {
    pub const fn snare(&self) -> Option<&Snare> {
        match self {
            Self::Write { snare, .. }
            | Self::Push { snare, .. }
            | Self::Work { snare, .. }
            | Self::Person { snare, .. } => snare.as_ref(),
            _ => None,
        }
    }

    const fn snare_mut(&mut self) -> Option<&mut Option<Snare>> {
        match self {
            Self::Write { snare, .. }
            | Self::Push { snare, .. }
            | Self::Work { snare, .. }
            | Self::Person { snare, .. } => Some(snare),
            _ => None,
        }
    }

    /// The parts of the code that it passes through, by the first word of their points.
    pub const fn areas(&self) -> &'static [&'static str] {
        match self {
            Self::Write { .. } => &["write", "outbox", "token"],
            Self::Push { .. } => &["intake"],
            Self::Person { .. } => &["connect", "disconnect", "outbox"],
            Self::Work { job, .. } => match job {
                Job::Pull => &["pull", "rebuild", "list", "token", "outbox", "pull"],
                Job::Relay => &["relay"],
                Job::Watch | Job::StopWatches => &["watch", "token"],
                Job::Writes => &["write", "outbox"],
                Job::Disconnect => &["disconnect"],
                Job::Horizon => &["horizon"],
                Job::Recheck => &["token", "outbox"],
                Job::Poll | Job::Tidy => &[],
            },
            _ => &[],
        }
    }
}

/// The name of an operation's kind in a plan.
pub fn word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}
