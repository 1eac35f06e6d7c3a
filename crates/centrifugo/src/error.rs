//! The errors of Centrifugo's API, as the decisions that a caller takes.

/// Why a call failed. Each displays as one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It may work later: send the same bytes again, and nothing after them until they are accepted.
    #[error("request to Centrifugo failed: {reason}")]
    Transient { reason: String },
    /// Centrifugo will never accept this publication. Others may succeed.
    #[error("Centrifugo rejected the publication: {reason}")]
    Poison { reason: String },
    /// No call succeeds until the configuration is corrected: stop and report it, drop nothing.
    #[error("Centrifugo is not set up for Calwire: {reason}")]
    Misconfigured { reason: String },
}

impl Error {
    pub(crate) fn transient(reason: impl Into<String>) -> Self {
        Self::Transient {
            reason: reason.into(),
        }
    }

    pub(crate) fn poison(reason: impl Into<String>) -> Self {
        Self::Poison {
            reason: reason.into(),
        }
    }

    pub(crate) fn misconfigured(reason: impl Into<String>) -> Self {
        Self::Misconfigured {
            reason: reason.into(),
        }
    }
}
