//! How the copies of one meeting in several calendars stand to each other.

use crate::expansion::CalendarContext;
use crate::permissions::AccessRole;
use crate::resource::EventResource;

/// How far back an event stands among copies of it, from 0: what the account has to do with it, then whether the calendar
/// is the account's own, then what the account may do there.
pub fn rank(calendar: &CalendarContext, event: &EventResource) -> u16 {
    // In a shared calendar, `self` is its owner: the account itself is who has it as its primary one.
    let part = if calendar.is_primary { part(event) } else { 4 };
    let role = match calendar.access_role {
        AccessRole::Owner => 0,
        AccessRole::Writer => 1,
        AccessRole::WriterWithoutPrivateAccess => 2,
        AccessRole::Reader => 3,
        AccessRole::Other(_) => 4,
        AccessRole::FreeBusyReader => 5,
    };
    part * 20 + u16::from(!calendar.is_primary) * 10 + role
}

/// What the owner of an event's calendar has to do with it.
fn part(event: &EventResource) -> u16 {
    let answer = event.attendees.iter().find(|guest| guest.is_self);
    let answer = answer.map(|guest| guest.response_status.as_str());
    let organizes = event
        .organizer
        .as_ref()
        .is_some_and(|organizer| organizer.is_self);
    match answer {
        Some("needsAction") => 0,
        _ if organizes => 1,
        Some("declined") => 3,
        Some(_) => 2,
        None => 4,
    }
}

#[cfg(test)]
mod tests {
    use ids::CalendarId;
    use serde_json::{Value, json};

    use super::*;
    use crate::resource::parse;

    /// The rank of an event as Google has it, in a calendar of this role.
    fn rank_of(event: &Value, is_primary: bool, role: &str) -> u16 {
        let start = json!({"dateTime": "2026-11-24T09:00:00Z"});
        let mut raw = json!({"id": "x", "start": start, "end": start});
        raw.as_object_mut()
            .expect("an object")
            .extend(event.as_object().expect("an object").clone());
        let context = CalendarContext {
            id: CalendarId::generate(),
            time_zone: chrono_tz::UTC,
            access_role: AccessRole::from(role),
            is_primary,
        };
        rank(&context, &parse(&raw.to_string()).expect("an event"))
    }

    fn invited(answer: &str) -> Value {
        json!({"organizer": {"email": "o@example.com"},
            "attendees": [{"email": "o@example.com", "responseStatus": "accepted"},
                          {"email": "me@example.com", "self": true, "responseStatus": answer}]})
    }

    #[test]
    fn the_copy_to_answer_from_comes_first() {
        let organized = json!({"organizer": {"self": true},
            "attendees": [{"self": true, "responseStatus": "accepted"}, {"email": "b@example.com"}]});
        let shared_to_own = [
            rank_of(&invited("needsAction"), true, "owner"),
            rank_of(&organized, true, "owner"),
            rank_of(&invited("tentative"), true, "owner"),
            rank_of(&invited("declined"), true, "owner"),
            // Imported into one's own calendar, without being a guest.
            rank_of(&json!({}), true, "owner"),
            // In others' calendars, `self` is somebody else: what the account may do there decides.
            rank_of(&organized, false, "owner"),
            rank_of(&invited("needsAction"), false, "writer"),
            rank_of(&invited("accepted"), false, "writerWithoutPrivateAccess"),
            rank_of(&invited("needsAction"), false, "reader"),
            rank_of(&json!({}), false, "freeBusyReader"),
        ];
        let is_strictly_rising = shared_to_own.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(is_strictly_rising, "{shared_to_own:?}");
        assert_eq!(
            rank_of(&invited("accepted"), true, "owner"),
            rank_of(&invited("tentative"), true, "owner")
        );
    }
}
