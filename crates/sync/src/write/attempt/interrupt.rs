//! The reasons to stop a try early, and how an error of Google becomes one.

use std::time::Duration;

use common::backoff::Backoff;
use google::{Error, Limit};

use super::super::result::{Failure, Reason};
use super::Attempt;
use crate::calls::CallError;

/// Why a try stops early.
pub(super) enum Interrupt {
    Retry {
        delay: Duration,
        /// Google may have applied the last call.
        in_doubt: bool,
    },
    Failed(Failure),
    LeaseLost,
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Interrupt {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Reason> for Interrupt {
    fn from(reason: Reason) -> Self {
        Self::Failed(reason.into())
    }
}

/// A user is waiting: the first tries follow each other quickly.
const TRANSIENT: Backoff = Backoff::new(Duration::from_millis(400), Duration::from_secs(30));
const LIMITED: Backoff = Backoff::new(Duration::from_secs(4), Duration::from_mins(1));

impl Interrupt {
    pub(super) fn retry(attempt: &Attempt<'_>, in_doubt: bool) -> Self {
        Self::Retry {
            delay: TRANSIENT.delay(attempt.failures + 1),
            in_doubt,
        }
    }

    /// A call that failed. `in_doubt`: Google may have applied an earlier one.
    pub(super) fn of_call(attempt: &Attempt<'_>, error: CallError, in_doubt: bool) -> Self {
        let after = |delay| Self::Retry { delay, in_doubt };
        match error {
            CallError::Database(error) => Self::Database(error),
            CallError::Google(Error::OutcomeUnknown { .. }) => Self::retry(attempt, true),
            CallError::Google(Error::Transient { .. } | Error::Unauthorized | Error::GrantRejected)
            | CallError::Busy
            | CallError::Sealed(_) => Self::retry(attempt, in_doubt),
            CallError::OverBudget { retry_after }
            | CallError::Google(Error::RateLimited {
                retry_after: Some(retry_after),
                ..
            }) if !in_doubt && retry_after >= attempt.time_left() => Reason::QuotaExceeded.into(),
            CallError::GrantSuspect { retry_after } | CallError::OverBudget { retry_after } => {
                after(retry_after)
            }
            CallError::Google(Error::RateLimited {
                limit: Limit::User | Limit::Project,
                retry_after,
            }) => after(retry_after.unwrap_or_else(|| LIMITED.delay(attempt.failures + 1))),
            _ if in_doubt => Reason::OutcomeUnknown.into(),
            CallError::Disconnected => Reason::NotConnected.into(),
            CallError::GrantEnded => Reason::ReauthRequired.into(),
            CallError::Google(error) => Self::Failed(refusal(error)),
        }
    }
}

fn refusal(error: Error) -> Failure {
    let (reason, google_reason) = match error {
        Error::RateLimited { .. } => (Reason::QuotaExceeded, Some("quotaExceeded".to_owned())),
        Error::ScopeMissing => (Reason::WriteScopeMissing, None),
        Error::Forbidden { reason } => (Reason::ForbiddenByGoogle, Some(reason)),
        Error::Refused { reason } => (Reason::RefusedByGoogle, Some(reason)),
        Error::NotFound => (Reason::EventNotFound, None),
        Error::AlreadyDeleted => (Reason::EventDeleted, None),
        Error::ClientMisconfigured { .. } => (Reason::Misconfigured, None),
        other => (Reason::RefusedByGoogle, Some(other.to_string())),
    };
    Failure {
        reason,
        google_reason,
    }
}
