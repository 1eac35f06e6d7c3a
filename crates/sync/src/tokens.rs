//! Access tokens. Refreshes are single-flight across tasks and processes, and only this module may end a grant.
//!
//! A stored token is used while it has enough life left. Otherwise one task per connection refreshes it: tasks of a
//! process queue on a mutex, processes on a lease in the connection's row, and those that waited find the new token
//! there. No transaction is open during the call to Google. The old refresh token is kept until the new one is stored,
//! so a process that dies in between loses nothing.
//!
//! Only `invalid_grant` and the refusals of a policy are evidence about the grant, and even `invalid_grant` can be a race:
//! the error is about the refresh token that was used. The grant ends only when the same token is refused a second time
//! in the same way, [`grant_confirm_delay`] later. After a policy's refusal the tokens are kept: a policy changes, and
//! [`recheck_refused_once`] tries them again. Any other error of the token endpoint is [`CallError::Token`], so that it
//! is never taken for an error of a calendar.
//!
//! [`grant_confirm_delay`]: crate::Settings::grant_confirm_delay

use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::backoff::jittered;
use common::crash_point;
use common::ids::ConnectionId;
use common::lease;
use common::worker::Pass;
use event_model::wire::{Change, ConnectionState};
use google::Error;
use secrecy::{ExposeSecret, SecretString};
use store::connections::{self, Refresh, Refreshed, Tokens, Verdict};
use store::seal::Unsealable;
use store::sync_state;

use crate::call_error::CallError;
use crate::{Context, metrics, outbox};

/// A token with less life left than this is refreshed before use. For short-lived tokens, a quarter of their life.
const LIFE_MIN: TimeDelta = TimeDelta::minutes(5);
/// Extended while Google is called. When its holder has died, the account's pulls and writes wait for its end.
const LEASE: Duration = Duration::from_secs(9);
/// How often a grant that a policy has ended is tried again. Administrators change policies in hours, not minutes.
const RECHECK_EVERY: Duration = Duration::from_hours(6);
/// How often a waiting task checks whether another process has stored a new token.
const CHECK_EVERY: Duration = Duration::from_millis(150);
/// After how many checks a waiting task gives up: longer than the timeout of a call to Google after a lease.
const CHECKS_MAX: u32 = 300;

/// The purpose of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Not allowed once the account is disconnected.
    Sync,
    /// As `Sync`, for a call that changes an event. A limit that it meets does not slow reads.
    Write,
    /// As `Sync`, for a call that creates a push channel. A limit that it meets does not slow reads.
    Watch,
    /// As `Watch`, for a call that stops one. Also allowed while an account is being disconnected.
    Cleanup,
}

/// A valid access token and the `sub` of its Google account. `rejected`: a token that Google has just refused.
pub(crate) async fn access_token(
    ctx: &Context,
    connection: ConnectionId,
    purpose: Purpose,
    rejected: Option<&SecretString>,
) -> Result<(SecretString, String), CallError> {
    if let Some(ready) = stored(ctx, connection, purpose, rejected).await? {
        return Ok(ready);
    }
    let flight = ctx.refreshing.of(connection);
    let _alone = flight.lock().await;
    for _ in 0..CHECKS_MAX {
        if let Some(ready) = stored(ctx, connection, purpose, rejected).await? {
            return Ok(ready);
        }
        let refresh = {
            let mut conn = ctx.pool.acquire().await?;
            connections::acquire_refresh(&mut conn, &ctx.keyring, connection, LEASE).await?
        };
        let Some(refresh) = refresh else {
            if common::clock_frozen!() {
                return Err(CallError::Busy);
            }
            tokio::time::sleep(jittered(CHECK_EVERY)).await;
            continue;
        };
        crash_point!("token.leased");
        // Another process may have finished between the check and the lease.
        let ready = match stored(ctx, connection, purpose, rejected).await {
            Ok(None) => refresh_token(ctx, refresh).await?,
            settled => {
                release(ctx, &refresh).await?;
                settled?
            }
        };
        if let Some(ready) = ready {
            return Ok(ready);
        }
    }
    Err(CallError::Busy)
}

