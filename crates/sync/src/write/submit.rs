//! Accepts a request, once per idempotency key, and waits for its result.

use std::time::Duration;

use common::crash_point;
use common::ids::UserId;
use sha2::{Digest, Sha256};
use store::write_intents::{self, Intent, Known, NewIntent};
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::request::{Refused, Request};
use super::result::{Reason, WriteResult};
use super::{prepare, worker};
use crate::Context;

/// A request that was accepted.
#[derive(Debug, Clone)]
pub struct Submitted {
    pub intent_id: Uuid,
    /// None while it is pending: [`Change::WriteResolved`](event_model::wire::Change::WriteResolved) reports the outcome later.
    pub result: Option<WriteResult>,
}

/// How often a request checks for the result of another one with the same key.
const RESULT_POLL: Duration = Duration::from_millis(50);

/// Accepts a request and works on it for as long as its caller waits (`settings.write_deadline`).
pub async fn submit(ctx: &Context, user: &UserId, key: &str, request: Request) -> Result<Submitted, Refused> {
    let deadline = Instant::now() + ctx.settings.write_deadline;
    let sha256 = digest(&request)?;
    if let Some(known) = find(ctx, user, key).await? {
        return join(ctx, user, key, &sha256, known, deadline).await;
    }
    let mut conn = ctx.pool.acquire().await?;
    let prepared = match prepare::prepare(&mut conn, user, request).await {
        Ok(prepared) => prepared,
        Err(refused) => {
            drop(conn);
            // A double click: the first request may have been accepted since we looked, and be the reason to refuse this one.
            return match find(ctx, user, key).await? {
                Some(known) => join(ctx, user, key, &sha256, known, deadline).await,
                None => Err(refused),
            };
        }
    };
    let work = prepared.plan.to_json()?;
    let new = NewIntent {
        id: prepared.id,
        user,
        idempotency_key: key,
        request_sha256: &sha256,
        connection: prepared.calendar.connection_id,
        calendar: prepared.calendar.id,
        operation: prepared.plan.operation_name(),
        event_id: &prepared.event_id,
        work: &work,
    };
    let begun = write_intents::begin(&mut conn, ctx.clock.now(), new, ctx.settings.lease).await?;
    drop(conn);
    crash_point!("write.begun");
    let Some(intent) = begun else {
        // Another request with this key was faster.
        let known = find(ctx, user, key).await?.ok_or(sqlx::Error::RowNotFound)?;
        return join(ctx, user, key, &sha256, known, deadline).await;
    };
    match work_until(ctx, intent, deadline).await {
        Some(result) => Ok(Submitted {
            intent_id: prepared.id,
            result: Some(result),
        }),
        None => stop_waiting(ctx, user, key, prepared.id).await,
    }
}

/// Works in a separate task: a client that hangs up does not stop the write halfway. None: it has not finished.
async fn work_until(ctx: &Context, intent: Intent, deadline: Instant) -> Option<WriteResult> {
    let id = intent.lease.key;
    let task = tokio::spawn(worker::work_on(ctx.clone(), intent, Some(deadline)));
    let Ok(Ok(worked)) = timeout_at(deadline, task).await else {
        return None;
    };
    worked.unwrap_or_else(|error| {
        tracing::warn!(intent.id = %id, %error, "Database error during a write; a worker will resume it");
        None
    })
}

fn digest(request: &Request) -> Result<Vec<u8>, sqlx::Error> {
    let json = serde_json::to_vec(request).map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(Sha256::digest(json).to_vec())
}

async fn find(ctx: &Context, user: &UserId, key: &str) -> sqlx::Result<Option<Known>> {
    let mut conn = ctx.pool.acquire().await?;
    write_intents::of_key(&mut conn, user, key).await
}

/// Waits for the result of an earlier request with the same key.
async fn join(
    ctx: &Context,
    user: &UserId,
    key: &str,
    sha256: &[u8],
    mut found: Known,
    deadline: Instant,
) -> Result<Submitted, Refused> {
    if found.request_sha256 != sha256 {
        return Err(Refused::KeyReused);
    }
    while found.state.is_open() && Instant::now() < deadline && !common::clock_frozen!() {
        sleep(RESULT_POLL).await;
        match find(ctx, user, key).await? {
            Some(again) => found = again,
            // The account was disconnected, which deletes its requests.
            None => return Err(Reason::NotConnected.into()),
        }
    }
    match read_result(&found)? {
        Some(result) => Ok(Submitted {
            intent_id: found.id,
            result: Some(result),
        }),
        None => stop_waiting(ctx, user, key, found.id).await,
    }
}

/// Answers `pending`, and has the user notified of the outcome, unless the request has finished by now.
async fn stop_waiting(ctx: &Context, user: &UserId, key: &str, id: Uuid) -> Result<Submitted, Refused> {
    let mut conn = ctx.pool.acquire().await?;
    write_intents::announce(&mut conn, user, id).await?;
    // A request that finished before this was set sends no notification: answer with its result.
    let found = write_intents::of_key(&mut conn, user, key).await?;
    let result = found.as_ref().map(read_result).transpose()?.flatten();
    Ok(Submitted {
        intent_id: id,
        result,
    })
}

fn read_result(known: &Known) -> sqlx::Result<Option<WriteResult>> {
    known
        .result
        .as_ref()
        .map(|result| serde_json::from_str(result.get()))
        .transpose()
        .map_err(|error| sqlx::Error::Decode(error.into()))
}
