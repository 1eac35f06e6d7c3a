//! The permissions of a grant, by set membership as Google documents it: a wider scope counts, and a user may untick any.

pub const OPENID: &str = "openid";
/// Google may return it as `https://www.googleapis.com/auth/userinfo.email`.
pub const EMAIL: &str = "email";
pub const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";
pub const CALENDAR_READONLY: &str = "https://www.googleapis.com/auth/calendar.readonly";
pub const EVENTS: &str = "https://www.googleapis.com/auth/calendar.events";
pub const EVENTS_READONLY: &str = "https://www.googleapis.com/auth/calendar.events.readonly";
pub const CALENDAR_LIST: &str = "https://www.googleapis.com/auth/calendar.calendarlist";
pub const CALENDAR_LIST_READONLY: &str = "https://www.googleapis.com/auth/calendar.calendarlist.readonly";
const EVENTS_OWNED: &str = "https://www.googleapis.com/auth/calendar.events.owned";
const EVENTS_OWNED_READONLY: &str = "https://www.googleapis.com/auth/calendar.events.owned.readonly";

/// The scopes that Calwire requests: the fewest that two-way sync needs.
pub const REQUESTED: [&str; 4] = [OPENID, EMAIL, EVENTS, CALENDAR_LIST_READONLY];

/// The scopes of a grant that has nothing but [`REQUESTED`]: Google also returns `email` by its long name.
pub const OURS: [&str; 5] = [
    OPENID,
    EMAIL,
    "https://www.googleapis.com/auth/userinfo.email",
    EVENTS,
    CALENDAR_LIST_READONLY,
];

/// Events can be listed and watched.
pub fn allows_events<S: AsRef<str>>(granted: &[S]) -> bool {
    any(
        granted,
        &[
            CALENDAR,
            CALENDAR_READONLY,
            EVENTS,
            EVENTS_READONLY,
            EVENTS_OWNED,
            EVENTS_OWNED_READONLY,
        ],
    )
}

/// The list of calendars can be read and watched. `calendar.events` is not enough.
pub fn allows_calendar_list<S: AsRef<str>>(granted: &[S]) -> bool {
    any(
        granted,
        &[CALENDAR, CALENDAR_READONLY, CALENDAR_LIST, CALENDAR_LIST_READONLY],
    )
}

/// Events can be created, changed and deleted.
pub fn allows_event_writes<S: AsRef<str>>(granted: &[S]) -> bool {
    any(granted, &[CALENDAR, EVENTS, EVENTS_OWNED])
}

fn any<S: AsRef<str>>(granted: &[S], enough: &[&str]) -> bool {
    granted.iter().any(|scope| enough.contains(&scope.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_scope_counts_and_a_missing_one_is_noticed() {
        assert!(
            allows_events(&REQUESTED) && allows_calendar_list(&REQUESTED) && allows_event_writes(&REQUESTED)
        );
        assert!(allows_events(&[CALENDAR]) && allows_calendar_list(&[CALENDAR]));
        assert!(!allows_calendar_list(&[EVENTS]));
        assert!(!allows_events(&[OPENID, EMAIL, CALENDAR_LIST_READONLY]));
        assert!(allows_events(&[CALENDAR_READONLY]) && !allows_event_writes(&[CALENDAR_READONLY]));
        assert!(!allows_events::<&str>(&[]));
    }
}
