//! What can go wrong at Centrifugo, told as the decisions that a caller has to take.

/// The outcome of a call that did not succeed. Each reads as one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It may work later: send the same bytes again, and nothing after them before they are through.
    #[error("Centrifugo could not be asked: {reason}")]
    Transient { reason: String },
    /// Centrifugo will never take this publication; anything else may still go.
    #[error("Centrifugo will not take this publication: {reason}")]
    Poison { reason: String },
    /// No call will succeed until a person has changed the configuration: stop and say so, drop nothing.
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
