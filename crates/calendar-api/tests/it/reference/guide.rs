//! What people want to know about a procedure that its types do not say.

use rpc::Code;

/// An error that a procedure may answer, and when.
#[derive(Debug, Clone, Copy)]
pub struct Error {
    pub code: Code,
    /// `data.reason`.
    pub reason: Option<&'static str>,
    pub when: &'static str,
}

pub struct Entry {
    pub path: &'static str,
    pub about: &'static str,
    /// Beside those that every procedure may answer.
    pub errors: &'static [&'static [Error]],
}

const fn error(code: Code, reason: &'static str, when: &'static str) -> Error {
    Error {
        code,
        reason: Some(reason),
        when,
    }
}

const fn plain(code: Code, when: &'static str) -> Error {
    Error {
        code,
        reason: None,
        when,
    }
}

/// What any procedure may answer.
pub const EVERYWHERE: &[Error] = &[
    plain(
        Code::BadRequest,
        "The input is not what the type says; `data.issues` names each field and what it expects.",
    ),
    plain(
        Code::Unauthorized,
        "There is no valid token of your application in `Authorization: Bearer`.",
    ),
    plain(
        Code::TooManyRequests,
        "The user calls more often than `RATE_LIMIT_PER_MINUTE`; `retry-after` says when to try again.",
    ),
    plain(
        Code::Timeout,
        "It took longer than 10 s (queries) or 30 s (mutations).",
    ),
    plain(
        Code::ServiceUnavailable,
        "The database or your application's public keys cannot be reached now; try again after `retry-after`.",
    ),
    plain(
        Code::InternalServerError,
        "A fault of the installation; its log says which.",
    ),
];

const OWN_CALENDAR: &[Error] = &[error(
    Code::NotFound,
    "CALENDAR_NOT_FOUND",
    "A calendar that was named is not among the user's.",
)];

/// Of every change of an event.
const WRITE: &[Error] = &[
    error(
        Code::BadRequest,
        "IDEMPOTENCY_KEY_REUSED",
        "The key was used for another request.",
    ),
    error(
        Code::NotFound,
        "EVENT_NOT_FOUND",
        "The calendar has no such event.",
    ),
    error(Code::NotFound, "EVENT_DELETED", "The event has been deleted."),
    error(
        Code::PreconditionFailed,
        "NOT_CONNECTED",
        "The account of this calendar is no longer connected.",
    ),
    error(
        Code::PreconditionFailed,
        "REAUTH_REQUIRED",
        "Google has ended the grant; the user has to connect again.",
    ),
    error(
        Code::Forbidden,
        "WRITE_SCOPE_MISSING",
        "The user did not allow changes on Google's page.",
    ),
    error(
        Code::Forbidden,
        "ACCESS_LOST",
        "Google no longer shows the calendar to the account.",
    ),
    error(
        Code::Forbidden,
        "CALENDAR_READ_ONLY",
        "The account may only read this calendar.",
    ),
    error(
        Code::Forbidden,
        "FORBIDDEN_BY_GOOGLE",
        "Google lets the user not do this; `data.googleReason` is its word.",
    ),
    error(
        Code::BadRequest,
        "REFUSED_BY_GOOGLE",
        "Google finds the change wrong; `data.googleReason` is its word.",
    ),
    error(
        Code::TooManyRequests,
        "QUOTA_EXCEEDED",
        "Google takes no more changes from this account for now.",
    ),
    error(
        Code::ServiceUnavailable,
        "GOOGLE_UNAVAILABLE",
        "Google could not be reached for ten minutes; nothing was changed.",
    ),
    error(
        Code::BadGateway,
        "OUTCOME_UNKNOWN",
        "Google did not say whether it did it. Look at the event before you try again.",
    ),
    error(
        Code::InternalServerError,
        "MISCONFIGURED",
        "Google does not accept this installation's OAuth client.",
    ),
];

