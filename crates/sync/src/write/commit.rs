//! Commits the result of a request, with all of its effects, in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::backoff::Backoff;
use common::ids::{CalendarId, ResourceId};
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::write_intents::Intent;
use store::{events, sync_state, write_intents};

use super::attempt::Attempt;
use super::effects::Effects;
use super::interrupt::Unfinished;
use super::plan::AnswerInstance;
use super::result::{Reason, WriteResult};
use crate::outbox;
use crate::pull::{Applied, Incoming, apply, context, expand_stored};
use crate::{Context, metrics};
use event_model::wire::{Change, Event, Window};

/// Retry a brief database failure here, so that no request to Google is repeated.
const TRIES: u32 = 4;
const STORING: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// The delay before the event is read again after a concurrent pull.
const OVERTAKEN: Duration = Duration::from_millis(50);

/// The range around its start that is expanded to find the instance to answer with.
const ANSWER_BEFORE: TimeDelta = TimeDelta::days(2);
const ANSWER_AFTER: TimeDelta = TimeDelta::days(400);

/// Retries after a failure of the database. [`Unfinished::Retry`]: nothing was committed. An event that Google returned is not
/// in the mirror, and a pull was committed since Google was asked. Either that pull was too early to see the event, or the
/// event has been deleted since, and no later pull would report that.
pub async fn commit(attempt: &Attempt<'_>, effects: Effects) -> Result<WriteResult, Unfinished> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_commit(attempt, effects.clone()).await {
            Err(Unfinished::Database(error)) if tries < TRIES => {
                tracing::warn!(intent.id = %attempt.id(), %error, tries, "Could not commit a write; trying again");
                tokio::time::sleep(STORING.delay(tries)).await;
            }
            committed => return committed,
        }
    }
}

async fn try_commit(attempt: &Attempt<'_>, effects: Effects) -> Result<WriteResult, Unfinished> {
    let (now, user) = (attempt.ctx.clock.now(), &attempt.intent.user_id);
    let incoming = by_calendar(effects.incoming);
    let touched: Vec<ResourceId> = incoming.keys().copied().map(ResourceId::from).collect();
    let mut result = effects.result;
    let mut tx = attempt.ctx.pool.begin().await?;
    let mut changes = Vec::new();
    for (id, mut incoming) in incoming {
        let Some((calendar, generation)) = lock_calendar(&mut tx, attempt, id).await? else {
            continue;
        };
        let place = (id, generation);
        if attempt.was_overtaken(&mut tx, id).await? && lacks_any(&mut tx, place, &incoming).await? {
            return Err(Unfinished::Retry {
                delay: OVERTAKEN,
                in_doubt: true,
            });
        }
        drop_orphan_tombstones(&mut tx, place, &mut incoming).await?;
        if let (Some((series, from)), true) = (&effects.cancel_from, id == attempt.intent.calendar_id) {
            events::cancel_exceptions(&mut tx, id, generation, series, from).await?;
        }
        // Without a limit: a write changes at most two series.
        let applied = apply(&mut tx, now, &calendar, generation, incoming, usize::MAX).await?;
        if let Applied::Changed(described) = applied {
            changes.push(described.change);
        }
    }
    if let (WriteResult::Done { event, .. }, Some((calendar, answer))) = (&mut result, &effects.answer)
        && let Some((calendar, generation)) = lock_calendar(&mut tx, attempt, *calendar).await?
    {
        let found = find_instance(&mut tx, &calendar, generation, answer).await?;
        *event = found.map(Box::new);
    }
    for change in changes {
        outbox::append(&mut tx, now, user, change).await?;
    }
    if !finish(&mut tx, now, &attempt.intent, &result).await? {
        return Err(Unfinished::LeaseLost);
    }
    sync_state::mark_dirty_if_pulled(&mut tx, now, &touched).await?;
    common::crash_point!("write.before_commit");
    tx.commit().await?;
    common::crash_point!("write.after_commit");
    log(attempt.ctx, &attempt.intent, &result);
    Ok(result)
}

/// Finishes a request whose plan cannot be read. Nothing else is committed. None: the lease was lost.
pub async fn give_up(ctx: &Context, intent: &Intent, reason: Reason) -> sqlx::Result<Option<WriteResult>> {
    let result = WriteResult::Failed(reason.into());
    let mut tx = ctx.pool.begin().await?;
    if !finish(&mut tx, ctx.clock.now(), intent, &result).await? {
        return Ok(None);
    }
    tx.commit().await?;
    log(ctx, intent, &result);
    Ok(Some(result))
}

