//! The canary: an end-to-end probe that changes an event in Google every few minutes and waits for the message on a
//! browser's socket.
//!
//! All metrics can look healthy while push is broken: at night nothing changes, and by day polling hides it. So a
//! dedicated account changes an event of its own through Google's API, and a real WebSocket waits for the message. A
//! message in time and because of a push counts as `push`. If none arrives, the canary marks the calendar dirty itself:
//! `poll` means that push is broken although every calendar looks fresh and the rest of the path works.
//!
//! The account is connected like any other, as the user [`CanaryConfig::user`] of the host application. The lease on
//! the canary's row lets one renewer at a time probe.

use std::time::{Duration, Instant};

use centrifugo::Tokens;
use centrifugo::socket::{Problem, Subscription};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use common::ids::{CalendarId, UserId};
use common::worker::Pass;
use google::{Error, EventPath, SendUpdates};
use serde_json::{Value, json};
use store::calendars::Calendar;
use store::canary::{self, Turn};
use store::sync_state::{Cause, mark_dirty};
use strum::IntoStaticStr;
use tokio::time::{timeout, timeout_at};
use url::Url;
use uuid::Uuid;

use crate::calls::{CallError, Purpose, call};
use crate::{Context, metrics};

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than the timeout of a single call to Google.
const CHANGE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long to wait for the push after a poll that was faster, and the precision of the time of a calendar's last push.
const PUSH_WITHIN: Duration = Duration::from_secs(3);
const PUSH_PRECISION: TimeDelta = TimeDelta::seconds(10);
const PUSH_CHECK_EVERY: Duration = Duration::from_millis(200);
const TITLE: &str = "Calwire canary";

#[derive(Debug, Clone)]
pub struct CanaryConfig {
    /// The host application's user whose account the canary uses.
    pub user: UserId,
    /// The Google id of the calendar to change; by default the account's primary one.
    pub calendar: Option<String>,
    pub every: Duration,
    /// How long a change may take to reach the socket.
    pub patience: Duration,
    /// Where browsers open their socket, as an `http` or `https` URL.
    pub socket_url: Url,
}

/// The result of a probe; its text is the metric's label.
#[derive(Debug, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Probe {
    /// Received because of a push.
    Push(Duration),
    /// Received only because of a poll.
    Poll(Duration),
    /// Not received, or received too late although Google pushed.
    Late,
    /// The account or calendar does not exist.
    NotConnected,
    Socket(Problem),
    /// Opening the socket timed out.
    #[strum(serialize = "socket")]
    SocketSlow,
    /// The event could not be changed.
    Change(CallError),
    #[strum(serialize = "change")]
    ChangeSlow,
}

/// Makes one change and waits for it, if the next probe is due.
pub async fn run_once(ctx: &Context, config: &CanaryConfig, tokens: &Tokens) -> sqlx::Result<Pass> {
    let lease = OPEN_TIMEOUT + CHANGE_TIMEOUT + config.patience * 3;
    let turn = {
        let mut conn = ctx.pool.acquire().await?;
        canary::acquire(&mut conn, ctx.clock.now(), &config.user, lease).await?
    };
    let Some(turn) = turn else {
        return Ok(Pass::Idle);
    };
    let outcome = probe(ctx, config, tokens, &turn).await?;
    report(&outcome);
    let now = ctx.clock.now();
    let by_push_at = matches!(outcome, Probe::Push(_)).then_some(now);
    let mut conn = ctx.pool.acquire().await?;
    canary::settle(&mut conn, now, &turn, (&outcome).into(), by_push_at, config.every).await?;
    Ok(Pass::Idle)
}

fn report(outcome: &Probe) {
    metrics::canary(outcome.into());
    let ms = |latency: &Duration| latency.as_secs_f64() * 1e3;
    match outcome {
        Probe::Push(latency) => {
            metrics::canary_took(*latency);
            tracing::debug!(duration_ms = ms(latency), "Canary received its change by push");
        }
        Probe::Poll(latency) => tracing::error!(
            duration_ms = ms(latency),
            "Push is broken: the canary received its change only by a poll"
        ),
        Probe::Late => tracing::error!("The canary did not receive its change in time"),
        Probe::NotConnected => {
            tracing::warn!("The canary's account is not connected, or has no calendar CANARY_CALENDAR");
        }
        Probe::Socket(error) => tracing::error!(%error, "The canary's socket failed"),
        Probe::SocketSlow => tracing::error!("Timed out opening the canary's socket"),
        Probe::Change(error) => tracing::warn!(%error, "The canary could not change its event in Google"),
        Probe::ChangeSlow => tracing::warn!("Timed out changing the canary's event in Google"),
    }
}

