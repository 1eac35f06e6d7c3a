//! Doing one operation of a plan.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;
use google::push::Notification;
use google_emulator::Diverted;
use webhook_ingest::refusal::Refusal;

use super::host::{Done, Ran};
use super::ledger::{holds, violated};
use super::plan::{Act, BrokerTrouble, Operation, Snare, User, Viewing, Way};
use super::world::{PROJECT, Purpose, World, email, name, project, user_id};
use super::{check, editing, forging, rest, writing};

/// Does an operation, and checks what holds after each.
pub async fn perform(world: &mut World, operation: &Operation) -> Result<()> {
    match act(world, operation).await {
        // Work that is held up has the row.
        Err(error) if is_locked(&error) => {}
        done => done?,
    }
    world.collect_pushes();
    check::after_each(world).await
}

fn is_locked(error: &anyhow::Error) -> bool {
    let database = error
        .downcast_ref::<sqlx::Error>()
        .and_then(sqlx::Error::as_database_error);
    database.is_some_and(|error| error.code().as_deref() == Some("55P03"))
}

async fn act(world: &mut World, operation: &Operation) -> Result<()> {
    match operation {
        Operation::Edit { user, edit, dice } => editing::edit(world, *user, *edit, *dice)?,
        Operation::Write {
            user,
            host,
            write,
            dice,
            twice,
            snare,
        } => {
            writing::write(world, (*user, *host), *write, *dice, *twice, snare.as_ref()).await?;
        }
        Operation::Push {
            way,
            host,
            dice,
            snare,
        } => push(world, *way, *host, *dice, snare.as_ref()).await?,
        Operation::Forge { forgery, user, dice } => forging::forge(world, *forgery, *user, *dice).await?,
        Operation::Work { host, job, snare } => {
            let work = world.hosts[*host].job(*job);
            let ran = world.hosts[*host].run(work, snare.as_ref(), Purpose::Job).await?;
            settle(world, *host, ran, Purpose::Job).await?;
        }
        Operation::GoOn { dice } => go_on(world, *dice).await?,
        Operation::Kill { host } => {
            world.ledger.count("process killed");
            give_back_pushes(world, *host);
            world.kill(*host).await?;
        }
        Operation::Trouble { user, trouble, dice } => {
            world.ledger.count(format!("google: {}", word(trouble)));
            editing::trouble(world, *user, *trouble, *dice);
        }
        Operation::Person {
            user,
            host,
            act,
            dice: _,
            snare,
        } => {
            person(world, *user, *host, *act, snare.as_ref()).await?;
        }
        Operation::Pass { seconds } => {
            world.ledger.count("clock moved");
            world.pass(TimeDelta::seconds(i64::from(*seconds))).await?;
        }
        Operation::Broker { trouble } => {
            world.ledger.count(format!("broker: {}", word(trouble)));
            broker(world, *trouble);
        }
        Operation::Browser { user, act } => view(world, *user, *act).await?,
        Operation::Rest => rest::rest(world).await?,
    }
    Ok(())
}

/// As it stands in a plan.
pub fn word(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

/// What becomes of a piece of work that went as far as it could. Answers what it came to, if it has ended.
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
            world.ledger.count("worker held up");
            Ok(None)
        }
        Ran::Blocked => Ok(None),
    }
}

/// A push that was not answered is sent again.
fn give_back_pushes(world: &mut World, host: usize) {
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
            // Only the database's locks, and a broker or a Google that fails as it was told to.
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
        // A channel that has ended on our side.
        Err(Refusal::UnknownChannel) => {}
        Err(refusal) => violated!("genuine_push_taken", "{refusal}: {:?}", push.headers),
    }
    Ok(())
}

async fn go_on(world: &mut World, dice: u32) -> Result<()> {
    for host in 0..world.hosts.len() {
        go_on_at(world, host, dice).await?;
    }
    Ok(())
}

pub async fn go_on_at(world: &mut World, host: usize, dice: u32) -> Result<()> {
    if let Some((done, purpose)) = world.hosts[host].go_on(dice).await? {
        judge(world, &done, purpose)?;
    }
    Ok(())
}

