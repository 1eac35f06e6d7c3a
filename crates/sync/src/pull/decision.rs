//! How a pull continues after a failed call: one match over Google's errors is the whole policy.

use std::time::Duration;

use common::backoff::{Backoff, jittered};
use google::{Error, Limit};
use store::seal::Unsealable;
use store::sync_state::Pull;

use crate::calls::CallError;
use crate::freshness::QUOTA_SPENT;

/// Why a pull ended without committing anything, and how it continues.
#[derive(Debug)]
pub(crate) enum PullError {
    /// The changes since the sync token are not available or are too many, for this reason: list everything.
    Rebuild(&'static str),
    /// Retry after `delay`. `reason` is stored in `sync_state.last_error` until then.
    Retry {
        delay: Duration,
        reason: &'static str,
    },
    /// Do not retry until the user acts.
    Suspend {
        reason: &'static str,
    },
    /// Google answered that the account cannot read the resource. One answer is not enough to hide a calendar.
    AccessLost,
    /// Google Calendar is turned off for the account.
    CalendarOff,
    /// Another worker holds the resource.
    LeaseLost,
    Database(sqlx::Error),
}

impl PullError {
    /// The text for logs, metrics and `sync_state.last_error`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Rebuild(_) => "sync_token_refused",
            Self::Retry { reason, .. } | Self::Suspend { reason } => reason,
            Self::AccessLost => "access_lost",
            Self::CalendarOff => CALENDAR_OFF,
            Self::LeaseLost => "lease_lost",
            Self::Database(_) => "database",
        }
    }
}

impl From<sqlx::Error> for PullError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// The text in `sync_state.last_error` that makes the connection's state [`ConnectionState::ScopeMissing`].
///
/// [`ConnectionState::ScopeMissing`]: event_model::wire::ConnectionState::ScopeMissing
pub(crate) const SCOPE_MISSING: &str = "scope_missing";

/// The text in `sync_state.last_error` that makes the connection's state [`ConnectionState::CalendarOff`].
///
/// [`ConnectionState::CalendarOff`]: event_model::wire::ConnectionState::CalendarOff
pub(crate) const CALENDAR_OFF: &str = "calendar_off";

/// Google has answered once that the account cannot read a calendar.
pub(crate) const ACCESS_DOUBTFUL: &str = "access_doubtful";

/// Google has once not sent a page in time. The second time, pages become smaller.
pub(crate) const PAGE_TIMED_OUT: &str = "page_timed_out";

/// The reason for a full listing after a response that was too large to read, or too slow.
pub(crate) const LARGE_PAGES: &str = "large_pages";

/// Failures that usually pass within seconds.
const TRANSIENT: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(5));
/// Failures that are unlikely to pass on their own.
const STUBBORN: Backoff = Backoff::new(Duration::from_mins(1), Duration::from_hours(1));
/// Google counts calls per minute. The jitter keeps clients that were limited together from returning together.
const LIMITED: Backoff = Backoff::new(Duration::from_secs(20), Duration::from_mins(5));
/// A pull whose worker died may have killed it (out of memory, for instance), and may kill the next worker too.
const LOST: Backoff = Backoff::new(Duration::from_secs(10), Duration::from_hours(1));
/// Once Google's long-term quota is used up, it stays so for hours.
const USAGE_PAUSE: Duration = Duration::from_hours(1);

/// How a pull continues after a failed call. `attempt` counts the attempts since the last success, from 1.
pub(crate) fn decide(error: CallError, attempt: u32) -> PullError {
    let retry = |backoff: Backoff, reason| PullError::Retry {
        delay: backoff.delay(attempt),
        reason,
    };
    match error {
        CallError::Google(error) => decide_google(&error, attempt),
        CallError::GrantEnded | CallError::GrantSuspect { .. } if refused_grant_hides() => {
            PullError::AccessLost
        }
        CallError::Busy | CallError::Token(Error::Transient { .. }) => retry(TRANSIENT, "transient"),
        CallError::Token(Error::RateLimited { retry_after, .. }) => {
            rate_limited(Limit::Unnamed, retry_after, attempt)
        }
        CallError::Token(Error::ClientMisconfigured { .. }) => retry(STUBBORN, "client_misconfigured"),
        // For any other answer of the token endpoint, neither the calendar nor its sync token is at fault.
        CallError::Token(_) => retry(STUBBORN, "token_endpoint"),
        CallError::Disconnected => PullError::Suspend {
            reason: "disconnected",
        },
        CallError::GrantEnded => PullError::Suspend {
            reason: "reauth_required",
        },
        CallError::GrantSuspect { retry_after } => PullError::Retry {
            delay: retry_after,
            reason: "grant_suspect",
        },
        CallError::OverBudget { retry_after } => PullError::Retry {
            delay: retry_after,
            reason: "rate_limited",
        },
        // During a key rotation, a process that was not restarted yet does not know the new key. One that knows it
        // takes the resource soon, and retrying costs no call to Google.
        CallError::Sealed(Unsealable::UnknownKey(_)) => retry(TRANSIENT, "tokens_unreadable"),
        CallError::Sealed(_) => retry(STUBBORN, "tokens_unreadable"),
        CallError::Database(error) => PullError::Database(error),
    }
}

