//! The tokens and the snapshot for a browser's socket.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use centrifugo::Position;
use chrono::{DateTime, Utc};
use event_model::expansion::hot_window;
use event_model::wire::{Freshness, MESSAGE_VERSION, Message, Mode, Series, Window};
use rpc::{Code, RpcError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::instances::ReadRange;
use store::reading::{Load, Reading, Request};
use store::user_stream::Position as StreamPosition;
use sync::read::{Duplicates, Query, Selected};
use ts_rs::TS;
use uuid::Uuid;

use super::events::{freshness_of, has_calendar_access};
use super::input::Nothing;
use crate::metrics::AnsweredFrom;
use crate::reader::{Answer, Json, Kind, Question};
use crate::state::Caller;
use crate::{metrics, on_view, reading};

/// A subscription token is used at once; the subscription lasts as long as its connection.
const SUBSCRIPTION_TOKEN_TTL: Duration = Duration::from_mins(5);
/// The most events of a snapshot.
const SNAPSHOT_MAX: usize = 5_000;

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeToken {
    token: String,
    /// In seconds.
    #[ts(type = "number")]
    expires_in: u64,
}

/// `realtime.getConnectionToken`
pub async fn get_connection_token(caller: Caller, _: Nothing) -> Result<RealtimeToken, RpcError> {
    let state = &caller.state;
    let life = state.sync.settings.realtime_token_life;
    Ok(RealtimeToken {
        token: state.tokens.connection(&caller.user, state.now(), life),
        expires_in: life.as_secs(),
    })
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionTokenInput {
    /// The caller's own: `calendar:<user id>`.
    channel: String,
}

/// `realtime.getSubscriptionToken`: for the caller's own channel only.
pub async fn get_subscription_token(
    caller: Caller,
    input: SubscriptionTokenInput,
) -> Result<RealtimeToken, RpcError> {
    let own_channel = centrifugo::channel_of(&caller.user);
    #[cfg(feature = "simulation")]
    let own_channel = crate::mutants::accept_other_channels(own_channel, &input.channel);
    if input.channel != own_channel {
        return Err(
            RpcError::new(Code::Forbidden, "This is not your channel").with_reason("NOT_YOUR_CHANNEL")
        );
    }
    let state = &caller.state;
    Ok(RealtimeToken {
        token: state
            .tokens
            .subscription(&caller.user, &input.channel, state.now(), SUBSCRIPTION_TOKEN_TTL),
        expires_in: SUBSCRIPTION_TOKEN_TTL.as_secs(),
    })
}

/// The position on the channel from which to continue, and all that the page lacks up to there.
#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeState {
    /// The channel's position in Centrifugo, for `getState` of a subscription. `null`: not requested.
    epoch: Option<String>,
    #[ts(type = "number | null")]
    offset: Option<u64>,
    /// The last message included: ignore messages up to it.
    #[ts(type = "number")]
    seq: i64,
    /// `seq` counts within it: if it changes, load a new snapshot.
    #[ts(type = "string")]
    stream_epoch: Uuid,
    connected: bool,
    has_calendar_access: bool,
    #[ts(type = "string | null")]
    as_of: Option<DateTime<Utc>>,
    mode: Mode,
    /// The selected calendars.
    calendars: Vec<Freshness>,
    /// The time that the snapshot and the messages cover.
    window: Window,
    /// All that has changed since `held`, in order. Empty: nothing, or `snapshot` has it.
    #[ts(as = "Vec<Message>")]
    messages: Vec<Box<RawValue>>,
    /// `null`: the held data is complete with the messages.
    snapshot: Option<Snapshot>,
}

/// All events of the window.
#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// By calendar.
    #[ts(as = "HashMap<String, Vec<Series>>")]
    series: Json,
    /// There are more events than a snapshot holds, or a series may have more instances than Calwire keeps; request the
    /// displayed time by `getEvents`.
    truncated: bool,
    /// Set if there are more events than a snapshot holds: all instances that start before it are there.
    #[ts(type = "string | null")]
    until: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[ts(optional_fields)]
pub struct RealtimeStateInput {
    /// `false`: without the channel's position, for a page that shows a snapshot while Centrifugo is down. A subscription
    /// cannot start from it.
    #[serde(default = "yes")]
    #[ts(as = "Option<bool>")]
    live: bool,
    /// The data that the page has. The answer leaves it out.
    held: Option<Held>,
}

/// The data of a page, complete up to a message.
#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Held {
    #[ts(type = "string")]
    stream_epoch: Uuid,
    #[ts(type = "number")]
    seq: i64,
    window: Window,
}

