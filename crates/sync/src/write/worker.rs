//! Works on requests under their lease until they finish, or until the next try is due after the caller has gone.

use std::time::Duration;

use common::crash_point;
use common::worker::Pass;
use store::write_intents::{self, Intent, State};
use tokio::time::{Instant, sleep};

use super::attempt::{Attempt, time_left};
use super::commit;
use super::effects::Effects;
use super::execute::execute;
use super::interrupt::Unfinished;
use super::plan::Plan;
use super::result::{Reason, WriteResult};
use crate::{Context, metrics};

/// Requests that one pass resumes.
const BATCH: i64 = 8;

/// Resumes requests whose process died or whose next try is due, several concurrently.
pub async fn run_once(ctx: &Context) -> sqlx::Result<Pass> {
    let mut conn = ctx.pool.acquire().await?;
    let due = write_intents::acquire(&mut conn, ctx.settings.lease, BATCH).await?;
    drop(conn);
    crash_point!("write.taken_over");
    metrics::leases_lost("write", due.iter().map(|intent| intent.taken_over));
    if due.is_empty() {
        return Ok(Pass::Idle);
    }
    let work = due.into_iter().map(|intent| work_on(ctx.clone(), intent, None));
    for outcome in futures_util::future::join_all(work).await {
        outcome?;
    }
    Ok(Pass::Worked)
}

/// Works on a leased request until it finishes, or until its next try is due after `wait_until`. None: it has not
/// finished, or another worker has it.
#[tracing::instrument(target = "calwire::trace", level = "trace", name = "write", skip_all, fields(intent.id = %intent.lease.key))]
pub async fn work_on(
    ctx: Context,
    intent: Intent,
    wait_until: Option<Instant>,
) -> sqlx::Result<Option<WriteResult>> {
    let plan = match Plan::read(&intent.work) {
        Ok(plan) => plan,
        // Written by a newer version, and no process of that version has resumed it in time.
        Err(error) if time_left(&ctx, &intent).is_zero() => {
            tracing::warn!(intent.id = %intent.lease.key, %error, "Gave up a write whose stored plan is unreadable");
            let reason = given_up(intent.state == State::Sent);
            return commit::give_up(&ctx, &intent, reason).await;
        }
        Err(error) => return Err(error),
    };
    let mut attempt = Attempt::new(&ctx, intent, plan);
    loop {
        let (delay, in_doubt) = match try_once(&mut attempt).await {
            Ok(result) => return Ok(Some(result)),
            Err(Unfinished::LeaseLost) => return Ok(None),
            // However long Google asks us to wait: a request that runs out of time finishes then, and its caller is notified.
            Err(Unfinished::Retry { delay, in_doubt }) => (delay.min(attempt.time_left()), in_doubt),
            // An error that occurs each time would keep the request open for ever.
            Err(Unfinished::Database(error)) if attempt.is_over() => {
                tracing::warn!(intent.id = %attempt.id(), %error, "Gave up a write that could not be stored");
                (Duration::ZERO, attempt.is_in_doubt())
            }
            Err(Unfinished::Database(error)) => return Err(error),
        };
        attempt.failures += 1;
        if attempt.is_over() {
            return match commit::commit(&attempt, Effects::failed(given_up(in_doubt))).await {
                Ok(result) => Ok(Some(result)),
                Err(Unfinished::Retry { .. } | Unfinished::LeaseLost) => Ok(None),
                Err(Unfinished::Database(error)) => Err(error),
            };
        }
        if !in_doubt && !attempt.save(State::Pending).await? {
            return Ok(None);
        }
        if common::clock_frozen!() || wait_until.is_none_or(|until| Instant::now() + delay >= until) {
            crash_point!("write.deferring");
            let mut conn = ctx.pool.acquire().await?;
            write_intents::defer(&mut conn, &attempt.intent.lease, delay).await?;
            return Ok(None);
        }
        sleep(delay).await;
    }
}

async fn try_once(attempt: &mut Attempt<'_>) -> Result<WriteResult, Unfinished> {
    let effects = Box::pin(execute(attempt)).await?;
    commit::commit(attempt, effects).await
}

/// The reason of a request that ran out of time. `in_doubt`: Google may have applied it.
fn given_up(in_doubt: bool) -> Reason {
    if in_doubt {
        Reason::OutcomeUnknown
    } else {
        Reason::GoogleUnavailable
    }
}
