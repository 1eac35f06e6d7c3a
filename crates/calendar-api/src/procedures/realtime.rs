//! The tokens and the snapshot for a browser's socket.

use std::time::Duration;

use centrifugo::Position;
use chrono::{DateTime, Utc};
use event_model::expansion::hot_window;
use event_model::wire::{Event, Freshness, Mode, Window};
use rpc::{Code, RpcError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sync::read::{Duplicates, Query};
use ts_rs::TS;
use uuid::Uuid;

use super::events::{freshness_of, has_calendar_access};
use super::input::Nothing;
use crate::ownership::own_calendars;
use crate::state::Caller;
use crate::{on_view, reading};

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

/// A snapshot, and the position on the channel from which to continue.
#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeState {
    /// The channel's position in Centrifugo, for `getState` of a subscription. `null`: not requested.
    epoch: Option<String>,
    #[ts(type = "number | null")]
    offset: Option<u64>,
    /// The last message included in the snapshot: ignore messages up to it.
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
    /// The time that `events` covers.
    window: Window,
    #[ts(as = "Vec<Event>")]
    events: Vec<Box<RawValue>>,
    /// There are more events than a snapshot holds; request the displayed time by `getEvents`.
    truncated: bool,
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
}

const fn yes() -> bool {
    true
}

/// `realtime.getState`
pub async fn get_state(caller: Caller, input: RealtimeStateInput) -> Result<RealtimeState, RpcError> {
    on_view::request_pull(&caller.state.recent_views, &caller.state.sync, &caller.user);
    let state = &caller.state;
    // The position is read first: every message up to it is committed, so the snapshot includes it. The other way round, a
    // message between the two would be lost.
    let position = if input.live {
        Some(channel_position(&caller).await?)
    } else {
        None
    };
    let now = state.now();
    let window = hot_window(now);
    let mut tx = store::begin_snapshot(&state.sync.pool).await?;
    let stream = store::user_stream::position(&mut tx, &caller.user).await?;
    let connections = store::connections::of_user(&mut tx, &caller.user).await?;
    let own = own_calendars(&mut tx, &caller, None).await?;
    let evidence = store::calendars::evidence(&mut tx, now, &caller.user, None).await?;
    let calendars = freshness_of(&evidence, &caller, now);
    let query = Query {
        window,
        zone: reading::zone_of(&own),
        calendars: None,
        types: None,
        limit: SNAPSHOT_MAX + 1,
        duplicates: Duplicates::Separate,
    };
    let mut events = sync::read::events(&mut tx, now, &caller.user, &query).await?;
    tx.commit().await?;
    let truncated = events.len() > SNAPSHOT_MAX || sync::read::may_lack_instances(&evidence, now, window);
    events.truncate(SNAPSHOT_MAX);
    let (as_of, mode) = reading::overall(&calendars, !connections.is_empty());
    let (epoch, offset) = position.map(|position| (position.epoch, position.offset)).unzip();
    Ok(RealtimeState {
        epoch,
        offset,
        seq: stream.seq,
        stream_epoch: stream.epoch,
        connected: !connections.is_empty(),
        has_calendar_access: has_calendar_access(&connections),
        as_of,
        mode,
        calendars,
        window,
        events,
        truncated,
    })
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