/// The stored token. None: it must be refreshed. An error: refreshing it cannot help now.
async fn stored(
    ctx: &Context,
    connection: ConnectionId,
    purpose: Purpose,
    rejected: Option<&SecretString>,
) -> Result<Option<(SecretString, String)>, CallError> {
    let tokens = {
        let mut conn = ctx.pool.acquire().await?;
        connections::tokens(&mut conn, &ctx.keyring, connection).await?
    };
    let tokens = tokens.ok_or(CallError::Disconnected)?;
    if tokens.disconnected_at.is_some() && purpose != Purpose::Cleanup {
        return Err(CallError::Disconnected);
    }
    if tokens.grant_ended_at.is_some() {
        return Err(CallError::GrantEnded);
    }
    let now = ctx.clock.now();
    if let Some(access) = valid_access(&tokens, now, rejected)? {
        return Ok(Some((access, tokens.google_sub)));
    }
    // An earlier second attempt would not confirm that the grant has ended.
    let delay = ctx.settings.grant_confirm_delay;
    match tokens.suspect_for.map(|age| delay.saturating_sub(age)) {
        Some(retry_after) if !retry_after.is_zero() => Err(CallError::GrantSuspect { retry_after }),
        _ => Ok(None),
    }
}

fn valid_access(
    tokens: &Tokens,
    now: DateTime<Utc>,
    rejected: Option<&SecretString>,
) -> Result<Option<SecretString>, Unsealable> {
    let Some((access, expires_at)) = &tokens.access else {
        return Ok(None);
    };
    let life = *expires_at - tokens.updated_at;
    if *expires_at - now < LIFE_MIN.min(life / 4) {
        return Ok(None);
    }
    let access = access.clone()?;
    let is_rejected = rejected.is_some_and(|other| other.expose_secret() == access.expose_secret());
    Ok((!is_rejected).then_some(access))
}

/// Refreshes the token at Google. None: check the row again, because it has changed since.
async fn refresh_token(ctx: &Context, refresh: Refresh) -> Result<Option<(SecretString, String)>, CallError> {
    let secret = match &refresh.refresh_token {
        Ok(secret) => secret,
        Err(unsealable) => {
            let unsealable = *unsealable;
            metrics::refreshed("unreadable");
            release(ctx, &refresh).await?;
            return Err(unsealable.into());
        }
    };
    let answer = ctx.google.refresh(secret);
    let Ok(answer) = lease::hold(LEASE / 3, || extend(ctx, &refresh), answer).await;
    crash_point!("token.after_google");
    match answer {
        Ok(new) => {
            let now = ctx.clock.now();
            let refreshed = Refreshed {
                access_token: &new.secret,
                expires_at: now + new.expires_in,
                refresh_token: new.refresh_token.as_ref(),
                scopes: new.scopes.as_deref(),
            };
            let mut conn = ctx.pool.acquire().await?;
            let kept =
                connections::settle_refresh(&mut conn, now, &ctx.keyring, &refresh, &refreshed).await?;
            crash_point!("token.stored");
            metrics::refreshed(if kept { "ok" } else { "overtaken" });
            Ok(kept.then_some((new.secret, refresh.google_sub)))
        }
        Err(Error::GrantRejected) => {
            metrics::refreshed("rejected");
            record_rejection(ctx, &refresh, None).await?;
            Ok(None)
        }
        Err(Error::GrantRefused { reason }) => {
            metrics::refreshed("rejected");
            record_rejection(ctx, &refresh, Some(&reason)).await?;
            Ok(None)
        }
        Err(error) => {
            metrics::refreshed("failed");
            release(ctx, &refresh).await?;
            Err(CallError::Token(error))
        }
    }
}

