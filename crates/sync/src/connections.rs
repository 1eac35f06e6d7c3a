//! A Google account comes and goes: connect, the state people see, disconnect.
//!
//! Disconnecting takes steps, each of which survives a crash of the one that takes it: the user's wish is committed and
//! all pulling stops; the channels are stopped at Google ([`watch::stop_once`](crate::watch::stop_once)); then the grant
//! is revoked, unless somebody else is connected to the same account, since that would end their grant too; then the row
//! goes, and with it all that was mirrored.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::crash_point;
use common::ids::{ConnectionId, UserId};
use common::worker::Pass;
use google::{Grant, UserInfo, scopes};
use sqlx::PgConnection;
use store::connections::{Connected, Connection, Leaving, NewGrant, State};
use store::sync_state::Kind;
use store::{connections, sync_state, watches};

use crate::Context;
use crate::payload::{Change, ConnectionState};
use crate::tell::tell;
use crate::tokens::CallError;

/// Channels that could not be stopped within this time do not keep a disconnected account's data any longer.
const STOP_PATIENCE: TimeDelta = TimeDelta::seconds(45);
const PURGE_BATCH: i64 = 10;

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

/// Begins to disconnect one of a user's accounts, or all. Says which; none is no error.
pub async fn disconnect(
    ctx: &Context,
    user: &UserId,
    id: Option<ConnectionId>,
) -> sqlx::Result<Vec<ConnectionId>> {
    let now = ctx.clock.now();
    let mut tx = ctx.pool.begin().await?;
    let leaving = connections::disconnect(&mut tx, now, user, id).await?;
    watches::replace_of_connections(&mut tx, &leaving).await?;
    for &id in &leaving {
        tell_state(&mut tx, now, user, id, ConnectionState::Disconnected).await?;
    }
    crash_point!("leave.before_commit");
    tx.commit().await?;
    Ok(leaving)
}

/// Revokes and deletes what has been disconnected and whose channels are stopped. Safe to run anywhere at once.
pub async fn purge_once(ctx: &Context) -> Result<Pass, CallError> {
    let patience = ctx.clock.now() - STOP_PATIENCE;
    let leaving = {
        let mut conn = ctx.pool.acquire().await?;
        connections::disconnected(&mut conn, patience, PURGE_BATCH).await?
    };
    if leaving.is_empty() {
        return Ok(Pass::Idle);
    }
    for connection in &leaving {
        revoke(ctx, connection).await?;
        crash_point!("leave.revoked");
        let mut tx = ctx.pool.begin().await?;
        connections::purge(&mut tx, connection.id).await?;
        // A page that read everything anew when the user left has still seen what goes only now.
        tell(
            &mut tx,
            ctx.clock.now(),
            &connection.user_id,
            Change::CalendarsChanged {},
        )
        .await?;
        tx.commit().await?;
        tracing::info!(connection.id = %connection.id, "Deleted a disconnected account and its data");
    }
    Ok(Pass::Worked)
}

/// Revokes the grant if nobody else lives on it. A failure does not keep the data: the user has asked for its end.
async fn revoke(ctx: &Context, leaving: &Leaving) -> sqlx::Result<()> {
    if !leaving.last_of_account {
        return Ok(());
    }
    let token = {
        let mut conn = ctx.pool.acquire().await?;
        connections::refresh_token(&mut conn, &ctx.keyring, leaving.id).await?
    };
    let Some(Ok(token)) = token else {
        return Ok(());
    };
    let mut attempt = 0;
    while let Err(error) = ctx.google.revoke(&token).await {
        attempt += 1;
        if attempt == REVOKE_ATTEMPTS {
            tracing::warn!(connection.id = %leaving.id, %error, "Could not revoke the grant of a disconnected account");
            break;
        }
        tokio::time::sleep(REVOKE_PAUSE).await;
    }
    Ok(())
}

const REVOKE_ATTEMPTS: u32 = 3;
const REVOKE_PAUSE: Duration = Duration::from_secs(1);

async fn tell_state(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    connection_id: ConnectionId,
    state: ConnectionState,
) -> sqlx::Result<()> {
    tell(
        conn,
        now,
        user,
        Change::ConnectionChanged { connection_id, state },
    )
    .await?;
    Ok(())
}
