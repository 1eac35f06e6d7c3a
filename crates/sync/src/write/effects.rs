//! The changes to commit when a write finishes.

use common::ids::CalendarId;
use google::RawEvent;
use serde_json::json;

use super::plan::AnswerInstance;
use super::result::{Failure, WriteResult};
use super::target::Version;
use crate::pull::Incoming;

/// The result of a request, and the changes that are committed with it.
#[derive(Debug, Clone)]
pub struct Effects {
    pub result: WriteResult,
    /// Events as Google returned them, which the mirror may not have yet.
    pub incoming: Vec<(CalendarId, Incoming)>,
    /// A series and the start of the first instance that it lost: later exceptions of it are gone.
    pub cancel_from: Option<(String, String)>,
    /// The instance that the result carries when it is committed.
    pub answer: Option<(CalendarId, AnswerInstance)>,
}

impl Effects {
    pub fn of(result: WriteResult) -> Self {
        Self {
            result,
            incoming: Vec::new(),
            cancel_from: None,
            answer: None,
        }
    }

    pub fn done(answer: (CalendarId, AnswerInstance), merged: bool) -> Self {
        Self {
            answer: Some(answer),
            ..Self::of(WriteResult::Done { event: None, merged })
        }
    }

    /// Done, and there is no event to answer with.
    pub fn deleted(calendar: CalendarId, tombstone: Option<Incoming>) -> Self {
        Self {
            incoming: tombstone
                .map(|incoming| (calendar, incoming))
                .into_iter()
                .collect(),
            ..Self::of(WriteResult::Done {
                event: None,
                merged: false,
            })
        }
    }

    pub fn failed(failure: impl Into<Failure>) -> Self {
        Self::of(WriteResult::Failed(failure.into()))
    }

    pub fn add(&mut self, calendar: CalendarId, version: Version) {
        self.incoming
            .extend(version.incoming.map(|incoming| (calendar, incoming)));
    }

    pub fn with(mut self, calendar: CalendarId, version: Version) -> Self {
        self.add(calendar, version);
        self
    }
}

/// The row that the mirror keeps of a deleted event, or of a deleted instance of `series`.
pub fn tombstone(id: &str, series: Option<&str>) -> Option<Incoming> {
    let mut raw = json!({"id": id, "status": "cancelled"});
    if let Some(series) = series {
        raw["recurringEventId"] = series.into();
    }
    let raw = raw.to_string();
    RawEvent::read(&raw).and_then(Incoming::parse)
}

/// As [`tombstone`], of an event that Google does not know. None for an instance: a series that was moved away has other
/// instances, and if it moved back, Google would not report this one again.
pub fn tombstone_of_unknown(id: &str) -> Option<Incoming> {
    tombstone(id, None).filter(|incoming| incoming.row.recurring_event_id.is_none())
}
