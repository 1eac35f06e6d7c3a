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

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::idle_point;
use common::ids::ResourceId;
use common::worker::Pass;
use futures_util::future::join_all;
use store::watches::{self, Healthy, Wanted};
use uuid::Uuid;

use crate::Context;
use crate::calls::CallError;
use request::create;
pub(crate) use stop::stop_of_connection;
pub use stop::stop_once;

/// Channels created at a time. With [`PAUSE`], a renewer creates ten thousand in half an hour, with less than a
/// twentieth of the project's quota.
const BATCH: usize = 8;
/// The minimum duration of a batch.
const PAUSE: Duration = Duration::from_secs(1);
/// Resources examined per pass and reason ([`watches::candidates`]). A hundred a second are more than can get a channel.
const EXAMINED: usize = 200;
/// Channels marked to be stopped per pass.
const REPLACED: i64 = 5_000;

/// Creates the missing channels.
pub struct Renewer {
    ctx: Context,
    /// The last resource that was examined in its turn.
    examined: Mutex<Uuid>,
}

impl Renewer {
    pub fn new(ctx: Context) -> Self {
        Self {
            ctx,
            examined: Mutex::new(Uuid::nil()),
        }
    }

    /// Creates channels for resources whose channel is missing, about to expire, silent, or pushing to an old address.
    /// Without a public URL it only marks existing channels to be stopped.
    pub async fn run_once(&self) -> Result<Pass, CallError> {
        let ctx = &self.ctx;
        let Some(address) = ctx.settings.webhook_address() else {
            let mut conn = ctx.pool.acquire().await?;
            let replaced = watches::replace_any(&mut conn, REPLACED).await?;
            return Ok(if replaced > 0 { Pass::Worked } else { Pass::Idle });
        };
        let wanted = self.wanted(address.as_str()).await?;
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

    /// Up to [`BATCH`] resources that need a channel, and ends the requests of those that need none.
    async fn wanted(&self, address: &str) -> sqlx::Result<Vec<Wanted>> {
        let settings = &self.ctx.settings;
        let now = self.ctx.clock.now();
        let healthy = Healthy {
            now,
            address,
            heard_since: now - settings.watch_silence_max,
            change_seen_before: now - settings.push_late,
        };
        let after = *self.examined.lock().unwrap_or_else(PoisonError::into_inner);
        let mut conn = self.ctx.pool.acquire().await?;
        let limit = i64::try_from(EXAMINED).unwrap_or(i64::MAX);
        let candidates = watches::candidates(&mut conn, healthy, after, limit).await?;
        let in_turn: Vec<ResourceId> = candidates
            .iter()
            .filter(|candidate| candidate.is_in_turn)
            .map(|candidate| candidate.resource_id)
            .collect();
        let ids: BTreeSet<ResourceId> = candidates.iter().map(|candidate| candidate.resource_id).collect();
        let ids: Vec<ResourceId> = ids.into_iter().collect();
        let mut wanted = watches::wanted(&mut conn, healthy, &ids).await?;
        let requests: Vec<_> = candidates
            .iter()
            .filter(|candidate| {
                wanted
                    .iter()
                    .all(|wanted| wanted.resource_id != candidate.resource_id)
            })
            .filter_map(|candidate| Some((candidate.resource_id, candidate.requested_at?)))
            .collect();
        if !requests.is_empty() {
            watches::end_requests(&mut conn, &requests).await?;
        }
        let next = match in_turn.last() {
            Some(last) if in_turn.len() == EXAMINED => last.as_uuid(),
            // From the first one again.
            _ => Uuid::nil(),
        };
        *self.examined.lock().unwrap_or_else(PoisonError::into_inner) = next;
        wanted.truncate(BATCH);
        Ok(wanted)
    }
}

/// Creates the channel of one resource now, for a caller that waits for it. False: another worker creates it, the
/// request failed and will be retried, or there is no public URL.
pub async fn open(ctx: &Context, wanted: &Wanted) -> Result<bool, CallError> {
    match ctx.settings.webhook_address() {
        Some(address) => create(ctx, wanted, address.as_str()).await,
        None => Ok(false),
    }
}
