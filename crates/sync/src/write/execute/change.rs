//! Changes to an existing event: an edit, a guest's answer, a deletion.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::attempt::Attempt;
use super::super::effects::{Effects, tombstone_of_unknown};
use super::super::interrupt::Interrupt;
use super::super::plan::Edit;
use super::super::result::{Conflict, Reason};
use super::super::target::Version;
use super::super::write_marker;
use super::reconcile::{Decision, Reconciled, reconcile};
use event_model::fields::{Field, Fields};

pub(super) async fn update(attempt: &mut Attempt<'_>, edit: &Edit) -> Result<Effects, Interrupt> {
    let calendar = attempt.calendar().await?;
    let (id, request) = (attempt.intent.event_id.clone(), attempt.id());
    let reconciled = reconcile(attempt, &calendar, &id, |theirs| {
        decide_edit(edit, request, theirs)
    })
    .await?;
    Ok(reconciled.into_effects(attempt, &id))
}

/// Merges the edit into the event's current version, in the name of `request`.
pub(super) fn decide_edit(edit: &Edit, request: Uuid, theirs: Version) -> Decision {
    if write_marker::contains(&theirs.raw, request) {
        return done(theirs, false);
    }
    if theirs.event.is_cancelled() {
        return Decision::Finish(Reconciled::Gone(Some(Box::new(theirs))));
    }
    let wanted = match edit.merge_into(&theirs.fields) {
        Ok(wanted) => wanted,
        Err(collision) => return in_conflict(collision.fields, edit, theirs),
    };
    let merged = edit.is_outdated_by(&theirs.fields);
    let mut body = wanted.write_over(&theirs.raw, &theirs.fields, &request.simple().to_string());
    if body.is_empty() {
        return done(theirs, merged);
    }
    write_marker::add(&mut body, &theirs.raw, request);
    Decision::Patch {
        etag: theirs.etag,
        body: body.into(),
        merged,
    }
}

fn done(version: Version, merged: bool) -> Decision {
    Decision::Finish(Reconciled::Done {
        version: Box::new(version),
        merged,
    })
}

fn in_conflict(fields: Vec<Field>, edit: &Edit, theirs: Version) -> Decision {
    Decision::Finish(conflict(fields, edit.base.as_ref(), Some(&edit.ours), theirs))
}

/// `ours`: none if the event was to be deleted.
pub(super) fn conflict(
    fields: Vec<Field>,
    base: Option<&Fields>,
    ours: Option<&Fields>,
    theirs: Version,
) -> Reconciled {
    Reconciled::Conflict {
        conflict: Box::new(Conflict {
            fields,
            base: base.map(Fields::to_conflict),
            ours: ours.map(Fields::to_conflict),
            theirs: theirs.fields.to_conflict(),
            etag: theirs.etag.clone(),
        }),
        theirs: Box::new(theirs),
    }
}

/// Sets the user's answer to an invitation, and leaves the rest of the guest list alone.
pub(super) async fn respond(
    attempt: &mut Attempt<'_>,
    response: &str,
    comment: Option<&str>,
) -> Result<Effects, Interrupt> {
    let calendar = attempt.calendar().await?;
    let (id, request) = (attempt.intent.event_id.clone(), attempt.id());
    let decide = |theirs| decide_response(response, comment, request, theirs);
    let reconciled = reconcile(attempt, &calendar, &id, decide).await?;
    Ok(reconciled.into_effects(attempt, &id))
}

fn decide_response(response: &str, comment: Option<&str>, request: Uuid, theirs: Version) -> Decision {
    if theirs.event.is_cancelled() {
        return Decision::Finish(Reconciled::Gone(Some(Box::new(theirs))));
    }
    let Some(own) = own_entry(&theirs.raw) else {
        return Decision::Fail(Reason::EventNotFound);
    };
    let is_same =
        own["responseStatus"] == response && comment.is_none_or(|comment| own["comment"] == comment);
    if write_marker::contains(&theirs.raw, request) || is_same {
        return done(theirs, false);
    }
    let mut entry = Map::from_iter([
        ("email".to_owned(), own["email"].clone()),
        ("responseStatus".to_owned(), response.into()),
    ]);
    if let Some(comment) = comment {
        entry.insert("comment".into(), comment.into());
    }
    // With `attendeesOmitted`, Google updates this entry and leaves the other guests alone.
    let mut body = Map::from_iter([
        ("attendeesOmitted".to_owned(), true.into()),
        ("attendees".to_owned(), json!([entry])),
    ]);
    write_marker::add(&mut body, &theirs.raw, request);
    Decision::Patch {
        etag: theirs.etag,
        body: body.into(),
        merged: false,
    }
}

fn own_entry(event: &Value) -> Option<&Value> {
    let guests = event["attendees"].as_array()?;
    guests.iter().find(|guest| guest["self"] == true)
}

pub(super) async fn delete(
    attempt: &mut Attempt<'_>,
    base: Option<&Fields>,
    is_conditional: bool,
) -> Result<Effects, Interrupt> {
    let calendar = attempt.calendar().await?;
    let id = attempt.intent.event_id.clone();
    let decide = |theirs| decide_deletion(base, is_conditional, theirs);
    Ok(match reconcile(attempt, &calendar, &id, decide).await? {
        Reconciled::Gone(None) => Effects::deleted(attempt.intent.calendar_id, tombstone_of_unknown(&id)),
        reconciled => reconciled.into_effects(attempt, &id),
    })
}

fn decide_deletion(base: Option<&Fields>, is_conditional: bool, theirs: Version) -> Decision {
    if theirs.event.is_cancelled() {
        return Decision::Finish(Reconciled::Deleted);
    }
    if is_conditional && let Some(changed) = changed_since(base, &theirs) {
        return Decision::Finish(conflict(changed, base, None, theirs));
    }
    Decision::Delete {
        etag: is_conditional.then_some(theirs.etag),
    }
}

/// The fields whose change makes it another event than the one that the user wanted to delete. None: it is still that one.
/// A color, a reminder or a guest's answer does not matter.
fn changed_since(base: Option<&Fields>, theirs: &Version) -> Option<Vec<Field>> {
    let Some(base) = base else {
        return Some(vec![]);
    };
    let mut changed = base.differing(&theirs.fields);
    changed.retain(|field| !matches!(field, Field::ColorId | Field::Reminders | Field::Conference));
    (!changed.is_empty()).then_some(changed)
}
