//! Push channels: `*.watch`, `channels.stop`, and what is sent to them.
//!
//! Each channel has a task that sends its pushes in order, so that without faults `sync` is first and message numbers
//! rise at the receiver. A push that the receiver answers with 500, 502, 503 or 504 is tried again in a separate task,
//! with back-off; every other answer ends it, as with Google.

mod channels;
mod send;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use crate::Shared;
use crate::error::{ApiError, Result};
use crate::faults::{Call, Fault, Strike, hash};
use crate::state::State;
use crate::store::{Resource, Revision, text};
use channels::Push;
pub use channels::{Channel, Channels, Diverted, Watched};

/// Life of a channel without `params.ttl`: 7 days.
const DEFAULT_LIFE: TimeDelta = TimeDelta::days(7);
/// Stands in messages about channels the client does not have.
const PROJECT_NUMBER: &str = "731024856913";

/// The answer to a watch call, and a signal that the `sync` message was sent if it has to come first.
pub struct Opened {
    pub answer: Value,
    pub after: Option<oneshot::Receiver<()>>,
}

/// Opens the channel of a watch call and sends its `sync` message.
pub fn watch(
    shared: &Arc<Shared>,
    state: &mut State,
    user: &str,
    watched: Watched,
    body: &Resource,
    strikes: &[Strike],
) -> Result<Opened> {
    let pushable = match &watched {
        Watched::Events { calendar, .. } => state.visible(user, calendar)?.0.push_supported,
        Watched::CalendarList => true,
    };
    let (id, address) = checked_request(state, body)?;
    if !pushable || strikes.iter().any(|strike| strike.fault == Fault::Unwatchable) {
        return Err(ApiError::new(
            400,
            "calendar",
            "pushNotSupportedForRequestedResource",
            "Push notifications are not supported by this resource.",
        ));
    }
    let (outbox, pushes) = mpsc::unbounded_channel();
    let channel = Channel {
        token: text(body, "token").map(ToOwned::to_owned),
        resource_id: resource_id(user, &watched),
        resource_uri: resource_uri(&state.base_url, &watched),
        expires: expiry(state, body, strikes),
        last_number: 0,
        user: user.to_owned(),
        id: id.clone(),
        address,
        watched,
        outbox,
    };
    let mut answer = json!({
        "kind": "api#channel",
        "id": channel.id,
        "resourceId": channel.resource_id,
        "resourceUri": channel.resource_uri,
    });
    if let Some(token) = &channel.token {
        answer["token"] = json!(token);
    }
    answer["expiration"] = json!(channel.expires.timestamp_millis().to_string());
    state.channels.used.insert(id.clone());
    state.channels.live.insert(id.clone(), channel);
    shared.runtime.spawn(send::run(Arc::clone(shared), pushes));
    let (tried, after) = oneshot::channel();
    let revision = state.revision();
    enqueue(state, &id, "sync", revision, Some(tried));
    let first = state.settings.sync_before_watch_answer
        || strikes.iter().any(|strike| strike.fault == Fault::SyncFirst);
    Ok(Opened {
        answer,
        after: first.then_some(after),
    })
}

/// `channels.stop`: only its own user, with both ids, can stop a channel.
pub fn stop(state: &mut State, user: &str, body: &Resource) -> Result<()> {
    let id = text(body, "id").unwrap_or_default();
    let now = state.now();
    match state.channels.live.get(id) {
        Some(channel)
            if channel.user == user
                && channel.expires > now
                && text(body, "resourceId") == Some(&channel.resource_id) =>
        {
            state.channels.live.remove(id);
            Ok(())
        }
        _ => Err(ApiError::new(
            404,
            "global",
            "notFound",
            format!("Channel '{id}' not found for project '{PROJECT_NUMBER}'"),
        )),
    }
}

/// Notifies all channels of a calendar's events of a change.
pub(crate) fn event_changed(state: &mut State, calendar: &str, event_type: &str, revision: Revision) {
    let told: Vec<String> = state
        .channels
        .live()
        .filter(|channel| match &channel.watched {
            Watched::Events {
                calendar: of, types, ..
            } => of == calendar && (types.is_empty() || types.iter().any(|each| each == event_type)),
            Watched::CalendarList => false,
        })
        .filter(|channel| state.role(&channel.user, calendar).is_some())
        .map(|channel| channel.id.clone())
        .collect();
    for id in told {
        enqueue(state, &id, "exists", revision, None);
    }
}

/// Notifies all channels of a user's calendar list of a change.
pub(crate) fn calendar_list_changed(state: &mut State, user: &str) {
    let revision = state.revision();
    let told: Vec<String> = state
        .channels
        .live()
        .filter(|channel| channel.watched == Watched::CalendarList && channel.user == user)
        .map(|channel| channel.id.clone())
        .collect();
    for id in told {
        enqueue(state, &id, "exists", revision, None);
    }
}

