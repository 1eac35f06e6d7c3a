//! Google's calls fail for an hour while people keep changing their calendars: how long recovery takes afterwards, and how many
//! calls it needs.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::TimeDelta;
use common::worker::Pass;
use google_emulator::seed::SeedCalendar;
use google_emulator::{Fault, Rule};
use serde_json::json;

use super::accounts::email;
use super::database::Template;
use super::host::Done;
use super::ledger::holds;
use super::plan::{Job, User};
use super::work::{deliver, settle};
use super::world::{Purpose, World};
use super::{equal, rest};

/// Calendars of one user. One call for each exceeds the user's budget for a minute.
const CALENDARS: usize = 500;
const STEP: TimeDelta = TimeDelta::minutes(20);
const STEPS: usize = 3;
const LOOK: TimeDelta = TimeDelta::seconds(15);
const AT_MOST: TimeDelta = TimeDelta::minutes(15);
/// A user's budget for a minute, of Google's 600.
pub const CALLS_A_MINUTE: u32 = 480;

/// The course of a recovery.
#[derive(Debug)]
pub struct Recovery {
    pub calendars: usize,
    /// From Google's return until everything is done and equal.
    pub took: TimeDelta,
    pub calls: u32,
    /// The most in a minute, of one user.
    pub most_calls: u32,
}

pub async fn of_an_hour(template: &Template) -> Result<Recovery> {
    let mut world = World::start(template, 1).await?;
    let ids: Vec<String> = (0..CALENDARS)
        .map(|n| format!("one-of-many-{n}@group.calendar.google.com"))
        .collect();
    for id in &ids {
        let calendar: SeedCalendar = serde_json::from_value(json!({"id": id, "summary": id}))?;
        world.google.add_calendar(email(User::Alice), &calendar)?;
    }
    catch_up(&mut world).await?;
    equal::all_equal(&mut world).await?;

    world.google.fault(Rule::new("*", unavailable()));
    for step in 0..STEPS {
        let start = world.clock.now();
        for id in ids.iter().skip(step).step_by(STEPS) {
            let body = json!({
                "summary": format!("Changed in step {step}"),
                "start": {"dateTime": start},
                "end": {"dateTime": start + TimeDelta::hours(1)},
            });
            world.google.insert(email(User::Alice), id, body)?;
        }
        world.pass(STEP).await?;
        all_workers_run(&mut world).await?;
    }

    world.google.clear_faults();
    let back = world.clock.now();
    let took = catch_up(&mut world).await?;
    equal::all_equal(&mut world).await?;
    let mut by_minute = BTreeMap::new();
    for request in world.google.requests() {
        if request.at >= back && !request.endpoint.starts_with("oauth.") {
            let minute = (request.at - back).num_minutes();
            *by_minute.entry((request.user, minute)).or_insert(0) += 1;
        }
    }
    world.stop().await?;
    Ok(Recovery {
        calendars: ids.len(),
        took,
        calls: by_minute.values().sum(),
        most_calls: by_minute.values().max().copied().unwrap_or_default(),
    })
}

/// Runs the workers until nothing is left to do; returns how long that took.
async fn catch_up(world: &mut World) -> Result<TimeDelta> {
    let start = world.clock.now();
    loop {
        all_workers_run(world).await?;
        let waits = rest::waiting(world).await?;
        let took = world.clock.now() - start;
        if waits.is_empty() {
            return Ok(took);
        }
        holds!(
            took < AT_MOST,
            "comes_to_rest",
            "after {took}: {}",
            waits.join("; ")
        );
        world.pass(LOOK).await?;
    }
}

fn unavailable() -> Fault {
    Fault::Error {
        status: 503,
        reason: Some("backendError".to_owned()),
        message: None,
        retry_after: None,
    }
}

/// One process does everything that is due. Failed calls to Google are expected.
pub async fn all_workers_run(world: &mut World) -> Result<()> {
    world.collect_pushes();
    for push in std::mem::take(&mut world.underway) {
        deliver(world, 0, push, None).await?;
    }
    for job in [
        Job::Poll,
        Job::Watch,
        Job::StopWatches,
        Job::Pull,
        Job::Writes,
        Job::Relay,
    ] {
        loop {
            let ran = world.work(0, job, None).await?;
            let done = settle(world, 0, ran, Purpose::Job).await?;
            if !matches!(done, Some(Done::Pass(Ok(Pass::Worked)))) {
                break;
            }
        }
    }
    Ok(())
}
