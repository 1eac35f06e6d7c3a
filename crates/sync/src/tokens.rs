//! Access tokens: single flight across tasks and processes, and the only place that may end a grant.
//!
//! A token that is good for a while is used as it is. Otherwise one task per connection asks Google: tasks of a process
//! queue on a mutex, processes on a lease in the connection's row, and whoever waited finds the new token there. No
//! transaction is open while Google is asked. The refresh token from before stays until its successor is stored, so a
//! process that dies in between has lost nothing.
//!
//! A failure says something about the grant only when it is `invalid_grant`, and even that can be a race: the verdict
//! is about the refresh token that was used, and only a second one, [`grant_confirm_delay`] later, ends the grant.
//!
//! [`grant_confirm_delay`]: crate::Settings::grant_confirm_delay

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use common::backoff::jittered;
use common::crash_point;
use common::ids::ConnectionId;
use common::telemetry::trace::SPANS;
use event_model::wire::{Change, ConnectionState};
use google::Error;
use secrecy::{ExposeSecret, SecretString};
use store::connections::{self, Refresh, Refreshed, Tokens, Verdict};
use store::seal::Unsealable;
use tracing::Instrument;

use crate::outbox;
use crate::quota::Units;
use crate::{Context, metrics, quota};

/// A token with less life left is refreshed before it is used; a quarter of its life for those that live shortly.
const LIFE_MIN: TimeDelta = TimeDelta::minutes(5);
/// Longer than Google may take to answer, so that a lease runs out only when its holder is gone.
const LEASE: Duration = Duration::from_secs(40);
/// How often a waiter looks whether another process has the new token.
const LOOK_AGAIN: Duration = Duration::from_millis(150);
/// How long a waiter looks, in looks: a little longer than a lease.
const LOOKS_MAX: u32 = 300;

/// Why there was no answer to a call.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Google's answer, after one forced refresh where it did not accept the access token.
    #[error(transparent)]
    Google(#[from] Error),
    #[error("the connection does not exist any more")]
    Disconnected,
    /// Confirmed: nothing will work until the user connects again.
    #[error("the grant has ended")]
    GrantEnded,
    /// Google has refused the refresh token once. Whether the grant has ended is decided after `retry_after`.
    #[error("the grant is in doubt")]
    GrantSuspect { retry_after: Duration },
    /// Our own budget is spent; Google was not asked.
    #[error("the budget of calls is spent")]
    OverBudget { retry_after: Duration },
    /// Another process is refreshing the token and does not come to an end.
    #[error("another process is refreshing the token")]
    Busy,
    /// The keys do not open the token. It is kept, and the user is not asked to connect again.
    #[error(transparent)]
    Sealed(#[from] Unsealable),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// On whose behalf Google is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A connection in use.
    Sync,
    /// Tidying up; the connection may be on its way out.
    TidyUp,
}

/// Calls Google for a connection: within the budget, with a good access token, and with one forced refresh and one more
/// try when Google does not accept it. A limit that Google names is remembered for everybody.
pub async fn call<T, F>(
    ctx: &Context,
    connection: ConnectionId,
    work: Work,
    call: impl Fn(SecretString) -> F,
) -> Result<T, CallError>
where
    F: Future<Output = Result<T, Error>>,
{
    call_for(ctx, connection, work, Units::CALL, call).await
}

/// As [`call()`], where a call costs another number of units.
pub async fn call_for<T, F>(
    ctx: &Context,
    connection: ConnectionId,
    work: Work,
    units: Units,
    call: impl Fn(SecretString) -> F,
) -> Result<T, CallError>
where
    F: Future<Output = Result<T, Error>>,
{
    let (mut access, google_sub) = access_token(ctx, connection, work, None).await?;
    let mut forced = false;
    loop {
        quota::take(ctx, &google_sub, units).await?;
        match measured(call(access.clone())).await {
            Err(Error::Unauthorized) if !forced => {
                forced = true;
                access = access_token(ctx, connection, work, Some(&access)).await?.0;
            }
            Err(Error::RateLimited { limit, retry_after }) => {
                quota::note_limit(ctx, &google_sub, limit, retry_after).await?;
                return Err(Error::RateLimited { limit, retry_after }.into());
            }
            answer => return Ok(answer?),
        }
    }
}

async fn measured<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let started = Instant::now();
    let answer = call
        .instrument(tracing::trace_span!(target: SPANS, "google"))
        .await;
    metrics::called(&answer, started.elapsed());
    answer
}