const fn yes() -> bool {
    true
}

/// The most messages of an answer. More are as large as a snapshot.
const MESSAGES_MAX: u32 = 50;

/// How long the broker may take to return them. A snapshot does not need it.
const HISTORY_WITHIN: Duration = Duration::from_millis(500);

/// `realtime.getState`
pub async fn get_state(mut caller: Caller, input: RealtimeStateInput) -> Result<RealtimeState, RpcError> {
    on_view::request_pull(&caller.state.recent_views, &caller.state.sync, &caller.user);
    // The position is read first: every message up to it is committed, so the snapshot includes it. The other way round, a
    // message between the two would be lost.
    let position = if input.live {
        Some(channel_position(&caller).await?)
    } else {
        None
    };
    // Calls that wait for a statement share it and hold up no others, so all of the user's may wait: a thousand tabs that
    // reload at once are a few statements.
    caller.turn = None;
    let now = caller.state.now();
    let window = hot_window(now);
    let held = input.held.filter(|held| held.window == window);
    let (reading, missing) = missing(&caller, now, window, held).await?;
    let (messages, snapshot) = match missing {
        Missing::Messages(messages) => (messages, None),
        Missing::Everything(snapshot) => (Vec::new(), Some(snapshot)),
    };
    let (connections, stream) = (&reading.connections, reading.position);
    let evidence = reading::evidence(&reading);
    let calendars = freshness_of(&evidence, &caller, now);
    let (as_of, mode) = reading::overall(&calendars, !connections.is_empty());
    let (epoch, offset) = position.map(|position| (position.epoch, position.offset)).unzip();
    Ok(RealtimeState {
        epoch,
        offset,
        seq: stream.seq,
        stream_epoch: stream.epoch,
        connected: !connections.is_empty(),
        has_calendar_access: has_calendar_access(connections),
        as_of,
        mode,
        calendars,
        window,
        messages,
        snapshot,
    })
}

/// The changes that a page lacks.
enum Missing {
    /// It can apply these.
    Messages(Vec<Box<RawValue>>),
    Everything(Snapshot),
}

async fn missing(
    caller: &Caller,
    now: DateTime<Utc>,
    window: Window,
    held: Option<Held>,
) -> Result<(Arc<Reading>, Missing), RpcError> {
    if let Some(held) = held {
        let reading = caller.state.reader.read(request(caller, None)).await?;
        if let Some(messages) = messages_since(caller, &held, reading.position).await {
            return Ok((reading, Missing::Messages(messages)));
        }
    }
    if let Some((reading, snapshot)) = shared_snapshot(caller, now, window).await? {
        return Ok((reading, Missing::Everything(snapshot)));
    }
    metrics::answered(AnsweredFrom::Transaction);
    let _turn = caller.turns.again().await?;
    let mut tx = store::begin_snapshot(&caller.state.sync.pool).await?;
    let mut readings = store::reading::read(&mut tx, now, &[request(caller, None)]).await?;
    let Some(reading) = readings.pop() else {
        return Err(RpcError::of(Code::InternalServerError));
    };
    let query = query_of(window, &reading);
    let read = sync::read::snapshot(&mut tx, now, &caller.user, &query).await?;
    tx.commit().await?;
    let series = Json::of(&read.series)?;
    let snapshot = snapshot_of(&reading, now, window, (series, read.until));
    Ok((Arc::new(reading), Missing::Everything(snapshot)))
}

fn request(caller: &Caller, load: Option<Load>) -> Request {
    Request {
        user: caller.user.clone(),
        with_queue: false,
        load,
    }
}

fn query_of(window: Window, reading: &Reading) -> Query<'static> {
    Query {
        window,
        zone: reading::zone_of(reading.calendars.iter().map(|one| &one.calendar)),
        calendars: None,
        types: None,
        limit: SNAPSHOT_MAX,
        duplicates: Duplicates::Separate,
    }
}

