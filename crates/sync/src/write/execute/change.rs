//! Changes to an existing event: an edit, a guest's answer, a deletion.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::attempt::Attempt;
use super::super::effects::{Effects, tombstone_of_unknown};
use super::super::interrupt::Interrupt;
use super::super::plan::Edit;
use super::super::result::{Conflict, Reason};
use super::super::target::Version;
use super::super::write_marker;
use super::reconcile::{Decision, Reconciled, reconcile, reconcile_from};
use event_model::fields::{Field, Fields};
use event_model::permissions::takes_properties;

pub(super) async fn update(attempt: &mut Attempt<'_>, edit: &Edit) -> Result<Effects, Interrupt> {
    let calendar = attempt.calendar().await?;
    let (id, request) = (attempt.intent.event_id.clone(), attempt.id());
    let reconciled = reconcile(attempt, &calendar, &id, |theirs| {
        decide_edit(edit, request, theirs)
    })
    .await?;
    Ok(reconciled.into_effects(attempt, &id))
}

/// Merges the edit into the event's current version, in the name of `request`. Whether an event without a marker has the edit
/// already shows in its fields.
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
    let mut body = wanted.write_over(&theirs.raw, &theirs.fields, &request.simple().to_string());
    if body.is_empty() {
        // It has the edit, perhaps from an earlier call. Other differences are others' work.
        let merged = edit.base.is_some() && !edit.ours.differing(&theirs.fields).is_empty();
        return done(theirs, merged);
    }
    if body.contains_key("attendees") && theirs.event.attendees_omitted {
        // The whole list would be replaced by the part that Google showed.
        return Decision::Fail(Reason::ForbiddenByGoogle);
    }
    if common::mutant!("cut_text_written")
        && let Some(text) = &theirs.fields.description
    {
        let shown = event_model::text::cut(text, event_model::text::MAX_DESCRIPTION);
        body.insert("description".into(), shown.into());
    }
    if takes_properties(&theirs.event) {
        write_marker::add(&mut body, &theirs.raw, request);
    }
    Decision::Patch {
        merged: edit.is_outdated_by(&theirs.fields),
        etag: theirs.etag,
        body: body.into(),
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
    let id = attempt.intent.event_id.clone();
    let decide = |theirs| decide_response(response, comment, Guests::Own, theirs);
    let answered = reconcile(attempt, &calendar, &id, decide).await?;
    let reconciled = match answered {
        // Google has taken the response and dropped the comment.
        Reconciled::Done { version, merged } if !has_comment(&version, comment) => {
            let decide = |theirs| decide_response(response, comment, Guests::All, theirs);
            let found = Some(Version::clone(&version));
            match reconcile_from(attempt, &calendar, &id, found, decide).await {
                // Google has the response, which matters more.
                Err(Interrupt::Failed(_)) => Reconciled::Done { version, merged },
                commented => commented?,
            }
        }
        answered => answered,
    };
    Ok(reconciled.into_effects(attempt, &id))
}

/// The guests that the answer to an invitation is sent with.
#[derive(Clone, Copy)]
enum Guests {
    /// By its documentation, Google then updates the participant's own response and leaves the other guests alone
    /// (<https://developers.google.com/workspace/calendar/api/v3/reference/events#attendeesOmitted>).
    Own,
    All,
}

fn decide_response(response: &str, comment: Option<&str>, guests: Guests, theirs: Version) -> Decision {
    if theirs.event.is_cancelled() {
        return Decision::Finish(Reconciled::Gone(Some(Box::new(theirs))));
    }
    let Some(own) = own_entry(&theirs.raw) else {
        return Decision::Fail(Reason::EventNotFound);
    };
    let is_answered = own["responseStatus"] == response;
    if is_answered && has_comment(&theirs, comment) {
        return done(theirs, false);
    }
    let answer = |mut entry: Value| {
        entry["responseStatus"] = response.into();
        if let Some(comment) = comment {
            entry["comment"] = comment.into();
        }
        entry
    };
    let body = match guests {
        Guests::Own => {
            let entry = answer(json!({"email": own["email"]}));
            json!({"attendeesOmitted": true, "attendees": [entry]})
        }
        // Google does not show the whole list, and takes nothing more.
        Guests::All if theirs.event.attendees_omitted && is_answered => return done(theirs, false),
        Guests::All if theirs.event.attendees_omitted => return Decision::Fail(Reason::ForbiddenByGoogle),
        Guests::All => {
            let all = theirs.raw["attendees"].as_array().into_iter().flatten();
            let all = all
                .cloned()
                .map(|guest| if is_own(&guest) { answer(guest) } else { guest });
            json!({"attendees": all.collect::<Vec<_>>()})
        }
    };
    Decision::Patch {
        etag: theirs.etag,
        body,
        merged: false,
    }
}

fn has_comment(version: &Version, comment: Option<&str>) -> bool {
    comment.is_none_or(|comment| {
        own_entry(&version.raw).is_some_and(|own| own["comment"].as_str().unwrap_or_default() == comment)
    })
}

fn own_entry(event: &Value) -> Option<&Value> {
    let guests = event["attendees"].as_array()?;
    guests.iter().find(|guest| is_own(guest))
}

fn is_own(guest: &Value) -> bool {
    guest["self"] == true
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

pub(super) fn decide_deletion(base: Option<&Fields>, is_conditional: bool, theirs: Version) -> Decision {
    if theirs.event.is_cancelled() {
        return Decision::Finish(Reconciled::Deleted {
            series: theirs.event.recurring_event_id,
        });
    }
    if is_conditional && let Some(changed) = changed_since(base, &theirs) {
        return Decision::Finish(conflict(changed, base, None, theirs));
    }
    Decision::Delete {
        etag: is_conditional.then_some(theirs.etag),
        series: theirs.event.recurring_event_id,
    }
}

/// The fields whose change turns it into another event than the one that the user wanted to delete. None: it is still that one.
/// A color, a reminder, who sees it, or a guest's answer does not matter.
fn changed_since(base: Option<&Fields>, theirs: &Version) -> Option<Vec<Field>> {
    let Some(base) = base else {
        return Some(vec![]);
    };
    let mut changed = base.differing(&theirs.fields);
    changed.retain(|field| {
        !matches!(
            field,
            Field::ColorId | Field::Reminders | Field::Conference | Field::Transparency | Field::Visibility
        )
    });
    (!changed.is_empty()).then_some(changed)
}
