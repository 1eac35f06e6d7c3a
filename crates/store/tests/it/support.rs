//! A calendar in the store, for the tests of its queue, events and instances.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{CalendarId, ConnectionId, UserId};
use sqlx::PgConnection;
use store::calendars;
use store::events::NewEvent;
use store::sync_state::{self, Horizon, Kind, Progress, Pull};

pub const LEASE: Duration = Duration::from_mins(1);

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn now() -> DateTime<Utc> {
    at("2026-11-22T09:00:00Z")
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// A connection of a user with one selected calendar, whose events are due.
pub async fn calendar_of(conn: &mut PgConnection, name: &str) -> CalendarId {
    let connection = ConnectionId::generate();
    sqlx::query(
        "insert into connections (id, user_id, google_sub, email, scopes, created_at, updated_at)
         values ($1, $2, $2, 'a@example.com', '{}', now(), now())",
    )
    .bind(connection.as_uuid())
    .bind(name)
    .execute(&mut *conn)
    .await
    .unwrap();
    let listed = calendars::Listed {
        google_id: "shared@group.calendar.google.com".into(),
        summary: "Team".into(),
        description: None,
        time_zone: "Europe/Berlin".into(),
        color_id: None,
        background_color: None,
        foreground_color: None,
        access_role: "owner".into(),
        is_primary: true,
        selected: true,
    };
    let user = user(name);
    let upserted = calendars::upsert(conn, now(), connection, &user, &[listed])
        .await
        .unwrap();
    let id = upserted[0].id;
    sync_state::create(conn, now(), id.into(), Kind::Events, connection, &user)
        .await
        .unwrap();
    id
}

pub async fn take(conn: &mut PgConnection) -> Option<Pull> {
    sync_state::acquire(conn, LEASE, 1).await.unwrap().pop()
}

pub fn progress(generation: i64) -> Progress<'static> {
    Progress {
        sync_token: "token",
        page_size: None,
        generation,
        horizon: Horizon::Unchanged,
        pulled_at: now(),
        changed: true,
    }
}

pub fn event(id: &str, etag: &str, minutes: i64) -> NewEvent {
    NewEvent {
        event_id: id.into(),
        etag: etag.into(),
        status: "confirmed".into(),
        updated: Some(now() + TimeDelta::minutes(minutes)),
        ical_uid: None,
        recurring_event_id: None,
        original_start: None,
        recurrence: vec![],
        raw: format!(r#"{{"id":"{id}"}}"#),
        view: r#"{"title":"Lunch"}"#.into(),
        problem: None,
    }
}
