//! Sending: one task for each channel, and one for each push that is tried again.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_LENGTH;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use super::channels::Push;
use crate::Shared;
use crate::faults::Fault;
use crate::log::Sent;

/// How long a receiver may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_CAP: Duration = Duration::from_mins(1);
/// How long a push held back by `Reorder` waits for a next one.
const REORDER_WAIT: Duration = Duration::from_secs(1);

/// Sends a channel's pushes until the channel has ended.
pub(super) async fn run(shared: Arc<Shared>, mut pushes: UnboundedReceiver<Push>) {
    let mut held: Option<Push> = None;
    loop {
        let next = match &held {
            None => pushes.recv().await,
            Some(_) => timeout(REORDER_WAIT, pushes.recv()).await.unwrap_or_default(),
        };
        let Some(push) = next else {
            match held.take() {
                Some(push) => {
                    deliver(&shared, push).await;
                    continue;
                }
                None => return,
            }
        };
        if held.is_none() && push.strikes.iter().any(|strike| strike.fault == Fault::Reorder) {
            held = Some(push);
            continue;
        }
        deliver(&shared, push).await;
        if let Some(push) = held.take() {
            deliver(&shared, push).await;
        }
    }
}

/// Applies the push's faults and sends it. A delayed push does not hold up those behind it.
async fn deliver(shared: &Arc<Shared>, push: Push) {
    let mut delay = Duration::ZERO;
    let mut copies = 0;
    for strike in &push.strikes {
        match strike.fault {
            Fault::Drop => {
                log(shared, &push, 0, Err("dropped by a fault".into()));
                return;
            }
            Fault::Duplicate { copies: more } => copies += more,
            Fault::Delay { ms, jitter_ms } => {
                delay += Duration::from_millis(ms + strike.dice % (jitter_ms + 1));
            }
            _ => {}
        }
    }
    if delay.is_zero() {
        send(shared, push, copies).await;
    } else {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            sleep(delay).await;
            send(&shared, push, copies).await;
        });
    }
}

async fn send(shared: &Arc<Shared>, mut push: Push, copies: u32) {
    let mut again = attempt(shared, &push, 1).await;
    for _ in 0..copies {
        again = attempt(shared, &push, 1).await;
    }
    if let Some(tried) = push.tried.take() {
        // The watch call may have been given up.
        let _ = tried.send(());
    }
    if again {
        tokio::spawn(retry(Arc::clone(shared), push));
    }
}

/// Tries again, with doubling waits, while the receiver's status requires it and the channel lives.
async fn retry(shared: Arc<Shared>, push: Push) {
    let (retries, base) = {
        let state = shared.state();
        (
            state.settings.push_retries,
            Duration::from_millis(state.settings.push_retry_ms),
        )
    };
    for number in 0..retries {
        sleep(base.saturating_mul(1 << number.min(20)).min(RETRY_CAP)).await;
        let lives = shared.state().channels.live.contains_key(&push.channel_id);
        if !lives || !attempt(&shared, &push, number + 2).await {
            return;
        }
    }
}

/// Sends once. `true` when the answer is one that Google tries again.
async fn attempt(shared: &Shared, push: &Push, number: u32) -> bool {
    let mut request = shared
        .http
        .post(&push.address)
        .timeout(ANSWER_TIMEOUT)
        .header(CONTENT_LENGTH, 0);
    for (name, value) in &push.headers {
        request = request.header(*name, value);
    }
    let outcome = match request.send().await {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) if error.is_timeout() => Err("no answer in time".to_owned()),
        Err(error) => Err(error.without_url().to_string()),
    };
    let again = matches!(outcome, Ok(500 | 502 | 503 | 504));
    log(shared, push, number, outcome);
    again
}

fn log(shared: &Shared, push: &Push, attempt: u32, outcome: Result<u16, String>) {
    let mut state = shared.state();
    let at = state.now();
    state.log.sent(Sent {
        at,
        channel_id: push.channel_id.clone(),
        message_number: push.number,
        resource_state: push.state,
        user: push.user.clone(),
        calendar: push.calendar.clone(),
        revision: push.revision,
        attempt,
        status: outcome.as_ref().ok().copied(),
        error: outcome.err(),
    });
}
