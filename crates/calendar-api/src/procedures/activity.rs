//! The recent pulls of each calendar: why, when, how long, and with which result.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common::ids::CalendarId;
use event_model::wire::Mode;
use rpc::RpcError;
use serde::{Deserialize, Serialize};
use store::calendars::Evidence;
use store::pull_log::{self, Entry};
use store::sync_state::Cause;
use store::watches::{self, LiveState};
use ts_rs::TS;

use super::events::{freshness_of, has_calendar_access};
use super::input::{Bounded, CalendarIds};
use crate::ownership::own_calendars;
use crate::reading;
use crate::state::Caller;

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[ts(optional_fields)]
pub struct SyncActivityInput {
    /// Default: the selected ones.
    #[ts(as = "Option<Vec<String>>")]
    calendar_ids: Option<CalendarIds>,
    /// Maximum number of pulls per calendar.
    #[ts(as = "Option<u32>")]
    limit: Bounded<1, 100>,
}

impl Default for SyncActivityInput {
    fn default() -> Self {
        Self {
            calendar_ids: None,
            limit: Bounded::new(20),
        }
    }
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SyncActivity {
    connected: bool,
    has_calendar_access: bool,
    #[ts(type = "string | null")]
    as_of: Option<DateTime<Utc>>,
    mode: Mode,
    /// This service's clock, for comparison with the times below.
    #[ts(type = "string")]
    now: DateTime<Utc>,
    calendars: Vec<CalendarActivity>,
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CalendarActivity {
    #[ts(type = "string")]
    calendar_id: CalendarId,
    mode: Mode,
    #[ts(type = "string | null")]
    as_of: Option<DateTime<Utc>>,
    /// The channel on which Google pushes. `null`: none.
    watch: Option<WatchActivity>,
    /// Google's last push for this calendar; in a burst within ten seconds.
    #[ts(type = "string | null")]
    last_push_at: Option<DateTime<Utc>>,
    /// When it is polled next if no push arrives.
    #[ts(type = "string | null")]
    next_poll_at: Option<DateTime<Utc>>,
    /// Since when a pull is due. `null`: none is.
    #[ts(type = "string | null")]
    due_since: Option<DateTime<Utc>>,
    /// Why the last pull failed. `null`: it succeeded.
    last_error: Option<SyncError>,
    /// Attempts since the last successful pull, including a running one.
    attempts: u32,
    /// Newest first.
    rounds: Vec<SyncRound>,
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct WatchActivity {
    #[ts(type = "string")]
    expires_at: DateTime<Utc>,
    /// When it is replaced by another channel.
    #[ts(type = "string | null")]
    renew_at: Option<DateTime<Utc>>,
    /// The last message over it; within some minutes.
    #[ts(type = "string | null")]
    last_message_at: Option<DateTime<Utc>>,
    /// The host that Google pushes to.
    host: String,
}

#[derive(Debug, Serialize, TS)]
pub struct SyncError {
    /// `rate_limited`, `transient`, `reauth_required`, `scope_missing`, `quota_spent`, `access_lost`, …
    word: String,
    #[ts(type = "string | null")]
    at: Option<DateTime<Utc>>,
}

/// One pull of a calendar: requested, started, committed together with its message, published.
#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SyncRound {
    /// Counts within the calendar.
    #[ts(type = "number")]
    number: i64,
    cause: SyncCause,
    /// When the pull was requested: for a push, when it arrived.
    #[ts(type = "string")]
    asked_at: DateTime<Utc>,
    /// When the pull started.
    #[ts(type = "string")]
    started_at: DateTime<Utc>,
    /// When its result was committed.
    #[ts(type = "string")]
    committed_at: DateTime<Utc>,
    /// When the broker accepted its message. `null`: it has none, or it is not published yet.
    #[ts(type = "string | null")]
    published_at: Option<DateTime<Utc>>,
    /// Pages received from Google.
    pages: u32,
    /// Events written; with `outcome` `listed`, all events.
    changed: u32,
    /// Events deleted.
    deleted: u32,
    /// The `seq` of its message.
    #[ts(type = "number | null")]
    seq: Option<i64>,
    /// `ok`, `no_change`, `listed` (everything was read from scratch), or the code of an error.
    outcome: String,
    /// Number of consecutive unchanged pulls merged into this entry.
    times: u32,
    /// When the last of them was committed.
    #[ts(type = "string")]
    last_at: DateTime<Utc>,
}

/// Why a calendar was pulled.
#[derive(Debug, Clone, Copy, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum SyncCause {
    Push,
    Poll,
    Opening,
    Person,
    Watch,
    First,
}

/// `calendar.google.getSyncActivity`
pub async fn get_sync_activity(caller: Caller, input: SyncActivityInput) -> Result<SyncActivity, RpcError> {
    let now = caller.state.now();
    let user = &caller.user;
    let named = input.calendar_ids.as_ref().map(CalendarIds::as_slice);
    let mut tx = store::begin_snapshot(&caller.state.sync.pool).await?;
    let connections = store::connections::of_user(&mut tx, user).await?;
    own_calendars(&mut tx, &caller, named).await?;
    let evidence = store::calendars::evidence(&mut tx, now, user, named).await?;
    let watches = watches::live_of_user(&mut tx, now, user).await?;
    let rounds = pull_log::recent(&mut tx, user, named, input.limit.get().into()).await?;
    tx.commit().await?;

    let freshness = freshness_of(&evidence, &caller, now);
    let (as_of, mode) = reading::overall(&freshness, !connections.is_empty());
    let mut watches: HashMap<_, _> = watches
        .into_iter()
        .map(|watch| (watch.calendar_id, watch))
        .collect();
    let mut by_calendar: HashMap<CalendarId, Vec<SyncRound>> = HashMap::new();
    for round in rounds {
        by_calendar
            .entry(round.calendar_id)
            .or_default()
            .push(round.into());
    }
    let calendars = evidence.into_iter().zip(freshness).map(|(evidence, freshness)| {
        let id = evidence.calendar_id;
        calendar(
            evidence,
            freshness.mode,
            watches.remove(&id),
            by_calendar.remove(&id),
        )
    });
    Ok(SyncActivity {
        connected: !connections.is_empty(),
        has_calendar_access: has_calendar_access(&connections),
        as_of,
        mode,
        now,
        calendars: calendars.collect(),
    })
}

fn calendar(
    evidence: Evidence,
    mode: Mode,
    watch: Option<LiveState>,
    rounds: Option<Vec<SyncRound>>,
) -> CalendarActivity {
    let last_error = evidence.last_error.map(|word| SyncError {
        word,
        at: evidence.last_error_at,
    });
    CalendarActivity {
        calendar_id: evidence.calendar_id,
        mode,
        as_of: evidence.last_pull_at,
        watch: watch.map(Into::into),
        last_push_at: evidence.last_push_at,
        next_poll_at: evidence.poll_at,
        due_since: evidence.due_since,
        last_error,
        attempts: evidence.attempts,
        rounds: rounds.unwrap_or_default(),
    }
}

impl From<LiveState> for WatchActivity {
    fn from(watch: LiveState) -> Self {
        let address = url::Url::parse(&watch.address).ok();
        Self {
            expires_at: watch.expires_at,
            renew_at: watch.renew_at,
            last_message_at: watch.last_message_at,
            host: address
                .as_ref()
                .and_then(|address| address.host_str())
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

impl From<Entry> for SyncRound {
    fn from(round: Entry) -> Self {
        Self {
            number: round.number,
            cause: round.cause.into(),
            asked_at: round.asked_at,
            started_at: round.started_at,
            committed_at: round.committed_at,
            published_at: round.published_at,
            pages: round.pages,
            changed: round.changed,
            deleted: round.deleted,
            seq: round.seq,
            outcome: round.outcome,
            times: round.times,
            last_at: round.last_at,
        }
    }
}

impl From<Cause> for SyncCause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Push => Self::Push,
            Cause::Poll => Self::Poll,
            Cause::View => Self::Opening,
            Cause::Manual => Self::Person,
            Cause::Watch => Self::Watch,
            Cause::Initial => Self::First,
        }
    }
}
