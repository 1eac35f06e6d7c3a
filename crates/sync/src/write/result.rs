//! How a request ends, as it is stored and answered.

use event_model::fields::Field;
use event_model::wire::{Event, WriteState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::write_intents::State;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "camelCase")]
pub enum WriteResult {
    #[serde(rename_all = "camelCase")]
    Done {
        /// As it is now; none of a deleted one.
        event: Option<Box<Event>>,
        /// Somebody else had changed other fields, and both changes are in.
        merged: bool,
    },
    Failed(Failure),
    Conflict(Box<Conflict>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub reason: Reason,
    /// Google's own word, where it refused.
    pub google_reason: Option<String>,
}

/// Two changes of the same fields, for a person to decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// What collided.
    pub fields: Vec<Field>,
    /// What the edit was made from; none when nobody knows any more.
    pub base: Option<Value>,
    /// What was asked for; none when it was to be deleted.
    pub ours: Option<Value>,
    pub theirs: Value,
    /// Of theirs: what the next edit is made from.
    pub etag: String,
}

/// Why a request came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    CalendarNotFound,
    EventNotFound,
    /// An instance was invited to, and its series is not in this calendar.
    SeriesNotFound,
    EventDeleted,
    NotConnected,
    ReauthRequired,
    /// The user did not let us change events.
    WriteScopeMissing,
    /// Google does not show the calendar to the account any more.
    AccessLost,
    /// Another account's calendar.
    DifferentAccount,
    /// The rules of the series name days or hours themselves; a new `recurrence` has to come with a new day.
    RecurrenceRequired,
    /// `this` of a series as a whole, or a field that this scope cannot change.
    ScopeNotApplicable,
    ForbiddenByGoogle,
    RefusedByGoogle,
    QuotaExceeded,
    /// Tried for as long as it may be. It has not happened.
    GoogleUnavailable,
    /// Tried for as long as it may be, and nobody can tell whether it happened.
    OutcomeUnknown,
    Misconfigured,
}

impl Reason {
    pub const fn name(self) -> &'static str {
        match self {
            Self::CalendarNotFound => "CALENDAR_NOT_FOUND",
            Self::EventNotFound => "EVENT_NOT_FOUND",
            Self::SeriesNotFound => "SERIES_NOT_FOUND",
            Self::EventDeleted => "EVENT_DELETED",
            Self::NotConnected => "NOT_CONNECTED",
            Self::ReauthRequired => "REAUTH_REQUIRED",
            Self::WriteScopeMissing => "WRITE_SCOPE_MISSING",
            Self::AccessLost => "ACCESS_LOST",
            Self::DifferentAccount => "DIFFERENT_ACCOUNT",
            Self::RecurrenceRequired => "RECURRENCE_REQUIRED",
            Self::ScopeNotApplicable => "SCOPE_NOT_APPLICABLE",
            Self::ForbiddenByGoogle => "FORBIDDEN_BY_GOOGLE",
            Self::RefusedByGoogle => "REFUSED_BY_GOOGLE",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::GoogleUnavailable => "GOOGLE_UNAVAILABLE",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Misconfigured => "MISCONFIGURED",
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

    pub(super) fn told(&self) -> (WriteState, Option<String>) {
        match self {
            Self::Done { .. } => (WriteState::Done, None),
            Self::Failed(failure) => (WriteState::Failed, Some(failure.reason.name().to_owned())),
            Self::Conflict(_) => (WriteState::Conflict, None),
        }
    }
}
