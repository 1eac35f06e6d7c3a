//! A user's request to change an event, and the reasons to refuse it before Google is called.

use common::ids::CalendarId;
use event_model::patch::{EventPatch, Invalid};
use event_model::permissions::Restriction;
use google::SendUpdates;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::result::Reason;

/// A request. An `event_id` is the `id` of an Event as it was read, or of a series.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub calendar: CalendarId,
    /// None: all, if there are guests.
    pub mail: Option<Mail>,
    pub command: Command,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Command {
    Create {
        event: EventPatch,
    },
    Update {
        event_id: String,
        base_etag: String,
        patch: EventPatch,
        scope: Option<Scope>,
    },
    Delete {
        event_id: String,
        /// None: any version.
        base_etag: Option<String>,
        scope: Option<Scope>,
    },
    Move {
        event_id: String,
        destination: CalendarId,
    },
    Respond {
        event_id: String,
        response: Response,
        comment: Option<String>,
        scope: Option<Scope>,
    },
}

/// The part of a series that an edit changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "SeriesScope")]
pub enum Scope {
    /// One instance.
    This,
    /// The instance and all later ones: the series is split in two.
    Following,
    All,
}

/// A guest's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, strum::IntoStaticStr)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[ts(rename = "ResponseStatus")]
pub enum Response {
    NeedsAction,
    Declined,
    Tentative,
    Accepted,
}

/// The guests that Google mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "SendUpdates")]
pub enum Mail {
    All,
    /// Guests who do not use Google Calendar.
    ExternalOnly,
    None,
}

impl From<Mail> for SendUpdates {
    fn from(mail: Mail) -> Self {
        match mail {
            Mail::All => Self::All,
            Mail::ExternalOnly => Self::ExternalOnly,
            Mail::None => Self::None,
        }
    }
}

/// Why a request was not accepted. Google was not called.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("{} does not allow changing {field}", rule.name())]
    Rule { rule: Restriction, field: &'static str },
    #[error("refused: {}", .0.name())]
    Reason(Reason),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self::Reason(reason)
    }
}
