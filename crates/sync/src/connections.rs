//! A Google account comes and goes: connect, the state people see, disconnect.

use chrono::{DateTime, Utc};
use common::crash_point;
use common::ids::{ConnectionId, UserId};
use event_model::wire::{Change, ConnectionState};
use google::{Grant, UserInfo, scopes};
use sqlx::PgConnection;
use store::connections::{Connected, Connection, NewGrant, State};
use store::sync_state::Kind;
use store::{connections, sync_state};

mod disconnect;
mod receipt;

pub use disconnect::{AT_ONCE, disconnect, disconnect_once};
pub use receipt::{Channels, Forgotten, GrantEnd, Receipt};

use crate::Context;
use crate::outbox;

/// Stores a consent and begins to mirror. Whatever an earlier grant's end had stopped goes on.
///
/// [`Connected::RefreshTokenMissing`] leaves everything as it was: ask for consent again, with `force_consent`.
pub async fn connect(
    ctx: &Context,
    user: &UserId,
    grant: &Grant,
    account: &UserInfo,
) -> sqlx::Result<Connected> {
    let now = ctx.clock.now();
    let new = NewGrant {
        user,
        google_sub: &account.sub,
        email: &account.email,
        scopes: &grant.scopes,
        refresh_token: grant.refresh_token.as_ref(),
        access_token: &grant.access_token,
        access_expires_at: now + grant.expires_in,
    };
    let mut tx = ctx.pool.begin().await?;
    let connected = connections::connect(&mut tx, now, &ctx.keyring, &new).await?;
    let Connected::Done { id, .. } = connected else {
        return Ok(connected);
    };
    let state = if has_calendar_access(&grant.scopes) {
        ConnectionState::Importing
    } else {
        ConnectionState::ScopeMissing
    };
    // Before any row of the queue is touched: see `user_stream::next_seq`.
    tell_state(&mut tx, now, user, id, state).await?;
    sync_state::create(&mut tx, now, id.into(), Kind::CalendarList, id, user).await?;
    sync_state::resume_connection(&mut tx, now, id).await?;
    crash_point!("connect.before_commit");
    tx.commit().await?;
    Ok(connected)
}

/// These scopes are enough to mirror.
pub fn has_calendar_access(granted: &[String]) -> bool {
    scopes::allows_events(granted) && scopes::allows_calendar_list(granted)
}

/// The state of a connection as people see it.
pub fn state(connection: &Connection, now: DateTime<Utc>) -> ConnectionState {
    match State::of(connection, has_calendar_access(&connection.scopes), now) {
        State::Healthy => ConnectionState::Healthy,
        State::Importing => ConnectionState::Importing,
        State::Delayed => ConnectionState::Delayed,
        State::ReauthRequired => ConnectionState::ReauthRequired,
        State::ScopeMissing => ConnectionState::ScopeMissing,
        State::Disconnected => ConnectionState::Disconnected,
    }
}

async fn tell_state(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    connection_id: ConnectionId,
    state: ConnectionState,
) -> sqlx::Result<()> {
    outbox::append(
        conn,
        now,
        user,
        Change::ConnectionChanged { connection_id, state },
    )
    .await?;
    Ok(())
}
