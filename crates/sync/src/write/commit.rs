//! The end of a request and all that it brought, in one commit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::backoff::Backoff;
use common::ids::CalendarId;
use event_model::wire::{Change, Event, Window};
use sqlx::PgConnection;
use store::calendars::{self, Calendar};
use store::write_intents::Intent;
use store::{events, sync_state, write_intents};

use super::result::{Failure, Reason, WriteResult};
use super::target::Version;
use super::work::{Run, Shown};
use crate::outbox;
use crate::pull::{Incoming, apply, context, expand_series};
use crate::{Context, metrics};

/// What came of a request at Google.
#[derive(Debug, Clone)]
pub struct Effects {
    pub end: WriteResult,
    /// What the mirror does not have yet.
    pub news: Vec<(CalendarId, Incoming)>,
    /// A series that ends, and where: later exceptions of it are gone.
    pub cancel: Option<(String, String)>,
    /// What to answer with.
    pub shown: Option<(CalendarId, Shown)>,
}

impl Effects {
    pub fn of(end: WriteResult) -> Self {
        Self {
            end,
            news: Vec::new(),
            cancel: None,
            shown: None,
        }
    }

    pub fn done(run: &Run<'_>, merged: bool) -> Self {
        Self {
            shown: Some((run.intent.calendar_id, run.work.shown.clone())),
            ..Self::of(WriteResult::Done { event: None, merged })
        }
    }

    pub fn failed(reason: Reason) -> Self {
        Self::of(WriteResult::Failed(Failure {
            reason,
            google_reason: None,
        }))
    }

    pub fn add(&mut self, calendar: CalendarId, version: Version) {
        self.news.extend(version.news.map(|news| (calendar, news)));
    }
}

/// A passing failure of the database must not make us look again for what we know.
const TRIES: u32 = 4;
const STORING: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// How far around its start an instance is looked for that is answered with.
const SHOWN_BEFORE: TimeDelta = TimeDelta::days(2);
const SHOWN_AFTER: TimeDelta = TimeDelta::days(400);

/// What became of a commit.
pub enum Committed {
    Ended(Box<WriteResult>),
    /// Somebody else has the request by now, and answers it.
    Lost,
    /// Nothing was committed: what Google told us of is not in the mirror, and a pull has ended since Google was asked.
    /// Either that pull was too early, or the event has been deleted in the meantime, which no pull would tell again.
    Overtaken,
}

impl Committed {
    /// Its end, if it is ours to tell.
    pub fn end(self) -> Option<WriteResult> {
        match self {
            Self::Ended(end) => Some(*end),
            Self::Lost | Self::Overtaken => None,
        }
    }
}

pub async fn commit(run: &Run<'_>, effects: Effects) -> sqlx::Result<Committed> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_commit(run, effects.clone()).await {
            Err(error) if tries < TRIES => {
                tracing::warn!(intent.id = %run.id(), %error, tries, "What a write brought could not be stored");
                tokio::time::sleep(STORING.delay(tries)).await;
            }
            committed => return committed,
        }
    }
}

async fn try_commit(run: &Run<'_>, effects: Effects) -> sqlx::Result<Committed> {
    let (now, user) = (run.ctx.clock.now(), &run.intent.user_id);
    let mut news: BTreeMap<CalendarId, HashMap<String, Incoming>> = BTreeMap::new();
    for (calendar, incoming) in effects.news {
        news.entry(calendar)
            .or_default()
            .insert(incoming.row.event_id.clone(), incoming);
    }
    let touched: Vec<CalendarId> = news.keys().copied().collect();
    let mut end = effects.end;
    let mut tx = run.ctx.pool.begin().await?;
    let mut changes = Vec::new();
    for (id, mut news) in news {
        let Some((calendar, generation)) = place(&mut tx, run, id).await? else {
            continue;
        };
        if run.was_overtaken(&mut tx, id).await? && lacks_any(&mut tx, (id, generation), &news).await? {
            return Ok(Committed::Overtaken);
        }
        drop_orphan_tombstones(&mut tx, (id, generation), &mut news).await?;
        if let (Some((series, from)), true) = (&effects.cancel, id == run.intent.calendar_id) {
            events::cancel_exceptions(&mut tx, id, generation, series, from).await?;
        }
        let written = apply(&mut tx, now, &calendar, generation, news).await?;
        changes.extend(written.map(|written| written.change));
    }
    if let (WriteResult::Done { event, .. }, Some((calendar, shown))) = (&mut end, &effects.shown)
        && let Some((calendar, generation)) = place(&mut tx, run, *calendar).await?
    {
        *event = find(&mut tx, &calendar, generation, shown).await?.map(Box::new);
    }
    for change in changes {
        outbox::append(&mut tx, now, user, change).await?;
    }
    if !finish(&mut tx, now, &run.intent, &end).await? {
        return Ok(Committed::Lost);
    }
    for calendar in touched {
        sync_state::mark_dirty_if_pulled(&mut tx, now, calendar.into()).await?;
    }
    common::crash_point!("write.before_commit");
    tx.commit().await?;
    common::crash_point!("write.after_commit");
    log(run.ctx, &run.intent, &end);
    Ok(Committed::Ended(Box::new(end)))
}

