//! Work in a process: delivering a push, resuming held work, and judging results.

use anyhow::Result;
use google::push::Notification;
use google_emulator::Diverted;
use webhook_ingest::refusal::Refusal;

use super::host::{Done, Ran};
use super::ledger::{holds, violated};
use super::plan::Snare;
use super::world::{Purpose, World};

pub async fn deliver(world: &mut World, host: usize, push: Diverted, snare: Option<&Snare>) -> Result<()> {
    let notification = notification(&push)?;
    let work = world.hosts[host].push(notification);
    let purpose = Purpose::Push(push);
    let ran = world.hosts[host].run(work, snare, purpose.clone()).await?;
    settle(world, host, ran, purpose).await.map(drop)
}

pub fn notification(push: &Diverted) -> Result<Notification> {
    let header = |wanted: &str| {
        let found = push
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_bytes())
    };
    Ok(Notification::from_headers(header)?)
}

/// Records at which point the work stopped, and judges its result if it has ended. Returns that result.
pub async fn settle(world: &mut World, host: usize, ran: Ran, purpose: Purpose) -> Result<Option<Done>> {
    match ran {
        Ran::Done(done) => {
            judge(world, &done, purpose)?;
            Ok(Some(done))
        }
        Ran::Died(point) => {
            *world.ledger.died.entry(point.to_owned()).or_default() += 1;
            world.ledger.count("process died at a point");
            if let Purpose::Push(push) = purpose {
                world.underway.push(push);
            }
            give_back_pushes(world, host);
            world.kill(host).await?;
            Ok(None)
        }
        Ran::Waits(point) => {
            *world.ledger.waited.entry(point.to_owned()).or_default() += 1;
            world.ledger.count("worker held");
            Ok(None)
        }
        Ran::Blocked => Ok(None),
    }
}

/// Google sends an unanswered push again.
pub fn give_back_pushes(world: &mut World, host: usize) {
    let unanswered = world.hosts[host].purposes().filter_map(|purpose| match purpose {
        Purpose::Push(push) => Some(push.clone()),
        _ => None,
    });
    let unanswered: Vec<_> = unanswered.collect();
    world.underway.extend(unanswered);
}

fn judge(world: &mut World, done: &Done, purpose: Purpose) -> Result<()> {
    match (done, purpose) {
        (Done::Pushed(answer), Purpose::Push(push)) => judge_push(world, answer, push)?,
        (Done::Acted(Err(error)) | Done::Pass(Err(error)), _) => {
            // The rest are lock timeouts and the planned faults of Google and the broker.
            holds!(!error.contains("deadlock"), "no_deadlock", "{error}");
        }
        _ => {}
    }
    Ok(())
}

fn judge_push(world: &mut World, answer: &std::result::Result<(), Refusal>, push: Diverted) -> Result<()> {
    match answer {
        Ok(()) => {
            if let Some(calendar) = &push.calendar {
                let key = (push.user.clone(), calendar.clone());
                let newest = world.ledger.acknowledged.entry(key).or_default();
                *newest = push.revision.max(*newest);
            }
            world.delivered.push(push);
        }
        Err(Refusal::Unavailable) => world.underway.push(push),
        // The channel has ended on our side.
        Err(Refusal::UnknownChannel) => {}
        Err(refusal) => violated!("genuine_push_taken", "{refusal}: {:?}", push.headers),
    }
    Ok(())
}

pub async fn resume(world: &mut World, dice: u32) -> Result<()> {
    for host in 0..world.hosts.len() {
        resume_at(world, host, dice).await?;
    }
    Ok(())
}

pub async fn resume_at(world: &mut World, host: usize, dice: u32) -> Result<()> {
    if let Some((done, purpose)) = world.hosts[host].resume(dice).await? {
        judge(world, &done, purpose)?;
    }
    Ok(())
}
