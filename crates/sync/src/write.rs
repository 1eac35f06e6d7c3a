//! Writing to Google what a user asks for: once, without overwriting anybody, and never in silence.
//!
//! Properties, each with a test that fails when it is broken:
//! - A request is committed, with the id of the event it makes, before Google is called; so a process that dies at any
//!   step leaves something to go on from, and a double click is one request. [`run_once`] goes on with what was left.
//! - A step that may have happened is looked for before it is made again: an event carries the ids of the last requests
//!   that were written to it ([`write_marker`]), and a new one is known by its own id. Guests are mailed once.
//! - An edit holds for the version it was made from. Where that is gone, it is merged field by field ([`merge`](event_model::merge)); where
//!   both sides changed a field, nothing is written and a person decides.
//! - One commit holds the mirror, the user's seq, the message and the request's end. Google's own push is then an echo.
//! - A request ends: as done, refused with a reason, in conflict, or, after [`LIFE`], as given up, whatever keeps it from
//!   being done. Whoever takes it up later than that (all workers were away, a backup was brought back) writes nothing to
//!   Google any more, and only looks whether it had happened. Who has been told that it is pending is told of its end.
//!
//! Known race: a call that timed out may reach Google after we looked for it. It then meets the same condition as the
//! call that we make again, and one of the two is refused by Google.

mod attempt;
mod commit;
mod prepare;
mod result;
mod target;
mod work;
mod write_marker;

use std::time::Duration;

use chrono::TimeDelta;
use common::crash_point;
use common::ids::{CalendarId, UserId};
use common::worker::Pass;
use event_model::patch::{EventPatch, Invalid};
use event_model::permissions::Rule;
use google::SendUpdates;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::write_intents::{self, Intent, Known};
use store::{event_versions, write_intents as intents};
use tokio::time::{Instant, sleep, timeout_at};
use ts_rs::TS;
use uuid::Uuid;

pub use result::{Conflict, Failure, Reason, WriteResult};

use crate::{Context, metrics};
use attempt::Step;
use commit::Committed;

/// How long a request is tried before it is given up. A person who was told "pending" has not left the page yet.
pub const LIFE: TimeDelta = TimeDelta::minutes(10);

/// For how long the same key gets the same answer, and the version that an edit was made from is known.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// How often a request looks whether another one with the same key has been answered.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How soon Google is asked again for what a pull may have overtaken.
const OVERTAKEN: Duration = Duration::from_millis(50);

const PURGE_AT_ONCE: i64 = 1_000;
const BATCH: i64 = 8;

/// Which part of a series an edit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "SeriesScope")]
pub enum Scope {
    /// One instance.
    This,
    /// It and all later ones: the series is cut in two.
    Following,
    All,
}

/// A guest's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "ResponseStatus")]
pub enum Response {
    NeedsAction,
    Declined,
    Tentative,
    Accepted,
}

impl Response {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeedsAction => "needsAction",
            Self::Declined => "declined",
            Self::Tentative => "tentative",
            Self::Accepted => "accepted",
        }
    }
}

/// Whom Google mails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "SendUpdates")]
pub enum Mail {
    All,
    /// Guests who do not use Google Calendar.
    ExternalOnly,
    #[default]
    None,
}

impl From<Mail> for SendUpdates {
    fn from(mail: Mail) -> Self {
        match mail {
            Mail::All => Self::All,
            Mail::ExternalOnly => Self::ExternalOnly,
            Mail::None => Self::None,
        }
    }
}

/// What a user asks for. An `event_id` is the `id` of an Event as it was read, or of a series.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub calendar: CalendarId,
    pub mail: Mail,
    pub command: Command,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Command {
    Create {
        event: EventPatch,
    },
    Update {
        event_id: String,
        base_etag: String,
        patch: EventPatch,
        scope: Option<Scope>,
    },
    Delete {
        event_id: String,
        /// None: whatever it is by now.
        base_etag: Option<String>,
        scope: Option<Scope>,
    },
    Move {
        event_id: String,
        destination: CalendarId,
    },
    Respond {
        event_id: String,
        response: Response,
        comment: Option<String>,
        scope: Option<Scope>,
    },
}

/// A request that was accepted.
#[derive(Debug, Clone)]
pub struct Submitted {
    pub intent_id: Uuid,
    /// None while it is pending: [`Change::WriteResolved`](event_model::wire::Change::WriteResolved) reports the outcome later.
    pub result: Option<WriteResult>,
}