async fn probe(ctx: &Context, config: &CanaryConfig, tokens: &Tokens, turn: &Turn) -> sqlx::Result<Probe> {
    let Some(calendar) = calendar(ctx, config).await? else {
        return Ok(Probe::NotConnected);
    };
    let now = ctx.clock.now();
    let open = Subscription::open(tokens, &config.socket_url, &config.user, now);
    let mut socket = match timeout(OPEN_TIMEOUT, open).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Ok(Probe::Socket(error)),
        Err(_) => return Ok(Probe::SocketSlow),
    };
    let mark = Uuid::new_v4().to_string();
    let (started, changed_at) = (Instant::now(), ctx.clock.now());
    match timeout(CHANGE_TIMEOUT, change(ctx, &calendar, turn, &mark)).await {
        Ok(Ok(())) => {}
        Ok(Err(CallError::Database(error))) => return Err(error),
        Ok(Err(error)) => return Ok(Probe::Change(error)),
        Err(_) => return Ok(Probe::ChangeSlow),
    }
    let deadline = started + config.patience;
    let in_time = timeout_at(deadline.into(), receive(&mut socket, calendar.id, &mark)).await;
    let is_in_time = in_time.is_ok();
    let seq = if let Ok(seq) = in_time {
        seq
    } else {
        poll(ctx, calendar.id).await?;
        let Ok(seq) = timeout(config.patience, receive(&mut socket, calendar.id, &mark)).await else {
            return Ok(Probe::Late);
        };
        seq
    };
    let latency = started.elapsed();
    let seq = match seq {
        Ok(seq) => seq,
        Err(error) => return Ok(Probe::Socket(error)),
    };
    let cause = canary::cause_of(&mut *ctx.pool.acquire().await?, &config.user, seq).await?;
    // A regular poll may have been faster than the push.
    let is_pushed = cause == Some(Cause::Push) || push_follows(ctx, calendar.id, changed_at).await?;
    Ok(match (is_pushed, is_in_time) {
        (true, true) => Probe::Push(latency),
        (true, false) => Probe::Late,
        (false, _) => Probe::Poll(latency),
    })
}

/// Marks the calendar dirty as a poll does: the result shows whether only push is broken.
async fn poll(ctx: &Context, calendar: CalendarId) -> sqlx::Result<()> {
    let mut tx = ctx.pool.begin().await?;
    mark_dirty(&mut tx, ctx.clock.now(), &[calendar.into()], Cause::Poll).await?;
    tx.commit().await
}

async fn push_follows(ctx: &Context, calendar: CalendarId, changed_at: DateTime<Utc>) -> sqlx::Result<bool> {
    let deadline = Instant::now() + PUSH_WITHIN;
    loop {
        let mut conn = ctx.pool.acquire().await?;
        if canary::pushed_since(&mut conn, calendar, changed_at - PUSH_PRECISION).await? {
            return Ok(true);
        }
        drop(conn);
        if Instant::now() > deadline {
            return Ok(false);
        }
        tokio::time::sleep(PUSH_CHECK_EVERY).await;
    }
}

async fn calendar(ctx: &Context, config: &CanaryConfig) -> sqlx::Result<Option<Calendar>> {
    let mut conn = ctx.pool.acquire().await?;
    let calendars = store::calendars::of_user(&mut conn, &config.user).await?;
    let is_canarys = |calendar: &Calendar| match &config.calendar {
        Some(id) => calendar.google_id == *id,
        None => calendar.is_primary,
    };
    Ok(calendars
        .into_iter()
        .find(|calendar| calendar.selected && is_canarys(calendar)))
}

/// Writes `mark` into the canary's event, or creates the event. Its start moves with the clock, so that it stays within
/// the window of the messages.
async fn change(ctx: &Context, calendar: &Calendar, turn: &Turn, mark: &str) -> Result<(), CallError> {
    let start = ctx.clock.now() + TimeDelta::hours(1);
    let time = |at: DateTime<Utc>| json!({ "dateTime": at.to_rfc3339_opts(SecondsFormat::Secs, true) });
    let body = json!({
        "summary": TITLE,
        "description": mark,
        "start": time(start),
        "end": time(start + TimeDelta::minutes(5)),
        "transparency": "transparent",
        "reminders": { "useDefault": false },
    });
    if let Some(event) = &turn.event_id {
        match patch(ctx, calendar, event, &body).await {
            // The event was deleted in Google.
            Err(CallError::Google(Error::NotFound | Error::AlreadyDeleted)) => {}
            patched => return patched,
        }
    }
    let body = &body;
    let created = call(ctx, calendar.connection_id, Purpose::Write, |access| async move {
        ctx.google
            .insert_event(&access, &calendar.google_id, body, SendUpdates::None)
            .await
    })
    .await?;
    let mut conn = ctx.pool.acquire().await?;
    Ok(canary::keep_event(&mut conn, turn, &created.id).await?)
}

async fn patch(ctx: &Context, calendar: &Calendar, event: &str, body: &Value) -> Result<(), CallError> {
    let path = EventPath {
        calendar: &calendar.google_id,
        event,
    };
    call(ctx, calendar.connection_id, Purpose::Write, |access| async move {
        ctx.google
            .patch_event(&access, path, None, body, SendUpdates::None)
            .await
    })
    .await
    .map(drop)
}

/// Waits for the message about the change, and returns its seq.
async fn receive(socket: &mut Subscription, calendar: CalendarId, mark: &str) -> Result<i64, Problem> {
    let calendar = calendar.to_string();
    loop {
        let message = socket.next().await?;
        if message["calendarId"] == calendar
            && message["type"] == "events.changed"
            && contains(&message, mark)
        {
            return Ok(message["seq"].as_i64().unwrap_or_default());
        }
    }
}

fn contains(message: &Value, mark: &str) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    list(&message["upserted"])
        .iter()
        .flat_map(|series| list(&series["events"]))
        .any(|event| event["description"] == mark)
}
