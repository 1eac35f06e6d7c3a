//! Moving on how far series are expanded.

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
use super::rebuild::expand_generation;
use super::series::context;
use super::session::Session;
use crate::Context;
use crate::outbox;

/// A calendar is worked on when it is so far behind: once a week is enough for what lies thirteen months ahead.
const BEHIND: TimeDelta = TimeDelta::days(7);

/// How many calendars a pass works on.
const BATCH: usize = 4;

/// Expands calendars whose instances end too early, or were expanded for another zone or role: up to a few of them, one
/// after the other. `Idle` when there was none.
///
/// Each is taken when it is its turn, for whoever pulls it has to wait meanwhile. One that cannot be expanded is given back at
/// once, and is no reason to leave out the next.
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
                give_back(ctx, &pull).await;
            }
            Err(stop) => tracing::warn!(resource.id = %pull.lease.key, ?stop, "The horizon was not moved on"),
        }
    }
    match failure {
        Some(error) => Err(error),
        None if tried.is_empty() => Ok(Pass::Idle),
        None => Ok(Pass::Worked),
    }
}

/// Ends the lease of a calendar that was not expanded to the end.
async fn give_back(ctx: &Context, pull: &Pull) {
    let given_back = async {
        let mut conn = ctx.pool.acquire().await?;
        sync_state::settle_horizon(&mut conn, &pull.lease, Horizon::AsBefore).await
    };
    // It ends by itself.
    if let Err(error) = given_back.await {
        tracing::warn!(resource.id = %pull.lease.key, %error, "A calendar stays taken although nobody expands it");
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
    // None: everything changed, what does not repeat included.
    let walk = if pull.horizon_until.is_none() {
        Walk::Everything
    } else {
        Walk::Recurring
    };
    expand_generation(session, &context(&calendar), pull.generation, walk, horizon).await?;
    let mut tx = session.ctx.pool.begin().await?;
    if walk == Walk::Everything {
        outbox::append(
            &mut tx,
            session.started,
            &pull.user_id,
            Change::Resync { calendar_id: id },
        )
        .await?;
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
