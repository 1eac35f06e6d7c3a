//! The prose of docs/api.md: the effect of each procedure, and when its errors occur.

use rpc::Code;

/// An error of a procedure, and when it occurs.
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
    /// Besides those of every procedure.
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

/// Errors of every procedure.
pub const EVERYWHERE: &[Error] = &[
    plain(
        Code::BadRequest,
        "The input does not match the type; `data.issues` names each field and what it expects.",
    ),
    plain(
        Code::Unauthorized,
        "`Authorization: Bearer` has no valid token of your application.",
    ),
    plain(
        Code::TooManyRequests,
        "The user exceeded `RATE_LIMIT_PER_MINUTE`; retry after `retry-after`.",
    ),
    plain(
        Code::Timeout,
        "The call took longer than 10 s (queries) or 30 s (mutations).",
    ),
    plain(
        Code::ServiceUnavailable,
        "The database or your application's public keys are unavailable; retry after `retry-after`.",
    ),
    plain(
        Code::InternalServerError,
        "A fault of the installation; its log has the cause.",
    ),
];

const OWN_CALENDAR: &[Error] = &[error(
    Code::NotFound,
    "CALENDAR_NOT_FOUND",
    "The user has no such calendar.",
)];

/// Errors of every write.
const WRITE: &[Error] = &[
    error(
        Code::BadRequest,
        "IDEMPOTENCY_KEY_REUSED",
        "The key was used for a different request.",
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
        "The user did not grant permission to change events.",
    ),
    error(
        Code::Forbidden,
        "ACCESS_LOST",
        "The account has lost access to the calendar.",
    ),
    error(
        Code::Forbidden,
        "CALENDAR_READ_ONLY",
        "The account may only read this calendar.",
    ),
    error(
        Code::Forbidden,
        "FORBIDDEN_BY_GOOGLE",
        "Google does not permit this; `data.googleReason` has its reason.",
    ),
    error(
        Code::BadRequest,
        "REFUSED_BY_GOOGLE",
        "Google rejected the change; `data.googleReason` has its reason.",
    ),
    error(
        Code::TooManyRequests,
        "QUOTA_EXCEEDED",
        "Google accepts no more changes from this account for now.",
    ),
    error(
        Code::ServiceUnavailable,
        "GOOGLE_UNAVAILABLE",
        "Google was unreachable for ten minutes; nothing was changed.",
    ),
    error(
        Code::BadGateway,
        "OUTCOME_UNKNOWN",
        "Google did not answer, so the change may have been made. Check the event before you try again.",
    ),
    error(
        Code::InternalServerError,
        "MISCONFIGURED",
        "Google rejects this installation's OAuth client.",
    ),
];

/// Errors of a change to an existing event whose `canEdit` lacks the field.
const RULES: &[Error] = &[
    error(
        Code::Forbidden,
        "EVENT_PRIVATE",
        "The event is private, and the account sees only its time.",
    ),
    error(Code::Forbidden, "EVENT_CANCELLED", "The event is cancelled."),
    error(
        Code::Forbidden,
        "NOT_ORGANIZER",
        "Only the organizer may change fields that all guests share.",
    ),
    error(
        Code::Forbidden,
        "EVENT_LOCKED",
        "Google has locked the main fields of this event.",
    ),
    error(
        Code::Forbidden,
        "EVENT_TYPE",
        "Events of this type, such as birthdays, do not have the field or cannot be changed.",
    ),
    error(
        Code::Forbidden,
        "ATTENDEES_OMITTED",
        "Google does not return all guests, so the list cannot be changed.",
    ),
    error(
        Code::Forbidden,
        "GUESTS_CANNOT_INVITE",
        "The organizer does not permit guests to invite others.",
    ),
    error(
        Code::Forbidden,
        "INSTANCE_OF_SERIES",
        "The recurrence belongs to the series; change the series.",
    ),
];

const SERIES: &[Error] = &[
    error(
        Code::NotFound,
        "SERIES_NOT_FOUND",
        "The user was invited to this instance only.",
    ),
    error(
        Code::BadRequest,
        "SCOPE_NOT_APPLICABLE",
        "This is not possible for this part of a series.",
    ),
];

const CONFLICT: &[Error] = &[error(
    Code::Conflict,
    "EDIT_CONFLICT",
    "Someone else changed the same fields. `data` has `fields`, `base`, `ours`, `theirs` and the current `etag`; nothing was written.",
)];

const RECURRENCE: &[Error] = &[error(
    Code::BadRequest,
    "RECURRENCE_REQUIRED",
    "The series repeats on fixed days; pass the `recurrence` from now on.",
)];

const ACCOUNT: &[Error] = &[error(
    Code::BadRequest,
    "DIFFERENT_ACCOUNT",
    "The two calendars belong to different accounts.",
)];

