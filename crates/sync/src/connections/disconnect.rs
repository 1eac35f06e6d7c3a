//! Disconnecting an account.
//!
//! The user's request is committed first: from then on nothing of the account is read or shown, and the user's other
//! pages are notified. The rest happens in repeatable steps:
//!
//! 1. Delete the mirror and its dead letters. Pulls and writes that are running can no longer commit.
//! 2. Stop the channels at Google, while the grant still exists. [`STOP_PATIENCE`] bounds this step.
//! 3. Revoke the grant, unless another connection uses the same Google account, the grant has scopes of another
//!    application of the same Google project, or the installation never revokes: revoking ends all grants of the
//!    project for this account.
//! 4. Delete the row and with it the tokens. If Google has not confirmed the revocation, the row is kept for
//!    [`REVOKE_PATIENCE`].
//!
//! The request itself takes the steps at once, with a lease on the connection, so that it can report what was done.
//! [`disconnect_once`] finishes the rest, also after a crash.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::crash_point;
use common::ids::{ConnectionId, UserId};
use common::worker::Pass;
use event_model::wire::ConnectionState;
use futures_util::future::join_all;
use google::scopes;
use store::connections::{self, Disconnecting, Mirrored, RefreshToken};
use store::dead_letters;
use store::watches::{self, Stopping};
use tokio::time::Instant;

use super::receipt::{Channels, Forgotten, GrantEnd, Receipt};
use super::state::append_state;
use crate::{Context, watch};

/// After a crash, another worker takes over when this has expired.
const LEASE: Duration = Duration::from_secs(15);
/// How long a request to disconnect waits for the channels, and concurrently for the data.
pub const AT_ONCE: Duration = Duration::from_secs(5);
const REVOKE_TIMEOUT: Duration = Duration::from_secs(5);
/// After this time the grant is revoked even if some channels could not be stopped.
const STOP_PATIENCE: TimeDelta = TimeDelta::seconds(30);
/// The mirror is deleted within this time even after a crash: a lease, a renewer's pass, and the deletion.
const DELETED_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// After this time the revocation is given up.
const REVOKE_PATIENCE: TimeDelta = TimeDelta::days(1);
/// A revocation is retried after a third of the time since the request, within these bounds.
const REVOKE_RETRY: (TimeDelta, TimeDelta) = (TimeDelta::seconds(5), TimeDelta::hours(1));
const CHECK_EVERY: Duration = Duration::from_millis(50);
const BATCH: i64 = 10;
/// Rows of each table deleted per transaction.
const PURGE_BATCH: i64 = 5_000;

/// Disconnects one or all of a user's accounts, and reports what was done within about `wait`. Having none is no error.
pub async fn disconnect(
    ctx: &Context,
    user: &UserId,
    id: Option<ConnectionId>,
    wait: Duration,
) -> sqlx::Result<Vec<Receipt>> {
    let begun = begin(ctx, user, id).await?;
    // Spawned, so that it finishes even if the caller is cancelled.
    let finished = join_all(begun.into_iter().map(|disconnecting| {
        let ctx = ctx.clone();
        tokio::spawn(async move { at_once(&ctx, disconnecting, wait).await })
    }));
    Ok(finished.await.into_iter().filter_map(Result::ok).collect())
}

/// An account that the user has just disconnected, with what was mirrored of it.
struct Requested {
    disconnecting: Disconnecting,
    mirrored: Mirrored,
    channels: i64,
}

