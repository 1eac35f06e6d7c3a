//! Ends a series before an instance, and starts a new one there.
//!
//! The old series is ended first: a conflict is found before anything was created, and no guest is mailed about a series
//! that is then withdrawn. If Google refuses the new series, the old one is restored.

use event_model::fields::{Field, Fields};
use event_model::merge::{Collision, merge, merge_without_base};
use event_model::resource::ConferenceState;
use event_model::span::Span;
use serde_json::{Map, Value};
use store::calendars::Calendar;
use store::events;
use store::write_intents::State;
use uuid::Uuid;

use super::super::attempt::Attempt;
use super::super::effects::Effects;
use super::super::interrupt::{Interrupt, Unfinished};
use super::super::plan::{NewSeries, Operation, Split};
use super::super::result::{Reason, WriteResult};
use super::super::target::Version;
use super::super::write_marker;
use super::change::{conflict, decide_deletion, decide_edit};
use super::create::{already_inserted, insert_event};
use super::look::{from_google, from_mirror};
use super::reconcile::{Reconciled, reconcile, reconcile_from};
use crate::pull::context;

/// More exceptions than this are not requested one by one; the rest counts as cancelled.
const EXCEPTIONS_MAX: i64 = 50;

/// The properties that the new series does not take over: Google sets them, or they belong to the one event.
const NOT_COPIED: [&str; 16] = [
    "kind",
    "etag",
    "id",
    "htmlLink",
    "created",
    "updated",
    "creator",
    "organizer",
    "iCalUID",
    "sequence",
    "hangoutLink",
    "locked",
    "recurringEventId",
    "originalStartTime",
    "privateCopy",
    "attendeesOmitted",
];

pub(super) async fn split(attempt: &mut Attempt<'_>, mut split: Split) -> Result<Effects, Interrupt> {
    let calendar = attempt.calendar().await?;
    if split.undo.is_some() {
        return undo(attempt, &calendar, split).await;
    }
    let id = attempt.intent.event_id.clone();
    let (ended, is_new) = match split.ended.take() {
        Some(ended) => (read(&ended, &calendar)?, false),
        None => match end(attempt, &calendar, &split).await? {
            Reconciled::Done { version, .. } => (*version, true),
            other => return Ok(other.into_effects(attempt, &id)),
        },
    };
    let mut effects = Effects::done(attempt.answer(), false);
    effects.cancel_from = Some((id.clone(), split.at.clone()));
    let left = exceptions_left(attempt, &calendar, &id, &split.at).await?;
    let at = split.at.clone();
    if let Some(new) = split.new.clone() {
        split.ended = Some(ended.raw.clone());
        attempt.plan.operation = Operation::Split(Box::new(split));
        let started = match start(attempt, &calendar, &ended, &new).await {
            Err(Interrupt::Failed(failure)) => {
                let Operation::Split(split) = &mut attempt.plan.operation else {
                    return Err(Interrupt::Failed(failure));
                };
                split.undo = Some(failure);
                let split = Split::clone(split);
                // Google has refused: no call is in doubt any longer.
                if !attempt.save(State::Pending).await? {
                    return Err(Unfinished::LeaseLost.into());
                }
                return undo(attempt, &calendar, split).await;
            }
            started => started?,
        };
        effects.add(calendar.id, started);
    } else {
        effects.answer = None;
    }
    // The old series as an earlier try ended it may be outdated: it may have changed since, or be deleted.
    let old = if is_new {
        Some(ended)
    } else {
        from_google(attempt, &calendar, &id).await?
    };
    if let Some(version) = old {
        effects.add(calendar.id, version);
    }
    remove(attempt, &calendar, left, &at, &mut effects).await?;
    Ok(effects)
}

/// The exceptions beyond the end of the old series, as Google has them now. Its guide says that a change of all following
/// instances resets later exceptions
/// (<https://developers.google.com/workspace/calendar/api/guides/recurringevents#modify_all_following_instances>), a report that
/// they stay (<https://github.com/BuilderIO/agent-native/pull/3488>). It reports none that it left alone.
async fn exceptions_left(
    attempt: &Attempt<'_>,
    calendar: &Calendar,
    series: &str,
    from: &str,
) -> Result<Vec<Version>, Interrupt> {
    let mut conn = attempt.ctx.pool.acquire().await?;
    let ids = events::exceptions_from(&mut conn, calendar.id, series, from, EXCEPTIONS_MAX).await?;
    drop(conn);
    let mut left = Vec::new();
    for id in ids {
        left.extend(from_google(attempt, calendar, &id).await?);
    }
    Ok(left)
}

/// Deletes the exceptions that Google has kept, except those that were moved to a time before the split: the user did not mean
/// them. Only now, because a refused split restores the old series.
async fn remove(
    attempt: &mut Attempt<'_>,
    calendar: &Calendar,
    exceptions: Vec<Version>,
    at: &str,
    effects: &mut Effects,
) -> Result<(), Interrupt> {
    for exception in exceptions {
        let id = exception.event.id.clone();
        let start = exception.event.start.map(|start| start.to_string());
        // A date is compared with a date, and otherwise a time with a time.
        let is_later = start.is_some_and(|start| start.as_str() >= &at[..start.len().min(at.len())]);
        let kept = exception.clone();
        if is_later && !exception.event.is_cancelled() {
            let decide = |theirs| decide_deletion(None, false, theirs);
            match reconcile_from(attempt, calendar, &id, Some(exception), decide).await {
                Ok(_) => continue,
                // The series is split, which matters more.
                Err(Interrupt::Failed(_)) => {}
                Err(interrupt) => return Err(interrupt),
            }
        }
        effects.add(calendar.id, kept);
    }
    Ok(())
}