/// Stores the result, and notifies the user if a caller was answered `pending`. False: the lease was lost.
async fn finish(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    intent: &Intent,
    result: &WriteResult,
) -> sqlx::Result<bool> {
    let json = serde_json::value::to_raw_value(result).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let Some(announce) = write_intents::finish(conn, &intent.lease, result.state(), &json).await? else {
        return Ok(false);
    };
    if announce {
        let (state, reason) = result.resolved();
        let resolved = Change::WriteResolved {
            idempotency_key: intent.idempotency_key.clone(),
            intent_id: intent.lease.key,
            state,
            reason,
        };
        outbox::append(conn, now, &intent.user_id, resolved).await?;
    }
    Ok(true)
}

type ById = HashMap<String, Incoming>;

fn by_calendar(incoming: Vec<(CalendarId, Incoming)>) -> BTreeMap<CalendarId, ById> {
    let mut calendars: BTreeMap<CalendarId, ById> = BTreeMap::new();
    for (calendar, incoming) in incoming {
        calendars
            .entry(calendar)
            .or_default()
            .insert(incoming.row.event_id.clone(), incoming);
    }
    calendars
}

/// Locks a calendar's events until the commit. Returns the calendar and the generation that readers see.
async fn lock_calendar(
    conn: &mut PgConnection,
    attempt: &Attempt<'_>,
    id: CalendarId,
) -> sqlx::Result<Option<(Calendar, i64)>> {
    calendars::lock(conn, id).await?;
    let Some(calendar) = calendars::get(conn, &attempt.intent.user_id, id).await? else {
        return Ok(None);
    };
    let generation = sync_state::generation(conn, id.into()).await?;
    Ok(generation.map(|generation| (calendar, generation)))
}

/// Whether the mirror has no row of an incoming event that is not cancelled.
async fn lacks_any(
    conn: &mut PgConnection,
    (calendar, generation): (CalendarId, i64),
    incoming: &ById,
) -> sqlx::Result<bool> {
    let alive = incoming.iter().filter(|(_, incoming)| !incoming.is_cancelled());
    let ids: Vec<String> = alive.map(|(id, _)| id.clone()).collect();
    let known = events::stored_ids(conn, calendar, generation, &ids).await?;
    Ok(known.len() < ids.len())
}

/// Drops the tombstones of instances whose series is gone by now: no pull would ever remove them.
async fn drop_orphan_tombstones(
    conn: &mut PgConnection,
    (calendar, generation): (CalendarId, i64),
    incoming: &mut ById,
) -> sqlx::Result<()> {
    let is_tombstone = |incoming: &Incoming| incoming.is_cancelled() && !incoming.is_single();
    let ids: Vec<String> = incoming
        .values()
        .filter(|incoming| is_tombstone(incoming))
        .flat_map(|tombstone| [tombstone.series_id(), &tombstone.row.event_id])
        .map(str::to_owned)
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let stored = events::stored_ids(conn, calendar, generation, &ids).await?;
    let known: HashSet<String> = stored
        .into_iter()
        .chain(
            incoming
                .keys()
                .filter(|id| !is_tombstone(&incoming[*id]))
                .cloned(),
        )
        .collect();
    incoming.retain(|id, incoming| {
        !is_tombstone(incoming) || known.contains(id) || known.contains(incoming.series_id())
    });
    Ok(())
}

/// The instance to answer with, even outside the window of stored instances.
pub(super) async fn find_instance(
    conn: &mut PgConnection,
    calendar: &Calendar,
    generation: i64,
    answer: &AnswerInstance,
) -> sqlx::Result<Option<Event>> {
    let series = [answer.series.clone()];
    let stored = events::of_series(conn, calendar.id, generation, &series).await?;
    let window = Window {
        from: answer.at - ANSWER_BEFORE,
        to: answer.at + ANSWER_AFTER,
    };
    let mut instances = expand_stored(&context(calendar), stored, window);
    let index = answer
        .instance
        .as_ref()
        .and_then(|id| instances.iter().position(|instance| instance.instance_id == *id))
        .or_else(|| {
            instances
                .iter()
                .position(|instance| instance.starts_at >= answer.at)
        })
        .unwrap_or(0);
    Ok((index < instances.len()).then(|| instances.swap_remove(index).event(calendar.id)))
}

fn log(ctx: &Context, intent: &Intent, result: &WriteResult) {
    let duration = ctx.clock.now() - intent.created_at;
    metrics::wrote(&intent.operation, result.state().into_str(), duration);
    let duration_ms = duration.num_milliseconds();
    let (operation, attempts) = (&intent.operation, intent.lease.attempts);
    match result {
        WriteResult::Failed(failure) => {
            tracing::info!(intent.id = %intent.lease.key, operation, attempts, duration_ms, reason = failure.reason.name(),
                google.reason = failure.google_reason.as_deref(), "Write failed");
        }
        result => {
            tracing::debug!(intent.id = %intent.lease.key, operation, attempts, duration_ms, state = result.state().into_str(),
                "Write finished");
        }
    }
}
