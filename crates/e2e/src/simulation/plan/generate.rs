//! Plans made from seeds.

use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::kinds::{Act, BrokerTrouble, Edit, Forgery, Job, Trouble, Viewing, Way, Write};
use super::{Operation, Snare, User};
use crate::bodies::Form;
use crate::simulation::points;

/// Operations between two rests.
const REST_EVERY: usize = 75;

/// The plan of a seed, with a rest at its end.
pub fn of_seed(seed: u64, operations: usize) -> Vec<Operation> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut troubles = StdRng::seed_from_u64(seed ^ 0x07e);
    let points = points::declared();
    let mut plan = Vec::with_capacity(operations + 1);
    let mut next = VecDeque::new();
    while plan.len() < operations {
        if plan.len() % REST_EVERY == REST_EVERY - 1 {
            plan.push(alone_in_trouble(&mut troubles));
            continue;
        }
        let mut operation = next.pop_front().unwrap_or_else(|| random(&mut dice));
        if let Operation::Trouble {
            user,
            trouble: Trouble::SlowPages,
            ..
        } = operation
        {
            next.extend(pulled_twice(user));
        }
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

/// A plan in which most processes that pass `point` die there.
pub fn of_point(point: &str, seed: u64, operations: usize) -> Vec<Operation> {
    let mut dice = StdRng::seed_from_u64(seed ^ 0x5eed);
    let area = point.split('.').next().unwrap_or_default();
    let mut plan = of_seed(seed, operations);
    for operation in &mut plan {
        match (area, point) {
            ("horizon", _) => move_horizons(operation),
            ("disconnect", _) => act_more(operation, Act::Disconnect, Job::Disconnect),
            (_, "watch.stopped_at_google") => act_more(operation, Act::Deselect, Job::StopWatches),
            _ => {}
        }
        let passes_area = operation.areas().contains(&area);
        let opens_channel = matches!(operation, Operation::Work { job: Job::Watch, .. });
        let Some(snare) = operation.snare_mut() else {
            continue;
        };
        if passes_area {
            *snare = dice.random_bool(0.7).then(|| Snare {
                point: point.to_owned(),
                passes: u32::from(dice.random_bool(0.2)),
                dies: true,
            });
        } else if opens_channel && area == "intake" {
            // Google's first push arrives before its answer.
            *snare = Some(Snare {
                point: "watch.after_google".to_owned(),
                passes: 0,
                dies: false,
            });
        }
    }
    plan
}

/// A plan with more of the operations that reveal this mutant, if a usual plan rarely does.
pub fn of_mutant(mutant: &str, seed: u64, operations: usize) -> Vec<Operation> {
    let mut dice = StdRng::seed_from_u64(seed ^ 0xb06);
    let plan = of_seed(seed, operations);
    match mutant {
        "cut_text_written" => replaced(plan, |operation| match operation {
            Operation::Edit {
                edit: Edit::Insert(form),
                ..
            } if *form == Form::Hour => *form = Form::Long,
            _ => {}
        }),
        "limit_stops_all_accounts" => replaced(plan, |operation| {
            if let Operation::Isolate { trouble, .. } = operation {
                *trouble = Trouble::LimitedUnnamed;
            }
        }),
        "refused_grant_hides" => replaced(plan, |operation| {
            if let Operation::Isolate { trouble, .. } = operation {
                *trouble = Trouble::TokenRefused;
            }
        }),
        "grant_ends_at_once" => plan
            .into_iter()
            .map(|operation| refused_more(operation, &mut dice))
            .collect(),
        "no_lease_fence" => interspersed(&plan, || overtaken(&mut dice)),
        "sweep_truncated" => interspersed(&plan, || broken_off(&mut dice)),
        _ => plan,
    }
}

/// Two attempts to pull everything a user has: pages become smaller after the second that times out.
fn pulled_twice(user: User) -> Vec<Operation> {
    let again = Operation::PassTime { seconds: 5 };
    [
        vec![sync_now(user)],
        vec![pull(0, None); 4],
        vec![again],
        vec![pull(0, None); 4],
    ]
    .concat()
}

fn sync_now(user: User) -> Operation {
    Operation::Person {
        user,
        host: 0,
        act: Act::SyncNow,
        dice: 0,
        snare: None,
    }
}

fn pull(host: usize, snare: Option<Snare>) -> Operation {
    Operation::Work {
        host,
        job: Job::Pull,
        snare,
    }
}

fn alone_in_trouble(dice: &mut StdRng) -> Operation {
    let user = User::ALL[dice.random_range(0..2)];
    if dice.random_bool(0.1) {
        return Operation::ShareAccount { user };
    }
    Operation::Isolate {
        user,
        trouble: one_of(dice, Trouble::OF_ONE_ACCOUNT),
        dice: dice.random(),
    }
}

fn replaced(mut plan: Vec<Operation>, replace: impl Fn(&mut Operation)) -> Vec<Operation> {
    plan.iter_mut().for_each(replace);
    plan
}

/// The plan with more operations after each few.
fn interspersed(plan: &[Operation], mut more: impl FnMut() -> Vec<Operation>) -> Vec<Operation> {
    plan.chunks(25)
        .flat_map(|part| [part.to_vec(), more()].concat())
        .collect()
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

/// A pull that is held past its lease, while another process pulls newer changes.
fn overtaken(dice: &mut StdRng) -> Vec<Operation> {
    let user = User::ALL[dice.random_range(0..User::ALL.len())];
    let mut edit = || Operation::Edit {
        user,
        edit: Edit::Insert(Form::Hour),
        dice: dice.random(),
    };
    let edits = [edit(), edit()];
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
        Operation::PassTime { seconds: 120 },
        second,
        deliver(),
        pull(1, None),
        pull(1, None),
        pull(1, None),
        Operation::Resume { dice: 0 },
        Operation::Resume { dice: 0 },
        Operation::Resume { dice: 0 },
    ]
}

/// Full listings of all calendars of a user, some of which fail at their second page.
fn broken_off(dice: &mut StdRng) -> Vec<Operation> {
    let user = User::ALL[dice.random_range(0..User::ALL.len())];
    let mut trouble = |trouble| Operation::Trouble {
        user,
        trouble,
        dice: dice.random(),
    };
    let [expired, gone] = [Trouble::ExpireSyncTokens, Trouble::GoneLater].map(&mut trouble);
    // A calendar is not listed again within a minute.
    let later = Operation::PassTime { seconds: 61 };
    [vec![expired, gone, later, sync_now(user)], vec![pull(0, None); 5]].concat()
}

/// Lets a week pass at a time, after which series have to be expanded further.
fn move_horizons(operation: &mut Operation) {
    match operation {
        Operation::PassTime { seconds } => *seconds = 700_000,
        Operation::Work { job, .. } if matches!(job, Job::Poll | Job::Tidy) => *job = Job::Horizon,
        _ => {}
    }
}

/// Replaces users' acts other than connecting, and makes the worker for it run more often.
fn act_more(operation: &mut Operation, more: Act, work: Job) {
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
            edit: one_of(dice, Edit::WEIGHTS),
            dice: number,
        },
        32..50 => {
            let twice = dice.random_bool(0.2);
            Operation::Write {
                user,
                host,
                write: one_of(dice, Write::WEIGHTS),
                dice: number,
                twice,
                snare: None,
            }
        }
        50..76 => Operation::Push {
            way: one_of(dice, Way::WEIGHTS),
            host,
            dice: number,
            snare: None,
        },
        76..84 => Operation::Forge {
            forgery: one_of(dice, Forgery::WEIGHTS),
            user,
            dice: number,
        },
        84..140 => Operation::Work {
            host,
            job: one_of(dice, Job::WEIGHTS),
            snare: None,
        },
        140..147 => Operation::Resume { dice: number },
        147..149 => Operation::Kill { host },
        149..161 => Operation::Trouble {
            user,
            trouble: one_of(dice, Trouble::WEIGHTS),
            dice: number,
        },
        161..167 => Operation::Person {
            user,
            host,
            act: one_of(dice, Act::WEIGHTS),
            dice: number,
            snare: None,
        },
        167..180 => Operation::PassTime {
            seconds: passing(dice),
        },
        180..184 => Operation::Broker {
            trouble: one_of(dice, BrokerTrouble::WEIGHTS),
        },
        _ => Operation::Browser {
            user,
            act: one_of(dice, Viewing::WEIGHTS),
        },
    }
}

/// Mostly as long as a lease or a wait, sometimes an hour or a week.
fn passing(dice: &mut StdRng) -> u32 {
    match dice.random_range(0..20) {
        0..10 => dice.random_range(1..40),
        10..16 => dice.random_range(40..400),
        16..18 => dice.random_range(400..4_000),
        18 => dice.random_range(4_000..90_000),
        _ => dice.random_range(90_000..700_000),
    }
}
