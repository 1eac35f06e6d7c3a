//! What an event is by now, in the mirror and at Google.

use std::time::Duration;

use google::{Error, EventPath, ListCursor, RawEvent};
use store::calendars::Calendar;

use super::super::result::Reason;
use super::super::target;
use super::{Interrupt, MERGES_MAX, Run, TRANSIENT, Version, stop};
use crate::pull::context;
use crate::tokens::CallError;

/// The event as the mirror has it, or else as Google has.
pub(super) async fn known(
    run: &Run<'_>,
    calendar: &Calendar,
    id: &str,
) -> Result<Option<Version>, Interrupt> {
    let found = {
        let mut conn = run.ctx.pool.acquire().await?;
        target::find(&mut conn, calendar, id).await?
    };
    match found {
        Some(target) => Ok(Some(target.version)),
        None => look(run, calendar, id).await,
    }
}

/// The event as Google has it now, with what of it is news to the mirror.
///
/// Google shows an instance that nobody has touched as it shows one that has become an event of its own. The mirror must
/// not keep the first: it goes when its series goes elsewhere, and no list will ever say so. It is the one whose etag is
/// its series', and the series is its news.
pub(super) async fn look(run: &Run<'_>, calendar: &Calendar, id: &str) -> Result<Option<Version>, Interrupt> {
    let mut found = Box::pin(get(run, calendar, id)).await?;
    for _ in 0..MERGES_MAX {
        let Some(version) = found else { return Ok(None) };
        let Some(series) = series_of(&version) else {
            return Ok(Some(version));
        };
        // Only the instance: who was invited to it alone does not see its series.
        let Some(master) = Box::pin(get(run, calendar, series)).await? else {
            return Ok(Some(version));
        };
        if master.etag == version.etag {
            return Ok(Some(Version {
                news: master.news,
                ..version
            }));
        }
        // An event of its own, or of a series that has changed between the two looks.
        let again = Box::pin(get(run, calendar, id)).await?;
        if again.as_ref().is_some_and(|again| again.etag == version.etag) {
            return Ok(again);
        }
        found = again;
    }
    Err(Interrupt::Again {
        delay: TRANSIENT.delay(run.failures + 1),
        is_sure: !run.is_in_doubt(),
    })
}

fn series_of(version: &Version) -> Option<&str> {
    let event = &version.event;
    event
        .recurring_event_id
        .as_deref()
        .filter(|_| !event.is_cancelled())
}

/// One event, none where Google does not know it.
///
/// Google answers 404 for an event that is not there and for a calendar that the user may not see just now. Only the first
/// is news of the event: whoever gets the calendar back has its old sync token, and that tells of no event which had never
/// gone.
async fn get(run: &Run<'_>, calendar: &Calendar, event: &str) -> Result<Option<Version>, Interrupt> {
    let found = get_once(run, calendar, event).await?;
    if found.is_some() {
        return Ok(found);
    }
    can_be_read(run, calendar).await?;
    // It may have come back between the two answers.
    get_once(run, calendar, event).await
}

async fn get_once(run: &Run<'_>, calendar: &Calendar, event: &str) -> Result<Option<Version>, Interrupt> {
    let google = &run.ctx.google;
    let path = EventPath {
        calendar: &calendar.google_id,
        event,
    };
    match run
        .call(|access| async move { google.event(&access, path).await })
        .await
    {
        Ok(event) => read(event, calendar).map(Some),
        Err(CallError::Google(Error::NotFound | Error::AlreadyDeleted)) => Ok(None),
        Err(error) => Err(stop(run, error, run.is_in_doubt())),
    }
}

/// Fails with what a user is told of a calendar that is not theirs to see any more. `calendars.get` would be asked, had we
/// the scope for it.
async fn can_be_read(run: &Run<'_>, calendar: &Calendar) -> Result<(), Interrupt> {
    let (google, id) = (&run.ctx.google, calendar.google_id.as_str());
    match run
        .call(|access| async move { google.events(&access, id, &ListCursor::default(), 1).await })
        .await
    {
        Ok(_) => Ok(()),
        Err(CallError::Google(Error::NotFound)) if !run.is_in_doubt() => Err(Reason::AccessLost.into()),
        Err(error) => Err(stop(run, error, run.is_in_doubt())),
    }
}

pub(super) fn read(event: RawEvent, calendar: &Calendar) -> Result<Version, Interrupt> {
    // Google's own JSON with an id: it is readable, or Google is not itself.
    Version::told(event, &context(calendar)).ok_or(Interrupt::Again {
        delay: Duration::from_secs(1),
        is_sure: false,
    })
}