async fn push(world: &mut World, way: Way, host: usize, dice: u32, snare: Option<&Snare>) -> Result<()> {
    world.collect_pushes();
    let from = if way == Way::Replay {
        &mut world.delivered
    } else {
        &mut world.underway
    };
    if from.is_empty() {
        return Ok(());
    }
    let chosen = match way {
        Way::OutOfOrder | Way::Replay => dice as usize % from.len(),
        _ => 0,
    };
    if way != Way::Deliver {
        world.ledger.count(format!("push: {}", word(&way)));
    }
    match way {
        Way::LoseAll => from.clear(),
        Way::Lose => drop(from.remove(chosen)),
        Way::Replay => {
            let push = from[chosen].clone();
            deliver(world, host, push, None).await?;
        }
        Way::Deliver | Way::OutOfOrder | Way::Twice => {
            let push = from.remove(chosen);
            if way == Way::Twice {
                deliver(world, host, push.clone(), None).await?;
            }
            deliver(world, host, push, snare).await?;
        }
    }
    Ok(())
}

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

/// How long a person waits for the channels of a disconnected account; the renewer stops the others.
const AT_ONCE: Duration = Duration::from_millis(200);

async fn person(world: &mut World, user: User, host: usize, act: Act, snare: Option<&Snare>) -> Result<()> {
    world.ledger.count(format!("person: {}", word(&act)));
    let ctx = world.hosts[host].ctx.clone();
    let who = user_id(user);
    match act {
        Act::Revoke => {
            world.excuse_channels(user);
            world.google.revoke(email(user));
        }
        Act::LeaveCalendar => drop(world.google.remove_calendar(email(user), PROJECT)),
        Act::JoinCalendar => drop(world.google.add_calendar(email(user), &project()?)),
        Act::Connect => {
            let (grant, account) = world.connecting(user)?;
            let work = async move {
                let connected = sync::connections::connect(&ctx, &who, &grant, &account).await;
                Done::Acted(connected.map(drop).map_err(|error| error.to_string()))
            };
            acted(world, user, host, work, snare).await?;
        }
        Act::Disconnect => {
            let work = async move {
                let left = sync::connections::disconnect(&ctx, &who, None, AT_ONCE).await;
                Done::Acted(left.map(drop).map_err(|error| error.to_string()))
            };
            acted(world, user, host, work, snare).await?;
        }
        Act::Select | Act::Deselect => {
            let calendars: Vec<_> = writing::calendars_of(world, user)
                .await?
                .into_iter()
                .map(|c| c.id)
                .collect();
            let chosen = if act == Act::Select {
                calendars.as_slice()
            } else {
                calendars.get(..1).unwrap_or_default()
            };
            let mut tx = world.database.pool.begin().await?;
            sync::calendar_list::select(&mut tx, world.clock.now(), &who, chosen, act == Act::Select).await?;
            tx.commit().await?;
        }
        Act::SyncNow => {
            let mut conn = world.database.pool.acquire().await?;
            store::sync_state::mark_dirty_of_user(&mut conn, world.clock.now(), &who, None).await?;
        }
    }
    Ok(())
}

/// What a user wanted may have come to pass or not, when the process died over it.
async fn acted(
    world: &mut World,
    user: User,
    host: usize,
    work: impl Future<Output = Done> + Send + 'static,
    snare: Option<&Snare>,
) -> Result<()> {
    world.excuse_channels(user);
    let ran = world.hosts[host].run(work, snare, Purpose::Act).await?;
    settle(world, host, ran, Purpose::Act).await.map(drop)
}

fn broker(world: &mut World, trouble: BrokerTrouble) {
    world.broker.trouble(trouble);
    if trouble == BrokerTrouble::Restarts {
        // Nothing is recovered, so the browsers read everything anew.
        for browser in &mut world.browsers {
            browser.unload();
        }
    }
}

async fn view(world: &mut World, user: User, act: Viewing) -> Result<()> {
    let told = world.broker.told(name(user));
    let browser = &mut world.browsers[user.index()];
    let seen = match act {
        Viewing::Hear => browser.hear(&world.api, &told, 3).await,
        Viewing::Miss => {
            browser.miss(&told);
            Ok(())
        }
        Viewing::HearAgain => browser.hear_again(&world.api, &told).await,
        Viewing::Reload => browser.reload(&world.api).await,
    };
    if let Err(detail) = seen {
        if super::api::is_passing(&detail) {
            browser.unload();
            return Ok(());
        }
        violated!("snapshot_covers_what_was_told", "{}: {detail}", name(user));
    }
    Ok(())
}
