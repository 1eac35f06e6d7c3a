//! Merging an edit with a change that someone else made: from the version the edit was based on, the edit, and the present
//! version.
//!
//! Field by field: if only one side changed a field, that side wins. If both made the same change, there is no conflict. A
//! field that both changed to different values is a collision, which the user decides. Guests are merged one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::fields::{Conference, Field, Fields, Guest};

/// Fields that both sides changed, to different values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    pub fields: Vec<Field>,
}

/// The event with both changes, or the fields that collide, in the order of [`Field`].
pub fn merge(base: &Fields, ours: &Fields, theirs: &Fields) -> Result<Fields, Collision> {
    let mut collisions = Vec::new();
    let mut take = |field, merged: Option<()>| {
        if merged.is_none() {
            collisions.push(field);
        }
    };
    let mut merged = theirs.clone();
    macro_rules! each {
        ($($field:ident => $of:ident),+ $(,)?) => {$(
            take(Field::$field, value(&base.$of, &ours.$of, &theirs.$of).map(|value| merged.$of = value));
        )+};
    }
    each! {
        Title => title,
        When => when,
        Description => description,
        Location => location,
        ColorId => color_id,
        Recurrence => recurrence,
        Reminders => reminders,
        Transparency => transparency,
        Visibility => visibility,
    }
    let conference = conference(&base.conference, &ours.conference, &theirs.conference);
    merged.conference = conference.clone();
    let guests = guests(&base.attendees, &ours.attendees, &theirs.attendees);
    take(Field::Attendees, guests.map(|guests| merged.attendees = guests));
    if collisions.is_empty() {
        Ok(merged)
    } else {
        collisions.sort_unstable();
        Err(Collision { fields: collisions })
    }
}

/// As [`merge`], without the version that the edit was based on. Every edited field must equal the present one, because
/// nothing shows whether someone else changed it.
pub fn merge_without_base(
    touched: &BTreeSet<Field>,
    ours: &Fields,
    theirs: &Fields,
) -> Result<Fields, Collision> {
    let fields: Vec<Field> = touched
        .iter()
        .copied()
        .filter(|&field| !ours.looks_same(theirs, field))
        .collect();
    if fields.is_empty() {
        Ok(theirs.clone())
    } else {
        Err(Collision { fields })
    }
}

/// If only one side added or removed the meeting, that side wins. Otherwise the present meeting stays, with its link. A
/// meeting that the other side has requested by then is not requested twice.
fn conference<'a>(base: &Conference, ours: &'a Conference, theirs: &'a Conference) -> &'a Conference {
    let is_requested =
        *ours == Conference::Requested && *theirs == Conference::Pending && !base.is_like(theirs);
    let keeps = ours.is_like(base) || ours.is_like(theirs) || is_requested;
    if keeps { theirs } else { ours }
}

/// None: a collision.
fn value<T: PartialEq + Clone>(base: &T, ours: &T, theirs: &T) -> Option<T> {
    if ours == base || ours == theirs {
        Some(theirs.clone())
    } else if theirs == base {
        Some(ours.clone())
    } else {
        None
    }
}

type Guests = BTreeMap<String, Guest>;

fn guests(base: &Guests, ours: &Guests, theirs: &Guests) -> Option<Guests> {
    let emails: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    let mut merged = Guests::new();
    for email in emails {
        let guest = value(&base.get(email), &ours.get(email), &theirs.get(email))?;
        merged.extend(guest.map(|guest| (email.clone(), guest.clone())));
    }
    Some(merged)
}

#[cfg(test)]
mod tests;
