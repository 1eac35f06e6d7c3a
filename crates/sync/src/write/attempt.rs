//! One try to do at Google what was asked for.

mod look;
mod split;

use std::time::Duration;

use common::backoff::Backoff;
use common::ids::CalendarId;
use event_model::fields::{Field, Fields};
use event_model::merge::{merge, merge_without_base};
use google::{Error, EventPath, Limit, RawEvent};
use serde_json::{Map, Value, json};
use store::calendars::{self, Calendar};
use store::write_intents::State;
use uuid::Uuid;

use super::commit::Effects;
use super::result::{Conflict, Failure, Reason, WriteResult};
use super::target::Version;
use super::work::{Act, Edit, Run};
use super::write_marker;
use crate::pull::Incoming;
use crate::quota::Units;
use crate::tokens::CallError;
use look::{known, look, read};

/// What came of a try.
pub enum Step {
    Ended(Box<Effects>),
    Again {
        delay: Duration,
        /// Nothing of it has happened at Google.
        is_sure: bool,
    },
    LeaseLost,
}

/// Why a try ends early.
enum Interrupt {
    Again { delay: Duration, is_sure: bool },
    Failed(Failure),
    LeaseLost,
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Interrupt {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Reason> for Interrupt {
    fn from(reason: Reason) -> Self {
        Self::Failed(Failure {
            reason,
            google_reason: None,
        })
    }
}

/// Somebody is waiting: soon again, then less and less often.
const TRANSIENT: Backoff = Backoff::new(Duration::from_millis(400), Duration::from_secs(30));
const LIMITED: Backoff = Backoff::new(Duration::from_secs(4), Duration::from_mins(1));

/// How often an edit is merged and tried again at once when others write to the same event all the time.
const MERGES_MAX: usize = 5;

pub async fn attempt(run: &mut Run<'_>) -> sqlx::Result<Step> {
    run.begin_try().await?;
    let outcome = match run.work.act.clone() {
        Act::Insert { body } => insert(run, &body).await,
        Act::Patch(edit) => patch(run, &edit).await,
        Act::Respond { response, comment } => respond(run, response.as_str(), comment.as_deref()).await,
        Act::Delete { base, is_conditional } => delete(run, base.as_deref(), is_conditional).await,
        Act::Move { destination } => give(run, destination).await,
        Act::Split(split) => Box::pin(split::split(run, *split)).await,
    };
    match outcome {
        Ok(effects) => Ok(Step::Ended(Box::new(effects))),
        Err(Interrupt::Failed(failure)) => {
            Ok(Step::Ended(Box::new(Effects::of(WriteResult::Failed(failure)))))
        }
        Err(Interrupt::Again { delay, is_sure }) => Ok(Step::Again { delay, is_sure }),
        Err(Interrupt::LeaseLost) => Ok(Step::LeaseLost),
        Err(Interrupt::Database(error)) => Err(error),
    }
}

async fn insert(run: &mut Run<'_>, body: &Value) -> Result<Effects, Interrupt> {
    let calendar = calendar(run).await?;
    let id = run.intent.event_id.clone();
    if run.is_in_doubt()
        && let Some(made) = made(run, &calendar, &id).await?
    {
        return made_before(run, made);
    }
    let version = make(run, &calendar, body, &id).await?;
    made_before(run, version)
}

/// Makes an event by an id of ours, or finds it made.
async fn make(run: &mut Run<'_>, calendar: &Calendar, body: &Value, id: &str) -> Result<Version, Interrupt> {
    send(run).await?;
    let mail = run.work.mail.into();
    let (google, calendar_id) = (&run.ctx.google, calendar.google_id.as_str());
    let answer = run
        .call(|access| async move { google.insert_event(&access, calendar_id, body, mail).await })
        .await;
    match answer {
        Ok(event) => read(event, calendar),
        // As a rule an earlier try came through.
        Err(CallError::Google(Error::AlreadyExists)) => made(run, calendar, id)
            .await?
            .ok_or(Interrupt::from(Reason::EventDeleted)),
        Err(CallError::Google(Error::NotFound)) => Err(Reason::AccessLost.into()),
        Err(error) => Err(stop(run, error, false)),
    }
}

/// The event that this request made, deleted or not.
async fn made(run: &Run<'_>, calendar: &Calendar, id: &str) -> Result<Option<Version>, Interrupt> {
    let found = look(run, calendar, id).await?;
    // The id was chosen by us, and is long: hardly anybody else's.
    let is_ours =
        |found: &Version| found.event.is_cancelled() || write_marker::contains(&found.raw, run.id());
    match found {
        Some(found) if !is_ours(&found) => Err(Interrupt::Failed(Failure {
            reason: Reason::RefusedByGoogle,
            google_reason: Some("duplicate".to_owned()),
        })),
        found => Ok(found),
    }
}

fn made_before(run: &Run<'_>, made: Version) -> Result<Effects, Interrupt> {
    if made.event.is_cancelled() {
        return Err(Reason::EventDeleted.into());
    }
    let mut effects = Effects::done(run, false);
    effects.add(run.intent.calendar_id, made);
    Ok(effects)
}

async fn patch(run: &mut Run<'_>, edit: &Edit) -> Result<Effects, Interrupt> {
    let calendar = calendar(run).await?;
    let id = run.intent.event_id.clone();
    match write(run, &calendar, &id, edit).await? {
        Written::Is { version, merged } => {
            let mut effects = Effects::done(run, merged);
            effects.add(run.intent.calendar_id, *version);
            Ok(effects)
        }
        written => Ok(not_written(run, &id, written)),
    }
}

/// What became of an edit at Google.
enum Written {
    Is {
        version: Box<Version>,
        merged: bool,
    },
    Collided {
        conflict: Box<Conflict>,
        theirs: Box<Version>,
    },
    Gone(Option<Box<Version>>),
}

fn not_written(run: &Run<'_>, id: &str, written: Written) -> Effects {
    let calendar = run.intent.calendar_id;
    match written {
        Written::Collided { conflict, theirs } => {
            let mut effects = Effects::of(WriteResult::Conflict(conflict));
            effects.add(calendar, *theirs);
            effects
        }
        Written::Gone(Some(version)) => {
            let mut effects = Effects::failed(Reason::EventDeleted);
            effects.add(calendar, *version);
            effects
        }
        Written::Gone(None) | Written::Is { .. } => {
            let mut effects = Effects::failed(Reason::EventDeleted);
            effects
                .news
                .extend(tombstone_of_unknown(id).map(|news| (calendar, news)));
            effects
        }
    }
}

/// Writes an edit over what the event is by now, unless both changed the same.
async fn write(run: &mut Run<'_>, calendar: &Calendar, id: &str, edit: &Edit) -> Result<Written, Interrupt> {
    let found = if run.is_in_doubt() {
        look(run, calendar, id).await?
    } else {
        known(run, calendar, id).await?
    };
    let request = run.id();
    write_as(run, calendar, id, edit, request, found).await
}

/// As [`write()`], over what was `found`, in the name of `request`.
async fn write_as(
    run: &mut Run<'_>,
    calendar: &Calendar,
    id: &str,
    edit: &Edit,
    request: Uuid,
    mut found: Option<Version>,
) -> Result<Written, Interrupt> {
    for _ in 0..MERGES_MAX {
        let Some(theirs) = found else {
            return Ok(Written::Gone(None));
        };
        let was_merged = |theirs: &Version| {
            let base = edit.base.as_ref();
            base.is_some_and(|base| !base.differing(&theirs.fields).is_empty())
        };
        if write_marker::contains(&theirs.raw, request) {
            return Ok(Written::Is {
                version: Box::new(theirs),
                merged: false,
            });
        }
        if theirs.event.is_cancelled() {
            return Ok(Written::Gone(Some(Box::new(theirs))));
        }
        let merged = match &edit.base {
            Some(base) => merge(base, &edit.ours, &theirs.fields),
            None => merge_without_base(&edit.touched, &edit.ours, &theirs.fields),
        };
        let wanted = match merged {
            Ok(wanted) => wanted,
            // The mirror may lag behind: nobody is told of a conflict that is over.
            Err(_) if theirs.news.is_none() => {
                found = look(run, calendar, id).await?;
                continue;
            }
            Err(collision) => {
                return Ok(Written::Collided {
                    conflict: Box::new(conflict(collision.fields, edit, &theirs)),
                    theirs: Box::new(theirs),
                });
            }
        };
        let mut body = wanted.write_over(&theirs.raw, &theirs.fields, &request.simple().to_string());
        if body.is_empty() {
            let merged = was_merged(&theirs);
            return Ok(Written::Is {
                version: Box::new(theirs),
                merged,
            });
        }
        write_marker::add(&mut body, &theirs.raw, request);
        match patch_once(run, calendar, id, &theirs.etag, &body.into()).await? {
            Some(event) => {
                let merged = was_merged(&theirs);
                return Ok(Written::Is {
                    version: Box::new(read(event, calendar)?),
                    merged,
                });
            }
            None => found = look(run, calendar, id).await?,
        }
    }
    let delay = TRANSIENT.delay(run.failures + 1);
    Err(Interrupt::Again { delay, is_sure: true })
}

fn conflict(fields: Vec<Field>, edit: &Edit, theirs: &Version) -> Conflict {
    Conflict {
        fields,
        base: edit.base.as_ref().map(Fields::told),
        ours: Some(edit.ours.told()),
        theirs: theirs.fields.told(),
        etag: theirs.etag.clone(),
    }
}

/// None: the event is another version by now, or gone.
async fn patch_once(
    run: &mut Run<'_>,
    calendar: &Calendar,
    event: &str,
    etag: &str,
    body: &Value,
) -> Result<Option<RawEvent>, Interrupt> {
    send(run).await?;
    let mail = run.work.mail.into();
    let google = &run.ctx.google;
    let path = EventPath {
        calendar: &calendar.google_id,
        event,
    };
    let answer = run
        .call_for(Units::PATCH, |access| async move {
            google.patch_event(&access, path, Some(etag), body, mail).await
        })
        .await;
    match answer {
        Ok(event) => Ok(Some(event)),
        Err(CallError::Google(Error::Conflict | Error::AlreadyDeleted | Error::NotFound)) => {
            run.was_refused();
            Ok(None)
        }
        Err(error) => Err(stop(run, error, false)),
    }
}

/// Writes the user's answer to an invitation, and leaves the rest of the guest list alone.
async fn respond(run: &mut Run<'_>, response: &str, comment: Option<&str>) -> Result<Effects, Interrupt> {
    let calendar = calendar(run).await?;
    let (id, request) = (run.intent.event_id.clone(), run.id());
    let mut found = if run.is_in_doubt() {
        look(run, &calendar, &id).await?
    } else {
        known(run, &calendar, &id).await?
    };
    for _ in 0..MERGES_MAX {
        let Some(theirs) = found else {
            return Ok(not_written(run, &id, Written::Gone(None)));
        };
        if theirs.event.is_cancelled() {
            return Ok(not_written(run, &id, Written::Gone(Some(Box::new(theirs)))));
        }
        let Some(own) = own_entry(&theirs.raw) else {
            return Err(Reason::EventNotFound.into());
        };
        let is_said =
            own["responseStatus"] == response && comment.is_none_or(|comment| own["comment"] == comment);
        if write_marker::contains(&theirs.raw, request) || is_said {
            let mut effects = Effects::done(run, false);
            effects.add(run.intent.calendar_id, theirs);
            return Ok(effects);
        }
        let mut entry = Map::from_iter([
            ("email".to_owned(), own["email"].clone()),
            ("responseStatus".to_owned(), response.into()),
        ]);
        if let Some(comment) = comment {
            entry.insert("comment".into(), comment.into());
        }
        // Google's own way to say that the list is not the list: it updates this entry and no other.
        let mut body = Map::from_iter([
            ("attendeesOmitted".to_owned(), true.into()),
            ("attendees".to_owned(), json!([entry])),
        ]);
        write_marker::add(&mut body, &theirs.raw, request);
        found = match patch_once(run, &calendar, &id, &theirs.etag, &body.into()).await? {
            Some(event) => {
                let mut effects = Effects::done(run, false);
                effects.add(run.intent.calendar_id, read(event, &calendar)?);
                return Ok(effects);
            }
            None => look(run, &calendar, &id).await?,
        };
    }
    let delay = TRANSIENT.delay(run.failures + 1);
    Err(Interrupt::Again { delay, is_sure: true })
}

fn own_entry(event: &Value) -> Option<&Value> {
    let guests = event["attendees"].as_array()?;
    guests.iter().find(|guest| guest["self"] == true)
}

async fn delete(
    run: &mut Run<'_>,
    base: Option<&Fields>,
    is_conditional: bool,
) -> Result<Effects, Interrupt> {
    let calendar = calendar(run).await?;
    let id = run.intent.event_id.clone();
    let mut found = if run.is_in_doubt() {
        look(run, &calendar, &id).await?
    } else {
        known(run, &calendar, &id).await?
    };
    for _ in 0..MERGES_MAX {
        let theirs = match found {
            Some(theirs) if !theirs.event.is_cancelled() => theirs,
            Some(_) => return Ok(deleted(run, tombstone(&id))),
            None => return Ok(deleted(run, tombstone_of_unknown(&id))),
        };
        if is_conditional && let Some(changed) = changed_since(base, &theirs) {
            if theirs.news.is_none() {
                found = look(run, &calendar, &id).await?;
                continue;
            }
            let conflict = Conflict {
                fields: changed,
                base: base.map(Fields::told),
                ours: None,
                theirs: theirs.fields.told(),
                etag: theirs.etag.clone(),
            };
            let mut effects = Effects::of(WriteResult::Conflict(Box::new(conflict)));
            effects.add(run.intent.calendar_id, theirs);
            return Ok(effects);
        }
        send(run).await?;
        let mail = run.work.mail.into();
        let google = &run.ctx.google;
        let path = EventPath {
            calendar: &calendar.google_id,
            event: &id,
        };
        let etag = is_conditional.then_some(theirs.etag.as_str());
        let answer = run
            .call(|access| async move { google.delete_event(&access, path, etag, mail).await })
            .await;
        match answer {
            Ok(()) | Err(CallError::Google(Error::AlreadyDeleted)) => {
                return Ok(deleted(run, tombstone(&id)));
            }
            Err(CallError::Google(Error::Conflict | Error::NotFound)) => {
                run.was_refused();
                found = look(run, &calendar, &id).await?;
            }
            Err(error) => return Err(stop(run, error, false)),
        }
    }
    let delay = TRANSIENT.delay(run.failures + 1);
    Err(Interrupt::Again { delay, is_sure: true })
}

/// The fields whose change makes it another event than the one that the user wanted to be rid of. A colour, a reminder or
/// a guest's answer does not.
fn changed_since(base: Option<&Fields>, theirs: &Version) -> Option<Vec<Field>> {
    let Some(base) = base else {
        return Some(vec![]);
    };
    let mut changed = base.differing(&theirs.fields);
    changed.retain(|field| !matches!(field, Field::ColorId | Field::Reminders | Field::Conference));
    (!changed.is_empty()).then_some(changed)
}

fn deleted(run: &Run<'_>, tombstone: Option<Incoming>) -> Effects {
    let mut effects = Effects::of(WriteResult::Done {
        event: None,
        merged: false,
    });
    let calendar = run.intent.calendar_id;
    effects.news.extend(tombstone.map(|news| (calendar, news)));
    effects
}

async fn give(run: &mut Run<'_>, destination: CalendarId) -> Result<Effects, Interrupt> {
    let calendar = calendar(run).await?;
    let there = {
        let mut conn = run.ctx.pool.acquire().await?;
        calendars::get(&mut conn, &run.intent.user_id, destination).await?
    };
    let there = there.ok_or(Interrupt::from(Reason::CalendarNotFound))?;
    let id = run.intent.event_id.clone();
    if run.is_in_doubt()
        && let Some(moved) = look(run, &there, &id).await?
        && !moved.event.is_cancelled()
    {
        return Ok(given(run, &id, &there, moved));
    }
    send(run).await?;
    let mail = run.work.mail.into();
    let google = &run.ctx.google;
    let path = EventPath {
        calendar: &calendar.google_id,
        event: &id,
    };
    let to = there.google_id.as_str();
    let answer = run
        .call(|access| async move { google.move_event(&access, path, to, mail).await })
        .await;
    match answer {
        Ok(event) => {
            let moved = read(event, &there)?;
            Ok(given(run, &id, &there, moved))
        }
        // Gone from here, by an earlier try of ours or by somebody else, or refused there.
        Err(CallError::Google(
            error @ (Error::NotFound | Error::AlreadyDeleted | Error::AlreadyExists | Error::Conflict),
        )) => {
            run.was_refused();
            match look(run, &there, &id).await? {
                Some(moved) if !moved.event.is_cancelled() => Ok(given(run, &id, &there, moved)),
                _ => match look(run, &calendar, &id).await? {
                    // A calendar takes an id once, also if its event was moved away or deleted.
                    Some(here) if !here.event.is_cancelled() => Err(Interrupt::Failed(Failure {
                        reason: Reason::RefusedByGoogle,
                        google_reason: Some(error.to_string()),
                    })),
                    found => Ok(not_written(run, &id, Written::Gone(found.map(Box::new)))),
                },
            }
        }
        Err(error) => Err(stop(run, error, false)),
    }
}

fn given(run: &Run<'_>, id: &str, there: &Calendar, moved: Version) -> Effects {
    let mut effects = deleted(run, tombstone(id));
    effects.end = WriteResult::Done {
        event: None,
        merged: false,
    };
    effects.shown = Some((there.id, run.work.shown.clone()));
    effects.add(there.id, moved);
    effects
}

async fn calendar(run: &Run<'_>) -> Result<Calendar, Interrupt> {
    let mut conn = run.ctx.pool.acquire().await?;
    let found = calendars::get(&mut conn, &run.intent.user_id, run.intent.calendar_id).await?;
    found.ok_or(Interrupt::from(Reason::CalendarNotFound))
}

/// Commits that Google is about to be called. Once a request's life is over, nothing of it is written to Google any more: what
/// happened before has been looked for by now. Half of it is still taken back.
async fn send(run: &mut Run<'_>) -> Result<(), Interrupt> {
    if run.is_over() && !run.is_undone() {
        return Err(Reason::GoogleUnavailable.into());
    }
    if run.mark(State::Sent).await? {
        Ok(())
    } else {
        Err(Interrupt::LeaseLost)
    }
}

/// What becomes of a try that a call ended. `is_in_doubt`: an earlier call may have come through.
fn stop(run: &Run<'_>, error: CallError, is_in_doubt: bool) -> Interrupt {
    let again = |delay| Interrupt::Again {
        delay,
        is_sure: !is_in_doubt,
    };
    let tries = run.failures + 1;
    match error {
        CallError::Database(error) => Interrupt::Database(error),
        CallError::Google(Error::OutcomeUnknown { .. }) => Interrupt::Again {
            delay: TRANSIENT.delay(tries),
            is_sure: false,
        },
        CallError::Google(Error::Transient { .. } | Error::Unauthorized | Error::GrantRejected)
        | CallError::Busy
        | CallError::Sealed(_) => again(TRANSIENT.delay(tries)),
        CallError::OverBudget { retry_after }
        | CallError::Google(Error::RateLimited {
            retry_after: Some(retry_after),
            ..
        }) if !is_in_doubt && retry_after >= run.left() => Reason::QuotaExceeded.into(),
        CallError::GrantSuspect { retry_after } | CallError::OverBudget { retry_after } => again(retry_after),
        CallError::Google(Error::RateLimited {
            limit: Limit::User | Limit::Project,
            retry_after,
        }) => again(retry_after.unwrap_or_else(|| LIMITED.delay(tries))),
        _ if is_in_doubt => Reason::OutcomeUnknown.into(),
        CallError::Disconnected => Reason::NotConnected.into(),
        CallError::GrantEnded => Reason::ReauthRequired.into(),
        CallError::Google(error) => Interrupt::Failed(refused(error)),
    }
}

fn refused(error: Error) -> Failure {
    let (reason, google_reason) = match error {
        Error::RateLimited { .. } => (Reason::QuotaExceeded, Some("quotaExceeded".to_owned())),
        Error::ScopeMissing => (Reason::WriteScopeMissing, None),
        Error::Forbidden { reason } => (Reason::ForbiddenByGoogle, Some(reason)),
        Error::Refused { reason } => (Reason::RefusedByGoogle, Some(reason)),
        Error::NotFound => (Reason::EventNotFound, None),
        Error::AlreadyDeleted => (Reason::EventDeleted, None),
        Error::ClientMisconfigured { .. } => (Reason::Misconfigured, None),
        other => (Reason::RefusedByGoogle, Some(other.to_string())),
    };
    Failure {
        reason,
        google_reason,
    }
}

/// What the mirror keeps of an event that is gone.
fn tombstone(id: &str) -> Option<Incoming> {
    let raw = json!({"id": id, "status": "cancelled"}).to_string();
    RawEvent::read(&raw).and_then(Incoming::read)
}

/// As [`tombstone`], of what Google does not know at all. For an instance there is none: a series that was moved has other
/// instances, and Google would never tell of this one again, should the series move back.
fn tombstone_of_unknown(id: &str) -> Option<Incoming> {
    tombstone(id).filter(|news| news.row.recurring_event_id.is_none())
}
