//! An account is disconnected.
//!
//! The user's wish is committed first: from then on nothing is read from the account, nothing of it is shown, and the
//! user's other pages are told. Then, in steps each of which may be repeated:
//!
//! 1. What was mirrored is deleted, and what could not be told of it. What is being pulled or written meanwhile cannot be
//!    committed any more.
//! 2. The channels are stopped at Google, with the grant that is still there. [`STOP_PATIENCE`] bounds it.
//! 3. The grant is revoked, unless another connection lives on the same Google account, since that would end theirs too.
//! 4. The row goes, and with it the tokens. A grant that Google did not take back keeps it, for [`REVOKE_PATIENCE`].
//!
//! Whoever disconnects takes the steps at once, with a lease on the connection, to be able to say what was done. What is
//! left over is finished by [`disconnect_once`], and so is everything after a crash.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::crash_point;
use common::ids::{ConnectionId, UserId};
use common::worker::Pass;
use event_model::wire::ConnectionState;
use futures_util::future::join_all;
use store::connections::{self, Disconnecting, Mirrored};
use store::dead_letters;
use store::watches::{self, Stopping};
use tokio::time::Instant;

use super::receipt::{Channels, Forgotten, GrantEnd, Receipt};
use super::tell_state;
use crate::{Context, watch};

/// How long a connection is left to whoever sees to it; after a crash others take over then.
const LEASE: Duration = Duration::from_secs(15);
/// Who disconnects an account waits no longer for its channels, and no longer for its data, than this.
pub const AT_ONCE: Duration = Duration::from_secs(5);
const REVOKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Channels that could not be stopped within this time do not keep the grant any longer.
const STOP_PATIENCE: TimeDelta = TimeDelta::seconds(30);
/// What was mirrored is gone by then, whoever crashed meanwhile: a lease, a pass of a renewer, the deletion.
const FORGOTTEN_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// A grant that Google has not taken back by then is given up.
const REVOKE_PATIENCE: TimeDelta = TimeDelta::days(1);
/// A revocation is tried again after a third of the time that it has taken so far, within these bounds.
const REVOKE_AGAIN: (TimeDelta, TimeDelta) = (TimeDelta::seconds(5), TimeDelta::hours(1));
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const BATCH: i64 = 10;
/// Rows of each table that go in one transaction.
const PURGE_AT_ONCE: i64 = 5_000;

/// Disconnects one of a user's accounts, or all, and tells what came of each within about `wait`. None is no error.
pub async fn disconnect(
    ctx: &Context,
    user: &UserId,
    id: Option<ConnectionId>,
    wait: Duration,
) -> sqlx::Result<Vec<Receipt>> {
    let begun = begin(ctx, user, id).await?;
    // Whether the caller waits or not: once it is committed, it is to be done.
    let finished = join_all(begun.into_iter().map(|disconnecting| {
        let ctx = ctx.clone();
        tokio::spawn(async move { at_once(&ctx, disconnecting, wait).await })
    }));
    Ok(finished.await.into_iter().filter_map(Result::ok).collect())
}

/// An account that a user has just disconnected, with what there was of it.
struct Begun {
    disconnecting: Disconnecting,
    mirrored: Mirrored,
    channels: i64,
}

async fn begin(ctx: &Context, user: &UserId, id: Option<ConnectionId>) -> sqlx::Result<Vec<Begun>> {
    let now = ctx.clock.now();
    let mut tx = ctx.pool.begin().await?;
    let all = connections::disconnect(&mut tx, now, user, id, LEASE).await?;
    let ids: Vec<_> = all.iter().map(|disconnecting| disconnecting.lease.key).collect();
    watches::replace_of_connections(&mut tx, &ids).await?;
    let mut begun = Vec::new();
    for disconnecting in all {
        let id = disconnecting.lease.key;
        begun.push(Begun {
            mirrored: connections::mirrored(&mut tx, id).await?,
            channels: watches::stopping(&mut tx, now, id).await?.left,
            disconnecting,
        });
        tell_state(&mut tx, now, user, id, ConnectionState::Disconnected).await?;
    }
    crash_point!("disconnect.before_commit");
    tx.commit().await?;
    Ok(begun)
}

/// Takes all steps now, as far as they go, and tells how far that was.
async fn at_once(ctx: &Context, begun: Begun, wait: Duration) -> Receipt {
    let Begun {
        disconnecting,
        mirrored,
        channels,
    } = begun;
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let mut done = Done::default();
    if let Err(error) = finish(ctx, &disconnecting, Some(wait), &mut done).await {
        tracing::warn!(
            connection.id = %disconnecting.lease.key, %error,
            "Disconnecting an account could not be finished at once; a renewer goes on with it"
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
            deleted: done.forgotten,
            deleted_by: disconnecting.disconnected_at + FORGOTTEN_WITHIN,
        },
        email: disconnecting.email,
    }
}