fn decide_google(error: &Error, attempt: u32) -> PullError {
    let retry = |backoff: Backoff, reason| PullError::Retry {
        delay: backoff.delay(attempt),
        reason,
    };
    match error {
        Error::SyncTokenExpired => PullError::Rebuild("token_expired"),
        Error::RateLimited { limit, retry_after } => rate_limited(*limit, *retry_after, attempt),
        Error::NotFound | Error::Forbidden { .. } => PullError::AccessLost,
        Error::CalendarOff => PullError::CalendarOff,
        Error::PageTimedOut => retry(TRANSIENT, PAGE_TIMED_OUT),
        Error::ScopeMissing => PullError::Suspend {
            reason: SCOPE_MISSING,
        },
        // A refreshed token was refused too, or the grant is suspect. `tokens` decides whether the grant has ended.
        Error::Unauthorized | Error::GrantRejected | Error::GrantRefused { .. } => {
            retry(STUBBORN, "unauthorized")
        }
        Error::ClientMisconfigured { .. } => retry(STUBBORN, "client_misconfigured"),
        Error::Transient { .. } | Error::OutcomeUnknown { .. } => retry(TRANSIENT, "transient"),
        Error::Refused { .. }
        | Error::AnswerTooLarge
        | Error::PushNotSupported
        | Error::Conflict
        | Error::AlreadyExists
        | Error::AlreadyDeleted => retry(STUBBORN, "refused"),
    }
}

fn rate_limited(limit: Limit, retry_after: Option<Duration>, attempt: u32) -> PullError {
    let (wait, reason) = match limit {
        Limit::User | Limit::Project | Limit::Unnamed => (LIMITED.delay(attempt), "rate_limited"),
        Limit::Usage => (jittered(USAGE_PAUSE), QUOTA_SPENT),
    };
    PullError::Retry {
        delay: retry_after.map_or(wait, |asked| asked.max(Duration::from_secs(1))),
        reason,
    }
}

/// The mutant that takes the refusal of a grant for that of a calendar, and believes it at once.
pub(super) fn refused_grant_hides() -> bool {
    common::mutant!("refused_grant_hides")
}

/// Whether to postpone a pull that was just taken over from a lost worker. One lost worker is normal (a process was
/// stopped); after the second one in a row the resource waits.
pub(crate) fn after_lease_losses(pull: &Pull) -> Option<PullError> {
    let again = pull.lease_losses.checked_sub(1).filter(|&again| again > 0)?;
    pull.taken_over.then(|| PullError::Retry {
        delay: LOST.delay(again),
        reason: "worker_lost",
    })
}

/// The wait after the `attempt`-th consecutive failure of the database.
pub(crate) fn database_delay(attempt: u32) -> Duration {
    TRANSIENT.delay(attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(error: Error) -> (Duration, &'static str) {
        match decide(error.into(), 1) {
            PullError::Retry { delay, reason } => (delay, reason),
            error => panic!("{error:?}"),
        }
    }

    #[test]
    fn missing_key_is_retried_sooner_than_damaged_record() {
        let wait = |error: Unsealable| match decide(CallError::Sealed(error), 1) {
            PullError::Retry { delay, reason } => (delay, reason),
            error => panic!("{error:?}"),
        };
        let (delay, reason) = wait(Unsealable::UnknownKey(2));
        assert!(
            delay <= Duration::from_secs(1) && reason == "tokens_unreadable",
            "{delay:?} {reason}"
        );
        assert!(wait(Unsealable::Rejected).0 >= Duration::from_secs(6));
    }

    #[test]
    fn forbidden_is_classified_by_its_reason() {
        let limited = |limit, retry_after| wait(Error::RateLimited { limit, retry_after });
        let (delay, reason) = limited(Limit::User, None);
        assert!(
            delay >= Duration::from_secs(2) && reason == "rate_limited",
            "{delay:?} {reason}"
        );
        let asked = Duration::from_secs(7);
        assert_eq!(limited(Limit::Project, Some(asked)), (asked, "rate_limited"));
        let (delay, reason) = limited(Limit::Usage, None);
        assert!(
            delay >= Duration::from_mins(45) && reason == QUOTA_SPENT,
            "{delay:?} {reason}"
        );
        let reason = "forbidden".to_owned();
        assert!(matches!(
            decide(Error::Forbidden { reason }.into(), 1),
            PullError::AccessLost
        ));
        assert!(matches!(decide(Error::NotFound.into(), 1), PullError::AccessLost));
        assert!(matches!(
            decide(Error::ScopeMissing.into(), 1),
            PullError::Suspend { .. }
        ));
        assert!(matches!(
            decide(CallError::GrantEnded, 1),
            PullError::Suspend { .. }
        ));
        assert!(matches!(
            decide(Error::SyncTokenExpired.into(), 1),
            PullError::Rebuild(_)
        ));
    }
}
