//! Performs one operation of a plan.

use anyhow::Result;
use chrono::TimeDelta;

use super::accounts::{AT_ONCE, PROJECT, email, name, project, user_id};
use super::host::Done;
use super::ledger::Violation;
use super::plan::{Act, BrokerTrouble, Operation, Snare, User, Viewing, Way, word};
use super::work::{deliver, give_back_pushes, resume, settle};
use super::world::{Purpose, World};
use super::{browser, check, editing, forging, isolation, reads, rest, writing};

/// Performs an operation and checks the invariants that hold after each.
pub async fn perform(world: &mut World, operation: &Operation) -> Result<()> {
    match act(world, operation).await {
        // Held work has locked the row.
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
            let ran = world.work(*host, *job, snare.as_ref()).await?;
            settle(world, *host, ran, Purpose::Job).await?;
        }
        Operation::Resume { dice } => resume(world, *dice).await?,
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
        Operation::PassTime { seconds } => {
            world.ledger.count("clock moved");
            world.pass(TimeDelta::seconds(i64::from(*seconds))).await?;
        }
        Operation::Broker { trouble } => {
            world.ledger.count(format!("broker: {}", word(trouble)));
            broker(world, *trouble);
        }
        Operation::Browser { user, act } => view(world, *user, *act).await?,
        Operation::Isolate { user, trouble, dice } => {
            isolation::isolate(world, *user, *trouble, *dice).await?;
        }
        Operation::ShareAccount { user } => isolation::share_account(world, *user).await?,
        Operation::Rest => rest::rest(world).await?,
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

/// Runs a user's act. If the process dies, the act may have taken effect or not.
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
        // Nothing can be recovered, so the browsers load everything again.
        for browser in &mut world.browsers {
            browser.unload();
        }
    }
}

async fn view(world: &mut World, user: User, act: Viewing) -> Result<()> {
    let seen = see(world, user, act).await;
    match seen {
        Err(error) if !error.is::<Violation>() && super::api::is_passing(&error.to_string()) => {
            world.browsers[user.index()].unload();
            Ok(())
        }
        seen => seen,
    }
}

async fn see(world: &mut World, user: User, act: Viewing) -> Result<()> {
    let published = world.broker.published(name(user));
    let browser = &mut world.browsers[user.index()];
    match act {
        Viewing::Receive => browser.receive(&world.api, &published, 3).await,
        Viewing::Miss => {
            browser.miss(&published);
            Ok(())
        }
        Viewing::Return => {
            browser.refresh(&world.api).await?;
            let state = browser::state(&world.api, user).await?;
            reads::returned_is_fresh(world, user, &state)?;
            reads::freshness_is_honest(world, user, &state).await
        }
        Viewing::ReceiveAgain => browser.receive_again(&world.api, &published).await,
        Viewing::Reload => browser.reload(&world.api).await,
    }
}
