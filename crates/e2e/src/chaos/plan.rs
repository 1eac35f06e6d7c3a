//! The faults and changes of a run with their times, made from the seed alone before it starts. The events that people choose
//! when their turn comes (by `dice`) depend on those that exist by then.

#[cfg(test)]
mod tests;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::fault::{Fault, FaultKind};
use super::link::{Link, Replica, ServiceKind, Toxic};
use super::trouble::GoogleTrouble;
use crate::bodies::Form;

/// Each has a Google account of the same name, and links of their own.
pub const USERS: [&str; 3] = ["ada", "ben", "cleo"];
/// Processes of each service.
pub const COPIES: usize = 2;
/// Pages of each user: two that check every frame, and one that is the real `centrifuge`.
pub const PAGES: usize = 3;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    /// The time by which all faults have ended.
    pub milliseconds: u64,
    /// Ordered by time.
    pub steps: Vec<PlannedStep>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// In milliseconds from the beginning.
    pub at: u64,
    pub act: Action,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// A person changes their calendar in Google.
    Edit {
        user: usize,
        edit: GoogleEdit,
        dice: u64,
    },
    /// A person changes it through Calwire; `twice`: with a double click.
    Write {
        user: usize,
        write: UserWrite,
        dice: u64,
        twice: bool,
    },
    /// A fault that ends after `lasts` milliseconds.
    Fault { fault: Fault, lasts: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GoogleEdit {
    Retitle,
    Reschedule,
    EditInstance,
    CancelInstance,
    Delete,
    /// Changes another field of an event that was made through Calwire.
    Describe,
    /// Other programs and people add their own to such an event.
    Furnish,
    #[serde(untagged)]
    Insert(Form),
}

/// The forms of new events that are drawn as often as one another.
const RARE_FORMS: [Form; 9] = [
    Form::InZone,
    Form::Flight,
    Form::Guests,
    Form::Long,
    Form::Birthday,
    Form::FromGmail,
    Form::FocusTime,
    Form::OutOfOffice,
    Form::WorkingLocation,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UserWrite {
    Create,
    /// With a guest, who is mailed.
    Invite,
    Retitle,
    Delete,
}

/// The length of a plan and its number of faults.
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

/// Milliseconds without faults at the beginning and before the end.
const CALM: u64 = 300;
/// Milliseconds after a crash of Postgres or Centrifugo without another fault of the parts by which recovery is measured.
const RECOVERS: u64 = 2_500;
/// Seconds. Clocks further apart reveal a known, open problem: see "Chaos" in docs/evidence-log.md.
const CLOCKS_APART: i32 = 20;
/// Attempts to find a time for a fault.
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

    pub fn rotates_keys(&self) -> bool {
        self.steps.iter().any(|step| {
            matches!(
                step.act,
                Action::Fault {
                    fault: Fault::RotateKeys,
                    ..
                }
            )
        })
    }
}

fn edit(dice: &mut StdRng, end: u64) -> PlannedStep {
    let edit = match dice.random_range(0..100) {
        0..14 => GoogleEdit::Insert(Form::Hour),
        14..28 => GoogleEdit::Insert(*pick(dice, &RARE_FORMS)),
        28..33 => GoogleEdit::Insert(Form::Day),
        33..39 => GoogleEdit::Insert(Form::Series),
        39..59 => GoogleEdit::Retitle,
        59..71 => GoogleEdit::Reschedule,
        71..77 => GoogleEdit::EditInstance,
        77..82 => GoogleEdit::CancelInstance,
        82..89 => GoogleEdit::Delete,
        89..94 => GoogleEdit::Furnish,
        _ => GoogleEdit::Describe,
    };
    let act = Action::Edit {
        user: dice.random_range(0..USERS.len()),
        edit,
        dice: dice.random(),
    };
    PlannedStep {
        at: dice.random_range(0..end),
        act,
    }
}

fn write(dice: &mut StdRng, end: u64) -> PlannedStep {
    let write = match dice.random_range(0..100) {
        0..35 => UserWrite::Create,
        35..55 => UserWrite::Invite,
        55..88 => UserWrite::Retitle,
        _ => UserWrite::Delete,
    };
    let act = Action::Write {
        user: dice.random_range(0..USERS.len()),
        write,
        dice: dice.random(),
        twice: dice.random_bool(0.15),
    };
    PlannedStep {
        at: dice.random_range(0..end),
        act,
    }
}

/// Every plan has the three faults whose recovery is measured; the rest is random. Overlapping faults are not planned.
fn faults(dice: &mut StdRng, end: u64, count: usize) -> Vec<PlannedStep> {
    let mut placed: Vec<(Fault, u64, u64)> = Vec::new();
    let victim = Replica {
        service: ServiceKind::WebhookIngest,
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
                is_apart || !fault.overlaps(other)
            });
            let is_once = !fault.is_once() || placed.iter().all(|(other, ..)| other.kind() != fault.kind());
            if is_free && is_once {
                placed.push((fault, at, at + lasts));
                break;
            }
        }
    }
    let step = |(fault, from, to)| PlannedStep {
        at: from,
        act: Action::Fault {
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
        FaultKind::Kill => dice.random_range(200..2_500),
        FaultKind::StepClock => dice.random_range(1_500..5_000),
        // Sometimes longer than a lease, which is five seconds here.
        FaultKind::Freeze => dice.random_range(500..7_000),
        FaultKind::CrashDatabase | FaultKind::CrashBroker | FaultKind::FreezeBroker => {
            dice.random_range(200..1_500)
        }
        FaultKind::Network => dice.random_range(400..4_000),
        FaultKind::Google => dice.random_range(500..4_000),
        FaultKind::Push => dice.random_range(1_000..6_000),
        FaultKind::Revoke | FaultKind::Refuse => dice.random_range(2_000..5_000),
        FaultKind::RotateKeys => 6_000,
        FaultKind::Restart | FaultKind::ExpireAccess | FaultKind::ExpireSyncToken => 0,
    }
}

fn random(dice: &mut StdRng) -> Fault {
    let replica = Replica {
        service: *pick(dice, &ServiceKind::ALL),
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
        67..81 => Fault::Google {
            trouble: *pick(dice, &GoogleTrouble::CALLS),
            user: dice.random_bool(0.6).then_some(user),
        },
        81..83 => Fault::Refuse {
            trouble: *pick(dice, &GoogleTrouble::REFUSALS),
            user,
        },
        83..92 => Fault::Push {
            trouble: *pick(dice, &GoogleTrouble::PUSHES),
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
        48..66 if replica.service != ServiceKind::WatchRenewer => Link::Broker { replica },
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
