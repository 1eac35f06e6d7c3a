//! Executes a plan at Google: one try.

mod change;
mod create;
mod look;
mod reconcile;
mod relocate;
mod split;

use super::attempt::Attempt;
use super::effects::Effects;
use super::interrupt::{Interrupt, Unfinished};
use super::plan::Operation;

pub async fn execute(attempt: &mut Attempt<'_>) -> Result<Effects, Unfinished> {
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
        Ok(effects) => Ok(effects),
        Err(Interrupt::Failed(failure)) => Ok(Effects::failed(failure)),
        Err(Interrupt::Unfinished(reason)) => Err(reason),
    }
}
