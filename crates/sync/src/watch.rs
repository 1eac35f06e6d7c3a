//! The life of a push channel: made, renewed with overlap, adopted after a crash, replaced when deaf, stopped.
//!
//! Google has no renewal and no list of channels, so a channel that is not on record cannot be stopped, and its pushes
//! cannot be told from forged ones. Therefore its row is committed before Google is asked. There is one pending row per
//! resource at most, which makes one channel of many renewers; a renewer that does not come back is taken over, and if
//! the first push has shown meanwhile that Google had made the channel, it is simply kept.
//!
//! The old channel stays until the new one lives. In the commit that replaces it the resource becomes due, because a
//! change that fell between the two may have been told by neither.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use common::backoff::Backoff;
use common::ids::ConnectionId;
use common::lease::Lease;
use common::worker::Pass;
use common::{crash_point, idle_point};
use event_model::wire::Change;
use futures_util::future::join_all;
use google::{Channel, Error, NewChannel};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use store::sync_state::{Cause, Kind};
use store::watches::{self, Begun, Granted, Healthy, NewWatch, ToStop, Wanted};
use store::{calendars, connections, sync_state};
use uuid::Uuid;

use crate::outbox;
use crate::tokens::{CallError, Work, call};
use crate::{Context, metrics};

/// How many channels are made at a time. With [`PAUSE`], ten thousand that are due at once take a renewer half an hour
/// and less than a twentieth of the project's quota.
const BATCH: i64 = 8;
/// The least time that a batch takes.
const PAUSE: Duration = Duration::from_secs(1);
/// How many leases' time a renewer may take to make a channel before another takes over. It refreshes a token and makes
/// a call, and has no sign of life to give in between.
const MAKE_LEASES: u32 = 2;
const STOP_LEASE: Duration = Duration::from_mins(2);
const STOP_BATCH: i64 = 16;
/// After so many tries a channel is left to its expiry.
const STOP_ATTEMPTS_MAX: u32 = 8;
/// Renewed when between 75 and 80 % of the granted life have passed: never later, and not all at once.
const RENEW_AT: std::ops::RangeInclusive<f64> = 0.75..=0.80;
const RETRY: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_hours(1));
/// What only a person can mend is tried again now and then.
const RETRY_REFUSED: Duration = Duration::from_mins(30);

/// Makes channels where they are missing, ending, deaf, or pushing to an old address. Idle when there is no public URL,
/// apart from asking for channels from before to be stopped.
pub async fn run_once(ctx: &Context) -> Result<Pass, CallError> {
    let Some(address) = ctx.settings.webhook_address() else {
        let mut conn = ctx.pool.acquire().await?;
        let replaced = watches::replace_all(&mut conn).await?;
        return Ok(if replaced > 0 { Pass::Worked } else { Pass::Idle });
    };
    let now = ctx.clock.now();
    let healthy = Healthy {
        now,
        address: address.as_str(),
        heard_since: now - ctx.settings.watch_silence_max,
        change_seen_before: now - ctx.settings.push_late,
    };
    let wanted = {
        let mut conn = ctx.pool.acquire().await?;
        watches::wanted(&mut conn, healthy, BATCH).await?
    };
    if wanted.is_empty() {
        return Ok(Pass::Idle);
    }
    let pause = tokio::time::sleep(PAUSE);
    let mut made = 0;
    for outcome in join_all(wanted.iter().map(|wanted| make(ctx, wanted, address.as_str()))).await {
        made += usize::from(outcome?);
    }
    if made == 0 {
        // Others are at it, or all failed and wait; either way there is nothing to hurry for.
        return Ok(Pass::Idle);
    }
    idle_point!();
    pause.await;
    Ok(Pass::Worked)
}

/// Makes the channel of one resource now, for somebody who waits for it. False: there is none, as with [`run_once`]'s; or
/// there is no public URL.
pub async fn open(ctx: &Context, wanted: &Wanted) -> Result<bool, CallError> {
    match ctx.settings.webhook_address() {
        Some(address) => make(ctx, wanted, address.as_str()).await,
        None => Ok(false),
    }
}

