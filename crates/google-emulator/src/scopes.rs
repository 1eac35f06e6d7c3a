//! OAuth scopes: how they are written, and which method needs which.

use std::collections::BTreeSet;

const PREFIX: &str = "https://www.googleapis.com/auth/";

/// Any of these is enough to read events and to watch them.
const READ_EVENTS: [&str; 9] = [
    "calendar",
    "calendar.readonly",
    "calendar.events",
    "calendar.events.readonly",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.app.created",
    "calendar.events.freebusy",
    "calendar.events.public.readonly",
];
const WRITE_EVENTS: [&str; 4] = [
    "calendar",
    "calendar.events",
    "calendar.events.owned",
    "calendar.app.created",
];
const READ_LIST: [&str; 4] = [
    "calendar",
    "calendar.readonly",
    "calendar.calendarlist",
    "calendar.calendarlist.readonly",
];
const WRITE_LIST: [&str; 2] = ["calendar", "calendar.calendarlist"];
const READ_CALENDAR: [&str; 5] = [
    "calendar",
    "calendar.readonly",
    "calendar.calendars",
    "calendar.calendars.readonly",
    "calendar.app.created",
];
const WRITE_CALENDAR: [&str; 3] = ["calendar", "calendar.calendars", "calendar.app.created"];
const FREE_BUSY: [&str; 4] = [
    "calendar",
    "calendar.readonly",
    "calendar.freebusy",
    "calendar.events.freebusy",
];

pub type Scopes = BTreeSet<String>;

/// Scopes as Google returns them: `email` and `profile` become their long names.
pub fn parse(text: &str) -> Scopes {
    text.split_whitespace().map(canonical).collect()
}

pub fn canonical(scope: &str) -> String {
    match scope {
        "email" | "profile" => format!("{PREFIX}userinfo.{scope}"),
        other => other.to_owned(),
    }
}

pub fn join(scopes: &Scopes) -> String {
    scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Sign-in scopes have no box to untick on the consent page.
pub fn is_sign_in(scope: &str) -> bool {
    scope == "openid" || scope.starts_with("https://www.googleapis.com/auth/userinfo.")
}

/// Whether the emulator, and Google, knows such a scope; others fail with `invalid_scope`.
pub fn is_known(scope: &str) -> bool {
    is_sign_in(scope) || scope.strip_prefix(PREFIX).is_some_and(|name| !name.is_empty())
}

/// Whether a token with these scopes may call the endpoint.
pub fn allow(scopes: &Scopes, endpoint: &str) -> bool {
    let any: &[&str] = match endpoint {
        "events.insert" | "events.patch" | "events.update" | "events.delete" | "events.move" => &WRITE_EVENTS,
        "events.list" | "events.get" | "events.instances" | "events.watch" => &READ_EVENTS,
        "calendarList.list" | "calendarList.get" | "calendarList.watch" => &READ_LIST,
        "calendarList.patch" => &WRITE_LIST,
        "calendars.get" => &READ_CALENDAR,
        "calendars.insert" | "calendars.delete" => &WRITE_CALENDAR,
        "freebusy.query" => &FREE_BUSY,
        _ => {
            return scopes
                .iter()
                .any(|scope| scope.starts_with("https://www.googleapis.com/auth/calendar"));
        }
    };
    scopes
        .iter()
        .any(|scope| scope.strip_prefix(PREFIX).is_some_and(|name| any.contains(&name)))
}

/// The consent page's text about a scope.
pub fn describe(scope: &str) -> &str {
    match scope.strip_prefix(PREFIX).unwrap_or(scope) {
        "openid" => "Know who you are on Google",
        "userinfo.email" => "See your primary Google Account email address",
        "userinfo.profile" => "See your personal info, including any you made publicly available",
        "calendar" => "See, edit, share and permanently delete all the calendars you can access",
        "calendar.readonly" => "See and download any calendar you can access",
        "calendar.events" => "View and edit events on all your calendars",
        "calendar.events.readonly" => "View events on all your calendars",
        "calendar.events.owned" => "See, create, change and delete events on calendars you own",
        "calendar.events.owned.readonly" => "See events on calendars you own",
        "calendar.calendarlist" => "See, add and remove calendars you are subscribed to",
        "calendar.calendarlist.readonly" => "See the list of calendars you are subscribed to",
        _ => scope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_events_covers_events_but_not_the_list() {
        let scopes = parse("openid email https://www.googleapis.com/auth/calendar.events");
        assert!(
            allow(&scopes, "events.list")
                && allow(&scopes, "events.insert")
                && allow(&scopes, "channels.stop")
        );
        assert!(!allow(&scopes, "calendarList.list") && !allow(&scopes, "calendarList.watch"));
        let read = parse("https://www.googleapis.com/auth/calendar.readonly");
        assert!(allow(&read, "calendarList.list") && allow(&read, "events.watch"));
        assert!(!allow(&read, "events.patch"));
        assert!(!allow(&parse("openid email"), "channels.stop"));
    }
}
