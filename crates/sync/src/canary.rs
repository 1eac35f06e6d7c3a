//! The canary: a change made in Google every few minutes, to be seen where browsers are.
//!
//! All lights can be green while the push path is dead: nobody changes anything at night, and polling hides it by day. So
//! an account that is nobody's changes an event of its own through Google's API, and a real socket waits for the message.
//! What comes in time and because Google pushed counts as `push`. What nobody has told of by then the canary asks for
//! itself: `poll` means that push is dead, although every calendar looks fresh and all the rest of the way is well.
//!
//! The account is connected as any other, as the user [`Config::user`] of the host application. One renewer at a time has
//! the turn, by the lease of the canary's row.

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
use tokio::time::{timeout, timeout_at};
use url::Url;
use uuid::Uuid;

use crate::tokens::{CallError, Work, call};
use crate::{Context, metrics};

/// A socket that is not open by then is not going to be.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// Google's own timeouts are shorter.
const CHANGE_WITHIN: Duration = Duration::from_mins(1);
/// How long the push may come after a poll that was faster, and how exactly the last push of a calendar is dated.
const PUSH_WITHIN: Duration = Duration::from_secs(3);
const PUSH_DATED: TimeDelta = TimeDelta::seconds(10);
const PUSH_LOOK: Duration = Duration::from_millis(200);
const TITLE: &str = "Calwire canary";

/// Who it is and how often it sings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The host application's user whose connected account is the canary's.
    pub user: UserId,
    /// The calendar that it changes, by Google's id; the account's primary one by default.
    pub calendar: Option<String>,
    pub every: Duration,
    /// How long a change may take to the socket.
    pub patience: Duration,
    /// Where browsers open their socket, by `http` or `https`, which is how a WebSocket begins.
    pub socket_url: Url,
}

/// What became of a change.
#[derive(Debug)]
enum Outcome {
    /// It came because Google pushed.
    Push(Duration),
    /// It came because Google was asked.
    Poll(Duration),
    /// It has not come, or not in time although Google pushed.
    Late,
    /// There is no such account or calendar.
    NotConnected,
    Socket(Problem),
    /// The socket was not open in time.
    SocketSlow,
    /// Google was not changed.
    Change(CallError),
    ChangeSlow,
}

impl Outcome {
    const fn word(&self) -> &'static str {
        match self {
            Self::Push(_) => "push",
            Self::Poll(_) => "poll",
            Self::Late => "late",
            Self::NotConnected => "not_connected",
            Self::Socket(_) | Self::SocketSlow => "socket",
            Self::Change(_) | Self::ChangeSlow => "change",
        }
    }
}

/// Makes one change and waits for it, if it is time.
pub async fn run_once(ctx: &Context, config: &Config, tokens: &Tokens) -> sqlx::Result<Pass> {
    let lease = OPEN_WITHIN + CHANGE_WITHIN + config.patience * 3;
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
    let by_push_at = matches!(outcome, Outcome::Push(_)).then_some(now);
    let mut conn = ctx.pool.acquire().await?;
    canary::settle(&mut conn, now, &turn, outcome.word(), by_push_at, config.every).await?;
    Ok(Pass::Idle)
}

fn report(outcome: &Outcome) {
    metrics::canary(outcome.word());
    let ms = |latency: &Duration| latency.as_secs_f64() * 1e3;
    match outcome {
        Outcome::Push(latency) => {
            metrics::canary_took(*latency);
            tracing::debug!(duration_ms = ms(latency), "The canary's change came by push");
        }
        Outcome::Poll(latency) => tracing::error!(
            duration_ms = ms(latency),
            "The push path is dead: the canary's change came by a poll"
        ),
        Outcome::Late => tracing::error!("The canary's change has not come to the browsers in time"),
        Outcome::NotConnected => {
            tracing::warn!("The canary has no connected account, or not the calendar of CANARY_CALENDAR");
        }
        Outcome::Socket(error) => tracing::error!(%error, "The canary's socket is of no use"),
        Outcome::SocketSlow => tracing::error!("The canary's socket does not open in time"),
        Outcome::Change(error) => tracing::warn!(%error, "The canary could not change its event in Google"),
        Outcome::ChangeSlow => tracing::warn!("Google did not take the canary's change in time"),
    }
}

