//! What happens to a stack, and when, written down before anything happens. It is made from the seed alone; what people
//! choose when their turn comes (`dice`) depends on what there is by then.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::fault::{Fault, Kind, Link, Replica, Service, Toxic, Trouble};

/// Each has a Google account of the same name, and calls and looks by links of their own.
pub const USERS: [&str; 3] = ["ada", "ben", "cleo"];
/// Of each service.
pub const COPIES: usize = 2;
/// Of each user: two that show every frame, and one that is the real `centrifuge`.
pub const PAGES: usize = 3;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    /// When all faults have been lifted.
    pub milliseconds: u64,
    /// In the order of time.
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// In milliseconds from the beginning.
    pub at: u64,
    pub act: Act,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// Somebody changes their calendar in Google.
    Edit { user: usize, edit: Edit, dice: u64 },
    /// Somebody changes it by way of Calwire; `twice`: with a double click.
    Write {
        user: usize,
        write: Write,
        dice: u64,
        twice: bool,
    },
    /// Something breaks, and is mended so many milliseconds later.
    Fault { fault: Fault, lasts: u64 },
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
    /// Another field of an event that was made by way of Calwire.
    Describe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Write {
    Create,
    /// With a guest, who is mailed.
    Invite,
    Retitle,
    Delete,
}

/// How much happens.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub seconds: u64,
    pub faults: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            seconds: 14,
            faults: 40,
        }
    }
}

/// Calm at the beginning and before the end, in milliseconds.
const CALM: u64 = 300;
/// After a crash of Postgres or Centrifugo nothing else happens to what it is measured by, in milliseconds.
const RECOVERS: u64 = 2_500;
/// In seconds. Further apart one thing is known to go wrong, and open: docs/evidence.md tells of it.
const CLOCKS_APART: i32 = 20;
/// Tries to find a place for a fault.
const TRIES: usize = 60;

impl Plan {
    pub fn of_seed(seed: u64, size: Size) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let milliseconds = size.seconds * 1_000;
        let mut steps = Vec::new();
        for _ in 0..size.seconds * 4 {
            steps.push(edit(&mut dice, milliseconds));
        }
        for _ in 0..size.seconds * 2 {
            steps.push(write(&mut dice, milliseconds));
        }
        steps.extend(faults(&mut dice, milliseconds, size.faults));
        steps.sort_by_key(|step| step.at);
        Self {
            seed,
            milliseconds,
            steps,
        }
    }
}

fn edit(dice: &mut StdRng, end: u64) -> Step {
    let edit = match dice.random_range(0..100) {
        0..28 => Edit::Insert,
        28..33 => Edit::InsertDay,
        33..39 => Edit::InsertSeries,
        39..59 => Edit::Retitle,
        59..71 => Edit::Reschedule,
        71..77 => Edit::EditInstance,
        77..82 => Edit::CancelInstance,
        82..91 => Edit::Delete,
        _ => Edit::Describe,
    };
    let act = Act::Edit {
        user: dice.random_range(0..USERS.len()),
        edit,
        dice: dice.random(),
    };
    Step {
        at: dice.random_range(0..end),
        act,
    }
}

fn write(dice: &mut StdRng, end: u64) -> Step {
    let write = match dice.random_range(0..100) {
        0..35 => Write::Create,
        35..55 => Write::Invite,
        55..88 => Write::Retitle,
        _ => Write::Delete,
    };
    let act = Act::Write {
        user: dice.random_range(0..USERS.len()),
        write,
        dice: dice.random(),
        twice: dice.random_bool(0.15),
    };
    Step {
        at: dice.random_range(0..end),
        act,
    }
}

/// Every plan has the three whose recovery is measured; the rest is chance. Nothing is broken that is broken already.
fn faults(dice: &mut StdRng, end: u64, count: usize) -> Vec<Step> {
    let mut placed: Vec<(Fault, u64, u64)> = Vec::new();
    let victim = Replica {
        service: Service::WebhookIngest,
        number: dice.random_range(0..COPIES),
    };
    let first = [
        Fault::CrashDatabase,
        Fault::CrashBroker,
        Fault::Kill { replica: victim },
    ];
    for n in 0..count {
        for _ in 0..TRIES {
            let fault = first.get(n).cloned().unwrap_or_else(|| random(dice));
            let lasts = lasts(dice, &fault);
            let Some(latest) = end.checked_sub(CALM + lasts) else {
                continue;
            };
            let at = dice.random_range(CALM..latest.max(CALM + 1));
            let is_free = placed.iter().all(|(other, from, to)| {
                let is_apart = at + lasts + tail(&fault) <= *from || to + tail(other) <= at;
                is_apart || !fault.meets(other)
            });
            let is_once = !fault.is_once() || placed.iter().all(|(other, ..)| other.kind() != fault.kind());
            if is_free && is_once {
                placed.push((fault, at, at + lasts));
                break;
            }
        }
    }
    let step = |(fault, from, to)| Step {
        at: from,
        act: Act::Fault {
            fault,
            lasts: to - from,
        },
    };
    placed.into_iter().map(step).collect()
}

