//! A series is ended before an instance, and a new one begins there.
//!
//! The old one is ended first: a collision is found before anything was made, and what was not made needs no mail to be
//! taken back. Should Google refuse the new one, the old one is made as it was.

use event_model::fields::{Field, Fields, Span};
use event_model::merge::{Collision, merge, merge_without_base};
use serde_json::{Map, Value};
use store::calendars::Calendar;
use store::write_intents::State;
use uuid::Uuid;

use super::super::work::{Act, Edit, NewSeries, Split};
use super::{
    Effects, Interrupt, Run, Version, WriteResult, Written, calendar, conflict, known, look, make,
    not_written, write, write_marker,
};
use crate::pull::context;

/// What a copy of an event does not take along: what Google sets, and what is of the one event alone.
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
    "extendedProperties",
];

pub async fn split(run: &mut Run<'_>, mut split: Split) -> Result<Effects, Interrupt> {
    let calendar = calendar(run).await?;
    if split.undo.is_some() {
        return undo(run, &calendar, split).await;
    }
    let (ended, is_now) = match split.ended.take() {
        Some(ended) => (read(&ended, &calendar)?, false),
        None => match end(run, &calendar, &split).await? {
            Ok(version) => (*version, true),
            Err(written) => return Ok(not_written(run, &run.intent.event_id.clone(), written)),
        },
    };
    let mut done = Effects::done(run, false);
    done.cancel = Some((run.intent.event_id.clone(), split.at.clone()));
    if let Some(new) = split.new.clone() {
        split.ended = Some(ended.raw.clone());
        run.work.act = Act::Split(Box::new(split));
        let made = match begin(run, &calendar, &ended, &new).await {
            Err(Interrupt::Failed(failure)) => {
                let Act::Split(split) = &mut run.work.act else {
                    return Err(Interrupt::Failed(failure));
                };
                split.undo = Some(failure);
                let split = Split::clone(split);
                // Google said no: nothing is in doubt any more.
                if !run.mark(State::Pending).await? {
                    return Err(Interrupt::LeaseLost);
                }
                return undo(run, &calendar, split).await;
            }
            made => made?,
        };
        done.add(run.intent.calendar_id, made);
    } else {
        done.end = WriteResult::Done {
            event: None,
            merged: false,
        };
        done.shown = None;
    }
    // What it had become in an earlier try is no news any more: it may have changed since, or be gone.
    let news = if is_now {
        Some(ended)
    } else {
        look(run, &calendar, &run.intent.event_id).await?
    };
    if let Some(version) = news {
        done.add(run.intent.calendar_id, version);
    }
    Ok(done)
}

fn read(raw: &Value, calendar: &Calendar) -> Result<Version, Interrupt> {
    let text = raw.to_string();
    let event = google::RawEvent::read(&text).ok_or(Interrupt::LeaseLost)?;
    Version::told(event, &context(calendar)).ok_or(Interrupt::LeaseLost)
}

/// Ends the old series. `Err`: it was not done.
async fn end(
    run: &mut Run<'_>,
    calendar: &Calendar,
    split: &Split,
) -> Result<Result<Box<Version>, Written>, Interrupt> {
    let id = run.intent.event_id.clone();
    // What is asked of the new series has to go together with what the old one has become, before anything is written.
    if let (Some(new), false) = (&split.new, run.is_in_doubt()) {
        let mut theirs = known(run, calendar, &id).await?;
        if theirs
            .as_ref()
            .is_some_and(|theirs| theirs.news.is_none() && merged(new, theirs).is_err())
        {
            theirs = look(run, calendar, &id).await?;
        }
        if let Some(written) = theirs.and_then(|theirs| collides(new, theirs)) {
            return Ok(Err(written));
        }
    }
    match write(run, calendar, &id, &split.end).await? {
        Written::Is { version, .. } => Ok(Ok(version)),
        written => Ok(Err(written)),
    }
}

fn collides(new: &NewSeries, theirs: Version) -> Option<Written> {
    let collision = merged(new, &theirs).err()?;
    let edit = Edit {
        base: new.is_known.then(|| new.rest.clone()),
        ours: new.ours.clone(),
        touched: new.touched.clone(),
    };
    Some(Written::Collided {
        conflict: Box::new(conflict(collision.fields, &edit, &theirs)),
        theirs: Box::new(theirs),
    })
}

/// The new series, with what others changed of the old one.
fn merged(new: &NewSeries, series: &Version) -> Result<Fields, Collision> {
    let theirs = Fields {
        when: new.rest.when,
        recurrence: new.rest.recurrence.clone(),
        ..series.fields.clone()
    };
    if new.is_known {
        merge(&new.rest, &new.ours, &theirs)
    } else {
        // Of its times nobody else has a say: they are the old ones, moved.
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

/// Begins the new series, as a copy of the old one with the edit.
async fn begin(
    run: &mut Run<'_>,
    calendar: &Calendar,
    ended: &Version,
    new: &NewSeries,
) -> Result<Version, Interrupt> {
    if run.is_in_doubt()
        && let Some(made) = super::made(run, calendar, &new.id).await?
    {
        return Ok(made);
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
    let edits = wanted.write_over(&ended.raw, &ended.fields, &run.id().simple().to_string());
    body.extend(edits);
    body.retain(|_, value| !value.is_null());
    body.insert("id".into(), new.id.clone().into());
    body.insert("recurrence".into(), wanted.recurrence.clone().into());
    body.extend(wanted.when.into_iter().flat_map(Span::google_new));
    // Google gives a new event its own answers: who had accepted the old series is asked by the mail about the new one.
    if let Some(Value::Array(guests)) = body.get_mut("attendees") {
        for guest in guests.iter_mut().filter_map(Value::as_object_mut) {
            guest.retain(|key, _| !matches!(key.as_str(), "self" | "organizer" | "id"));
        }
    }
    write_marker::add(&mut body, &Value::Null, run.id());
    make(run, calendar, &body.into(), &new.id).await
}

/// Gives the old series back what it had, since there is no new one.
async fn undo(run: &mut Run<'_>, calendar: &Calendar, split: Split) -> Result<Effects, Interrupt> {
    let Some(failure) = split.undo.clone() else {
        return Err(Interrupt::LeaseLost);
    };
    let edit = Edit {
        base: Some(split.end.ours.clone()),
        ours: split.end.base.clone().unwrap_or_default(),
        touched: split.end.touched.clone(),
    };
    let id = run.intent.event_id.clone();
    let mut ended = Effects::of(WriteResult::Failed(failure));
    // The mirror knows nothing of the first step.
    let found = look(run, calendar, &id).await?;
    let request = undo_of(run.id());
    match super::write_as(run, calendar, &id, &edit, request, found).await? {
        Written::Is { version, .. }
        | Written::Collided { theirs: version, .. }
        | Written::Gone(Some(version)) => ended.add(run.intent.calendar_id, *version),
        Written::Gone(None) => {}
    }
    Ok(ended)
}

/// The request that undoes a request, as the event remembers it.
fn undo_of(request: Uuid) -> Uuid {
    Uuid::from_u128(!request.as_u128())
}
