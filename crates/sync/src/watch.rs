//! The life cycle of a push channel: created, renewed with overlap, adopted after a crash, replaced when silent,
//! stopped.
//!
//! Google can neither renew nor list channels, so a channel without a row cannot be stopped, and its pushes cannot be
//! distinguished from forged ones. Therefore the row is committed before the request to Google. There is at most one
//! pending row per resource, so several renewers create one channel. If a renewer dies, another one takes over; if a
//! push has shown by then that Google had created the channel, it is adopted.
//!
//! The old channel stays until the new one is live. The commit that replaces it marks the resource dirty, because
//! neither channel may have reported a change in between.

mod request;
mod stop;

use std::time::Duration;

use common::idle_point;
use common::worker::Pass;
use futures_util::future::join_all;
use store::watches::{self, Healthy, Wanted};

use crate::Context;
use crate::calls::CallError;
use request::create;
pub(crate) use stop::stop_of_connection;
pub use stop::stop_once;

/// Channels created at a time. With [`PAUSE`], a renewer creates ten thousand in half an hour, with less than a
/// twentieth of the project's quota.
const BATCH: i64 = 8;
/// The minimum duration of a batch.
const PAUSE: Duration = Duration::from_secs(1);

/// Creates channels for resources whose channel is missing, about to expire, silent, or pushing to an old address.
/// Without a public URL it only marks existing channels to be stopped.
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
    let mut created = 0;
    for outcome in join_all(wanted.iter().map(|wanted| create(ctx, wanted, address.as_str()))).await {
        created += usize::from(outcome?);
    }
    if created == 0 {
        // Other workers hold these, or all failed and are backing off; do not poll again at once.
        return Ok(Pass::Idle);
    }
    idle_point!();
    pause.await;
    Ok(Pass::Worked)
}

/// Creates the channel of one resource now, for a caller that waits for it. False: another worker creates it, the
/// request failed and will be retried, or there is no public URL.
pub async fn open(ctx: &Context, wanted: &Wanted) -> Result<bool, CallError> {
    match ctx.settings.webhook_address() {
        Some(address) => create(ctx, wanted, address.as_str()).await,
        None => Ok(false),
    }
}