/// Of a change to an event that is there, where `canEdit` lacks the field.
const RULES: &[Error] = &[
    error(
        Code::Forbidden,
        "EVENT_PRIVATE",
        "The event is private, and the account sees only when it is.",
    ),
    error(Code::Forbidden, "EVENT_CANCELLED", "The event is cancelled."),
    error(
        Code::Forbidden,
        "NOT_ORGANIZER",
        "Only the organizer changes what all guests share.",
    ),
    error(
        Code::Forbidden,
        "EVENT_LOCKED",
        "A copy whose main fields Google lets nobody change.",
    ),
    error(
        Code::Forbidden,
        "EVENT_TYPE",
        "Events of this kind, such as birthdays, have no such field or cannot be changed.",
    ),
    error(
        Code::Forbidden,
        "ATTENDEES_OMITTED",
        "Google does not show all guests, so the list cannot be written.",
    ),
    error(
        Code::Forbidden,
        "GUESTS_CANNOT_INVITE",
        "The organizer does not let guests invite others.",
    ),
    error(
        Code::Forbidden,
        "INSTANCE_OF_SERIES",
        "One instance repeats by its series' rules; change the series.",
    ),
];

const SERIES: &[Error] = &[
    error(
        Code::NotFound,
        "SERIES_NOT_FOUND",
        "The user was invited to this instance alone.",
    ),
    error(
        Code::BadRequest,
        "SCOPE_NOT_APPLICABLE",
        "This cannot be done to this part of a series.",
    ),
];

const CONFLICT: &[Error] = &[error(
    Code::Conflict,
    "EDIT_CONFLICT",
    "Somebody else changed the same field meanwhile. `data` has `fields`, `base`, `ours`, `theirs` and the present `etag`; nothing was written.",
)];

const RECURRENCE: &[Error] = &[error(
    Code::BadRequest,
    "RECURRENCE_REQUIRED",
    "The series names its days one by one; give `recurrence` for what follows.",
)];

const ACCOUNT: &[Error] = &[error(
    Code::BadRequest,
    "DIFFERENT_ACCOUNT",
    "The two calendars belong to different accounts.",
)];

const INVITED: &[Error] = &[error(
    Code::Forbidden,
    "NOT_INVITED",
    "Only who is invited can answer.",
)];

const WATCH: &[Error] = &[
    error(
        Code::Unauthorized,
        "CALENDAR_NOT_CONNECTED",
        "The user has no calendar to watch.",
    ),
    error(
        Code::PreconditionFailed,
        "CALENDAR_NOT_SELECTED",
        "The calendar is not selected, so it is not kept current.",
    ),
    error(
        Code::PreconditionFailed,
        "PUSH_UNAVAILABLE",
        "The installation has no `PUBLIC_URL`; calendars are polled.",
    ),
    error(
        Code::PreconditionFailed,
        "PUSH_NOT_SUPPORTED",
        "Google does not push changes of this calendar; it is polled.",
    ),
    error(
        Code::ServiceUnavailable,
        "WATCH_FAILED",
        "Google did not open a channel now; it is tried again without being asked.",
    ),
];

