//! Writes to Google on behalf of a user: applied once, without overwriting anyone else's change, and always with an outcome.
//!
//! Properties, each with a test that fails when it is broken:
//! - A request is committed, with the id of the event that it creates, before Google is called. A process that dies at any
//!   step leaves a row that another worker resumes ([`run_once`]), and a double click is one request.
//! - Before a call that may already have been applied is repeated, Google is checked for it: an event carries the ids of the
//!   last requests that were written to it ([`write_marker`]), and a new event is recognized by its id. Guests are mailed
//!   once.
//! - An edit applies to the version that it was made from. If the event has changed since, the edit is merged field by field
//!   ([`merge`](event_model::merge)). If both sides changed the same field, nothing is written and the user decides.
//! - One commit holds the mirror, the user's seq, the message and the result. Google's own push is then an echo.
//! - Every request finishes: done, failed with a reason, in conflict, or given up after [`LIFE`]. A worker that takes it up
//!   later than that (all workers were down, a backup was restored) writes nothing to Google, and only checks whether it was
//!   applied. A caller that was answered `pending` is notified of the outcome.
//!
//! ```text
//! submit ── prepare ──▶ pending ──▶ sent ──▶ done | failed | conflict   (WriteResult, committed with its Effects)
//!              │          ▲           │
//!              ▼          └── Retry ──┘   pending: Google refused the last call
//!           Refused                       sent: Google may have applied it, look first
//! ```
//! [`worker`] executes the plan again and again under the request's lease. A try has effects to commit, or
//! ends [`Unfinished`](interrupt::Unfinished).
//!
//! Known race: a call that timed out may reach Google after we looked for it. It then has the same precondition as the
//! repeated call, and Google refuses one of the two.

mod attempt;
mod commit;
mod effects;
mod execute;
mod interrupt;
mod plan;
mod prepare;
mod request;
mod result;
mod submit;
mod target;
mod whole;
mod worker;
mod write_marker;

use chrono::TimeDelta;
use common::worker::Pass;
use store::{event_versions, write_intents};

pub use attempt::LIFE;
pub use request::{Command, Mail, Refused, Request, Response, Scope};
pub use result::{Conflict, Failure, Reason, WriteResult};
pub use submit::{Submitted, submit};
pub use whole::whole_event;
pub use worker::run_once;

use crate::Context;

/// For this long a key gets the same answer, and the version that an edit was made from is known.
const RETENTION: TimeDelta = TimeDelta::hours(24);

const PURGE_BATCH: i64 = 1_000;

/// Deletes a batch of finished requests and versions of events that are older than a day.
pub async fn purge_once(ctx: &Context) -> sqlx::Result<Pass> {
    let before = ctx.clock.now() - RETENTION;
    let mut conn = ctx.pool.acquire().await?;
    let intents = write_intents::purge(&mut conn, before, PURGE_BATCH).await?;
    let versions = event_versions::purge(&mut conn, before, PURGE_BATCH).await?;
    Ok(if intents + versions == 0 {
        Pass::Idle
    } else {
        Pass::Worked
    })
}