/// Goes on with accounts on their way out that nobody sees to. Safe to run anywhere at once.
pub async fn disconnect_once(ctx: &Context) -> sqlx::Result<Pass> {
    let disconnecting = {
        let mut conn = ctx.pool.acquire().await?;
        connections::acquire_disconnecting(&mut conn, ctx.clock.now(), LEASE, BATCH).await?
    };
    let mut pass = Pass::Idle;
    for outcome in join_all(disconnecting.iter().map(|disconnecting| async {
        let mut done = Done::default();
        finish(ctx, disconnecting, None, &mut done).await.map(|()| done)
    }))
    .await
    {
        if outcome?.gone {
            pass = Pass::Worked;
        }
    }
    Ok(pass)
}

/// How far a connection's end has come.
#[derive(Debug, Default)]
struct Done {
    forgotten: bool,
    channels_left: Option<i64>,
    grant: Option<GrantEnd>,
    /// Nothing is left of it.
    gone: bool,
}

/// Takes the steps that are left, in their order; the first two side by side. `at_once`: how long may be waited for each
/// of those; None: as long as it takes for the data, and not at all for the channels.
async fn finish(
    ctx: &Context,
    disconnecting: &Disconnecting,
    at_once: Option<Duration>,
    done: &mut Done,
) -> sqlx::Result<()> {
    let until = at_once.map(|wait| Instant::now() + wait);
    let (forgotten, stopping) = tokio::join!(
        forget(ctx, disconnecting, until),
        stop_channels(ctx, disconnecting, until)
    );
    done.forgotten = forgotten?;
    let stopping = stopping?;
    done.channels_left = Some(stopping.left);
    let now = ctx.clock.now();
    if stopping.left > 0 && now - disconnecting.disconnected_at < STOP_PATIENCE {
        return defer(ctx, disconnecting, now).await;
    }
    let grant = end_grant(ctx, disconnecting).await?;
    crash_point!("disconnect.revoked");
    done.grant = Some(grant);
    if !done.forgotten {
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
    done.gone = connections::purge(&mut conn, &disconnecting.lease).await?;
    tracing::info!(connection.id = %disconnecting.lease.key, ?grant, "A disconnected account is gone");
    Ok(())
}

async fn defer(ctx: &Context, disconnecting: &Disconnecting, not_before: DateTime<Utc>) -> sqlx::Result<()> {
    let mut conn = ctx.pool.acquire().await?;
    connections::defer_disconnecting(&mut conn, &disconnecting.lease, not_before).await
}

fn revoke_again_in(now: DateTime<Utc>, since: DateTime<Utc>) -> TimeDelta {
    let (least, most) = REVOKE_AGAIN;
    ((now - since) / 3).clamp(least, most)
}

/// Deletes what was mirrored. False: not all of it, within the time given, or because somebody else does it now.
async fn forget(ctx: &Context, disconnecting: &Disconnecting, until: Option<Instant>) -> sqlx::Result<bool> {
    let mut conn = ctx.pool.acquire().await?;
    if !connections::strip(&mut conn, &disconnecting.lease).await? {
        return Ok(false);
    }
    dead_letters::purge_of_disconnecting(&mut conn, disconnecting.lease.key).await?;
    while connections::purge_mirror(&mut conn, disconnecting.lease.key, PURGE_AT_ONCE).await? > 0 {
        let late = until.is_some_and(|until| Instant::now() > until);
        if late || !connections::extend_disconnecting(&mut conn, &disconnecting.lease, LEASE).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Stops the channels that can be stopped now, and waits for those that somebody else is stopping.
async fn stop_channels(
    ctx: &Context,
    disconnecting: &Disconnecting,
    until: Option<Instant>,
) -> sqlx::Result<Stopping> {
    let id = disconnecting.lease.key;
    let stopping = async {
        if until.is_some() {
            // Not cut off together with the wait: a channel that was being stopped would stay taken.
            let ctx = ctx.clone();
            tokio::spawn(async move { watch::stop_of(&ctx, id).await });
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
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    stopping.await
}

/// Revokes the grant, unless somebody else lives on the same Google account.
async fn end_grant(ctx: &Context, disconnecting: &Disconnecting) -> sqlx::Result<GrantEnd> {
    let id = disconnecting.lease.key;
    let token = {
        let mut conn = ctx.pool.acquire().await?;
        if connections::account_is_shared(&mut conn, id).await? {
            return Ok(GrantEnd::KeptForOthers);
        }
        connections::refresh_token(&mut conn, &ctx.keyring, id).await?
    };
    let token = match token {
        None => return Ok(GrantEnd::EndedBefore),
        // Its key may come back.
        Some(Err(_)) => return Ok(GrantEnd::Pending),
        Some(Ok(token)) => token,
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
