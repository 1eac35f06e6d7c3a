//! Stopping push channels at Google.

use std::time::Duration;

use common::crash_point;
use common::ids::ConnectionId;
use common::worker::Pass;
use futures_util::future::join_all;
use google::Error;
use store::watches::{self, ToStop};

use super::request::RETRY;
use crate::Context;
use crate::calls::{CallError, Purpose, call};

const LEASE: Duration = Duration::from_mins(2);
const BATCH: i64 = 16;
/// After this many attempts the channel is left to expire.
const ATTEMPTS_MAX: u32 = 8;

/// Stops some channels that have been replaced or are no longer needed.
pub async fn stop_once(ctx: &Context) -> Result<Pass, CallError> {
    stop_some(ctx, None).await
}

/// Stops the channels of one connection that are to be stopped, except those that another worker is stopping.
pub(crate) async fn stop_of_connection(ctx: &Context, connection: ConnectionId) -> Result<(), CallError> {
    while stop_some(ctx, Some(connection)).await? == Pass::Worked {}
    Ok(())
}

async fn stop_some(ctx: &Context, connection: Option<ConnectionId>) -> Result<Pass, CallError> {
    let to_stop = {
        let mut conn = ctx.pool.acquire().await?;
        watches::acquire_to_stop(&mut conn, ctx.clock.now(), connection, LEASE, BATCH).await?
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
    let stopped = call(ctx, watch.connection_id, Purpose::Cleanup, |access| async move {
        ctx.google.stop_channel(&access, channel, resource).await
    })
    .await;
    crash_point!("watch.stopped_at_google");
    let retry_in = match stopped {
        // Stopped now or before, or impossible to stop.
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
        Err(error) if watch.lease.attempts >= ATTEMPTS_MAX => {
            tracing::warn!(watch.channel_id = channel, %error, "Could not stop a push channel; it will expire");
            None
        }
        Err(_) => Some(RETRY.delay(watch.lease.attempts)),
    };
    let mut conn = ctx.pool.acquire().await?;
    let retry_at = retry_in.map(|wait| ctx.clock.now() + wait);
    watches::settle_stop(&mut conn, &watch.lease, retry_at).await?;
    Ok(())
}