/// Makes one channel. False: there is none, because somebody else makes it, or because it failed and will be tried again.
async fn make(ctx: &Context, wanted: &Wanted, address: &str) -> Result<bool, CallError> {
    let now = ctx.clock.now();
    let channel_id = Uuid::new_v4().to_string();
    let token = new_token();
    let new = NewWatch {
        channel_id: &channel_id,
        token_sha256: &Sha256::digest(token.expose_secret().as_bytes()),
        address,
    };
    let mut tx = ctx.pool.begin().await?;
    let begun = watches::begin(&mut tx, now, wanted, &new, MAKE_LEASES * ctx.settings.lease).await?;
    if begun == Begun::Adopted {
        sync_state::mark_dirty(&mut tx, now, &[wanted.resource_id], Cause::Watch).await?;
    }
    tx.commit().await?;
    let lease = match begun {
        Begun::Make(lease) => lease,
        Begun::Adopted => return Ok(true),
        Begun::Taken => return Ok(false),
    };
    crash_point!("watch.begun");
    let answer = ask(ctx, wanted, &channel_id, &token, address).await;
    crash_point!("watch.after_google");
    match answer {
        Ok(channel) => granted(ctx, wanted, &lease, now, &channel).await,
        Err(error) => {
            failed(ctx, wanted, &lease, error).await?;
            Ok(false)
        }
    }
}

async fn ask(
    ctx: &Context,
    wanted: &Wanted,
    channel_id: &str,
    token: &SecretString,
    address: &str,
) -> Result<Channel, CallError> {
    let ttl = ctx.settings.watch_ttl;
    call(ctx, wanted.connection_id, Work::Sync, |access| async move {
        let channel = NewChannel {
            id: channel_id,
            token,
            address,
            ttl,
        };
        match &wanted.google_calendar_id {
            Some(calendar) => ctx.google.watch_events(&access, calendar, &channel).await,
            None => ctx.google.watch_calendar_list(&access, &channel).await,
        }
    })
    .await
}

async fn granted(
    ctx: &Context,
    wanted: &Wanted,
    lease: &Lease<String>,
    asked_at: DateTime<Utc>,
    channel: &Channel,
) -> Result<bool, CallError> {
    let expires_at = channel.expires_at.unwrap_or(asked_at + ctx.settings.watch_ttl);
    let granted = Granted {
        google_resource_id: &channel.resource_id,
        expires_at,
        renew_at: renew_at(asked_at, expires_at),
    };
    let mut tx = ctx.pool.begin().await?;
    let live = watches::settle(&mut tx, lease, wanted.resource_id, &granted).await?;
    if live {
        sync_state::mark_dirty(&mut tx, ctx.clock.now(), &[wanted.resource_id], Cause::Watch).await?;
    }
    crash_point!("watch.before_commit");
    tx.commit().await?;
    crash_point!("watch.live");
    metrics::watch_requested(if live { "made" } else { "overtaken" });
    if live {
        tracing::info!(
            resource.id = %wanted.resource_id, watch.channel_id = lease.key, watch.expires_at = %expires_at,
            "Google pushes changes of a resource now"
        );
    }
    Ok(live)
}

async fn failed(
    ctx: &Context,
    wanted: &Wanted,
    lease: &Lease<String>,
    error: CallError,
) -> Result<(), CallError> {
    metrics::watch_requested(match &error {
        CallError::Google(Error::PushNotSupported) => "not_supported",
        CallError::Google(Error::RateLimited { .. }) | CallError::OverBudget { .. } => "rate_limited",
        CallError::Google(Error::Transient { .. } | Error::OutcomeUnknown { .. }) => "transient",
        _ => "refused",
    });
    let wait = match &error {
        CallError::Google(Error::PushNotSupported) => return unwatchable(ctx, wanted, lease).await,
        // The database may be away for the next statement too; then the lease runs out and somebody takes over.
        CallError::Database(_) => return Err(error),
        CallError::GrantEnded | CallError::Disconnected => {
            let mut conn = ctx.pool.acquire().await?;
            watches::cancel(&mut conn, lease).await?;
            return Ok(());
        }
        CallError::OverBudget { retry_after } | CallError::GrantSuspect { retry_after } => *retry_after,
        CallError::Google(Error::RateLimited {
            retry_after: Some(wait),
            ..
        }) => RETRY.delay(lease.attempts).max(*wait),
        CallError::Google(
            Error::Refused { .. }
            | Error::ScopeMissing
            | Error::Forbidden { .. }
            | Error::NotFound
            | Error::ClientMisconfigured { .. },
        ) => common::backoff::jittered(RETRY_REFUSED),
        _ => RETRY.delay(lease.attempts),
    };
    tracing::warn!(
        resource.id = %wanted.resource_id, attempts = lease.attempts, retry_in_s = wait.as_secs(), %error,
        "Could not open a push channel; the resource is polled meanwhile"
    );
    let mut conn = ctx.pool.acquire().await?;
    watches::defer(&mut conn, lease, ctx.clock.now() + wait).await?;
    Ok(())
}

