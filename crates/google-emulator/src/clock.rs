//! The emulator's time: the system's clock, moved by hand. Nothing else here reads the time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The system's clock plus an offset; or, when frozen, a hand that only [`Clock::advance`] and [`Clock::set`] move.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    offset: TimeDelta,
    frozen: Option<DateTime<Utc>>,
}

/// A move of the clock, as `POST /_emulator/clock` takes it.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Move {
    /// Seconds to move forward; negative moves back.
    pub advance_seconds: Option<i64>,
    /// The time to set.
    pub now: Option<DateTime<Utc>>,
    /// `true` stops the clock, `false` lets it run on from where it stands.
    pub frozen: Option<bool>,
}

impl Clock {
    pub fn now(&self) -> DateTime<Utc> {
        self.frozen.unwrap_or_else(|| system_now() + self.offset)
    }

    pub fn advance(&mut self, by: TimeDelta) {
        self.set(self.now() + by);
    }

    pub fn set(&mut self, now: DateTime<Utc>) {
        match &mut self.frozen {
            Some(hand) => *hand = now,
            None => self.offset = now - system_now(),
        }
    }

    pub fn freeze(&mut self, frozen: bool) {
        let now = self.now();
        self.frozen = frozen.then_some(now);
        self.set(now);
    }

    pub fn apply(&mut self, step: Move) {
        if let Some(frozen) = step.frozen {
            self.freeze(frozen);
        }
        if let Some(now) = step.now {
            self.set(now);
        }
        if let Some(seconds) = step.advance_seconds {
            self.advance(TimeDelta::seconds(seconds));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the system's time is read"
)]
fn system_now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_by_hand() {
        let mut clock = Clock::default();
        let start = "2026-11-22T09:00:00Z".parse().unwrap();
        clock.apply(Move {
            frozen: Some(true),
            now: Some(start),
            ..Move::default()
        });
        clock.advance(TimeDelta::days(7));
        assert_eq!(clock.now(), start + TimeDelta::days(7));
        clock.freeze(false);
        assert!(clock.now() - start < TimeDelta::days(8) && clock.now() - start >= TimeDelta::days(7));
    }
}
