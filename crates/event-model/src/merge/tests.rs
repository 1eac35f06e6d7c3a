use chrono::{DateTime, NaiveDate, TimeDelta};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::span::Span;
use crate::wire::{Reminder, Reminders, Transparency};
use crate::zone::Zone;

fn base() -> Fields {
    Fields {
        title: Some("Review".into()),
        location: Some("Room 3".into()),
        attendees: [("a@example.com".into(), Guest::default())].into(),
        ..Fields::default()
    }
}

fn with(change: impl FnOnce(&mut Fields)) -> Fields {
    let mut fields = base();
    change(&mut fields);
    fields
}

#[test]
fn changes_to_different_fields_go_together() {
    let ours = with(|fields| fields.title = Some("Design review".into()));
    let theirs = with(|fields| fields.location = None);
    let merged = merge(&base(), &ours, &theirs).unwrap();
    assert_eq!(
        (merged.title, merged.location),
        (Some("Design review".into()), None)
    );
}

#[test]
fn changes_to_the_same_field_collide_unless_they_agree() {
    let ours = with(|fields| fields.title = Some("Ours".into()));
    let theirs = with(|fields| fields.title = Some("Theirs".into()));
    let collision = merge(&base(), &ours, &theirs).unwrap_err();
    assert_eq!(collision.fields, [Field::Title]);
    assert_eq!(merge(&base(), &ours, &ours), Ok(ours.clone()));
    let cleared = with(|fields| fields.title = None);
    assert!(
        merge(&base(), &cleared, &theirs).is_err(),
        "clearing is a change too"
    );
}

#[test]
fn guests_are_merged_one_by_one() {
    let guest = |email: &str| (email.to_owned(), Guest::default());
    let ours = with(|fields| fields.attendees.extend([guest("b@example.com")]));
    let theirs = with(|fields| fields.attendees = [guest("c@example.com")].into());
    let merged = merge(&base(), &ours, &theirs).unwrap();
    let emails: Vec<_> = merged.attendees.keys().collect();
    assert_eq!(emails, ["b@example.com", "c@example.com"]);

    // One side makes a guest optional, the other removes that guest.
    let optional = with(|fields| {
        let guest = Guest {
            optional: true,
            display_name: None,
        };
        fields.attendees.insert("a@example.com".into(), guest);
    });
    assert_eq!(
        merge(&base(), &optional, &theirs).unwrap_err().fields,
        [Field::Attendees]
    );
}

#[test]
fn without_a_base_only_equal_fields_merge() {
    let ours = with(|fields| fields.title = Some("Ours".into()));
    let theirs = with(|fields| fields.location = None);
    let touched = BTreeSet::from([Field::Title]);
    let collision = merge_without_base(&touched, &ours, &theirs).unwrap_err();
    assert_eq!(collision.fields, [Field::Title]);
    let there_already = with(|fields| {
        fields.title = Some("Ours".into());
        fields.location = None;
    });
    assert_eq!(
        merge_without_base(&touched, &ours, &there_already),
        Ok(there_already)
    );
}

fn text() -> impl Strategy<Value = Option<String>> {
    option::of("[ab]")
}

fn span() -> impl Strategy<Value = Option<Span>> {
    let days = (0_u64..3, 1_u64..3).prop_map(|(start, length)| {
        let start = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap() + chrono::Days::new(start);
        Span::Days {
            start,
            end: start + chrono::Days::new(length),
        }
    });
    let time = (0_i64..2, 1_i64..3).prop_map(|(start, length)| {
        let start = DateTime::UNIX_EPOCH + TimeDelta::hours(start);
        Span::Time {
            start,
            end: start + TimeDelta::hours(length),
            zone: Zone::named("Europe/Berlin").unwrap(),
            end_zone: Zone::named("Europe/Berlin").unwrap(),
        }
    });
    option::of(prop_oneof![days, time])
}

fn guest() -> impl Strategy<Value = Guest> {
    (any::<bool>(), text()).prop_map(|(optional, display_name)| Guest {
        optional,
        display_name,
    })
}

fn reminders() -> impl Strategy<Value = Option<Reminders>> {
    option::of(any::<bool>().prop_map(|use_default| Reminders {
        use_default,
        overrides: vec![Reminder {
            method: "popup".into(),
            minutes: 5,
        }],
    }))
}