pub const GUIDE: &[Entry] = &[
    Entry {
        path: "calendar.google.connect",
        about: "Begins to connect a Google account: send the browser to `url`. Google's page leads back to `returnTo`.",
        errors: &[],
    },
    Entry {
        path: "calendar.google.disconnect",
        about: "Ends an account's connection, or all. Nothing is read from it any more; its channels, its grant and its data go within a minute.",
        errors: &[&[error(
            Code::NotFound,
            "CONNECTION_NOT_FOUND",
            "The connection that was named is not one of the user's.",
        )]],
    },
    Entry {
        path: "calendar.google.exportData",
        about: "All that is kept of the user, without secrets, in pages: call again with `cursor` = `nextCursor` until there is none.",
        errors: &[],
    },
    Entry {
        path: "calendar.google.deleteData",
        about: "Disconnects all accounts and deletes all that is kept of the user. In Google nothing changes.",
        errors: &[],
    },
    Entry {
        path: "calendar.google.status",
        about: "The user's accounts, and how current their calendars are.",
        errors: &[],
    },
    Entry {
        path: "calendar.google.listCalendars",
        about: "All calendars of all connected accounts.",
        errors: &[],
    },
    Entry {
        path: "calendar.google.selectCalendars",
        about: "Chooses which calendars are kept current and shown.",
        errors: &[OWN_CALENDAR],
    },
    Entry {
        path: "calendar.google.getUpcomingEvents",
        about: "What is running and what comes, from now to the end of a local day. `days` from 0 to 365, by default 1; `maxResults` from 1 to 50, by default 10.",
        errors: &[OWN_CALENDAR],
    },
    Entry {
        path: "calendar.google.getEvents",
        about: "What touches a span of time of at most eleven years.",
        errors: &[OWN_CALENDAR],
    },
    Entry {
        path: "calendar.google.getSyncActivity",
        about: "How each calendar is kept current: its channel, its next poll, its last pulls with the time of every step.",
        errors: &[OWN_CALENDAR],
    },
    Entry {
        path: "calendar.google.syncNow",
        about: "Asks Google now. What comes of it comes over the channel, not with this answer.",
        errors: &[OWN_CALENDAR],
    },
    Entry {
        path: "calendar.google.watchCalendar",
        about: "The push channel of a calendar, made now if there is none. Not needed for a calendar to be live: selected calendars are watched without being asked.",
        errors: &[OWN_CALENDAR, WATCH],
    },
    Entry {
        path: "calendar.google.stopWatchCalendar",
        about: "Ends a push channel. A calendar that is selected stays current, by a new channel or by polling.",
        errors: &[&[error(
            Code::NotFound,
            "CHANNEL_NOT_FOUND",
            "The user has no such channel.",
        )]],
    },
    Entry {
        path: "calendar.google.createEvent",
        about: "Makes an event, once, however often the same `idempotencyKey` is sent. When Google takes longer than 10 s the answer is `pending`, and the end comes over the channel as `write.resolved`.",
        errors: &[OWN_CALENDAR, WRITE],
    },
    Entry {
        path: "calendar.google.updateEvent",
        about: "Changes the fields in `patch`, starting from the version `baseEtag`. What others changed meanwhile is merged; where both changed the same field, nothing is written.",
        errors: &[OWN_CALENDAR, WRITE, RULES, SERIES, RECURRENCE, CONFLICT],
    },
    Entry {
        path: "calendar.google.deleteEvent",
        about: "Deletes an event, an instance, or a series from an instance on.",
        errors: &[OWN_CALENDAR, WRITE, RULES, SERIES, CONFLICT],
    },
    Entry {
        path: "calendar.google.moveEvent",
        about: "Moves an event to another calendar of the same account. It keeps its id.",
        errors: &[OWN_CALENDAR, WRITE, RULES, SERIES, ACCOUNT],
    },
    Entry {
        path: "calendar.google.respondToEvent",
        about: "Answers an invitation.",
        errors: &[OWN_CALENDAR, WRITE, RULES, SERIES, INVITED],
    },
    Entry {
        path: "realtime.getConnectionToken",
        about: "The token that opens the socket to Centrifugo as this user.",
        errors: &[],
    },
    Entry {
        path: "realtime.getSubscriptionToken",
        about: "The token that subscribes to the user's own channel, `calendar:<user id>`.",
        errors: &[&[error(
            Code::Forbidden,
            "NOT_YOUR_CHANNEL",
            "It is another user's channel.",
        )]],
    },
    Entry {
        path: "realtime.getState",
        about: "What a page begins with: the events around now, and the place on the channel from which messages go on.",
        errors: &[&[error(
            Code::ServiceUnavailable,
            "BROKER_UNAVAILABLE",
            "Centrifugo cannot be reached; ask with `live: false` for the events alone.",
        )]],
    },
];