/// Numbers a message, decides its faults and hands it to the channel's task. An expired channel ends here.
fn enqueue(
    state: &mut State,
    id: &str,
    resource_state: &'static str,
    revision: Revision,
    tried: Option<oneshot::Sender<()>>,
) {
    let now = state.now();
    let Some(channel) = state.channels.live.get_mut(id) else {
        return;
    };
    if channel.expires <= now {
        state.channels.live.remove(id);
        return;
    }
    // `sync` is 1; later numbers rise, but not one by one.
    channel.last_number += match channel.last_number {
        0 => 1,
        last => 1 + hash(last, &[id]) % 5_000,
    };
    let calendar = channel.calendar().map(ToOwned::to_owned);
    let endpoint = if resource_state == "sync" {
        "push.sync"
    } else {
        "push"
    };
    let call = Call::new(endpoint, &channel.user, calendar.as_deref().unwrap_or_default());
    let strikes = state.faults.decide(state.settings.fault_seed, call);
    let push = Push {
        channel_id: id.to_owned(),
        number: channel.last_number,
        state: resource_state,
        address: channel.address.clone(),
        headers: headers(channel, resource_state),
        user: channel.user.clone(),
        calendar,
        revision,
        strikes,
        tried,
    };
    let outbox = channel.outbox.clone();
    if let Some(to) = &state.channels.diverted {
        // The receiver is gone: the push is lost like any other.
        let _ = to.send(Diverted {
            headers: push.headers,
            user: push.user,
            calendar: push.calendar,
            revision,
        });
        return;
    }
    // A closed receiver means that the emulator is stopping.
    let _ = outbox.send(push);
}

fn headers(channel: &Channel, resource_state: &str) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("Content-Type", "application/json; utf-8".to_owned()),
        (
            "User-Agent",
            "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)".to_owned(),
        ),
        ("X-Goog-Channel-ID", channel.id.clone()),
        (
            "X-Goog-Channel-Expiration",
            channel.expires.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        ),
        ("X-Goog-Message-Number", channel.last_number.to_string()),
        ("X-Goog-Resource-ID", channel.resource_id.clone()),
        ("X-Goog-Resource-State", resource_state.to_owned()),
        ("X-Goog-Resource-URI", channel.resource_uri.clone()),
    ];
    headers.extend(channel.token.clone().map(|token| ("X-Goog-Channel-Token", token)));
    headers
}

/// The id and address of a watch request, or Google's complaint about it.
fn checked_request(state: &State, body: &Resource) -> Result<(String, String)> {
    let id = text(body, "id").ok_or_else(|| ApiError::required("Required: channel.id"))?;
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/=".contains(&byte);
    if id.is_empty() || id.len() > 64 || !id.bytes().all(valid) {
        return Err(ApiError::bad_request(
            "invalid",
            "Channel id must match [A-Za-z0-9\\-_\\+/=]+ and have at most 64 characters",
        ));
    }
    if text(body, "token").is_some_and(|token| token.len() > 256) {
        return Err(ApiError::bad_request(
            "invalid",
            "Channel token must have at most 256 characters",
        ));
    }
    let push = |status, reason: &str, message| ApiError::new(status, "global", reason, message);
    if !matches!(text(body, "type"), Some("web_hook" | "webhook")) {
        let kind = text(body, "type").unwrap_or_default();
        return Err(ApiError::new(
            400,
            "push",
            "push.channelTypeNotSupported",
            format!("Channel type {kind} not supported"),
        ));
    }
    let address = text(body, "address").ok_or_else(|| ApiError::required("Required: channel.address"))?;
    let scheme = url::Url::parse(address).ok().map(|url| url.scheme().to_owned());
    match scheme.as_deref() {
        Some("https") => {}
        Some("http") if state.settings.allow_http_callbacks => {}
        _ => {
            let message = format!("WebHook callback must be HTTPS: {address}");
            return Err(push(400, "push.webhookUrlNotHttps", message));
        }
    }
    if state.channels.used.contains(id) {
        return Err(push(
            400,
            "channelIdNotUnique",
            format!("Channel id {id} not unique"),
        ));
    }
    Ok((id.to_owned(), address.to_owned()))
}

/// The earliest of the requested, the allowed and a fault's expiry.
fn expiry(state: &State, body: &Resource, strikes: &[Strike]) -> DateTime<Utc> {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let now = state.now();
    let ttl = body
        .get("params")
        .and_then(|params| number(params.get("ttl")?))
        .and_then(TimeDelta::try_seconds);
    let until = body
        .get("expiration")
        .and_then(number)
        .and_then(DateTime::from_timestamp_millis);
    let asked = match (ttl, until) {
        (Some(ttl), Some(until)) => ttl.min(until - now),
        (Some(ttl), None) => ttl,
        (None, Some(until)) => until - now,
        (None, None) => DEFAULT_LIFE,
    };
    let faults = strikes.iter().filter_map(|strike| match strike.fault {
        Fault::ShortExpiry { seconds } => Some(seconds),
        _ => None,
    });
    let cap = faults
        .chain([state.settings.max_channel_seconds])
        .min()
        .unwrap_or(i64::MAX / 1_000_000);
    now + asked.clamp(TimeDelta::zero(), TimeDelta::seconds(cap))
}

/// The same for every channel of a user on a resource: 27 characters, as Google's.
fn resource_id(user: &str, watched: &Watched) -> String {
    let resource = match watched {
        Watched::Events { calendar, .. } => calendar.as_str(),
        Watched::CalendarList => "",
    };
    let digest = Sha256::digest(format!("{user}\n{resource}"));
    URL_SAFE_NO_PAD.encode(&digest[..20])
}

fn resource_uri(base_url: &str, watched: &Watched) -> String {
    match watched {
        Watched::Events { asked, .. } => {
            let asked = utf8_percent_encode(asked, NON_ALPHANUMERIC);
            format!("{base_url}/calendar/v3/calendars/{asked}/events?alt=json")
        }
        Watched::CalendarList => format!("{base_url}/calendar/v3/users/me/calendarList?alt=json"),
    }
}
