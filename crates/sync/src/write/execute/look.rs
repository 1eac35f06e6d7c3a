//! The current version of an event, from the mirror or from Google.

use std::time::Duration;

use google::{Error, EventPath, ListCursor, RawEvent};
use store::calendars::Calendar;

use super::super::attempt::Attempt;
use super::super::interrupt::{Interrupt, Unfinished};
use super::super::result::Reason;
use super::super::target::{self, Version};
use crate::calls::CallError;
use crate::pull::context;

/// Rounds in one try. When others keep writing to the same event, the request then waits.
pub(super) const ROUNDS_MAX: usize = 5;

/// The event to decide about: from the mirror, unless Google may have applied an earlier call.
pub(super) async fn find(
    attempt: &Attempt<'_>,
    calendar: &Calendar,
    id: &str,
) -> Result<Option<Version>, Interrupt> {
    if attempt.is_in_doubt() {
        from_google(attempt, calendar, id).await
    } else {
        from_mirror(attempt, calendar, id).await
    }
}

/// The event as the mirror has it; if it has none, as Google has it.
pub(super) async fn from_mirror(
    attempt: &Attempt<'_>,
    calendar: &Calendar,
    id: &str,
) -> Result<Option<Version>, Interrupt> {
    let found = {
        let mut conn = attempt.ctx.pool.acquire().await?;
        target::find(&mut conn, calendar, id).await?
    };
    match found {
        Some(target) => Ok(Some(target.version)),
        None => from_google(attempt, calendar, id).await,
    }
}

/// The event as Google has it now.
///
/// Google returns an instance that no one has edited in the same form as an exception. The mirror must not store the
/// former: it disappears when its series moves away, and no list will report that. It is recognized by its etag, which is
/// its series'; then the series is what is new to the mirror.
pub(super) async fn from_google(
    attempt: &Attempt<'_>,
    calendar: &Calendar,
    id: &str,
) -> Result<Option<Version>, Interrupt> {
    let mut found = Box::pin(get(attempt, calendar, id)).await?;
    for _ in 0..ROUNDS_MAX {
        let Some(version) = found else { return Ok(None) };
        let Some(series) = series_of(&version) else {
            return Ok(Some(version));
        };
        // A guest who was invited to the instance alone does not see its series.
        let Some(master) = Box::pin(get(attempt, calendar, series)).await? else {
            return Ok(Some(version));
        };
        if master.etag == version.etag {
            return Ok(Some(Version {
                incoming: master.incoming,
                ..version
            }));
        }
        // An exception, or an instance of a series that changed between the two calls.
        let again = Box::pin(get(attempt, calendar, id)).await?;
        if again.as_ref().is_some_and(|again| again.etag == version.etag) {
            return Ok(again);
        }
        found = again;
    }
    Err(attempt.retry(attempt.is_in_doubt()))
}

fn series_of(version: &Version) -> Option<&str> {
    let event = &version.event;
    event
        .recurring_event_id
        .as_deref()
        .filter(|_| !event.is_cancelled())
}

/// One event; none if Google does not know it.
///
/// Google answers 404 both for a missing event and for a calendar that the user may not see at present. Only the first says
/// something about the event: when access to the calendar returns, so does its old sync token, and that reports no event
/// that was there all along.
async fn get(attempt: &Attempt<'_>, calendar: &Calendar, event: &str) -> Result<Option<Version>, Interrupt> {
    let found = get_once(attempt, calendar, event).await?;
    if found.is_some() {
        return Ok(found);
    }
    check_access(attempt, calendar).await?;
    // Access may have returned between the two calls.
    get_once(attempt, calendar, event).await
}

async fn get_once(
    attempt: &Attempt<'_>,
    calendar: &Calendar,
    event: &str,
) -> Result<Option<Version>, Interrupt> {
    let google = &attempt.ctx.google;
    let path = EventPath {
        calendar: &calendar.google_id,
        event,
    };
    match attempt
        .read(|access| async move { google.event(&access, path).await })
        .await
    {
        Ok(event) => read(event, calendar).map(Some),
        Err(CallError::Google(Error::NotFound | Error::AlreadyDeleted)) => Ok(None),
        Err(error) => Err(attempt.failed_read(error)),
    }
}

/// Fails if the account can no longer see the calendar. By a list of one event: `calendars.get` needs a scope that we do
/// not request.
async fn check_access(attempt: &Attempt<'_>, calendar: &Calendar) -> Result<(), Interrupt> {
    let (google, id) = (&attempt.ctx.google, calendar.google_id.as_str());
    match attempt
        .read(|access| async move { google.events(&access, id, &ListCursor::default(), 1).await })
        .await
    {
        Ok(_) => Ok(()),
        Err(CallError::Google(Error::NotFound)) if !attempt.is_in_doubt() => Err(Reason::AccessLost.into()),
        Err(error) => Err(attempt.failed_read(error)),
    }
}

pub(super) fn read(event: RawEvent, calendar: &Calendar) -> Result<Version, Interrupt> {
    // It is JSON of Google's with an id. If it cannot be read, Google is malfunctioning.
    Version::from_google(event, &context(calendar)).ok_or_else(|| {
        let retry = Unfinished::Retry {
            delay: Duration::from_secs(1),
            in_doubt: true,
        };
        retry.into()
    })
}