/// Why a request was not taken up. Google was not called.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("{} forbids to change {field}", rule.name())]
    Rule { rule: Rule, field: &'static str },
    #[error("refused: {}", .0.name())]
    Reason(Reason),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Takes a request up and works on it for as long as a caller waits (`settings.write_deadline`).
pub async fn submit(ctx: &Context, user: &UserId, key: &str, request: Request) -> Result<Submitted, Refused> {
    let deadline = Instant::now() + ctx.settings.write_deadline;
    let sha256 = digest(&request)?;
    if let Some(known) = known(ctx, user, key).await? {
        return join(ctx, user, key, &sha256, known, deadline).await;
    }
    let mut conn = ctx.pool.acquire().await?;
    let prepared = match prepare::prepare(&mut conn, user, request).await {
        Ok(prepared) => prepared,
        Err(refused) => {
            drop(conn);
            // A double click: what forbids the second may be what the first has done since we looked.
            return match known(ctx, user, key).await? {
                Some(known) => join(ctx, user, key, &sha256, known, deadline).await,
                None => Err(refused),
            };
        }
    };
    let work = prepared.work.to_json()?;
    let new = intents::NewIntent {
        id: prepared.id,
        user,
        idempotency_key: key,
        request_sha256: &sha256,
        connection: prepared.calendar.connection_id,
        calendar: prepared.calendar.id,
        operation: prepared.work.operation(),
        event_id: &prepared.event_id,
        work: &work,
    };
    let begun = intents::begin(&mut conn, ctx.clock.now(), new, ctx.settings.lease).await?;
    drop(conn);
    crash_point!("write.begun");
    let Some(intent) = begun else {
        // Another request with this key was faster.
        let known = known(ctx, user, key).await?.ok_or(sqlx::Error::RowNotFound)?;
        return join(ctx, user, key, &sha256, known, deadline).await;
    };
    // On its own, so that a client which hangs up does not stop half-way what others will see.
    let work = tokio::spawn(go_on(ctx.clone(), intent, Some(deadline)));
    match timeout_at(deadline, work).await {
        Ok(Ok(Ok(Some(result)))) => Ok(Submitted {
            intent_id: prepared.id,
            result: Some(result),
        }),
        Ok(Ok(Err(error))) => {
            tracing::warn!(intent.id = %prepared.id, %error, "A write goes on once the database is back");
            leave(ctx, user, key, prepared.id).await
        }
        _ => leave(ctx, user, key, prepared.id).await,
    }
}

fn digest(request: &Request) -> Result<Vec<u8>, sqlx::Error> {
    let json = serde_json::to_vec(request).map_err(encode)?;
    Ok(Sha256::digest(json).to_vec())
}

fn encode(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.into())
}

async fn known(ctx: &Context, user: &UserId, key: &str) -> sqlx::Result<Option<Known>> {
    let mut conn = ctx.pool.acquire().await?;
    intents::of_key(&mut conn, user, key).await
}

/// Waits for the answer of a request that was made before.
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
        sleep(LOOK_AGAIN).await;
        match known(ctx, user, key).await? {
            Some(again) => found = again,
            // The account was disconnected, and its requests went with it.
            None => return Err(Refused::Reason(Reason::NotConnected)),
        }
    }
    match read_end(&found)? {
        Some(result) => Ok(Submitted {
            intent_id: found.id,
            result: Some(result),
        }),
        None => leave(ctx, user, key, found.id).await,
    }
}

/// The caller does not wait any longer: the end will be told.
async fn leave(ctx: &Context, user: &UserId, key: &str, id: Uuid) -> Result<Submitted, Refused> {
    let mut conn = ctx.pool.acquire().await?;
    intents::announce(&mut conn, user, id).await?;
    // It may have ended before anybody could be told so.
    let found = intents::of_key(&mut conn, user, key).await?;
    let result = found.as_ref().map(read_end).transpose()?.flatten();
    Ok(Submitted {
        intent_id: id,
        result,
    })
}

fn read_end(known: &Known) -> sqlx::Result<Option<WriteResult>> {
    known
        .result
        .as_ref()
        .map(|result| serde_json::from_str(result.get()))
        .transpose()
        .map_err(|error| sqlx::Error::Decode(error.into()))
}