prop_compose! {
    /// Few values of each field, so that the sides sometimes agree.
    fn fields()(
        title in text(), when in span(), description in text(), location in text(), color_id in text(),
        attendees in btree_map("[ab]", guest(), 0..3), recurrence in vec("RRULE:FREQ=(DAILY|WEEKLY)", 0..2),
        reminders in reminders(), meets in any::<bool>(), is_free in any::<bool>(), visibility in text(),
    ) -> Fields {
        let conference = if meets { Conference::Requested } else { Conference::None };
        let transparency = if is_free { Transparency::Transparent } else { Transparency::Opaque };
        Fields {
            title, when, description, location, color_id, attendees, recurrence, reminders, conference, transparency,
            visibility,
        }
    }
}

/// An edit: `base` with some fields of `other`.
fn edited(base: &Fields, other: &Fields, mask: u16) -> Fields {
    let mut edited = base.clone();
    for (bit, &field) in Field::ALL.iter().enumerate() {
        if mask & (1 << bit) == 0 {
            continue;
        }
        let other = other.clone();
        match field {
            Field::Title => edited.title = other.title,
            Field::When => edited.when = other.when,
            Field::Description => edited.description = other.description,
            Field::Location => edited.location = other.location,
            Field::ColorId => edited.color_id = other.color_id,
            Field::Attendees => edited.attendees = other.attendees,
            Field::Recurrence => edited.recurrence = other.recurrence,
            Field::Reminders => edited.reminders = other.reminders,
            Field::Conference => edited.conference = other.conference,
            Field::Transparency => edited.transparency = other.transparency,
            Field::Visibility => edited.visibility = other.visibility,
        }
    }
    edited
}

prop_compose! {
    fn sides()(base in fields(), a in fields(), b in fields(), ours in 0_u16..2048, theirs in 0_u16..2048)
        -> (Fields, Fields, Fields)
    {
        let (ours, theirs) = (edited(&base, &a, ours), edited(&base, &b, theirs));
        (base, ours, theirs)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_field_that_one_side_changed_is_never_dropped((base, ours, theirs) in sides()) {
        if let Ok(merged) = merge(&base, &ours, &theirs) {
            for &field in Field::ALL {
                if ours.looks_same(&base, field) {
                    prop_assert!(merged.looks_same(&theirs, field), "{field:?}");
                } else if theirs.looks_same(&base, field) {
                    prop_assert!(merged.looks_same(&ours, field), "{field:?}");
                }
            }
        }
    }

    #[test]
    fn merging_is_symmetric((base, ours, theirs) in sides()) {
        prop_assert_eq!(merge(&base, &ours, &theirs), merge(&base, &theirs, &ours));
    }

    #[test]
    fn a_collision_needs_two_different_changes((base, ours, theirs) in sides()) {
        let collided = match merge(&base, &ours, &theirs) {
            Ok(_) => Vec::new(),
            Err(collision) => collision.fields,
        };
        for &field in Field::ALL {
            let both = !ours.looks_same(&base, field) && !theirs.looks_same(&base, field);
            let differ = both && !ours.looks_same(&theirs, field);
            if field == Field::Attendees {
                prop_assert!(differ || !collided.contains(&field));
            } else {
                prop_assert_eq!(differ, collided.contains(&field), "{:?}", field);
            }
        }
    }

    #[test]
    fn merging_again_changes_nothing((base, ours, theirs) in sides()) {
        if let Ok(merged) = merge(&base, &ours, &theirs) {
            prop_assert_eq!(merge(&base, &ours, &merged), Ok(merged));
        }
    }

    #[test]
    fn a_guest_that_one_side_changed_keeps_that_change((base, ours, theirs) in sides()) {
        if let Some(merged) = guests(&base.attendees, &ours.attendees, &theirs.attendees) {
            for email in ["a", "b"] {
                let of = |fields: &Guests| fields.get(email).cloned();
                let (base, ours) = (of(&base.attendees), of(&ours.attendees));
                let (theirs, merged) = (of(&theirs.attendees), of(&merged));
                prop_assert_eq!(&merged, if ours == base { &theirs } else { &ours });
            }
        }
    }
}
