//! Extending the horizon up to which series are expanded.

use chrono::TimeDelta;
use common::ids::CalendarId;
use common::lease::Settled;
use common::worker::Pass;
use event_model::expansion;
use event_model::wire::Change;
use store::calendars;
use store::events::Walk;
use store::sync_state::{self, Horizon, Pull};

use super::decision::PullError;
use super::difference::{self, Generations};
use super::rebuild::expand_generation;
use super::series::context;
use super::session::Session;
use crate::outbox;
use crate::{Context, metrics};

/// How far a calendar's horizon may lag behind. It lies thirteen months ahead, so once a week is enough.
const BEHIND: TimeDelta = TimeDelta::days(7);

/// Calendars per pass.
const BATCH: usize = 4;

/// Expands some calendars whose horizon lags behind, or that were expanded for another zone or role, one after the
/// other. `Idle` if there were none.
///
/// Each is leased only when its turn comes, because a pull of it has to wait for the lease. If one fails, its lease is
/// released at once and the next one is expanded all the same.
pub async fn extend_horizon_once(ctx: &Context) -> sqlx::Result<Pass> {
    let until = expansion::horizon(ctx.clock.now()).to - BEHIND;
    let (mut tried, mut failure) = (Vec::new(), None);
    while tried.len() < BATCH {
        let mut conn = ctx.pool.acquire().await?;
        let behind = sync_state::acquire_behind_horizon(&mut conn, until, ctx.settings.lease, &tried).await?;
        drop(conn);
        let Some(pull) = behind else { break };
        tried.push(pull.lease.key);
        match extend(&Session::new(ctx, &pull)).await {
            Ok(_) | Err(PullError::LeaseLost) => {}
            Err(PullError::Database(error)) => {
                failure = Some(error);
                release(ctx, &pull).await;
            }
            Err(error) => {
                tracing::warn!(resource.id = %pull.lease.key, ?error, "Could not extend the horizon");
            }
        }
    }
    match failure {
        Some(error) => Err(error),
        None if tried.is_empty() => Ok(Pass::Idle),
        None => Ok(Pass::Worked),
    }
}

/// Releases the lease of a calendar whose expansion failed.
async fn release(ctx: &Context, pull: &Pull) {
    let released = async {
        let mut conn = ctx.pool.acquire().await?;
        sync_state::settle_horizon(&mut conn, &pull.lease, Horizon::Unchanged).await
    };
    if let Err(error) = released.await {
        tracing::warn!(resource.id = %pull.lease.key, %error, "Could not release the horizon lease; it will expire");
    }
}

async fn extend(session: &Session<'_>) -> Result<Settled, PullError> {
    let pull = session.pull;
    let id = CalendarId::from(pull.lease.key.as_uuid());
    let mut conn = session.ctx.pool.acquire().await?;
    let calendar = calendars::get(&mut conn, &pull.user_id, id)
        .await?
        .ok_or(PullError::LeaseLost)?;
    drop(conn);
    let horizon = expansion::horizon(session.started);
    // None: the zone or role changed, which affects single events too.
    let walk = if pull.horizon_until.is_none() {
        Walk::Everything
    } else {
        Walk::Recurring
    };
    expand_generation(session, &context(&calendar), pull.generation, walk, horizon).await?;
    let mut tx = session.ctx.pool.begin().await?;
    // Pages load a calendar that is shown again.
    let is_shown = calendar.selected && calendar.access_lost_at.is_none();
    if walk == Walk::Everything && is_shown {
        calendars::lock(&mut tx, id).await?;
        let generations = Generations {
            old: pull.generation,
            new: pull.generation,
            all: true,
        };
        // The events are still those of the last pull.
        let times = (session.started, pull.last_pull_at.unwrap_or(session.started));
        let change = difference::describe(&mut tx, times, &calendar, generations).await?;
        if matches!(change, Change::Resync { .. }) {
            metrics::resync_messages("expanded", 1);
        }
        outbox::append(&mut tx, session.started, &pull.user_id, change).await?;
    }
    let reached = if calendars::expansion_inputs_unchanged(&mut tx, &calendar).await? {
        Horizon::Until(horizon.to)
    } else {
        Horizon::Unknown
    };
    match sync_state::settle_horizon(&mut tx, &pull.lease, reached).await? {
        Settled::Lost => Err(PullError::LeaseLost),
        settled => {
            common::crash_point!("horizon.before_commit");
            tx.commit().await?;
            Ok(settled)
        }
    }
}
