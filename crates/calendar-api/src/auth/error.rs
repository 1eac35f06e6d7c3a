//! Why a caller is not authenticated.

use std::time::Duration;

use rpc::{Code, RpcError};

/// Why a request has no user. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("{0}")]
    Token(String),
    /// No key was ever fetched, or the last ones are too old: no token can be verified.
    #[error("could not fetch the host application's keys: {0}")]
    KeysUnavailable(String),
}

impl AuthError {
    pub(super) fn token(reason: impl Into<String>) -> Self {
        Self::Token(reason.into())
    }

    /// The same answer for all bad tokens.
    pub fn into_rpc_error(self) -> RpcError {
        match self {
            Self::Token(reason) => {
                tracing::debug!(reason, "Rejected a token");
                RpcError::of(Code::Unauthorized)
            }
            Self::KeysUnavailable(_) => RpcError::of(Code::ServiceUnavailable)
                .with_retry_after(Duration::from_secs(5))
                .with_source(self.to_string()),
        }
    }
}