const fn tail(fault: &Fault) -> u64 {
    match fault {
        Fault::CrashDatabase | Fault::CrashBroker | Fault::FreezeBroker => RECOVERS,
        _ => 200,
    }
}

fn lasts(dice: &mut StdRng, fault: &Fault) -> u64 {
    match fault.kind() {
        Kind::Kill => dice.random_range(200..2_500),
        Kind::StepClock => dice.random_range(1_500..5_000),
        // Now and then past a lease, which is five seconds here.
        Kind::Freeze => dice.random_range(500..7_000),
        Kind::CrashDatabase | Kind::CrashBroker | Kind::FreezeBroker => dice.random_range(200..1_500),
        Kind::Network => dice.random_range(400..4_000),
        Kind::Google => dice.random_range(500..4_000),
        Kind::Push => dice.random_range(1_000..6_000),
        Kind::Revoke => dice.random_range(2_000..5_000),
        Kind::RotateKeys => 6_000,
        Kind::Restart | Kind::ExpireAccess | Kind::ExpireSyncToken => 0,
    }
}

fn random(dice: &mut StdRng) -> Fault {
    let replica = Replica {
        service: *pick(dice, &Service::ALL),
        number: dice.random_range(0..COPIES),
    };
    let user = dice.random_range(0..USERS.len());
    match dice.random_range(0..100) {
        0..14 => Fault::Kill { replica },
        14..22 => Fault::Freeze { replica },
        22..30 => Fault::Restart { replica },
        30..35 => Fault::StepClock {
            replica,
            seconds: dice.random_range(2..CLOCKS_APART) * if dice.random() { 1 } else { -1 },
        },
        35..37 => Fault::CrashDatabase,
        37..40 => Fault::CrashBroker,
        40..42 => Fault::FreezeBroker,
        42..67 => Fault::Network {
            link: random_link(dice, replica, user),
            toxic: random_toxic(dice),
        },
        67..83 => Fault::Google {
            trouble: *pick(dice, &Trouble::CALLS),
            user: dice.random_bool(0.6).then_some(user),
        },
        83..92 => Fault::Push {
            trouble: *pick(dice, &Trouble::PUSHES),
        },
        92..94 => Fault::ExpireAccess { user },
        94..96 => Fault::ExpireSyncToken { user },
        96..98 => Fault::Revoke { user },
        _ => Fault::RotateKeys,
    }
}

fn random_link(dice: &mut StdRng, replica: Replica, user: usize) -> Link {
    match dice.random_range(0..100) {
        0..28 => Link::Database { replica },
        28..48 => Link::Google { replica },
        48..66 if replica.service != Service::WatchRenewer => Link::Broker { replica },
        48..74 => Link::Webhook,
        74..90 => Link::Socket {
            user,
            page: dice.random_range(0..PAGES),
        },
        _ => Link::Api { user },
    }
}

fn random_toxic(dice: &mut StdRng) -> Toxic {
    match dice.random_range(0..100) {
        0..22 => Toxic::Latency {
            ms: dice.random_range(50..800),
            jitter: dice.random_range(0..200),
        },
        22..36 => Toxic::LoseRequests,
        36..52 => Toxic::LoseAnswers,
        52..66 => Toxic::Reset {
            ms: dice.random_range(0..200),
        },
        66..76 => Toxic::Bandwidth {
            kb: dice.random_range(1..20),
        },
        76..86 => Toxic::Cut {
            bytes: dice.random_range(200..20_000),
        },
        86..92 => Toxic::Slice,
        _ => Toxic::Down,
    }
}

fn pick<'a, T>(dice: &mut StdRng, from: &'a [T]) -> &'a T {
    &from[dice.random_range(0..from.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(plan: &Plan) -> Vec<(&Fault, u64, u64)> {
        plan.steps
            .iter()
            .filter_map(|step| match &step.act {
                Act::Fault { fault, lasts } => Some((fault, step.at, step.at + lasts)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_plan_is_the_seeds_and_nothing_elses() {
        let plan = Plan::of_seed(7, Size::default());
        assert_eq!(plan, Plan::of_seed(7, Size::default()));
        assert_ne!(plan.steps, Plan::of_seed(8, Size::default()).steps);
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }

    #[test]
    fn what_is_broken_is_not_broken_again_and_all_is_mended_in_the_end() {
        for seed in 0..200 {
            let plan = Plan::of_seed(seed, Size::default());
            let faults = faults(&plan);
            assert!(faults.len() >= 30, "seed {seed}: {}", faults.len());
            for (n, (fault, from, to)) in faults.iter().enumerate() {
                assert!(*to <= plan.milliseconds, "seed {seed}: {fault:?}");
                for (other, other_from, other_to) in &faults[n + 1..] {
                    let is_apart = to <= other_from || other_to <= from;
                    assert!(
                        is_apart || !fault.meets(other),
                        "seed {seed}: {fault:?} and {other:?}"
                    );
                }
            }
            for kind in [Kind::Kill, Kind::CrashDatabase, Kind::CrashBroker] {
                assert!(
                    faults.iter().any(|(fault, ..)| fault.kind() == kind),
                    "seed {seed}: {kind:?}"
                );
            }
        }
    }
}
