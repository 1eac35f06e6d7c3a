//! Why a call to Google failed.

use std::time::Duration;

use google::Error;
use store::seal::Unsealable;

/// Why a call to Google has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Google's error; for a rejected access token, the error after one forced refresh.
    #[error(transparent)]
    Google(#[from] Error),
    /// The error of a refresh. It is no evidence about the calendar or event that the call was for.
    #[error("could not refresh the access token: {0}")]
    Token(Error),
    #[error("the account is disconnected")]
    Disconnected,
    /// Confirmed. No call will succeed until the user connects again, or a policy that stops the grant changes.
    #[error("the grant has ended")]
    GrantEnded,
    /// Google has refused the refresh token once. A second attempt after `retry_after` decides whether the grant has
    /// ended.
    #[error("Google refused the refresh token once; the grant may have ended")]
    GrantSuspect { retry_after: Duration },
    /// Our own call budget is used up; Google was not called.
    #[error("call budget used up")]
    OverBudget { retry_after: Duration },
    /// Another process has held the refresh lease for too long.
    #[error("another process is refreshing the token")]
    Busy,
    /// The configured keys do not open the token. It is kept, and the user does not have to connect again.
    #[error(transparent)]
    Sealed(#[from] Unsealable),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}