async fn begin(ctx: &Context, user: &UserId, id: Option<ConnectionId>) -> sqlx::Result<Vec<Requested>> {
    let now = ctx.clock.now();
    let mut tx = ctx.pool.begin().await?;
    let all = connections::disconnect(&mut tx, now, user, id, LEASE).await?;
    let ids: Vec<_> = all.iter().map(|disconnecting| disconnecting.lease.key).collect();
    let ours = ctx
        .settings
        .revoke_on_disconnect
        .then_some(scopes::OURS.as_slice());
    connections::keep_grants(&mut tx, &ids, ours).await?;
    watches::replace_of_connections(&mut tx, &ids).await?;
    let mut begun = Vec::new();
    for disconnecting in all {
        let id = disconnecting.lease.key;
        begun.push(Requested {
            mirrored: connections::mirrored(&mut tx, id).await?,
            channels: watches::stopping(&mut tx, now, id).await?.left,
            disconnecting,
        });
        append_state(&mut tx, now, user, id, ConnectionState::Disconnected).await?;
    }
    crash_point!("disconnect.before_commit");
    tx.commit().await?;
    Ok(begun)
}

/// Takes as many steps as possible now, and reports them.
async fn at_once(ctx: &Context, begun: Requested, wait: Duration) -> Receipt {
    let Requested {
        disconnecting,
        mirrored,
        channels,
    } = begun;
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let mut done = Steps::default();
    if let Err(error) = finish(ctx, &disconnecting, Some(wait), &mut done).await {
        tracing::warn!(
            connection.id = %disconnecting.lease.key, %error,
            "Could not finish disconnecting an account at once; a renewer will finish it"
        );
    }
    let left = done.channels_left.unwrap_or(channels);
    Receipt {
        connection_id: disconnecting.lease.key,
        channels: Channels {
            stopped: count(channels - left),
            left: count(left),
        },
        grant: done.grant.unwrap_or(GrantEnd::Pending),
        data: Forgotten {
            calendars: count(mirrored.calendars),
            events: count(mirrored.events),
            deleted: done.mirror_deleted,
            deleted_by: disconnecting.disconnected_at + DELETED_WITHIN,
        },
        email: disconnecting.email,
    }
}

/// Continues disconnecting accounts that no other worker holds. Safe to run in several processes.
pub async fn disconnect_once(ctx: &Context) -> sqlx::Result<Pass> {
    let disconnecting = {
        let mut conn = ctx.pool.acquire().await?;
        connections::acquire_disconnecting(&mut conn, ctx.clock.now(), LEASE, BATCH).await?
    };
    let mut pass = Pass::Idle;
    for outcome in join_all(disconnecting.iter().map(|disconnecting| async {
        let mut done = Steps::default();
        finish(ctx, disconnecting, None, &mut done).await.map(|()| done)
    }))
    .await
    {
        if outcome?.finished {
            pass = Pass::Worked;
        }
    }
    Ok(pass)
}

/// The steps done so far.
#[derive(Debug, Default)]
struct Steps {
    mirror_deleted: bool,
    channels_left: Option<i64>,
    grant: Option<GrantEnd>,
    /// The row is deleted.
    finished: bool,
}

/// Takes the remaining steps in order, the first two concurrently. `wait`: how long each of those may take; None:
/// without a limit for the data, and without waiting for the channels.
async fn finish(
    ctx: &Context,
    disconnecting: &Disconnecting,
    wait: Option<Duration>,
    done: &mut Steps,
) -> sqlx::Result<()> {
    let until = wait.map(|wait| Instant::now() + wait);
    let (deleted, stopping) = tokio::join!(
        delete_mirror(ctx, disconnecting, until),
        stop_channels(ctx, disconnecting, until)
    );
    done.mirror_deleted = deleted?;
    let stopping = stopping?;
    done.channels_left = Some(stopping.left);
    let now = ctx.clock.now();
    if stopping.left > 0 && now - disconnecting.disconnected_at < STOP_PATIENCE {
        return defer(ctx, disconnecting, now).await;
    }
    let grant = end_grant(ctx, disconnecting).await?;
    crash_point!("disconnect.revoked");
    done.grant = Some(grant);
    if !done.mirror_deleted {
        return defer(ctx, disconnecting, now).await;
    }
    let given_up = now - disconnecting.disconnected_at >= REVOKE_PATIENCE;
    if grant == GrantEnd::Pending && !given_up {
        return defer(
            ctx,
            disconnecting,
            now + revoke_again_in(now, disconnecting.disconnected_at),
        )
        .await;
    }
    let mut conn = ctx.pool.acquire().await?;
    done.finished = connections::purge(&mut conn, &disconnecting.lease).await?;
    tracing::info!(connection.id = %disconnecting.lease.key, ?grant, "Account disconnected");
    Ok(())
}

