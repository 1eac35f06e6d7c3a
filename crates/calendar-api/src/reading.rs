//! Shared by all reads.

use chrono::{DateTime, Utc};
use event_model::wire::{Freshness, Mode};
use event_model::zone::Zone;
use store::calendars::{Calendar, Evidence};
use store::instances::FoundEvent;
use store::reading::Reading;

/// The default time zone of a user: the primary calendar's.
pub fn zone_of<'a>(calendars: impl Iterator<Item = &'a Calendar> + Clone) -> Zone {
    calendars
        .clone()
        .filter(|calendar| calendar.is_primary)
        .chain(calendars)
        .find_map(|calendar| calendar.time_zone.parse().ok())
        .unwrap_or(Zone::UTC)
}

/// The evidence of the calendars that are shown, in order of their ids.
pub fn evidence(reading: &Reading) -> Vec<Evidence> {
    let shown = reading.calendars.iter().filter(|one| one.is_shown());
    let mut evidence: Vec<Evidence> = shown.map(|one| one.evidence.clone()).collect();
    evidence.sort_by_key(|calendar| calendar.calendar_id);
    evidence
}

/// The events, unless they were not loaded, or some of them are being replaced without a message.
pub fn loaded(reading: &Reading) -> Option<&[FoundEvent]> {
    let mut shown = reading.calendars.iter().filter(|one| one.is_shown());
    if shown.any(|one| one.is_converting) {
        return None;
    }
    reading.events.as_deref()
}

/// The freshness of a whole answer: that of its least current calendar.
pub fn overall(calendars: &[Freshness], connected: bool) -> (Option<DateTime<Utc>>, Mode) {
    let as_of = calendars.iter().map(|calendar| calendar.as_of).min().flatten();
    let worst = calendars
        .iter()
        .map(|calendar| calendar.mode)
        .max_by_key(|mode| match mode {
            Mode::Push => 0,
            Mode::Polling => 1,
            Mode::Stale => 2,
            Mode::Paused => 3,
        });
    // Without a calendar: the list has not been pulled yet, or there is no account.
    let none = if connected { Mode::Stale } else { Mode::Paused };
    (as_of, worst.unwrap_or(none))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::CalendarId;

    #[test]
    fn the_least_current_calendar_decides_the_freshness() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let calendar = |as_of, mode| Freshness {
            calendar_id: CalendarId::generate(),
            as_of,
            mode,
        };
        assert_eq!(overall(&[], true), (None, Mode::Stale));
        assert_eq!(overall(&[], false), (None, Mode::Paused));
        let two = [calendar(at(20), Mode::Push), calendar(at(10), Mode::Polling)];
        assert_eq!(overall(&two, true), (at(10), Mode::Polling));
        let new = [calendar(at(20), Mode::Push), calendar(None, Mode::Stale)];
        assert_eq!(overall(&new, true), (None, Mode::Stale));
    }
}