async fn probe(ctx: &Context, config: &Config, tokens: &Tokens, turn: &Turn) -> sqlx::Result<Outcome> {
    let Some(calendar) = calendar(ctx, config).await? else {
        return Ok(Outcome::NotConnected);
    };
    let now = ctx.clock.now();
    let open = Subscription::open(tokens, &config.socket_url, &config.user, now);
    let mut socket = match timeout(OPEN_WITHIN, open).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Ok(Outcome::Socket(error)),
        Err(_) => return Ok(Outcome::SocketSlow),
    };
    let mark = Uuid::new_v4().to_string();
    let (started, changed_at) = (Instant::now(), ctx.clock.now());
    match timeout(CHANGE_WITHIN, change(ctx, &calendar, turn, &mark)).await {
        Ok(Ok(())) => {}
        Ok(Err(CallError::Database(error))) => return Err(error),
        Ok(Err(error)) => return Ok(Outcome::Change(error)),
        Err(_) => return Ok(Outcome::ChangeSlow),
    }
    let deadline = started + config.patience;
    let in_time = timeout_at(deadline.into(), heard(&mut socket, calendar.id, &mark)).await;
    let is_in_time = in_time.is_ok();
    let seq = if let Ok(seq) = in_time {
        seq
    } else {
        ask(ctx, calendar.id).await?;
        let Ok(seq) = timeout(config.patience, heard(&mut socket, calendar.id, &mark)).await else {
            return Ok(Outcome::Late);
        };
        seq
    };
    let latency = started.elapsed();
    let seq = match seq {
        Ok(seq) => seq,
        Err(error) => return Ok(Outcome::Socket(error)),
    };
    let cause = canary::cause_of(&mut *ctx.pool.acquire().await?, &config.user, seq).await?;
    // A poll may happen to come first; then the push is on its way.
    let is_pushed = cause == Some(Cause::Push) || push_follows(ctx, calendar.id, changed_at).await?;
    Ok(match (is_pushed, is_in_time) {
        (true, true) => Outcome::Push(latency),
        (true, false) => Outcome::Late,
        (false, _) => Outcome::Poll(latency),
    })
}

/// As a poll would: what comes of it shows whether more than the push is missing.
async fn ask(ctx: &Context, calendar: CalendarId) -> sqlx::Result<()> {
    let mut tx = ctx.pool.begin().await?;
    mark_dirty(&mut tx, ctx.clock.now(), &[calendar.into()], Cause::Poll).await?;
    tx.commit().await
}

async fn push_follows(ctx: &Context, calendar: CalendarId, changed_at: DateTime<Utc>) -> sqlx::Result<bool> {
    let deadline = Instant::now() + PUSH_WITHIN;
    loop {
        let mut conn = ctx.pool.acquire().await?;
        if canary::pushed_since(&mut conn, calendar, changed_at - PUSH_DATED).await? {
            return Ok(true);
        }
        drop(conn);
        if Instant::now() > deadline {
            return Ok(false);
        }
        tokio::time::sleep(PUSH_LOOK).await;
    }
}

async fn calendar(ctx: &Context, config: &Config) -> sqlx::Result<Option<Calendar>> {
    let mut conn = ctx.pool.acquire().await?;
    let calendars = store::calendars::of_user(&mut conn, &config.user).await?;
    let is_its = |calendar: &Calendar| match &config.calendar {
        Some(id) => calendar.google_id == *id,
        None => calendar.is_primary,
    };
    Ok(calendars
        .into_iter()
        .find(|calendar| calendar.selected && is_its(calendar)))
}

/// Writes `mark` into the canary's event, or makes the event. It moves along with the clock, so that it stays among what
/// browsers are told of.
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
            // Somebody has tidied up.
            Err(CallError::Google(Error::NotFound | Error::AlreadyDeleted)) => {}
            patched => return patched,
        }
    }
    let body = &body;
    let made = call(ctx, calendar.connection_id, Work::Sync, |access| async move {
        ctx.google
            .insert_event(&access, &calendar.google_id, body, SendUpdates::None)
            .await
    })
    .await?;
    let mut conn = ctx.pool.acquire().await?;
    Ok(canary::keep_event(&mut conn, turn, &made.id).await?)
}

async fn patch(ctx: &Context, calendar: &Calendar, event: &str, body: &Value) -> Result<(), CallError> {
    let path = EventPath {
        calendar: &calendar.google_id,
        event,
    };
    call(ctx, calendar.connection_id, Work::Sync, |access| async move {
        ctx.google
            .patch_event(&access, path, None, body, SendUpdates::None)
            .await
    })
    .await
    .map(drop)
}

/// Waits for the message of the change; its seq.
async fn heard(socket: &mut Subscription, calendar: CalendarId, mark: &str) -> Result<i64, Problem> {
    let calendar = calendar.to_string();
    loop {
        let message = socket.next().await?;
        if message["calendarId"] == calendar
            && message["type"] == "events.changed"
            && tells_of(&message, mark)
        {
            return Ok(message["seq"].as_i64().unwrap_or_default());
        }
    }
}

fn tells_of(message: &Value, mark: &str) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    list(&message["upserted"])
        .iter()
        .flat_map(|series| list(&series["occurrences"]))
        .any(|occurrence| occurrence["description"] == mark)
}
