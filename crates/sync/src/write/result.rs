//! How a write went.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::write_intents::State;

use event_model::fields::Field;
use event_model::wire::{Event, WriteState};

/// The result of a write, as it is stored and answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "camelCase")]
pub enum WriteResult {
    #[serde(rename_all = "camelCase")]
    Done {
        /// The event as it is now; none if it was deleted.
        event: Option<Box<Event>>,
        /// Someone else had changed other fields; the event has both changes.
        merged: bool,
    },
    Failed(Failure),
    Conflict(Box<Conflict>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub reason: Reason,
    /// The reason that Google gave, if Google refused.
    pub google_reason: Option<String>,
}

/// Two changes of the same fields, for the user to decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The fields that both sides changed.
    pub fields: Vec<Field>,
    /// The version that the edit was made from; none if it is no longer known.
    pub base: Option<Value>,
    /// The requested event; none if it was to be deleted.
    pub ours: Option<Value>,
    pub theirs: Value,
    /// The etag of theirs: the base of the next edit.
    pub etag: String,
}

/// Why a write failed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantNames,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    CalendarNotFound,
    EventNotFound,
    /// The user was invited to an instance alone: its series is not in this calendar.
    SeriesNotFound,
    EventDeleted,
    NotConnected,
    ReauthRequired,
    /// The user has not granted the scope to change events.
    WriteScopeMissing,
    /// Google no longer shows the calendar to the account.
    AccessLost,
    /// The destination calendar belongs to another account.
    DifferentAccount,
    /// The rules of the series name days or hours themselves: a new day needs a new `recurrence`.
    RecurrenceRequired,
    /// `this` for a series as a whole, or a field that this scope cannot change.
    ScopeNotApplicable,
    ForbiddenByGoogle,
    RefusedByGoogle,
    QuotaExceeded,
    /// Out of time, and not applied.
    GoogleUnavailable,
    /// Out of time, and Google may have applied it.
    OutcomeUnknown,
    Misconfigured,
}

impl Reason {
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            google_reason: None,
        }
    }
}

impl WriteResult {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Done { .. } => State::Done,
            Self::Failed(_) => State::Failed,
            Self::Conflict(_) => State::Conflict,
        }
    }

    /// The state and reason of the notification.
    pub(super) fn resolved(&self) -> (WriteState, Option<String>) {
        match self {
            Self::Done { .. } => (WriteState::Done, None),
            Self::Failed(failure) => (WriteState::Failed, Some(failure.reason.name().to_owned())),
            Self::Conflict(_) => (WriteState::Conflict, None),
        }
    }
}