/// Reads in one statement, shared with others. None: it takes more.
async fn shared_snapshot(
    caller: &Caller,
    now: DateTime<Utc>,
    window: Window,
) -> Result<Option<(Arc<Reading>, Snapshot)>, RpcError> {
    let reader = &caller.state.reader;
    let question = Question {
        user: caller.user.clone(),
        kind: Kind::Snapshot,
        zone: None,
        types: None,
    };
    let kept = reader.answer(&question);
    let load = Load {
        unless: kept.and_then(|kept| kept.position_for(window)),
        range: ReadRange {
            from: window.from,
            to: window.to,
        },
        limit: i64::try_from(sync::read::rows_for(SNAPSHOT_MAX + 1)).unwrap_or(i64::MAX),
    };
    let reading = reader.read(request(caller, Some(load))).await?;
    let query = query_of(window, &reading);
    // Another caller that has waited for the same statement may have made the answer.
    let kept = reader
        .answer(&question)
        .filter(|kept| kept.holds(&reading, window, query.zone));
    let answer = if let Some(kept) = kept {
        metrics::answered(AnsweredFrom::Cache);
        kept
    } else if let Some(answer) = answer_of(&reading, &query)? {
        metrics::answered(AnsweredFrom::Statement);
        reader.keep(question, answer)
    } else {
        reader.forget(&question);
        return Ok(None);
    };
    let snapshot = snapshot_of(&reading, now, window, (answer.json.clone(), answer.until));
    Ok(Some((reading, snapshot)))
}

/// None: the events were not loaded, or more are needed than were.
fn answer_of(reading: &Reading, query: &Query<'_>) -> Result<Option<Answer>, RpcError> {
    let Some(loaded) = reading::loaded(reading) else {
        return Ok(None);
    };
    let Some(selected) = Selected::of(loaded, &query.one_more())? else {
        return Ok(None);
    };
    let read = selected.snapshot(query);
    let (scope, series) = ((query.window, query.zone), Json::of(&read.series)?);
    Ok(Some(Answer::new(
        reading,
        scope,
        None,
        series,
        (read.until.is_some(), read.until),
    )))
}

fn snapshot_of(
    reading: &Reading,
    now: DateTime<Utc>,
    window: Window,
    (series, until): (Json, Option<DateTime<Utc>>),
) -> Snapshot {
    let evidence = reading::evidence(reading);
    Snapshot {
        truncated: until.is_some() || sync::read::may_lack_instances(&evidence, now, window),
        series,
        until,
    }
}

/// The changes that the page lacks, as messages that it can apply. None: it needs a snapshot.
async fn messages_since(caller: &Caller, held: &Held, stream: StreamPosition) -> Option<Vec<Box<RawValue>>> {
    if held.stream_epoch != stream.epoch || held.seq > stream.seq {
        return None;
    }
    if held.seq == stream.seq {
        return Some(Vec::new());
    }
    let missing = u32::try_from(stream.seq - held.seq).ok()?;
    if missing > MESSAGES_MAX {
        return None;
    }
    let _turn = caller.turns.again().await.ok()?;
    // The newest ones may be committed later than this transaction began.
    let channel = centrifugo::channel_of(&caller.user);
    let newest = caller.state.broker.newest(&channel, 2 * MESSAGES_MAX);
    let newest = tokio::time::timeout(HISTORY_WITHIN, newest).await.ok()?.ok()?;
    let mut next = held.seq + 1 + i64::from(common::mutant!("held_skips_one"));
    let mut messages = Vec::new();
    for data in newest {
        let head: MessageHead<'_> = serde_json::from_str(data.get()).ok()?;
        if head.seq != next || head.seq > stream.seq {
            continue;
        }
        let is_complete =
            head.v == MESSAGE_VERSION && matches!(head.kind, "events.changed" | "write.resolved");
        if !is_complete {
            return None;
        }
        next += 1;
        messages.push(data);
    }
    (next == stream.seq + 1).then_some(messages)
}

#[derive(Deserialize)]
struct MessageHead<'a> {
    v: u8,
    seq: i64,
    #[serde(rename = "type")]
    kind: &'a str,
}

async fn channel_position(caller: &Caller) -> Result<Position, RpcError> {
    let channel = centrifugo::channel_of(&caller.user);
    caller
        .state
        .broker
        .history_position(&channel)
        .await
        .map_err(|error| {
            RpcError::new(Code::ServiceUnavailable, "The live channel is unavailable")
                .with_reason("BROKER_UNAVAILABLE")
                .with_retry_after(Duration::from_secs(1))
                .with_source(error)
        })
}
