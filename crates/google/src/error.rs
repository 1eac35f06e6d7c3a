//! What can go wrong at Google, told as the decisions that a caller has to take.

use std::time::Duration;

/// The outcome of a call that did not succeed. Classified by status *and* reason: a 403 may mean "slow down", "not with
/// this scope" or "not your calendar", and a 410 "list again" or "already deleted".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The access token is not accepted (401). Refresh it once, then try again.
    #[error("Google does not accept the access token")]
    Unauthorized,
    /// The refresh token is not accepted (`invalid_grant`). Only a second one, a while later, ends the grant.
    #[error("Google does not accept the refresh token (invalid_grant)")]
    GrantRejected,
    /// The grant does not cover this call; the user has to consent to more.
    #[error("the grant lacks the scope for this call")]
    ScopeMissing,
    /// The calendar, event or channel does not exist, or not for this user.
    #[error("Google has no such calendar, event or channel for this user")]
    NotFound,
    /// This user may not do that to this resource (403 for another reason than quota or scope).
    #[error("Google refuses this to this user: {reason}")]
    Forbidden { reason: String },
    /// The sync token (or the page token) is no longer valid: list everything again.
    #[error("the sync token is no longer valid")]
    SyncTokenExpired,
    /// Google cannot watch this resource, for good (`pushNotSupportedForRequestedResource`): poll it.
    #[error("Google cannot send push notifications for this resource")]
    PushNotSupported,
    /// Too fast. `retry_after` is Google's own word where it gave one.
    #[error("Google asks to slow down ({limit:?})")]
    RateLimited {
        limit: Limit,
        retry_after: Option<Duration>,
    },
    /// The event changed since the etag given in `If-Match` (412).
    #[error("the event has changed meanwhile")]
    Conflict,
    /// The id is taken (409 `duplicate`).
    #[error("the id is already taken")]
    AlreadyExists,
    /// The event is already deleted (410 `deleted`).
    #[error("the event is already deleted")]
    AlreadyDeleted,
    /// Google understood the request and found it wrong (other 400s); trying again will not help.
    #[error("Google refuses the request: {reason}")]
    Refused { reason: String },
    /// The OAuth client itself is not accepted (`invalid_client`, `redirect_uri_mismatch`, …): configuration.
    #[error("Google does not accept this OAuth client: {reason}")]
    ClientMisconfigured { reason: String },
    /// The answer is larger than [`BODY_MAX_LEN`](crate::BODY_MAX_LEN). Ask for smaller pages.
    #[error("Google's answer is larger than {} MiB", crate::BODY_MAX_LEN >> 20)]
    AnswerTooLarge,
    /// A write was sent and its answer was lost or cannot be read: it may have happened. Look before it is repeated.
    #[error("nobody can tell whether Google did it: {reason}")]
    OutcomeUnknown { reason: String },
    /// It may work later: 5xx, timeouts, resets, truncated or unreadable answers.
    #[error("Google could not be asked: {reason}")]
    Transient { reason: String },
}

/// Which budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// This user's (403 `userRateLimitExceeded`).
    User,
    /// The project's (403 `rateLimitExceeded`, 429).
    Project,
    /// The long one (403 `quotaExceeded`): hours, not seconds.
    Usage,
}
