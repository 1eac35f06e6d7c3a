//! What happens in a simulation, as a list that is written down before anything happens.
//!
//! An operation names what it does by kind and by a number, `dice`, that chooses among what there is when its turn comes.
//! So each operation means something in any state, and a plan stays a plan when operations are taken out of it.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::points;

/// Somebody with a Google account, a calendar of their own, and one that both share.
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
    /// Somebody changes a calendar in Google.
    Edit {
        user: User,
        edit: Edit,
        dice: u32,
    },
    /// Somebody changes what they see, by way of Calwire.
    Write {
        user: User,
        host: usize,
        write: Write,
        dice: u32,
        twice: bool,
        snare: Option<Snare>,
    },
    /// The network has a push of Google's.
    Push {
        way: Way,
        host: usize,
        dice: u32,
        snare: Option<Snare>,
    },
    /// Somebody who may not tries.
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
    /// What waits at a point goes on.
    GoOn {
        dice: u32,
    },
    /// A process dies between two passes, and is started again.
    Kill {
        host: usize,
    },
    /// Google will fail in some way at some calls.
    Trouble {
        user: User,
        trouble: Trouble,
        dice: u32,
    },
    /// A user does something that is no edit.
    Person {
        user: User,
        host: usize,
        act: Act,
        dice: u32,
        snare: Option<Snare>,
    },
    Pass {
        seconds: u32,
    },
    Broker {
        trouble: BrokerTrouble,
    },
    Browser {
        user: User,
        act: Viewing,
    },
    /// Everything that is wrong ends, and all is as it should be in the end.
    Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Edit {
    Insert,
    InsertDay,
    InsertSeries,
    Retitle,
    Reschedule,
    EditInstance,
    CancelInstance,
    Delete,
    DeleteMany,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Write {
    Create,
    Invite,
    CreateSeries,
    Retitle,
    Reschedule,
    RetitleSeries,
    Split,
    Delete,
    DeleteSeries,
    Move,
}

/// What the network does with a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Way {
    Deliver,
    /// Not the oldest one.
    OutOfOrder,
    Twice,
    Lose,
    LoseAll,
    /// One that was delivered before.
    Replay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Forgery {
    UnknownChannel,
    WrongToken,
    WrongResource,
    /// The record of one user's token in another one's row.
    SwappedToken,
    JwtAlgorithm,
    JwtExpired,
    JwtAudience,
    JwtUnsigned,
    OthersChannel,
    OthersCalendar,
    OthersEvent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Job {
    Pull,
    Relay,
    Watch,
    StopWatches,
    Poll,
    Writes,
    Leave,
    Horizon,
    Tidy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trouble {
    Gone,
    GoneLater,
    SmallPages,
    EmptyPage,
    Shuffled,
    Limited,
    ProjectLimited,
    QuotaSpent,
    Unavailable,
    LostRequest,
    LostAnswer,
    Truncated,
    Garbage,
    Unauthorized,
    TokenUnavailable,
    TokenRefused,
    WatchUnavailable,
    ShortWatch,
    StopUnavailable,
    WriteUnavailable,
    WriteAnswerLost,
    Forbidden,
    ExpireSyncTokens,
    ExpireAccess,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    Revoke,
    Connect,
    Disconnect,
    Deselect,
    Select,
    SyncNow,
    LeaveCalendar,
    JoinCalendar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BrokerTrouble {
    Refuses,
    Away,
    AnswerLost,
    Restarts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Viewing {
    Hear,
    Miss,
    HearAgain,
    Reload,
}

/// A trap at a named point of the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snare {
    pub point: String,
    pub passes: u32,
    /// The process dies there; otherwise the work waits there until a later operation.
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

    /// The parts of the code that it goes through, by the first word of their points.
    const fn areas(&self) -> &'static [&'static str] {
        match self {
            Self::Write { .. } => &["write", "tell", "token"],
            Self::Push { .. } => &["intake"],
            Self::Person { .. } => &["connect", "leave", "tell"],
            Self::Work { job, .. } => match job {
                Job::Pull => &["pull", "rebuild", "list", "token", "tell", "pull"],
                Job::Relay => &["relay"],
                Job::Watch | Job::StopWatches => &["watch", "token"],
                Job::Writes => &["write", "tell"],
                Job::Leave => &["leave"],
                Job::Horizon => &["horizon"],
                Job::Poll | Job::Tidy => &[],
            },
            _ => &[],
        }
    }
}

/// How often everything comes to rest, in operations.
const REST_EVERY: usize = 75;

/// The plan of a seed: so many operations, and a rest at the end.
pub fn of_seed(seed: u64, operations: usize) -> Vec<Operation> {
    let mut dice = StdRng::seed_from_u64(seed);
    let points = points::declared();
    let mut plan = Vec::with_capacity(operations + 1);
    while plan.len() < operations {
        if plan.len() % REST_EVERY == REST_EVERY - 1 {
            plan.push(Operation::Rest);
            continue;
        }
        let mut operation = random(&mut dice);
        let areas = operation.areas();
        if let Some(snare) = operation.snare_mut()
            && dice.random_bool(0.14)
        {
            *snare = random_snare(&mut dice, &points, areas);
        }
        plan.push(operation);
    }
    plan.push(Operation::Rest);
    plan
}

/// A plan in which much of what passes `point` dies there.
pub fn of_point(point: &str, seed: u64, operations: usize) -> Vec<Operation> {
    let mut dice = StdRng::seed_from_u64(seed ^ 0x5eed);
    let area = point.split('.').next().unwrap_or_default();
    let mut plan = of_seed(seed, operations);
    for operation in &mut plan {
        match (area, point) {
            ("horizon", _) => move_horizons(operation),
            ("leave", _) => person_more(operation, Act::Disconnect, Job::Leave),
            (_, "watch.stopped_at_google") => person_more(operation, Act::Deselect, Job::StopWatches),
            _ => {}
        }
        let comes_by = operation.areas().contains(&area);
        let opens_channel = matches!(operation, Operation::Work { job: Job::Watch, .. });
        let Some(snare) = operation.snare_mut() else {
            continue;
        };
        if comes_by {
            *snare = dice.random_bool(0.7).then(|| Snare {
                point: point.to_owned(),
                passes: u32::from(dice.random_bool(0.2)),
                dies: true,
            });
        } else if opens_channel && area == "intake" {
            // Google's first push is there before its answer.
            *snare = Some(Snare {
                point: "watch.after_google".to_owned(),
                passes: 0,
                dies: false,
            });
        }
    }
    plan
}

/// A plan with more of what shows a mutant that a usual day shows seldom.
pub fn of_bug(bug: &str, seed: u64, operations: usize) -> Vec<Operation> {
    let mut dice = StdRng::seed_from_u64(seed ^ 0xb06);
    let plan = of_seed(seed, operations);
    match bug {
        "grant_ends_at_once" => plan
            .into_iter()
            .map(|operation| refused_more(operation, &mut dice))
            .collect(),
        "no_lease_fence" => plan
            .chunks(25)
            .flat_map(|part| [part.to_vec(), overtaken(&mut dice)].concat())
            .collect(),
        _ => plan,
    }
}

fn refused_more(operation: Operation, dice: &mut StdRng) -> Operation {
    match operation {
        Operation::Trouble { user, dice: how, .. } if dice.random_bool(0.4) => Operation::Trouble {
            user,
            trouble: Trouble::TokenRefused,
            dice: how,
        },
        other => other,
    }
}

/// A pull that is held up past its lease, while others pull what changes meanwhile.
fn overtaken(dice: &mut StdRng) -> Vec<Operation> {
    let user = User::ALL[dice.random_range(0..User::ALL.len())];
    let mut edit = || Operation::Edit {
        user,
        edit: Edit::Insert,
        dice: dice.random(),
    };
    let edits = [edit(), edit()];
    let pull = |host, snare| Operation::Work {
        host,
        job: Job::Pull,
        snare,
    };
    let deliver = || Operation::Push {
        way: Way::Deliver,
        host: 1,
        dice: 0,
        snare: None,
    };
    let held = Snare {
        point: "pull.page_read".to_owned(),
        passes: 0,
        dies: false,
    };
    let [first, second] = edits;
    vec![
        first,
        deliver(),
        pull(0, Some(held.clone())),
        pull(0, Some(held.clone())),
        pull(0, Some(held)),
        Operation::Pass { seconds: 120 },
        second,
        deliver(),
        pull(1, None),
        pull(1, None),
        pull(1, None),
        Operation::GoOn { dice: 0 },
        Operation::GoOn { dice: 0 },
        Operation::GoOn { dice: 0 },
    ]
}

/// Series have to be expanded further once a week.
fn move_horizons(operation: &mut Operation) {
    match operation {
        Operation::Pass { seconds } => *seconds = 700_000,
        Operation::Work { job, .. } if matches!(job, Job::Poll | Job::Tidy) => *job = Job::Horizon,
        _ => {}
    }
}

/// People do this more often than anything else but connecting, and somebody sees to it.
fn person_more(operation: &mut Operation, more: Act, work: Job) {
    match operation {
        Operation::Person { act, .. } if *act != Act::Connect => *act = more,
        Operation::Work { job, .. } if matches!(job, Job::Poll | Job::Tidy) => *job = work,
        _ => {}
    }
}

fn random_snare(dice: &mut StdRng, points: &[String], areas: &[&str]) -> Option<Snare> {
    let area = areas.get(dice.random_range(0..areas.len().max(1)))?;
    let within: Vec<_> = points
        .iter()
        .filter(|point| point.split('.').next() == Some(area))
        .collect();
    let point = (*within.get(dice.random_range(0..within.len().max(1)))?).clone();
    Some(Snare {
        point,
        passes: if dice.random_bool(0.25) {
            dice.random_range(1..3)
        } else {
            0
        },
        dies: dice.random_bool(0.55),
    })
}

fn one_of<T: Copy>(dice: &mut StdRng, choices: &[(u32, T)]) -> T {
    let sum = choices.iter().map(|(weight, _)| weight).sum();
    let mut left = dice.random_range(0..sum);
    for &(weight, choice) in choices {
        if left < weight {
            return choice;
        }
        left -= weight;
    }
    choices[0].1
}

fn random(dice: &mut StdRng) -> Operation {
    let user = User::ALL[dice.random_range(0..2)];
    let host = dice.random_range(0..2);
    let number = dice.random();
    match dice.random_range(0..200) {
        0..32 => Operation::Edit {
            user,
            edit: one_of(dice, EDITS),
            dice: number,
        },
        32..50 => {
            let twice = dice.random_bool(0.2);
            Operation::Write {
                user,
                host,
                write: one_of(dice, WRITES),
                dice: number,
                twice,
                snare: None,
            }
        }
        50..76 => Operation::Push {
            way: one_of(dice, WAYS),
            host,
            dice: number,
            snare: None,
        },
        76..84 => Operation::Forge {
            forgery: one_of(dice, FORGERIES),
            user,
            dice: number,
        },
        84..140 => Operation::Work {
            host,
            job: one_of(dice, JOBS),
            snare: None,
        },
        140..147 => Operation::GoOn { dice: number },
        147..149 => Operation::Kill { host },
        149..161 => Operation::Trouble {
            user,
            trouble: one_of(dice, TROUBLES),
            dice: number,
        },
        161..167 => Operation::Person {
            user,
            host,
            act: one_of(dice, ACTS),
            dice: number,
            snare: None,
        },
        167..180 => Operation::Pass {
            seconds: passing(dice),
        },
        180..184 => Operation::Broker {
            trouble: one_of(dice, BROKER),
        },
        _ => Operation::Browser {
            user,
            act: one_of(dice, VIEWINGS),
        },
    }
}

/// Mostly what a lease or a wait lasts, now and then an hour or a week.
fn passing(dice: &mut StdRng) -> u32 {
    match dice.random_range(0..20) {
        0..10 => dice.random_range(1..40),
        10..16 => dice.random_range(40..400),
        16..18 => dice.random_range(400..4_000),
        18 => dice.random_range(4_000..90_000),
        _ => dice.random_range(90_000..700_000),
    }
}

const EDITS: &[(u32, Edit)] = &[
    (10, Edit::Insert),
    (2, Edit::InsertDay),
    (4, Edit::InsertSeries),
    (6, Edit::Retitle),
    (3, Edit::Reschedule),
    (3, Edit::EditInstance),
    (2, Edit::CancelInstance),
    (4, Edit::Delete),
    (1, Edit::DeleteMany),
];
const WRITES: &[(u32, Write)] = &[
    (6, Write::Create),
    (2, Write::Invite),
    (2, Write::CreateSeries),
    (6, Write::Retitle),
    (2, Write::Reschedule),
    (2, Write::RetitleSeries),
    (1, Write::Split),
    (2, Write::Delete),
    (1, Write::DeleteSeries),
    (1, Write::Move),
];
const WAYS: &[(u32, Way)] = &[
    (12, Way::Deliver),
    (4, Way::OutOfOrder),
    (2, Way::Twice),
    (3, Way::Lose),
    (1, Way::LoseAll),
    (2, Way::Replay),
];
const FORGERIES: &[(u32, Forgery)] = &[
    (1, Forgery::UnknownChannel),
    (1, Forgery::WrongToken),
    (1, Forgery::WrongResource),
    (3, Forgery::SwappedToken),
    (3, Forgery::JwtAlgorithm),
    (1, Forgery::JwtExpired),
    (1, Forgery::JwtAudience),
    (1, Forgery::JwtUnsigned),
    (3, Forgery::OthersChannel),
    (1, Forgery::OthersCalendar),
    (1, Forgery::OthersEvent),
];
const JOBS: &[(u32, Job)] = &[
    (24, Job::Pull),
    (12, Job::Relay),
    (6, Job::Watch),
    (3, Job::StopWatches),
    (4, Job::Poll),
    (5, Job::Writes),
    (2, Job::Leave),
    (1, Job::Horizon),
    (1, Job::Tidy),
];
const TROUBLES: &[(u32, Trouble)] = &[
    (2, Trouble::Gone),
    (2, Trouble::GoneLater),
    (3, Trouble::SmallPages),
    (1, Trouble::EmptyPage),
    (1, Trouble::Shuffled),
    (1, Trouble::Limited),
    (1, Trouble::ProjectLimited),
    (1, Trouble::QuotaSpent),
    (2, Trouble::Unavailable),
    (1, Trouble::LostRequest),
    (1, Trouble::LostAnswer),
    (1, Trouble::Truncated),
    (1, Trouble::Garbage),
    (1, Trouble::Unauthorized),
    (1, Trouble::TokenUnavailable),
    (2, Trouble::TokenRefused),
    (1, Trouble::WatchUnavailable),
    (1, Trouble::ShortWatch),
    (1, Trouble::StopUnavailable),
    (2, Trouble::WriteUnavailable),
    (2, Trouble::WriteAnswerLost),
    (1, Trouble::Forbidden),
    (3, Trouble::ExpireSyncTokens),
    (3, Trouble::ExpireAccess),
];
const ACTS: &[(u32, Act)] = &[
    (2, Act::Revoke),
    (5, Act::Connect),
    (1, Act::Disconnect),
    (1, Act::Deselect),
    (3, Act::Select),
    (2, Act::SyncNow),
    (1, Act::LeaveCalendar),
    (2, Act::JoinCalendar),
];
const BROKER: &[(u32, BrokerTrouble)] = &[
    (2, BrokerTrouble::Refuses),
    (2, BrokerTrouble::Away),
    (2, BrokerTrouble::AnswerLost),
    (1, BrokerTrouble::Restarts),
];
const VIEWINGS: &[(u32, Viewing)] = &[
    (12, Viewing::Hear),
    (2, Viewing::Miss),
    (2, Viewing::HearAgain),
    (1, Viewing::Reload),
];