const INVITED: &[Error] = &[error(
    Code::Forbidden,
    "NOT_INVITED",
    "The user is not a guest of the event.",
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
        "The calendar is not selected, so it is not synced.",
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
        "Google did not open a channel; Calwire retries automatically.",
    ),
];

pub const GUIDE: &[Entry] = &[
    Entry {
        path: "calendar.google.connect",
        about: "Starts to connect a Google account: send the browser to `url`. It ends on the page `returnTo`.",
        errors: &[&[error(
            Code::NotFound,
            "CONNECTION_NOT_FOUND",
            "The user has no such connection.",
        )]],
    },
    Entry {
        path: "calendar.google.disconnect",
        about: "Disconnects one account, or all. Calwire stops reading it at once, and removes its channels, grant and data within a minute.",
        errors: &[&[error(
            Code::NotFound,
            "CONNECTION_NOT_FOUND",
            "The user has no such connection.",
        )]],
    },
    Entry {
        path: "calendar.google.exportData",
        about: "All data stored about the user, without secrets, in pages: call again with `cursor` = `nextCursor` until there is none.",
        errors: &[],
    },
    Entry {
        path: "calendar.google.deleteData",
        about: "Disconnects all accounts and deletes all data about the user. Nothing changes in Google.",
        errors: &[],
    },
    Entry {
        path: "calendar.google.status",
        about: "The user's accounts, and the freshness of their calendars.",
        errors: &[],
    },
    Entry {
        path: "calendar.google.listCalendars",
        about: "All calendars of all connected accounts.",
        errors: &[],
    },
    Entry {
        path: "calendar.google.selectCalendars",
        about: "Selects which calendars are synced and shown.",
        errors: &[OWN_CALENDAR],
    },
    Entry {
        path: "calendar.google.getUpcomingEvents",
        about: "Current and upcoming events, from now to the end of a local day. `days` from 0 to 365, default 1; `maxResults` from 1 to 250, default 10.",
        errors: &[OWN_CALENDAR],
    },
    Entry {
        path: "calendar.google.getEvents",
        about: "The events that overlap a time span of at most eleven years.",
        errors: &[OWN_CALENDAR],
    },
    Entry {
        path: "calendar.google.getEvent",
        about: "One event, with the texts whole that other answers cut (`cutFields`).",
        errors: &[
            OWN_CALENDAR,
            &[error(
                Code::NotFound,
                "EVENT_NOT_FOUND",
                "The calendar has no such event.",
            )],
        ],
    },
    Entry {
        path: "calendar.google.getSyncActivity",
        about: "How each calendar is synced: its channel, its next poll, its last pulls with the time of every step.",
        errors: &[OWN_CALENDAR],
    },
    Entry {
        path: "calendar.google.syncNow",
        about: "Requests a pull now. Changes arrive over the channel, not in this response.",
        errors: &[OWN_CALENDAR],
    },
    Entry {
        path: "calendar.google.watchCalendar",
        about: "The push channel of a calendar, created now if there is none. Selected calendars are watched automatically, so no client needs this.",
        errors: &[OWN_CALENDAR, WATCH],
    },
    Entry {
        path: "calendar.google.stopWatchCalendar",
        about: "Stops a push channel. A selected calendar stays current by a new channel or by polling.",
        errors: &[&[error(
            Code::NotFound,
            "CHANNEL_NOT_FOUND",
            "The user has no such channel.",
        )]],
    },
    Entry {
        path: "calendar.google.createEvent",
        about: "Creates an event, once for each `idempotencyKey`. If Google takes longer than 10 s, the answer is `pending` and the result arrives over the channel as `write.resolved`.",
        errors: &[OWN_CALENDAR, WRITE],
    },
    Entry {
        path: "calendar.google.updateEvent",
        about: "Changes the fields in `patch`, based on the version `baseEtag`. Later changes to other fields are merged; if the same field was changed, nothing is written.",
        errors: &[OWN_CALENDAR, WRITE, RULES, SERIES, RECURRENCE, CONFLICT],
    },
    Entry {
        path: "calendar.google.deleteEvent",
        about: "Deletes an event, an instance, or a series from an instance onwards.",
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
        about: "A token that opens the socket to Centrifugo as this user.",
        errors: &[],
    },
    Entry {
        path: "realtime.getSubscriptionToken",
        about: "A token that subscribes to the user's own channel, `calendar:<user id>`.",
        errors: &[&[error(
            Code::Forbidden,
            "NOT_YOUR_CHANNEL",
            "The channel is another user's.",
        )]],
    },
    Entry {
        path: "realtime.getState",
        about: "A snapshot for a page: the events around now, and the position on the channel from which to continue.",
        errors: &[&[error(
            Code::ServiceUnavailable,
            "BROKER_UNAVAILABLE",
            "Centrifugo is unavailable; call with `live: false` for the events alone.",
        )]],
    },
];
