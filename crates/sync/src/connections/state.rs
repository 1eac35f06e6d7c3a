//! The state of a connection, derived from the store's evidence and never stored.

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{ConnectionId, UserId};
use event_model::wire::{Change, ConnectionState};
use google::scopes;
use sqlx::PgConnection;
use store::connections::{Connection, QueueState};

use crate::outbox;

/// A failure is shown only after it has lasted this long.
const DELAYED_AFTER: TimeDelta = TimeDelta::minutes(2);

/// Whether these scopes allow reading events and the calendar list.
pub fn has_calendar_access(granted: &[String]) -> bool {
    scopes::allows_events(granted) && scopes::allows_calendar_list(granted)
}

/// The state of a connection as the user sees it.
pub fn state(connection: &Connection, now: DateTime<Utc>) -> ConnectionState {
    derive(connection, has_calendar_access(&connection.scopes), now)
}

fn derive(connection: &Connection, has_calendar_access: bool, now: DateTime<Utc>) -> ConnectionState {
    let QueueState {
        importing,
        failing_since,
        scope_missing,
        calendar_off,
    } = connection.queue;
    if connection.disconnected_at.is_some() {
        ConnectionState::Disconnected
    } else if connection.grant_ended_at.is_some() {
        ConnectionState::ReauthRequired
    } else if !has_calendar_access || scope_missing {
        ConnectionState::ScopeMissing
    } else if calendar_off {
        ConnectionState::CalendarOff
    } else if failing_since.is_some_and(|since| now - since > DELAYED_AFTER) {
        ConnectionState::Delayed
    } else if importing {
        ConnectionState::Importing
    } else {
        ConnectionState::Healthy
    }
}

/// Appends the message about a connection's new state.
pub(super) async fn append_state(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    connection_id: ConnectionId,
    state: ConnectionState,
) -> sqlx::Result<()> {
    let change = Change::ConnectionChanged { connection_id, state };
    outbox::append(conn, now, user, change).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_the_gravest_that_the_evidence_supports() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let healthy = Connection {
            id: ConnectionId::generate(),
            google_sub: "1".into(),
            email: "alice@example.com".into(),
            scopes: vec![],
            grant_ended_at: None,
            grant_ended_reason: None,
            disconnected_at: None,
            created_at: now,
            queue: QueueState::default(),
        };
        let state = |change: fn(&mut Connection, DateTime<Utc>)| {
            let mut connection = healthy.clone();
            change(&mut connection, now);
            derive(&connection, true, now)
        };
        assert_eq!(state(|_, _| {}), ConnectionState::Healthy);
        assert_eq!(state(|c, _| c.queue.importing = true), ConnectionState::Importing);
        let failing = |c: &mut Connection, now: DateTime<Utc>, seconds| {
            c.queue.importing = true;
            c.queue.failing_since = Some(now - TimeDelta::seconds(seconds));
            derive(c, true, now)
        };
        assert_eq!(failing(&mut healthy.clone(), now, 60), ConnectionState::Importing);
        assert_eq!(failing(&mut healthy.clone(), now, 121), ConnectionState::Delayed);
        assert_eq!(derive(&healthy, false, now), ConnectionState::ScopeMissing);
        assert_eq!(
            state(|c, _| c.queue.scope_missing = true),
            ConnectionState::ScopeMissing
        );
        assert_eq!(
            state(|c, _| c.queue.calendar_off = true),
            ConnectionState::CalendarOff
        );
        assert_eq!(
            state(|c, now| {
                c.queue.scope_missing = true;
                c.grant_ended_at = Some(now);
            }),
            ConnectionState::ReauthRequired
        );
        assert_eq!(
            state(|c, now| {
                c.grant_ended_at = Some(now);
                c.disconnected_at = Some(now);
            }),
            ConnectionState::Disconnected
        );
    }
}
