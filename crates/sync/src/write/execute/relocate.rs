//! A move to another calendar of the same account.

use common::ids::CalendarId;
use google::{Error, EventPath};
use store::calendars::Calendar;

use super::super::attempt::Attempt;
use super::super::effects::{Effects, tombstone};
use super::super::interrupt::Interrupt;
use super::super::result::{Failure, Reason};
use super::super::target::Version;
use super::look::{from_google, read};
use super::reconcile::Reconciled;
use crate::calls::CallError;

pub(super) async fn move_event(
    attempt: &mut Attempt<'_>,
    destination: CalendarId,
) -> Result<Effects, Interrupt> {
    let calendar = attempt.calendar().await?;
    let destination = attempt.calendar_of(destination).await?;
    let id = attempt.intent.event_id.clone();
    // An invitation to the event has the same id there, and does not mean that it was moved.
    if attempt.is_in_doubt()
        && let Some(version) = alive(attempt, &destination, &id).await?
        && alive(attempt, &calendar, &id).await?.is_none()
    {
        return Ok(moved(attempt, &id, &destination, version));
    }
    attempt.mark_sent().await?;
    let mail = attempt.plan.mail.into();
    let google = &attempt.ctx.google;
    let path = EventPath {
        calendar: &calendar.google_id,
        event: &id,
    };
    let to = destination.google_id.as_str();
    let answer = attempt
        .call(|access| async move { google.move_event(&access, path, to, mail).await })
        .await;
    match answer {
        Ok(event) => {
            let version = read(event, &destination)?;
            Ok(moved(attempt, &id, &destination, version))
        }
        // Moved away, by an earlier call of ours or by someone else, deleted, or refused there.
        Err(CallError::Google(
            error @ (Error::NotFound | Error::AlreadyDeleted | Error::AlreadyExists | Error::Conflict),
        )) => {
            attempt.mark_refused();
            let here = from_google(attempt, &calendar, &id).await?;
            if here.as_ref().is_some_and(|here| !here.event.is_cancelled()) {
                return Err(match error {
                    // The call had no condition. Google answers so now and then, and accepts the next call.
                    Error::Conflict => attempt.retry(false),
                    // A calendar accepts an id once, even if its event was moved away or deleted.
                    error => Interrupt::Failed(Failure {
                        reason: Reason::RefusedByGoogle,
                        google_reason: Some(error.to_string()),
                    }),
                });
            }
            match alive(attempt, &destination, &id).await? {
                Some(version) => Ok(moved(attempt, &id, &destination, version)),
                None => Ok(Reconciled::Gone(here.map(Box::new)).into_effects(attempt, &id)),
            }
        }
        Err(error) => Err(attempt.failed_write(error)),
    }
}

async fn alive(attempt: &Attempt<'_>, calendar: &Calendar, id: &str) -> Result<Option<Version>, Interrupt> {
    let found = from_google(attempt, calendar, id).await?;
    Ok(found.filter(|version| !version.event.is_cancelled()))
}

fn moved(attempt: &Attempt<'_>, id: &str, destination: &Calendar, version: Version) -> Effects {
    let mut effects = Effects::deleted(attempt.intent.calendar_id, tombstone(id, None));
    effects.answer = Some((destination.id, attempt.plan.answer.clone()));
    effects.with(destination.id, version)
}
