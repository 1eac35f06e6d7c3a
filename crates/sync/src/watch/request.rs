//! Requesting one push channel from Google.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use common::backoff::{Backoff, jittered};
use common::crash_point;
use common::lease::Lease;
use event_model::wire::Change;
use google::{Channel, Error, NewChannel};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use store::sync_state::{Cause, Kind};
use store::watches::{self, Begun, Granted, NewWatch, Wanted};
use store::{calendars, connections, sync_state};
use uuid::Uuid;

use crate::calls::{CallError, Purpose, call};
use crate::{Context, metrics, outbox};

/// The lease on a pending channel, in multiples of the usual lease: a renewer refreshes a token and makes a call, and
/// cannot extend its lease in between.
const LEASE_FACTOR: u32 = 2;
/// A channel is renewed after 75 to 80 % of its granted life, at random so that renewals spread.
const RENEW_AT: std::ops::RangeInclusive<f64> = 0.75..=0.80;
pub const RETRY: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_hours(1));
/// For errors that only a person can fix.
const RETRY_REFUSED: Duration = Duration::from_mins(30);

/// Creates one channel. False: another worker creates it, or the request failed and will be retried.
pub async fn create(ctx: &Context, wanted: &Wanted, address: &str) -> Result<bool, CallError> {
    let now = ctx.clock.now();
    let channel_id = Uuid::new_v4().to_string();
    let token = new_token();
    let new = NewWatch {
        channel_id: &channel_id,
        token_sha256: &Sha256::digest(token.expose_secret().as_bytes()),
        address,
    };
    let mut tx = ctx.pool.begin().await?;
    let begun = watches::begin(&mut tx, now, wanted, &new, LEASE_FACTOR * ctx.settings.lease).await?;
    if begun == Begun::Adopted {
        sync_state::mark_dirty(&mut tx, now, &[wanted.resource_id], Cause::Watch).await?;
    }
    tx.commit().await?;
    let lease = match begun {
        Begun::Create(lease) => lease,
        Begun::Adopted => return Ok(true),
        Begun::Taken => return Ok(false),
    };
    crash_point!("watch.begun");
    let answer = request(ctx, wanted, &channel_id, &token, address).await;
    crash_point!("watch.after_google");
    match answer {
        Ok(channel) => settle(ctx, wanted, &lease, now, &channel).await,
        Err(error) => {
            record_failure(ctx, wanted, &lease, error).await?;
            Ok(false)
        }
    }
}

async fn request(
    ctx: &Context,
    wanted: &Wanted,
    channel_id: &str,
    token: &SecretString,
    address: &str,
) -> Result<Channel, CallError> {
    let ttl = ctx.settings.watch_ttl;
    call(ctx, wanted.connection_id, Purpose::Watch, |access| async move {
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

async fn settle(
    ctx: &Context,
    wanted: &Wanted,
    lease: &Lease<String>,
    requested_at: DateTime<Utc>,
    channel: &Channel,
) -> Result<bool, CallError> {
    let expires_at = channel
        .expires_at
        .unwrap_or(requested_at + ctx.settings.watch_ttl);
    let granted = Granted {
        google_resource_id: &channel.resource_id,
        expires_at,
        renew_at: renew_at(requested_at, expires_at),
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
            "Push channel is live"
        );
    }
    Ok(live)
}

async fn record_failure(
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
        CallError::Google(Error::PushNotSupported) => return mark_unwatchable(ctx, wanted, lease).await,
        // The database may be down for the next statement too. The lease then expires and another worker takes over.
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
            | Error::CalendarOff
            | Error::Forbidden { .. }
            | Error::NotFound
            | Error::ClientMisconfigured { .. },
        ) => jittered(RETRY_REFUSED),
        _ => RETRY.delay(lease.attempts),
    };
    tracing::warn!(
        resource.id = %wanted.resource_id, attempts = lease.attempts, retry_in_s = wait.as_secs(), %error,
        "Could not create a push channel; the resource is polled until it succeeds"
    );
    let mut conn = ctx.pool.acquire().await?;
    watches::defer(&mut conn, lease, ctx.clock.now() + wait).await?;
    Ok(())
}

/// Records that Google cannot watch this resource: it is polled from now on, which changes the mode that the user sees.
async fn mark_unwatchable(ctx: &Context, wanted: &Wanted, lease: &Lease<String>) -> Result<(), CallError> {
    let now = ctx.clock.now();
    let mut tx = ctx.pool.begin().await?;
    if !connections::is_active(&mut tx, wanted.connection_id).await? {
        // Disconnected: no message. If the account is connected again, the next request finds it out.
        watches::cancel(&mut tx, lease).await?;
    } else if wanted.kind == Kind::Events {
        // Lock order: the calendar before its channel, as `watches::begin`.
        let calendar = Uuid::from(wanted.resource_id).into();
        let has_changed = calendars::set_push_unsupported(&mut tx, now, calendar).await?;
        watches::cancel(&mut tx, lease).await?;
        if has_changed {
            outbox::append(&mut tx, now, &wanted.user_id, Change::CalendarsChanged {}).await?;
        }
    } else {
        // Never seen for a calendar list, and there is no column to store it.
        watches::defer(&mut tx, lease, now + TimeDelta::days(1)).await?;
    }
    tx.commit().await?;
    tracing::info!(resource.id = %wanted.resource_id, "Google does not support push for this resource; it is polled");
    Ok(())
}

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
    fn channel_is_renewed_before_its_last_fifth() {
        let from = DateTime::UNIX_EPOCH;
        for _ in 0..1_000 {
            let at = renew_at(from, from + TimeDelta::days(7)) - from;
            assert!(
                at >= TimeDelta::days(7) * 3 / 4 && at <= TimeDelta::days(7) * 4 / 5,
                "{at}"
            );
        }
        // Expired already: due at once, without a panic.
        assert_eq!(renew_at(from, from - TimeDelta::days(1)), from);
    }
}