/// Ends a request of which nothing else is to be stored. None: somebody else has it by now, and answers it.
pub async fn give_up(ctx: &Context, intent: &Intent, reason: Reason) -> sqlx::Result<Option<WriteResult>> {
    let end = Effects::failed(reason).end;
    let mut tx = ctx.pool.begin().await?;
    if !finish(&mut tx, ctx.clock.now(), intent, &end).await? {
        return Ok(None);
    }
    tx.commit().await?;
    log(ctx, intent, &end);
    Ok(Some(end))
}

/// Writes how a request ended, and tells it to whoever was told that it is pending. False: the lease was lost.
async fn finish(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    intent: &Intent,
    end: &WriteResult,
) -> sqlx::Result<bool> {
    let result = serde_json::value::to_raw_value(end).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let Some(announce) = write_intents::finish(conn, &intent.lease, end.state(), &result).await? else {
        return Ok(false);
    };
    if announce {
        let (state, reason) = end.told();
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

/// A calendar and the generation that readers see of it; nobody else writes to it from here on.
async fn place(
    conn: &mut PgConnection,
    run: &Run<'_>,
    id: CalendarId,
) -> sqlx::Result<Option<(Calendar, i64)>> {
    calendars::lock(conn, id).await?;
    let Some(calendar) = calendars::get(conn, &run.intent.user_id, id).await? else {
        return Ok(None);
    };
    let generation = sync_state::generation(conn, id.into()).await?;
    Ok(generation.map(|generation| (calendar, generation)))
}

/// Whether the mirror has no row of something that is there by these news.
async fn lacks_any(
    conn: &mut PgConnection,
    (calendar, generation): (CalendarId, i64),
    news: &HashMap<String, Incoming>,
) -> sqlx::Result<bool> {
    let alive = news.iter().filter(|(_, incoming)| !incoming.is_cancelled());
    let ids: Vec<String> = alive.map(|(id, _)| id.clone()).collect();
    let known = events::versions(conn, calendar, generation, &ids).await?;
    Ok(known.len() < ids.len())
}

/// An instance that we deleted of a series that is gone by now needs no tombstone: no pull would ever take it away.
async fn drop_orphan_tombstones(
    conn: &mut PgConnection,
    (calendar, generation): (CalendarId, i64),
    news: &mut HashMap<String, Incoming>,
) -> sqlx::Result<()> {
    let is_tombstone = |incoming: &Incoming| incoming.is_cancelled() && !incoming.is_single();
    let ids: Vec<String> = news
        .values()
        .filter(|incoming| is_tombstone(incoming))
        .flat_map(|tombstone| [tombstone.series_id(), &tombstone.row.event_id])
        .map(str::to_owned)
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let versions = events::versions(conn, calendar, generation, &ids).await?;
    let known: HashSet<String> = versions
        .into_iter()
        .map(|version| version.event_id)
        .chain(news.keys().filter(|id| !is_tombstone(&news[*id])).cloned())
        .collect();
    news.retain(|id, incoming| {
        !is_tombstone(incoming) || known.contains(id) || known.contains(incoming.series_id())
    });
    Ok(())
}

/// The instance to answer with, also where no row of an instance reaches.
async fn find(
    conn: &mut PgConnection,
    calendar: &Calendar,
    generation: i64,
    shown: &Shown,
) -> sqlx::Result<Option<Event>> {
    let series = [shown.series.clone()];
    let stored = events::of_series(conn, calendar.id, generation, &series).await?;
    let window = Window {
        from: shown.at - SHOWN_BEFORE,
        to: shown.at + SHOWN_AFTER,
    };
    let mut instances = expand_series(&context(calendar), stored, window);
    let index = shown
        .instance
        .as_ref()
        .and_then(|id| instances.iter().position(|instance| instance.instance_id == *id))
        .or_else(|| {
            instances
                .iter()
                .position(|instance| instance.starts_at >= shown.at)
        })
        .unwrap_or(0);
    Ok((index < instances.len()).then(|| instances.swap_remove(index).event))
}

fn log(ctx: &Context, intent: &Intent, end: &WriteResult) {
    let duration = ctx.clock.now() - intent.created_at;
    metrics::wrote(&intent.operation, end.state().as_str(), duration);
    let duration_ms = duration.num_milliseconds();
    let (operation, attempts) = (&intent.operation, intent.lease.attempts);
    match end {
        WriteResult::Failed(failure) => {
            tracing::info!(intent.id = %intent.lease.key, operation, attempts, duration_ms, reason = failure.reason.name(),
                google.reason = failure.google_reason.as_deref(), "A write was refused");
        }
        end => {
            tracing::debug!(intent.id = %intent.lease.key, operation, attempts, duration_ms, state = end.state().as_str(),
                "A write has ended");
        }
    }
}