/// Google cannot watch this resource, for good: it is polled, and healthy. What people see of it changes its mode.
async fn unwatchable(ctx: &Context, wanted: &Wanted, lease: &Lease<String>) -> Result<(), CallError> {
    let now = ctx.clock.now();
    let mut tx = ctx.pool.begin().await?;
    if !connections::lives(&mut tx, wanted.connection_id).await? {
        // There is nobody to tell, and who connects the account again learns it then.
        watches::cancel(&mut tx, lease).await?;
    } else if wanted.kind == Kind::Events {
        // The calendar before its channel, as whoever begins one.
        let calendar = Uuid::from(wanted.resource_id).into();
        let is_news = calendars::set_push_unsupported(&mut tx, now, calendar).await?;
        watches::cancel(&mut tx, lease).await?;
        if is_news {
            outbox::append(&mut tx, now, &wanted.user_id, Change::CalendarsChanged {}).await?;
        }
    } else {
        // Never seen for a calendar list, and there is no column to remember it in.
        watches::defer(&mut tx, lease, now + TimeDelta::days(1)).await?;
    }
    tx.commit().await?;
    tracing::info!(resource.id = %wanted.resource_id, "Google cannot push changes of this resource; it is polled");
    Ok(())
}

/// Stops channels at Google that have been replaced or are not wanted any more.
pub async fn stop_once(ctx: &Context) -> Result<Pass, CallError> {
    stop_some(ctx, None).await
}

/// Stops the channels of one connection that are to be stopped and that nobody else is stopping.
pub(crate) async fn stop_of(ctx: &Context, connection: ConnectionId) -> Result<(), CallError> {
    while stop_some(ctx, Some(connection)).await? == Pass::Worked {}
    Ok(())
}

async fn stop_some(ctx: &Context, connection: Option<ConnectionId>) -> Result<Pass, CallError> {
    let to_stop = {
        let mut conn = ctx.pool.acquire().await?;
        watches::acquire_to_stop(&mut conn, ctx.clock.now(), connection, STOP_LEASE, STOP_BATCH).await?
    };
    if to_stop.is_empty() {
        return Ok(Pass::Idle);
    }
    for outcome in join_all(to_stop.iter().map(|watch| stop(ctx, watch))).await {
        outcome?;
    }
    Ok(Pass::Worked)
}

async fn stop(ctx: &Context, watch: &ToStop) -> Result<(), CallError> {
    let (channel, resource) = (&watch.lease.key, &watch.google_resource_id);
    let stopped = call(ctx, watch.connection_id, Work::TidyUp, |access| async move {
        ctx.google.stop_channel(&access, channel, resource).await
    })
    .await;
    crash_point!("watch.stopped_at_google");
    let again_in = match stopped {
        // Stopped, now or before; or nobody can stop it any more.
        Ok(())
        | Err(
            CallError::Google(Error::NotFound)
            | CallError::GrantEnded
            | CallError::Disconnected
            | CallError::Sealed(_),
        ) => None,
        Err(error @ CallError::Database(_)) => return Err(error),
        Err(CallError::OverBudget { retry_after } | CallError::GrantSuspect { retry_after }) => {
            Some(retry_after)
        }
        Err(error) if watch.lease.attempts >= STOP_ATTEMPTS_MAX => {
            tracing::warn!(watch.channel_id = channel, %error, "Could not stop a push channel; Google will end it");
            None
        }
        Err(_) => Some(RETRY.delay(watch.lease.attempts)),
    };
    let mut conn = ctx.pool.acquire().await?;
    let again_at = again_in.map(|wait| ctx.clock.now() + wait);
    watches::settle_stop(&mut conn, &watch.lease, again_at).await?;
    Ok(())
}

/// Between three and four fifths of the life that Google has granted.
fn renew_at(from: DateTime<Utc>, expires_at: DateTime<Utc>) -> DateTime<Utc> {
    let life = (expires_at - from).to_std().unwrap_or_default();
    from + life.mul_f64(rand::rng().random_range(RENEW_AT))
}

/// 256 random bits, 43 characters.
fn new_token() -> SecretString {
    let random: [u8; 32] = rand::rng().random();
    URL_SAFE_NO_PAD.encode(random).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_renewed_with_a_fifth_of_its_life_left_at_least() {
        let from = DateTime::UNIX_EPOCH;
        for _ in 0..1_000 {
            let at = renew_at(from, from + TimeDelta::days(7)) - from;
            assert!(
                at >= TimeDelta::days(7) * 3 / 4 && at <= TimeDelta::days(7) * 4 / 5,
                "{at}"
            );
        }
        // Already over: due at once, and nothing panics.
        assert_eq!(renew_at(from, from - TimeDelta::days(1)), from);
    }
}