/// Does not fail: another process that takes a lost lease refreshes the token, too, and the first to store one is kept.
async fn extend(ctx: &Context, refresh: &Refresh) -> Result<(), Infallible> {
    let extended = async {
        let mut conn = ctx.pool.acquire().await?;
        connections::extend_refresh(&mut conn, refresh, LEASE).await
    };
    if let Err(error) = extended.await {
        tracing::debug!(connection.id = %refresh.lease.key, %error, "Could not extend the lease of a token refresh");
    }
    Ok(())
}

/// Tries one grant again that a policy has ended. If Google accepts its token now, the account is pulled again.
pub async fn recheck_refused_once(ctx: &Context) -> Result<Pass, CallError> {
    let refresh = {
        let mut conn = ctx.pool.acquire().await?;
        connections::acquire_recheck(&mut conn, ctx.clock.now(), &ctx.keyring, LEASE, RECHECK_EVERY).await?
    };
    let Some(refresh) = refresh else {
        return Ok(Pass::Idle);
    };
    let (connection, user) = (refresh.lease.key, refresh.user_id.clone());
    match refresh_token(ctx, refresh).await {
        Ok(Some(_)) => {}
        Ok(None) => return Ok(Pass::Worked),
        Err(error @ CallError::Database(_)) => return Err(error),
        Err(error) => {
            tracing::warn!(connection.id = %connection, %error, "Could not try a refused grant again");
            return Ok(Pass::Worked);
        }
    }
    let now = ctx.clock.now();
    let mut tx = ctx.pool.begin().await?;
    if connections::revive_grant(&mut tx, now, connection).await? {
        let change = Change::ConnectionChanged {
            connection_id: connection,
            state: ConnectionState::Healthy,
        };
        // Lock order: the stream before rows of the queue, see `user_stream::next_seq`.
        outbox::append(&mut tx, now, &user, change).await?;
        sync_state::resume_connection(&mut tx, now, connection).await?;
        tracing::info!(connection.id = %connection, "Google accepts a grant again that a policy had ended");
    }
    tx.commit().await?;
    Ok(Pass::Worked)
}

/// Records a refusal of the grant: an `invalid_grant`, or a policy's with its `reason`. The state and its message commit
/// together. For an account that is being disconnected no message is sent: the user has requested it, and may have been
/// deleted already.
async fn record_rejection(ctx: &Context, refresh: &Refresh, reason: Option<&str>) -> Result<(), CallError> {
    let now = ctx.clock.now();
    let connection = refresh.lease.key;
    let mut tx = ctx.pool.begin().await?;
    let verdict =
        connections::reject_grant(&mut tx, now, refresh, reason, ctx.settings.grant_confirm_delay).await?;
    if matches!(verdict, Verdict::Ended { .. }) {
        store::watches::write_off_of_connection(&mut tx, connection).await?;
    }
    if verdict
        == (Verdict::Ended {
            is_disconnecting: false,
        })
    {
        let change = Change::ConnectionChanged {
            connection_id: connection,
            state: ConnectionState::ReauthRequired,
        };
        outbox::append(&mut tx, now, &refresh.user_id, change).await?;
    }
    crash_point!("token.before_verdict");
    tx.commit().await?;
    match verdict {
        Verdict::Ended {
            is_disconnecting: true,
        } => {
            tracing::info!(connection.id = %connection, "Grant already revoked; account is being disconnected");
        }
        Verdict::Ended {
            is_disconnecting: false,
        } => {
            metrics::grant_ended();
            tracing::warn!(connection.id = %connection, reason, "Grant ended by Google; the user must connect again");
        }
        Verdict::Suspect { .. } => {
            tracing::info!(connection.id = %connection, "Google refused a refresh token once; will try again");
        }
        Verdict::EndedBefore | Verdict::Outdated => {}
    }
    Ok(())
}

async fn release(ctx: &Context, refresh: &Refresh) -> sqlx::Result<()> {
    let mut conn = ctx.pool.acquire().await?;
    connections::release_refresh(&mut conn, refresh).await
}