/// Goes on with requests whose process died or whose time has come, several side by side.
pub async fn run_once(ctx: &Context) -> sqlx::Result<Pass> {
    let mut conn = ctx.pool.acquire().await?;
    let left = intents::acquire(&mut conn, ctx.settings.lease, BATCH).await?;
    drop(conn);
    crash_point!("write.taken_over");
    metrics::leases_lost("write", left.iter().map(|intent| intent.taken_over));
    if left.is_empty() {
        return Ok(Pass::Idle);
    }
    let work = left.into_iter().map(|intent| go_on(ctx.clone(), intent, None));
    for outcome in futures_util::future::join_all(work).await {
        outcome?;
    }
    Ok(Pass::Worked)
}

/// Works on a request that is leased, until it ends or, without an end, until the next try would be after `wait_until`.
#[tracing::instrument(target = "calwire::trace", level = "trace", name = "write", skip_all, fields(intent.id = %intent.lease.key))]
async fn go_on(
    ctx: Context,
    intent: Intent,
    wait_until: Option<Instant>,
) -> sqlx::Result<Option<WriteResult>> {
    let work = match work::Work::read(&intent.work) {
        Ok(work) => work,
        // Written by a version that knows more, and none of those has come for it.
        Err(error) if work::left(&ctx, &intent).is_zero() => {
            tracing::warn!(intent.id = %intent.lease.key, %error, "A write is given up that cannot be read");
            let reason = given_up(intent.state == write_intents::State::Pending);
            return commit::give_up(&ctx, &intent, reason).await;
        }
        Err(error) => return Err(error),
    };
    let mut run = work::Run::new(&ctx, intent, work);
    loop {
        let (delay, is_sure) = match try_once(&mut run).await {
            Ok(Tried::Ended(end)) => return Ok(end),
            Ok(Tried::Again { delay, is_sure }) => (delay, is_sure),
            // An error that comes each time would keep it open for ever.
            Err(error) if run.is_over() => {
                tracing::warn!(intent.id = %run.id(), %error, "A write is given up that could not be stored");
                (Duration::ZERO, !run.is_in_doubt())
            }
            Err(error) => return Err(error),
        };
        run.failures += 1;
        if run.is_over() {
            let effects = commit::Effects::failed(given_up(is_sure));
            return Ok(commit::commit(&run, effects).await?.end());
        }
        if is_sure && !run.mark(write_intents::State::Pending).await? {
            return Ok(None);
        }
        if common::clock_frozen!() || wait_until.is_none_or(|until| Instant::now() + delay >= until) {
            crash_point!("write.deferring");
            let mut conn = ctx.pool.acquire().await?;
            intents::defer(&mut conn, &run.intent.lease, delay).await?;
            return Ok(None);
        }
        sleep(delay).await;
    }
}

/// Why a request comes to nothing whose time is up. `is_sure`: nothing of it has happened at Google.
fn given_up(is_sure: bool) -> Reason {
    if is_sure {
        Reason::GoogleUnavailable
    } else {
        Reason::OutcomeUnknown
    }
}

/// What came of a try, and of storing it.
enum Tried {
    /// None: somebody else has the request by now, and answers it.
    Ended(Option<WriteResult>),
    Again {
        delay: Duration,
        is_sure: bool,
    },
}

async fn try_once(run: &mut work::Run<'_>) -> sqlx::Result<Tried> {
    Ok(match Box::pin(attempt::attempt(run)).await? {
        Step::Ended(effects) => match commit::commit(run, *effects).await? {
            Committed::Overtaken => Tried::Again {
                delay: OVERTAKEN,
                is_sure: false,
            },
            committed => Tried::Ended(committed.end()),
        },
        Step::LeaseLost => Tried::Ended(None),
        // Whoever waits is told of the end when it is over, however long Google asks us to wait.
        Step::Again { delay, is_sure } => Tried::Again {
            delay: delay.min(run.left()),
            is_sure,
        },
    })
}

/// Forgets some of what is older than a day: requests that ended, and versions of events.
pub async fn purge_once(ctx: &Context) -> sqlx::Result<Pass> {
    let before = ctx.clock.now() - KEPT;
    let mut conn = ctx.pool.acquire().await?;
    let intents = intents::purge(&mut conn, before, PURGE_AT_ONCE).await?;
    let versions = event_versions::purge(&mut conn, before, PURGE_AT_ONCE).await?;
    Ok(if intents + versions == 0 {
        Pass::Idle
    } else {
        Pass::Worked
    })
}
