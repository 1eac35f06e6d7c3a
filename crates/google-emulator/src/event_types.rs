//! The fields that an event of each type may carry, and those that a client may change.
//!
//! From Google's guides on [event types](https://developers.google.com/workspace/calendar/api/guides/event-types) and
//! [status events](https://developers.google.com/workspace/calendar/api/guides/calendar-status). The messages, and that a
//! birthday of a contact or of the account itself cannot be deleted, were reported from the real service
//! (phw198/OutlookGoogleCalendarSync#2103, kellylford/QuickMail#294).

use serde_json::Value;

use crate::error::{ApiError, Result};
use crate::store::{Resource, text};

/// The fields that a client may change in a birthday.
const BIRTHDAY: [&str; 5] = ["colorId", "summary", "reminders", "start", "end"];
/// The recurrences of a birthday; the second is of the 29th of February.
const YEARLY: [&str; 2] = ["RRULE:FREQ=YEARLY", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"];
/// The fields that a client may change in an event from Gmail.
const FROM_GMAIL: [&str; 7] = [
    "colorId",
    "reminders",
    "visibility",
    "transparency",
    "status",
    "attendees",
    "extendedProperties",
];
/// The fields that change with every write.
const SERVER_SET: [&str; 3] = ["etag", "updated", "sequence"];

/// Checks an event that a client writes. `old`: none for a new event.
pub fn check(old: Option<&Resource>, new: &Resource) -> Result<()> {
    let kind = kind_of(new);
    let is_allowed = match kind {
        "birthday" => {
            let private = new.get("extendedProperties").map(|all| &all["private"]);
            if private
                .and_then(Value::as_object)
                .is_some_and(|all| !all.is_empty())
            {
                return Err(ApiError::event_type(
                    "'birthday' event type must not have private extended properties.",
                ));
            }
            let is_moved = old.is_some_and(|old| changes_other_than(old, new, &BIRTHDAY[..3]));
            changes_only(old, new, &BIRTHDAY)
                && is_one_day(new)
                && (old.is_some() || is_new_birthday(new))
                && !(is_moved && old.is_some_and(is_linked_birthday))
        }
        "fromGmail" => old.is_some() && changes_only(old, new, &FROM_GMAIL),
        "focusTime" | "outOfOffice" => is_timed(new) && text(new, "transparency") != Some("transparent"),
        "workingLocation" => {
            (is_timed(new) || is_one_day(new))
                && text(new, "transparency") == Some("transparent")
                && text(new, "visibility") == Some("public")
        }
        _ => true,
    };
    if is_allowed { Ok(()) } else { Err(refused(kind)) }
}

/// Checks that a client may delete the event.
pub fn check_deletion(event: &Resource) -> Result<()> {
    if is_linked_birthday(event) {
        return Err(refused(kind_of(event)));
    }
    Ok(())
}

/// The further conditions of a birthday that a client creates.
fn is_new_birthday(event: &Resource) -> bool {
    let rules = event.get("recurrence").and_then(Value::as_array);
    let is_yearly = |rule: &Value| rule.as_str().is_some_and(|rule| YEARLY.contains(&rule));
    text(event, "visibility") == Some("private")
        && text(event, "transparency") == Some("transparent")
        && rules.is_some_and(|rules| rules.len() == 1 && rules.iter().all(is_yearly))
}

/// A birthday that a contact or the account's profile owns.
fn is_linked_birthday(event: &Resource) -> bool {
    event
        .get("birthdayProperties")
        .is_some_and(|birthday| birthday["contact"].is_string() || birthday["type"] == "self")
}

fn kind_of(event: &Resource) -> &str {
    text(event, "eventType").unwrap_or("default")
}

fn refused(kind: &str) -> ApiError {
    ApiError::event_type(format!(
        "Attempt made to modify '{kind}' event in a way that is not valid for this event type."
    ))
}

fn changes_only(old: Option<&Resource>, new: &Resource, allowed: &[&str]) -> bool {
    old.is_none_or(|old| !changes_other_than(old, new, allowed))
}

fn changes_other_than(old: &Resource, new: &Resource, allowed: &[&str]) -> bool {
    let mut keys = old.keys().chain(new.keys()).map(String::as_str);
    keys.any(|key| !allowed.contains(&key) && !SERVER_SET.contains(&key) && old.get(key) != new.get(key))
}

fn is_timed(event: &Resource) -> bool {
    event
        .get("start")
        .is_some_and(|start| start["dateTime"].is_string())
}

fn is_one_day(event: &Resource) -> bool {
    let day = |key: &str| {
        event.get(key)?["date"]
            .as_str()?
            .parse::<chrono::NaiveDate>()
            .ok()
    };
    day("start").and_then(|start| start.succ_opt()) == day("end") && day("end").is_some()
}