fn read(raw: &Value, calendar: &Calendar) -> Result<Version, Interrupt> {
    let text = raw.to_string();
    let event = google::RawEvent::read(&text).ok_or(Unfinished::LeaseLost)?;
    Version::from_google(event, &context(calendar)).ok_or(Unfinished::LeaseLost.into())
}

/// Ends the old series.
async fn end(attempt: &mut Attempt<'_>, calendar: &Calendar, split: &Split) -> Result<Reconciled, Interrupt> {
    let (id, request) = (attempt.intent.event_id.clone(), attempt.id());
    // The edit of the new series must merge with the current version of the old one, before anything is written.
    if let (Some(new), false) = (&split.new, attempt.is_in_doubt()) {
        let mut theirs = from_mirror(attempt, calendar, &id).await?;
        if theirs
            .as_ref()
            .is_some_and(|theirs| theirs.incoming.is_none() && merged(new, theirs).is_err())
        {
            theirs = from_google(attempt, calendar, &id).await?;
        }
        if let Some(conflict) = theirs.and_then(|theirs| find_conflict(new, theirs)) {
            return Ok(conflict);
        }
    }
    reconcile(attempt, calendar, &id, |theirs| {
        decide_edit(&split.end, request, theirs)
    })
    .await
}

fn find_conflict(new: &NewSeries, theirs: Version) -> Option<Reconciled> {
    let collision = merged(new, &theirs).err()?;
    let base = new.is_known.then_some(&new.rest);
    Some(conflict(collision.fields, base, Some(&new.ours), theirs))
}

/// The new series, with what others changed in the old one.
fn merged(new: &NewSeries, series: &Version) -> Result<Fields, Collision> {
    let theirs = Fields {
        when: new.rest.when,
        recurrence: new.rest.recurrence.clone(),
        ..series.fields.clone()
    };
    if new.is_known {
        merge(&new.rest, &new.ours, &theirs)
    } else {
        // Its times are the old ones, moved: no one else can have changed them.
        let mut touched = new.touched.clone();
        touched.retain(|field| !matches!(field, Field::When | Field::Recurrence));
        let ours = Fields {
            when: theirs.when,
            recurrence: theirs.recurrence.clone(),
            ..new.ours.clone()
        };
        merge_without_base(&touched, &ours, &theirs).map(|merged| Fields {
            when: new.ours.when,
            recurrence: new.ours.recurrence.clone(),
            ..merged
        })
    }
}

/// Starts the new series: a copy of the old one with the edit.
async fn start(
    attempt: &mut Attempt<'_>,
    calendar: &Calendar,
    ended: &Version,
    new: &NewSeries,
) -> Result<Version, Interrupt> {
    if let Some(inserted) = already_inserted(attempt, calendar, &new.id).await? {
        return Ok(inserted);
    }
    if ended.event.attendees_omitted {
        // The guests that Google did not show would not be in the new series. The old one is restored.
        return Err(Reason::ForbiddenByGoogle.into());
    }
    let wanted = merged(new, ended).unwrap_or_else(|_| new.ours.clone());
    let mut body: Map<String, Value> = ended
        .raw
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !NOT_COPIED.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if ended.event.conference != ConferenceState::Exists {
        // A request for a meeting that Google has not granted.
        body.remove("conferenceData");
    }
    let edits = wanted.write_over(&ended.raw, &ended.fields, &attempt.id().simple().to_string());
    body.extend(edits);
    body.retain(|_, value| !value.is_null());
    body.insert("id".into(), new.id.clone().into());
    body.insert("recurrence".into(), wanted.recurrence.clone().into());
    body.extend(wanted.when.into_iter().flat_map(Span::google_insert));
    if let Some(Value::Array(guests)) = body.get_mut("attendees") {
        guests
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(invite_again);
    }
    write_marker::add(&mut body, &Value::Null, attempt.id());
    insert_event(attempt, calendar, &body.into(), &new.id).await
}

/// A guest of the old series as a guest of the new one. Their answer was to the old one: with another status than
/// `needsAction`, some guests do not see a new event
/// (<https://developers.google.com/workspace/calendar/api/v3/reference/events#attendees.responseStatus>).
fn invite_again(guest: &mut Map<String, Value>) {
    let is_organizer = guest.get("organizer") == Some(&Value::Bool(true));
    guest.retain(|key, _| matches!(key.as_str(), "email" | "displayName" | "optional" | "resource"));
    let response = if is_organizer { "accepted" } else { "needsAction" };
    guest.insert("responseStatus".into(), response.into());
}

/// Restores the old series, since Google refused the new one.
async fn undo(attempt: &mut Attempt<'_>, calendar: &Calendar, split: Split) -> Result<Effects, Interrupt> {
    let Some(failure) = split.undo.clone() else {
        return Err(Unfinished::LeaseLost.into());
    };
    let edit = split.end.reversed();
    let id = attempt.intent.event_id.clone();
    let request = undo_of(attempt.id());
    // The mirror has not seen the first step.
    let found = from_google(attempt, calendar, &id).await?;
    let decide = |theirs| decide_edit(&edit, request, theirs);
    let effects = Effects::of(WriteResult::Failed(failure));
    Ok(
        match reconcile_from(attempt, calendar, &id, found, decide).await? {
            Reconciled::Done { version, .. }
            | Reconciled::Conflict { theirs: version, .. }
            | Reconciled::Gone(Some(version)) => effects.with(calendar.id, *version),
            Reconciled::Gone(None) | Reconciled::Deleted { .. } => effects,
        },
    )
}

/// The marker of the call that undoes a request.
fn undo_of(request: Uuid) -> Uuid {
    Uuid::from_u128(!request.as_u128())
}
