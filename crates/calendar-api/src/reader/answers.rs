//! The answers that are kept.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, UserId};
use event_model::wire::Window;
use event_model::zone::Zone;
use moka::sync::Cache;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use store::reading::Reading;
use store::user_stream::Position;
use uuid::Uuid;

/// An answer that no read has used for this long is dropped.
const IDLE_MAX: Duration = Duration::from_hours(1);
const ZSTD_LEVEL: i32 = 1;

/// A question of a user, about the selected calendars. Other questions are answered from the database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    pub user: UserId,
    pub kind: Kind,
    /// The requested zone. None: that of the primary calendar.
    pub zone: Option<String>,
    pub types: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Events from now to the end of a day.
    Upcoming { days: u32, limit: usize },
    /// Events that overlap a time.
    Between { from: DateTime<Utc>, to: DateTime<Utc> },
    /// All series of the hot window.
    Snapshot,
}

/// The events of an answer, and what they depend on.
#[derive(Debug, Clone)]
pub struct Answer {
    position: Position,
    mirror: Vec<Mirrored>,
    pub zone: Zone,
    window: Window,
    /// The answer of a window that begins later holds until then.
    holds_until: DateTime<Utc>,
    pub json: Json,
    /// There are more events.
    pub is_cut: bool,
    /// All instances that start before this are there. None: all are.
    pub until: Option<DateTime<Utc>>,
}

/// A calendar of an answer, its generation and its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirrored {
    calendar: CalendarId,
    generation: Option<i64>,
    zone: String,
    /// Never in an answer that is kept: its events may change without a message.
    is_converting: bool,
}

impl Answer {
    /// `next_end`: when the first of the events ends.
    pub fn new(
        reading: &Reading,
        (window, zone): (Window, Zone),
        next_end: Option<DateTime<Utc>>,
        json: Json,
        (is_cut, until): (bool, Option<DateTime<Utc>>),
    ) -> Self {
        Self {
            position: reading.position,
            mirror: mirror(reading),
            zone,
            window,
            holds_until: next_end.unwrap_or(window.to),
            json,
            is_cut,
            until,
        }
    }

    /// The position of the user's stream at which the answer was made, if it covers this window.
    pub fn position_for(&self, window: Window) -> Option<Position> {
        self.covers(window).then_some(self.position)
    }

    /// Whether the answer is that of this reading, too.
    pub fn holds(&self, reading: &Reading, window: Window, zone: Zone) -> bool {
        let is_current = self.position == reading.position;
        #[cfg(feature = "simulation")]
        let is_current = crate::mutants::accept_stale(is_current);
        is_current && self.covers(window) && self.zone == zone && self.mirror == mirror(reading)
    }

    /// Whether no event has ended since. All-day events end with a day, which is the end of another window.
    fn covers(&self, window: Window) -> bool {
        let is_later = self.window.from <= window.from && window.from < self.holds_until;
        self.window.to == window.to && (self.window.from == window.from || is_later)
    }

    /// Whether changes of the user's events are seen by the position of the user's stream.
    pub(super) fn has_stream(&self) -> bool {
        self.position.epoch != Uuid::nil()
    }

    /// As it is kept.
    pub(super) fn compressed(&self) -> Self {
        Self {
            json: self.json.compressed(),
            ..self.clone()
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.json.bytes() + self.mirror.len() * size_of::<Mirrored>() + size_of::<Self>()
    }
}

fn mirror(reading: &Reading) -> Vec<Mirrored> {
    let shown = reading.calendars.iter().filter(|one| one.is_shown());
    shown
        .map(|one| Mirrored {
            calendar: one.calendar.id,
            generation: one.generation,
            zone: one.calendar.time_zone.clone(),
            is_converting: one.is_converting,
        })
        .collect()
}

/// A value as JSON, written once. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Json {
    Plain(Arc<RawValue>),
    /// By zstd.
    Compressed {
        zstd: Arc<[u8]>,
        plain_len: usize,
    },
}

impl Json {
    pub fn of(value: &impl Serialize) -> serde_json::Result<Self> {
        Ok(Self::Plain(Arc::from(to_raw_value(value)?)))
    }

    /// The same in less memory: events repeat each other. Of 14 KB some 2 KB are left.
    fn compressed(&self) -> Self {
        let Self::Plain(json) = self else {
            return self.clone();
        };
        let plain = json.get().as_bytes();
        match zstd::bulk::compress(plain, ZSTD_LEVEL) {
            Ok(zstd) if zstd.len() < plain.len() => Self::Compressed {
                zstd: zstd.into(),
                plain_len: plain.len(),
            },
            _ => self.clone(),
        }
    }

    /// In memory.
    fn bytes(&self) -> usize {
        match self {
            Self::Plain(json) => json.get().len(),
            Self::Compressed { zstd, .. } => zstd.len(),
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(json) => json.serialize(serializer),
            Self::Compressed { zstd, plain_len } => {
                let plain = zstd::bulk::decompress(zstd, *plain_len).map_err(S::Error::custom)?;
                let json: &RawValue = serde_json::from_slice(&plain).map_err(S::Error::custom)?;
                json.serialize(serializer)
            }
        }
    }
}

/// Answers by question, in a bounded number of bytes.
pub(super) struct Answers(Cache<Question, Arc<Answer>>);

/// Of an entry beside its answer: the question, and the cache's own nodes.
const ENTRY_BYTES: usize = 400;

impl Answers {
    pub fn new(max_bytes: u64) -> Self {
        let weigh = |_: &Question, answer: &Arc<Answer>| {
            u32::try_from(ENTRY_BYTES + answer.bytes()).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(weigh)
            .support_invalidation_closures();
        Self(cache.time_to_idle(IDLE_MAX).build())
    }

    pub fn get(&self, question: &Question) -> Option<Arc<Answer>> {
        self.0.get(question)
    }

    pub fn insert(&self, question: Question, answer: Arc<Answer>) {
        self.0.insert(question, answer);
    }

    pub fn remove(&self, question: &Question) {
        self.0.invalidate(question);
    }

    pub fn remove_user(&self, user: &UserId) {
        let user = user.clone();
        // Fails only for a cache without closures.
        let _ = self
            .0
            .invalidate_entries_if(move |question, _| question.user == user);
        self.0.run_pending_tasks();
    }

    pub fn bytes(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.weighted_size()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn compressed_json_is_written_as_it_was() {
        let value = json!({"events": vec![json!({"title": "Zürich \u{1f389}", "attendees": []}); 30]});
        let plain = Json::of(&value).unwrap();
        let compressed = plain.compressed();
        assert!(compressed.bytes() * 10 < plain.bytes());
        for kept in [&plain, &compressed, &compressed.compressed()] {
            assert_eq!(serde_json::to_string(kept).unwrap(), value.to_string());
        }
    }

    #[test]
    fn json_that_does_not_shrink_is_kept_plain() {
        let small = Json::of(&json!([])).unwrap().compressed();
        assert!(matches!(small, Json::Plain(_)));
    }
}