/// A good access token and the account it is for. `rejected` is one that Google did not accept, however good it looks.
async fn access_token(
    ctx: &Context,
    connection: ConnectionId,
    work: Work,
    rejected: Option<&SecretString>,
) -> Result<(SecretString, String), CallError> {
    if let Some(ready) = stored(ctx, connection, work, rejected).await? {
        return Ok(ready);
    }
    let flight = ctx.refreshing.of(connection);
    let _alone = flight.lock().await;
    for _ in 0..LOOKS_MAX {
        if let Some(ready) = stored(ctx, connection, work, rejected).await? {
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
            tokio::time::sleep(jittered(LOOK_AGAIN)).await;
            continue;
        };
        crash_point!("token.leased");
        // Between the look and the lease another process may have finished; under the lease nobody can.
        let ready = match stored(ctx, connection, work, rejected).await {
            Ok(None) => refreshed(ctx, refresh).await?,
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

/// The stored token, if it is good; why there cannot be one, if there cannot; otherwise None: refresh.
async fn stored(
    ctx: &Context,
    connection: ConnectionId,
    work: Work,
    rejected: Option<&SecretString>,
) -> Result<Option<(SecretString, String)>, CallError> {
    let tokens = {
        let mut conn = ctx.pool.acquire().await?;
        connections::tokens(&mut conn, &ctx.keyring, connection).await?
    };
    let tokens = tokens.ok_or(CallError::Disconnected)?;
    if tokens.disconnected_at.is_some() && work == Work::Sync {
        return Err(CallError::Disconnected);
    }
    if tokens.grant_ended_at.is_some() {
        return Err(CallError::GrantEnded);
    }
    let now = ctx.clock.now();
    if let Some(good) = good_access(&tokens, now, rejected)? {
        return Ok(Some((good, tokens.google_sub)));
    }
    // Asking again sooner could not confirm anything.
    let delay = ctx.settings.grant_confirm_delay;
    match tokens.suspect_for.map(|age| delay.saturating_sub(age)) {
        Some(retry_after) if !retry_after.is_zero() => Err(CallError::GrantSuspect { retry_after }),
        _ => Ok(None),
    }
}

fn good_access(
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

/// Asks Google for a token. None: look again, because the row has changed meanwhile.
async fn refreshed(ctx: &Context, refresh: Refresh) -> Result<Option<(SecretString, String)>, CallError> {
    let secret = match &refresh.refresh_token {
        Ok(secret) => secret,
        Err(unsealable) => {
            let unsealable = *unsealable;
            metrics::refreshed("unreadable");
            release(ctx, &refresh).await?;
            return Err(unsealable.into());
        }
    };
    let answer = ctx.google.refresh(secret).await;
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
            rejected(ctx, &refresh).await?;
            Ok(None)
        }
        Err(error) => {
            metrics::refreshed("failed");
            release(ctx, &refresh).await?;
            Err(error.into())
        }
    }
}

/// Takes down an `invalid_grant`; the state and its message commit together. Of an account on its way out there is nothing
/// to tell: its user knows, and may have been forgotten.
async fn rejected(ctx: &Context, refresh: &Refresh) -> Result<(), CallError> {
    let now = ctx.clock.now();
    let connection = refresh.lease.key;
    let mut tx = ctx.pool.begin().await?;
    let verdict = connections::reject_grant(&mut tx, now, refresh, ctx.settings.grant_confirm_delay).await?;
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
            tracing::info!(connection.id = %connection, "Google had ended the grant of an account that leaves");
        }
        Verdict::Ended {
            is_disconnecting: false,
        } => {
            metrics::grant_ended();
            tracing::warn!(connection.id = %connection, "Google has ended a grant; the user must connect again");
        }
        Verdict::Suspect { .. } => {
            tracing::info!(connection.id = %connection, "Google refused a refresh token once; it will be asked again");
        }
        Verdict::Outdated => {}
    }
    Ok(())
}

async fn release(ctx: &Context, refresh: &Refresh) -> sqlx::Result<()> {
    let mut conn = ctx.pool.acquire().await?;
    connections::release_refresh(&mut conn, refresh).await
}

/// The connections whose token is being refreshed in this process.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashMap<ConnectionId, Weak<tokio::sync::Mutex<()>>>>);

/// Entries that nobody holds are cleared once there are so many.
const IN_FLIGHT_MAX: usize = 1_024;

impl InFlight {
    fn of(&self, connection: ConnectionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&connection).and_then(Weak::upgrade) {
            return flight;
        }
        if flights.len() >= IN_FLIGHT_MAX {
            flights.retain(|_, flight| flight.strong_count() > 0);
        }
        let flight = Arc::default();
        flights.insert(connection, Arc::downgrade(&flight));
        flight
    }
}
