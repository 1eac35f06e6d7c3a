//! The loop of each change to an existing event: decide by its current version, send, and if Google has another version by
//! then (412), look and decide again.

use google::{Error, EventPath};
use serde_json::Value;
use store::calendars::Calendar;

use super::super::attempt::Attempt;
use super::super::effects::{Effects, tombstone, tombstone_of_unknown};
use super::super::interrupt::Interrupt;
use super::super::result::{Conflict, Reason, WriteResult};
use super::super::target::Version;
use super::look::{ROUNDS_MAX, find, from_google, read};
use crate::calls::CallError;
use crate::quota::Units;

/// The next step, given the current version of the event.
pub(super) enum Decision {
    Finish(Reconciled),
    Fail(Reason),
    Patch {
        etag: String,
        body: Value,
        merged: bool,
    },
    Delete {
        /// None: any version.
        etag: Option<String>,
        /// Of an instance.
        series: Option<String>,
    },
}

/// The outcome for the event.
pub(super) enum Reconciled {
    /// It has the change.
    Done { version: Box<Version>, merged: bool },
    /// It is deleted, as requested.
    Deleted {
        /// Of an instance.
        series: Option<String>,
    },
    Conflict {
        conflict: Box<Conflict>,
        theirs: Box<Version>,
    },
    /// Someone else deleted it. None: Google does not know it.
    Gone(Option<Box<Version>>),
}

impl Reconciled {
    /// The effects for the request about the event `id`.
    pub(super) fn into_effects(self, attempt: &Attempt<'_>, id: &str) -> Effects {
        let calendar = attempt.intent.calendar_id;
        match self {
            Self::Done { version, merged } => {
                Effects::done(attempt.answer(), merged).with(calendar, *version)
            }
            Self::Deleted { series } => Effects::deleted(calendar, tombstone(id, series.as_deref())),
            Self::Conflict { conflict, theirs } => {
                Effects::of(WriteResult::Conflict(conflict)).with(calendar, *theirs)
            }
            Self::Gone(Some(version)) => Effects::failed(Reason::EventDeleted).with(calendar, *version),
            Self::Gone(None) => {
                let mut effects = Effects::failed(Reason::EventDeleted);
                effects
                    .incoming
                    .extend(tombstone_of_unknown(id).map(|incoming| (calendar, incoming)));
                effects
            }
        }
    }
}

pub(super) async fn reconcile(
    attempt: &mut Attempt<'_>,
    calendar: &Calendar,
    id: &str,
    decide: impl Fn(Version) -> Decision,
) -> Result<Reconciled, Interrupt> {
    let found = find(attempt, calendar, id).await?;
    reconcile_from(attempt, calendar, id, found, decide).await
}

/// As [`reconcile`], beginning with the version that was `found`.
pub(super) async fn reconcile_from(
    attempt: &mut Attempt<'_>,
    calendar: &Calendar,
    id: &str,
    mut found: Option<Version>,
    decide: impl Fn(Version) -> Decision,
) -> Result<Reconciled, Interrupt> {
    for _ in 0..ROUNDS_MAX {
        let Some(theirs) = found else {
            return Ok(Reconciled::Gone(None));
        };
        let sent = match decide(theirs) {
            // The mirror may lag behind: a conflict in it may be over.
            Decision::Finish(Reconciled::Conflict { theirs, .. }) if theirs.incoming.is_none() => None,
            Decision::Finish(reconciled) => return Ok(reconciled),
            Decision::Fail(reason) => return Err(reason.into()),
            Decision::Patch { etag, body, merged } => patch(attempt, calendar, id, &etag, &body)
                .await?
                .map(|version| Reconciled::Done { version, merged }),
            Decision::Delete { etag, series } => delete(attempt, calendar, id, etag.as_deref())
                .await?
                .then_some(Reconciled::Deleted { series }),
        };
        match sent {
            Some(reconciled) => return Ok(reconciled),
            None => found = from_google(attempt, calendar, id).await?,
        }
    }
    // Google refused the last call.
    Err(attempt.retry(false))
}

/// None: Google has another version by now, or the event is gone.
async fn patch(
    attempt: &mut Attempt<'_>,
    calendar: &Calendar,
    event: &str,
    etag: &str,
    body: &Value,
) -> Result<Option<Box<Version>>, Interrupt> {
    attempt.mark_sent().await?;
    let mail = attempt.plan.mail.into();
    let google = &attempt.ctx.google;
    let path = EventPath {
        calendar: &calendar.google_id,
        event,
    };
    let answer = attempt
        .call_for(Units::PATCH, |access| async move {
            google.patch_event(&access, path, Some(etag), body, mail).await
        })
        .await;
    match answer {
        Ok(event) => Ok(Some(Box::new(read(event, calendar)?))),
        Err(CallError::Google(Error::Conflict | Error::AlreadyDeleted | Error::NotFound)) => {
            attempt.mark_refused();
            Ok(None)
        }
        Err(error) => Err(attempt.failed_write(error)),
    }
}

/// False: as None of [`patch`].
async fn delete(
    attempt: &mut Attempt<'_>,
    calendar: &Calendar,
    event: &str,
    etag: Option<&str>,
) -> Result<bool, Interrupt> {
    attempt.mark_sent().await?;
    let mail = attempt.plan.mail.into();
    let google = &attempt.ctx.google;
    let path = EventPath {
        calendar: &calendar.google_id,
        event,
    };
    let answer = attempt
        .call(|access| async move { google.delete_event(&access, path, etag, mail).await })
        .await;
    match answer {
        Ok(()) | Err(CallError::Google(Error::AlreadyDeleted)) => Ok(true),
        Err(CallError::Google(Error::Conflict | Error::NotFound)) => {
            attempt.mark_refused();
            Ok(false)
        }
        Err(error) => Err(attempt.failed_write(error)),
    }
}
