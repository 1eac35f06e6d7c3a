//! The errors of Google's APIs, as the decisions that a caller takes.

use std::time::Duration;

/// The largest response body, in bytes, after decompression.
pub const BODY_MAX_LEN: usize = 16 << 20;

/// Why a call failed. Classified by endpoint, status *and* reason: a 403 can mean a rate limit, a missing scope or a
/// forbidden calendar, and a 410 is an expired sync token of a listing but a deleted event elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The access token was rejected (401). Refresh it once, then try again.
    #[error("Google rejected the access token")]
    Unauthorized,
    /// The refresh token was rejected (`invalid_grant`). Only a second rejection, a while later, ends the grant.
    #[error("Google rejected the refresh token (invalid_grant)")]
    GrantRejected,
    /// A policy stops this account's grant (`admin_policy_enforced`, `access_denied`, `policy_enforced`), at the token
    /// endpoint only: <https://developers.google.com/identity/protocols/oauth2#expiration>. The refresh token may work again.
    #[error("a policy of the account refuses the grant: {reason}")]
    GrantRefused { reason: String },
    /// The grant does not cover this call. The user has to grant more.
    #[error("the grant lacks the scope for this call")]
    ScopeMissing,
    /// The calendar, event or channel does not exist, or is not visible to this user.
    #[error("Google has no such calendar, event or channel for this user")]
    NotFound,
    /// This user may not do that to this resource (a 403 that is neither quota nor scope).
    #[error("Google forbids this to this user: {reason}")]
    Forbidden { reason: String },
    /// The sync token or the page token is no longer valid: list everything again. Listings only.
    #[error("the sync token is no longer valid")]
    SyncTokenExpired,
    /// Google never sends pushes for this resource (`pushNotSupportedForRequestedResource`): poll it.
    #[error("Google cannot send push notifications for this resource")]
    PushNotSupported,
    /// Too many requests. `retry_after` is Google's own, where it sent one.
    #[error("Google's rate limit was reached ({limit:?})")]
    RateLimited {
        limit: Limit,
        retry_after: Option<Duration>,
    },
    /// A page of events did not arrive in time. If it happens again, request smaller pages.
    #[error("Google did not send a page of events in time")]
    PageTimedOut,
    /// Google Calendar, or this application's access to it, is turned off for this account (403 `notACalendarUser`,
    /// `domainPolicy`): <https://github.com/closeio/sync-engine/pull/462>. An administrator can turn it on again.
    #[error("Google Calendar is turned off for this account")]
    CalendarOff,
    /// The event has changed since the etag in `If-Match` (412).
    #[error("the event was changed by someone else")]
    Conflict,
    /// The id is taken (409 `duplicate`).
    #[error("the id is already taken")]
    AlreadyExists,
    /// The event is already deleted (410).
    #[error("the event is already deleted")]
    AlreadyDeleted,
    /// The request itself is invalid (any other 400). A retry does not help.
    #[error("Google rejected the request: {reason}")]
    Refused { reason: String },
    /// The OAuth client or its project is rejected (`invalid_client`, `redirect_uri_mismatch`, `SERVICE_DISABLED`, …): a
    /// configuration error.
    #[error("Google rejected this OAuth client or its project: {reason}")]
    ClientMisconfigured { reason: String },
    /// The response is larger than [`BODY_MAX_LEN`]. Request smaller pages.
    #[error("Google's response is larger than {} MiB", BODY_MAX_LEN >> 20)]
    AnswerTooLarge,
    /// A write was sent, and its response was lost or cannot be read. Read the event before trying again.
    #[error("outcome unknown: the request may have been applied ({reason})")]
    OutcomeUnknown { reason: String },
    /// It may work later: 5xx, timeouts, connection resets, truncated or unreadable responses.
    #[error("request to Google failed: {reason}")]
    Transient { reason: String },
}

/// Which quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// This account's (403 `userRateLimitExceeded`, or a limit that Google names as one per user).
    User,
    /// The project's, by the name that Google gave it.
    Project,
    /// Google did not name whose (403 `rateLimitExceeded`, 429): the account's, its calendar's, or the project's.
    Unnamed,
    /// The account's edits, for hours (403 `quotaExceeded`). Its calendars can still be read:
    /// <https://support.google.com/a/answer/2905486>.
    Usage,
}

/// Why the client cannot be created. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("no usable CA certificates on this machine: {0}")]
    Certificates(std::io::Error),
    #[error("cannot set up the HTTP client: {0}")]
    HttpClient(String),
    #[error("HTTPS_PROXY or ALL_PROXY names a proxy that is not http://: unset it, or list {0} in NO_PROXY")]
    Proxy(String),
}
