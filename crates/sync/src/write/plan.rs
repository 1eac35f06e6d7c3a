//! The plan of a write: the calls to make at Google, as stored with the request. Its JSON names stay: processes of two
//! versions share the table during an upgrade.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use common::ids::CalendarId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::request::{Mail, Response};
use super::result::Failure;
use event_model::fields::{Field, Fields};
use event_model::merge::{Collision, merge, merge_without_base};
use event_model::resource::clean;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub mail: Mail,
    #[serde(rename = "act")]
    pub operation: Operation,
    #[serde(rename = "shown")]
    pub answer: AnswerInstance,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Operation {
    Insert {
        body: Value,
    },
    Patch(Box<Edit>),
    Respond {
        response: Response,
        comment: Option<String>,
    },
    Delete {
        /// The version that the user saw; none if any version is to be deleted, or if it is no longer known.
        base: Option<Box<Fields>>,
        is_conditional: bool,
    },
    Move {
        destination: CalendarId,
    },
    Split(Box<Split>),
}

/// An edit of one event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Edit {
    /// The version that it was made from; none if it is no longer known.
    pub base: Option<Fields>,
    pub ours: Fields,
    pub touched: BTreeSet<Field>,
}

/// Ends a series before an instance, and starts a new one there, or none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Split {
    /// Ends the old series.
    pub end: Edit,
    /// The start of the first instance that the old series loses, in the store's format.
    pub at: String,
    pub new: Option<NewSeries>,
    /// The old series as Google returned it when the first step, ending it, was done.
    pub ended: Option<Value>,
    /// Google refused the new series, for this reason: the old one has to be restored.
    pub undo: Option<Failure>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewSeries {
    /// Chosen by us.
    pub id: String,
    /// The rest of the old series as the user saw it.
    pub rest: Fields,
    /// `rest` is the version that the user saw; otherwise it is the one at the time of the request.
    pub is_known: bool,
    pub ours: Fields,
    pub touched: BTreeSet<Field>,
}

/// The instance to answer with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AnswerInstance {
    pub series: String,
    /// None: the first one from `at` on.
    pub instance: Option<String>,
    pub at: DateTime<Utc>,
}

impl Plan {
    pub fn read(json: &RawValue) -> sqlx::Result<Self> {
        serde_json::from_str(json.get()).map_err(|error| sqlx::Error::Decode(error.into()))
    }

    /// In a form that `jsonb` accepts.
    pub fn to_json(&self) -> sqlx::Result<Box<RawValue>> {
        let json = serde_json::to_string(self).map_err(|error| sqlx::Error::Encode(error.into()))?;
        RawValue::from_string(clean(&json).into_owned()).map_err(|error| sqlx::Error::Encode(error.into()))
    }

    /// The value of `write_intents.operation`.
    pub fn operation_name(&self) -> &'static str {
        match &self.operation {
            Operation::Insert { .. } => "create",
            Operation::Patch(_) => "update",
            Operation::Split(split) if split.new.is_some() => "update",
            Operation::Respond { .. } => "respond",
            Operation::Delete { .. } | Operation::Split(_) => "delete",
            Operation::Move { .. } => "move",
        }
    }
}

impl Edit {
    /// The event with the edit and what others changed.
    pub fn merge_into(&self, theirs: &Fields) -> Result<Fields, Collision> {
        match &self.base {
            Some(base) => merge(base, &self.ours, theirs),
            None => merge_without_base(&self.touched, &self.ours, theirs),
        }
    }

    /// Others changed the event since the version that the edit was made from.
    pub fn is_outdated_by(&self, theirs: &Fields) -> bool {
        self.base
            .as_ref()
            .is_some_and(|base| !base.differing(theirs).is_empty())
    }

    /// The edit that restores the base.
    pub fn reversed(&self) -> Self {
        Self {
            base: Some(self.ours.clone()),
            ours: self.base.clone().unwrap_or_default(),
            touched: self.touched.clone(),
        }
    }
}
