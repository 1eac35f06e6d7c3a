//! Executes a plan at Google: one try.

mod change;
mod create;
mod look;
mod reconcile;
mod relocate;
mod split;

use super::attempt::Attempt;
use super::effects::Effects;
use super::interrupt::Interrupt;
use super::plan::Operation;
use super::result::Progress;

/// Boxed: the effects are large, and the other outcomes are not.
pub async fn execute(attempt: &mut Attempt<'_>) -> sqlx::Result<Progress<Box<Effects>>> {
    attempt.begin_try().await?;
    let outcome = match attempt.plan.operation.clone() {
        Operation::Insert { body } => create::insert(attempt, &body).await,
        // Boxed: futures that hold several versions of an event are large.
        Operation::Patch(edit) => Box::pin(change::update(attempt, &edit)).await,
        Operation::Respond { response, comment } => {
            Box::pin(change::respond(attempt, response.into(), comment.as_deref())).await
        }
        Operation::Delete { base, is_conditional } => {
            Box::pin(change::delete(attempt, base.as_deref(), is_conditional)).await
        }
        Operation::Move { destination } => relocate::move_event(attempt, destination).await,
        Operation::Split(split) => Box::pin(split::split(attempt, *split)).await,
    };
    match outcome {
        Ok(effects) => Ok(Progress::Finished(Box::new(effects))),
        Err(Interrupt::Failed(failure)) => Ok(Progress::Finished(Box::new(Effects::failed(failure)))),
        Err(Interrupt::Retry { delay, in_doubt }) => Ok(Progress::Retry { delay, in_doubt }),
        Err(Interrupt::LeaseLost) => Ok(Progress::LeaseLost),
        Err(Interrupt::Database(error)) => Err(error),
    }
}
