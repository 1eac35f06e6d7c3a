//! The reasons to stop a try early, and how an error of Google becomes one.

use std::time::Duration;

use common::backoff::Backoff;
use google::{Error, Limit};

use super::result::{Failure, Reason};
use crate::calls::CallError;

/// Why a try ends without a result.
pub enum Unfinished {
    Retry {
        delay: Duration,
        /// Google may have applied the last call: look before it is repeated.
        in_doubt: bool,
    },
    /// Another worker has the request, and answers it.
    LeaseLost,
    Database(sqlx::Error),
}

/// Why a try stops early.
pub enum Interrupt {
    Failed(Failure),
    Unfinished(Unfinished),
}

impl From<sqlx::Error> for Unfinished {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Unfinished> for Interrupt {
    fn from(reason: Unfinished) -> Self {
        Self::Unfinished(reason)
    }
}

impl From<sqlx::Error> for Interrupt {
    fn from(error: sqlx::Error) -> Self {
        Self::Unfinished(error.into())
    }
}

impl From<Reason> for Interrupt {
    fn from(reason: Reason) -> Self {
        Self::Failed(reason.into())
    }
}

/// A user is waiting: the first tries follow each other quickly, and an edit is not pending long after Google is back.
const TRANSIENT: Backoff = Backoff::new(Duration::from_millis(400), Duration::from_secs(15));
const LIMITED: Backoff = Backoff::new(Duration::from_secs(4), Duration::from_mins(1));

/// How far a request has come when a call fails.
#[derive(Clone, Copy)]
pub struct Standing {
    /// Tries in a row, this one included.
    pub tries: u32,
    pub time_left: Duration,
    /// Google may have applied an earlier call.
    pub in_doubt: bool,
}

impl Standing {
    pub fn retry(self) -> Interrupt {
        Unfinished::Retry {
            delay: TRANSIENT.delay(self.tries),
            in_doubt: self.in_doubt,
        }
        .into()
    }

    pub fn failed_call(self, error: CallError) -> Interrupt {
        let Self {
            tries,
            time_left,
            in_doubt,
        } = self;
        let after = |delay| Unfinished::Retry { delay, in_doubt }.into();
        match error {
            CallError::Database(error) => error.into(),
            CallError::Google(Error::OutcomeUnknown { .. }) => Unfinished::Retry {
                delay: TRANSIENT.delay(tries),
                in_doubt: true,
            }
            .into(),
            CallError::Google(
                Error::Transient { .. } | Error::PageTimedOut | Error::Unauthorized | Error::GrantRejected,
            )
            | CallError::Token(Error::Transient { .. } | Error::GrantRejected | Error::GrantRefused { .. })
            | CallError::Busy
            | CallError::Sealed(_) => self.retry(),
            CallError::OverBudget { retry_after }
            | CallError::Google(Error::RateLimited {
                retry_after: Some(retry_after),
                ..
            })
            | CallError::Token(Error::RateLimited {
                retry_after: Some(retry_after),
                ..
            }) if !in_doubt && retry_after >= time_left => Reason::QuotaExceeded.into(),
            CallError::GrantSuspect { retry_after } | CallError::OverBudget { retry_after } => {
                after(retry_after)
            }
            CallError::Google(Error::RateLimited {
                limit: Limit::User | Limit::Project | Limit::Unnamed,
                retry_after,
            })
            | CallError::Token(Error::RateLimited { retry_after, .. }) => {
                after(retry_after.unwrap_or_else(|| LIMITED.delay(tries)))
            }
            _ if in_doubt => Reason::OutcomeUnknown.into(),
            CallError::Disconnected => Reason::NotConnected.into(),
            CallError::GrantEnded => Reason::ReauthRequired.into(),
            CallError::Google(error) => Interrupt::Failed(refusal(error)),
            CallError::Token(error) => Interrupt::Failed(Failure {
                reason: Reason::Misconfigured,
                google_reason: Some(error.to_string()),
            }),
        }
    }
}

fn refusal(error: Error) -> Failure {
    let (reason, google_reason) = match error {
        Error::RateLimited { .. } => (Reason::QuotaExceeded, Some("quotaExceeded".to_owned())),
        Error::ScopeMissing => (Reason::WriteScopeMissing, None),
        Error::Forbidden { reason } => (Reason::ForbiddenByGoogle, Some(reason)),
        Error::CalendarOff => (Reason::ForbiddenByGoogle, Some("notACalendarUser".to_owned())),
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
