//! A new event, under an id of ours.

use google::Error;
use serde_json::Value;
use store::calendars::Calendar;

use super::super::attempt::Attempt;
use super::super::effects::Effects;
use super::super::interrupt::Interrupt;
use super::super::result::{Failure, Reason};
use super::super::target::Version;
use super::super::write_marker;
use super::look::{from_google, read};
use crate::calls::CallError;

pub(super) async fn insert(attempt: &mut Attempt<'_>, body: &Value) -> Result<Effects, Interrupt> {
    let calendar = attempt.calendar().await?;
    let id = attempt.intent.event_id.clone();
    let inserted = match already_inserted(attempt, &calendar, &id).await? {
        Some(inserted) => inserted,
        None => insert_event(attempt, &calendar, body, &id).await?,
    };
    if inserted.event.is_cancelled() {
        return Err(Reason::EventDeleted.into());
    }
    Ok(Effects::done(attempt.answer(), false).with(calendar.id, inserted))
}

/// The event, if an earlier call may have inserted it and has.
pub(super) async fn already_inserted(
    attempt: &Attempt<'_>,
    calendar: &Calendar,
    id: &str,
) -> Result<Option<Version>, Interrupt> {
    if !attempt.is_in_doubt() {
        return Ok(None);
    }
    find_inserted(attempt, calendar, id).await
}

/// Inserts an event under an id of ours, or finds it inserted.
pub(super) async fn insert_event(
    attempt: &mut Attempt<'_>,
    calendar: &Calendar,
    body: &Value,
    id: &str,
) -> Result<Version, Interrupt> {
    attempt.mark_sent().await?;
    let mail = attempt.plan.mail.into();
    let (google, calendar_id) = (&attempt.ctx.google, calendar.google_id.as_str());
    let answer = attempt
        .call(|access| async move { google.insert_event(&access, calendar_id, body, mail).await })
        .await;
    match answer {
        Ok(event) => read(event, calendar),
        // Usually an earlier call was applied.
        Err(CallError::Google(Error::AlreadyExists)) => find_inserted(attempt, calendar, id)
            .await?
            .ok_or(Reason::EventDeleted.into()),
        Err(CallError::Google(Error::NotFound)) => Err(Reason::AccessLost.into()),
        // The call had no condition, so this is no evidence about the event. Google answers so now and then, and accepts
        // the next call.
        Err(CallError::Google(Error::Conflict)) => Err(attempt.retry(true)),
        Err(error) => Err(attempt.failed_write(error)),
    }
}

/// The event that this request inserted, deleted since or not.
async fn find_inserted(
    attempt: &Attempt<'_>,
    calendar: &Calendar,
    id: &str,
) -> Result<Option<Version>, Interrupt> {
    let found = from_google(attempt, calendar, id).await?;
    // We chose the id, and it is long: almost certainly no one else's.
    let is_ours =
        |found: &Version| found.event.is_cancelled() || write_marker::contains(&found.raw, attempt.id());
    match found {
        Some(found) if !is_ours(&found) => Err(Interrupt::Failed(Failure {
            reason: Reason::RefusedByGoogle,
            google_reason: Some("duplicate".to_owned()),
        })),
        found => Ok(found),
    }
}