async fn defer(ctx: &Context, disconnecting: &Disconnecting, not_before: DateTime<Utc>) -> sqlx::Result<()> {
    let mut conn = ctx.pool.acquire().await?;
    connections::defer_disconnecting(&mut conn, &disconnecting.lease, not_before).await
}

fn revoke_again_in(now: DateTime<Utc>, since: DateTime<Utc>) -> TimeDelta {
    let (least, most) = REVOKE_RETRY;
    ((now - since) / 3).clamp(least, most)
}

/// Deletes the mirror. False: not all of it, because time ran out or another worker took over.
async fn delete_mirror(
    ctx: &Context,
    disconnecting: &Disconnecting,
    until: Option<Instant>,
) -> sqlx::Result<bool> {
    let mut conn = ctx.pool.acquire().await?;
    if !connections::strip(&mut conn, &disconnecting.lease).await? {
        return Ok(false);
    }
    dead_letters::purge_of_disconnecting(&mut conn, disconnecting.lease.key).await?;
    while connections::purge_mirror(&mut conn, disconnecting.lease.key, PURGE_BATCH).await? > 0 {
        let late = until.is_some_and(|until| Instant::now() > until);
        if late || !connections::extend_disconnecting(&mut conn, &disconnecting.lease, LEASE).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Stops the channels, and waits for those that another worker is stopping.
async fn stop_channels(
    ctx: &Context,
    disconnecting: &Disconnecting,
    until: Option<Instant>,
) -> sqlx::Result<Stopping> {
    let id = disconnecting.lease.key;
    let stopping = async {
        if until.is_some() {
            // Spawned: if it were cancelled with the wait, a channel that is being stopped would stay leased.
            let ctx = ctx.clone();
            tokio::spawn(async move { watch::stop_of_connection(&ctx, id).await });
        }
        loop {
            let stopping = {
                let mut conn = ctx.pool.acquire().await?;
                watches::stopping(&mut conn, ctx.clock.now(), id).await?
            };
            let waits = until.is_some_and(|until| Instant::now() < until);
            if stopping.under_way == 0 || !waits {
                return Ok(stopping);
            }
            tokio::time::sleep(CHECK_EVERY).await;
        }
    };
    stopping.await
}

/// Revokes the grant, unless revoking would end more than it.
async fn end_grant(ctx: &Context, disconnecting: &Disconnecting) -> sqlx::Result<GrantEnd> {
    let id = disconnecting.lease.key;
    let token = {
        let mut conn = ctx.pool.acquire().await?;
        if connections::account_is_shared(&mut conn, id).await? {
            return Ok(GrantEnd::KeptForOthers);
        }
        if connections::keeps_grant(&mut conn, id).await? {
            return Ok(GrantEnd::Kept);
        }
        connections::refresh_token(&mut conn, &ctx.keyring, id).await?
    };
    let token = match token {
        RefreshToken::Missing => return Ok(GrantEnd::EndedBefore),
        // The key may be restored.
        RefreshToken::Sealed(_) => return Ok(GrantEnd::Pending),
        RefreshToken::Opened(token) => token,
    };
    match tokio::time::timeout(REVOKE_TIMEOUT, ctx.google.revoke(&token)).await {
        Ok(Ok(())) => Ok(GrantEnd::Revoked),
        Ok(Err(error)) => {
            tracing::warn!(connection.id = %id, %error, "Could not revoke the grant of a disconnected account");
            Ok(GrantEnd::Pending)
        }
        Err(_) => Ok(GrantEnd::Pending),
    }
}
