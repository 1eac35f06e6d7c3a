//! What becomes of a pull that cannot go on: one match over Google's answers is the whole policy.

use std::time::Duration;

use common::backoff::{Backoff, jittered};
use google::{Error, Limit};
use store::seal::Unsealable;
use store::sync_state::Pull;

use crate::freshness::QUOTA_SPENT;
use crate::tokens::CallError;

/// Why a pull ends without having committed its outcome.
#[derive(Debug)]
pub(crate) enum PullError {
    /// What changed since the sync token cannot be had, or not as it is meant, for this reason: list everything.
    Rebuild(&'static str),
    /// Try again after `delay`. `reason` is what people and programs see meanwhile.
    Retry {
        delay: Duration,
        reason: &'static str,
    },
    /// Nothing helps until a person acts.
    Suspend {
        reason: &'static str,
    },
    /// Google does not show the resource to this account any more.
    AccessLost,
    /// Another worker has taken over.
    LeaseLost,
    Database(sqlx::Error),
}

impl PullError {
    /// For people and programs: why.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Rebuild(_) => "sync_token_refused",
            Self::Retry { reason, .. } | Self::Suspend { reason } => reason,
            Self::AccessLost => "access_lost",
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

/// The text in `sync_state.last_error` from which `store::connections` derives the state.
pub(crate) const SCOPE_MISSING: &str = "scope_missing";

/// The reason of a full listing after an answer that was too large to be read.
pub(crate) const LARGE_PAGES: &str = "large_pages";

/// Failures that are nobody's fault: soon again, then less and less often.
const TRANSIENT: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(5));
/// Failures that will hardly go away by themselves.
const STUBBORN: Backoff = Backoff::new(Duration::from_mins(1), Duration::from_hours(1));
/// Google counts calls by the minute; a crowd that was sent away must not come back together.
const LIMITED: Backoff = Backoff::new(Duration::from_secs(20), Duration::from_mins(5));
/// A pull whose worker did not come back may be what ended it, and may end the next one, with all that it has in hand.
const LOST: Backoff = Backoff::new(Duration::from_secs(30), Duration::from_hours(1));
/// Google's long limit is spent for hours.
const USAGE_PAUSE: Duration = Duration::from_hours(1);

/// How a pull goes on when a call brought no answer. `attempt` counts the tries since the last success, from 1.
pub(crate) fn decide(error: CallError, attempt: u32) -> PullError {
    let retry = |backoff: Backoff, reason| PullError::Retry {
        delay: backoff.delay(attempt),
        reason,
    };
    match error {
        CallError::Google(error) => decide_google(&error, attempt),
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
        CallError::Busy => retry(TRANSIENT, "transient"),
        // While keys are changed, a process that was not restarted yet meets the new one. Whoever has it comes soon, and to
        // look again costs no call.
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
        Error::ScopeMissing => PullError::Suspend {
            reason: SCOPE_MISSING,
        },
        // A fresh token was refused as well, or the grant is in doubt: whether it has ended is decided with the tokens.
        Error::Unauthorized | Error::GrantRejected => retry(STUBBORN, "unauthorized"),
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
        Limit::User | Limit::Project => (LIMITED.delay(attempt), "rate_limited"),
        Limit::Usage => (jittered(USAGE_PAUSE), QUOTA_SPENT),
    };
    PullError::Retry {
        delay: retry_after.map_or(wait, |asked| asked.max(Duration::from_secs(1))),
        reason,
    }
}

/// What keeps a resource from being pulled by whoever has just taken it over. One worker that did not come back is nothing:
/// a process was ended. When the next one does not either, it is left alone for a while.
pub(crate) fn after_lease_losses(pull: &Pull) -> Option<PullError> {
    let again = pull.lease_losses.checked_sub(1).filter(|&again| again > 0)?;
    pull.taken_over.then(|| PullError::Retry {
        delay: LOST.delay(again),
        reason: "worker_lost",
    })
}

/// The wait after the database refused the `attempt`-th try in a row.
pub(crate) fn storing(attempt: u32) -> Duration {
    TRANSIENT.delay(attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(error: Error) -> (Duration, &'static str) {
        match decide(error.into(), 1) {
            PullError::Retry { delay, reason } => (delay, reason),
            stop => panic!("{stop:?}"),
        }
    }

    #[test]
    fn a_key_that_is_missing_may_be_there_soon_and_a_damaged_record_stays_damaged() {
        let wait = |error: Unsealable| match decide(CallError::Sealed(error), 1) {
            PullError::Retry { delay, reason } => (delay, reason),
            stop => panic!("{stop:?}"),
        };
        let (delay, reason) = wait(Unsealable::UnknownKey(2));
        assert!(
            delay <= Duration::from_secs(1) && reason == "tokens_unreadable",
            "{delay:?} {reason}"
        );
        assert!(wait(Unsealable::Rejected).0 >= Duration::from_secs(6));
    }

    #[test]
    fn a_403_is_read_by_its_reason() {
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
