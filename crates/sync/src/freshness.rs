//! How current a calendar's data is, derived from the store's evidence.
//!
//! `store::overview` counts the modes of all calendars in SQL, with the same conditions: a test in
//! `tests/it/pull/overview.rs` compares the two.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use store::calendars::Evidence;

use event_model::wire::{Freshness, Mode};

/// A pull that has been due for longer is late. A pull takes seconds, and a burst of work a little longer.
pub(crate) const LATE_AFTER: TimeDelta = TimeDelta::seconds(90);

/// If a poll is overdue by more, no renewer is running.
pub(crate) const POLL_LATE_AFTER: TimeDelta = TimeDelta::minutes(5);

/// The text in `sync_state.last_error` for Google's long-term quota, which stays used up for hours.
pub const QUOTA_SPENT: &str = "quota_spent";

/// The freshness of a calendar at `now`. `push_late`: how long a push may come after a poll has found its change.
pub fn freshness(evidence: &Evidence, now: DateTime<Utc>, push_late: Duration) -> Freshness {
    Freshness {
        calendar_id: evidence.calendar_id,
        as_of: evidence.last_pull_at,
        mode: mode(evidence, now, push_late),
    }
}

fn mode(evidence: &Evidence, now: DateTime<Utc>, push_late: Duration) -> Mode {
    let ended = evidence
        .grant_ended_at
        .or(evidence.disconnected_at)
        .or(evidence.access_lost_at);
    if ended.is_some() || evidence.suspended || evidence.last_error.as_deref() == Some(QUOTA_SPENT) {
        return Mode::Paused;
    }
    let due_long = evidence.due_since.is_some_and(|since| now - since > LATE_AFTER);
    let poll_missed = evidence.poll_at.is_some_and(|at| now - at > POLL_LATE_AFTER);
    if evidence.last_pull_at.is_none() || due_long || poll_missed {
        return Mode::Stale;
    }
    let push_late = TimeDelta::from_std(push_late).unwrap_or_default();
    let is_silent = evidence.missed_push_at.is_some_and(|at| now - at > push_late);
    if evidence.watched && !is_silent {
        Mode::Push
    } else {
        Mode::Polling
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::{CalendarId, ConnectionId};

    #[test]
    fn mode_follows_from_evidence() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a valid time");
        let ago = |seconds| Some(now - TimeDelta::seconds(seconds));
        let healthy = Evidence {
            calendar_id: CalendarId::generate(),
            connection_id: ConnectionId::generate(),
            last_pull_at: ago(60),
            last_push_at: ago(61),
            due_since: None,
            poll_at: Some(now + TimeDelta::minutes(5)),
            watched: true,
            missed_push_at: None,
            push_supported: true,
            last_error: None,
            last_error_at: None,
            attempts: 0,
            suspended: false,
            access_lost_at: None,
            grant_ended_at: None,
            disconnected_at: None,
            cut_at: None,
        };
        let mode_after = |change: fn(&mut Evidence, DateTime<Utc>)| {
            let mut evidence = healthy.clone();
            change(&mut evidence, now);
            mode(&evidence, now, Duration::from_mins(5))
        };
        assert_eq!(mode_after(|_, _| {}), Mode::Push);
        assert_eq!(mode_after(|e, _| e.watched = false), Mode::Polling);
        assert_eq!(
            mode_after(|e, now| e.missed_push_at = Some(now - TimeDelta::minutes(4))),
            Mode::Push
        );
        assert_eq!(
            mode_after(|e, now| e.missed_push_at = Some(now - TimeDelta::minutes(6))),
            Mode::Polling
        );
        assert_eq!(mode_after(|e, _| e.last_pull_at = None), Mode::Stale);
        assert_eq!(
            mode_after(|e, now| e.due_since = Some(now - TimeDelta::seconds(10))),
            Mode::Push
        );
        assert_eq!(
            mode_after(|e, now| e.due_since = Some(now - TimeDelta::seconds(91))),
            Mode::Stale
        );
        assert_eq!(
            mode_after(|e, now| e.poll_at = Some(now - TimeDelta::minutes(6))),
            Mode::Stale
        );
        assert_eq!(mode_after(|e, now| e.grant_ended_at = Some(now)), Mode::Paused);
        assert_eq!(mode_after(|e, now| e.access_lost_at = Some(now)), Mode::Paused);
        assert_eq!(mode_after(|e, _| e.suspended = true), Mode::Paused);
        assert_eq!(
            mode_after(|e, _| e.last_error = Some(QUOTA_SPENT.into())),
            Mode::Paused
        );
    }
}
