//! Three versions into one: what an edit was based on, the edit, and what the event has become meanwhile.
//!
//! Field by field: who alone changed a field is right about it, and who changed it to the same agree. Only a field that
//! both changed, to different values, is a collision, and then a person decides. Guests are merged one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::fields::{Field, Fields, Guest};

/// Fields that both sides changed, to different values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    pub fields: Vec<Field>,
}

/// The event with both changes.
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
        Conference => conference,
    }
    let guests = guests(&base.attendees, &ours.attendees, &theirs.attendees);
    take(Field::Attendees, guests.map(|guests| merged.attendees = guests));
    if collisions.is_empty() {
        Ok(merged)
    } else {
        collisions.sort_unstable();
        Err(Collision { fields: collisions })
    }
}

/// As [`merge`], where nobody knows any more what the edit was based on: a field that was edited must have become the
/// same meanwhile, for whether somebody else changed it cannot be told.
pub fn merge_without_base(
    touched: &BTreeSet<Field>,
    ours: &Fields,
    theirs: &Fields,
) -> Result<Fields, Collision> {
    let fields: Vec<Field> = touched
        .iter()
        .copied()
        .filter(|&field| !ours.is_same(theirs, field))
        .collect();
    if fields.is_empty() {
        Ok(theirs.clone())
    } else {
        Err(Collision { fields })
    }
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
