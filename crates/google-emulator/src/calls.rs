//! Middleware for every request to Google's endpoints: names, counts and logs it, checks the quota, and applies the
//! faults scripted for it.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody, SizedStream, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, ContentType, IF_MATCH};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use percent_encoding::percent_decode_str;
use tokio::time::sleep;

use crate::Shared;
use crate::error::ApiError;
use crate::faults::{Call, Fault, ListFaults, Strike};
use crate::log::Received;
use crate::paging::page_number;
use crate::params::Params;
use crate::state::State;

/// A call with this header looks on: it meets no fault, counts for no quota and stands in no log. The emulator's own page
/// sends it, so that a person who looks at a calendar changes no test.
const BYSTANDER: &str = "x-emulator-bystander";

/// The call, as its handler sees it.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Google's method id without `calendar.`, or `oauth.…`.
    pub endpoint: &'static str,
    pub strikes: Vec<Strike>,
}

impl Context {
    pub fn list_faults(&self) -> ListFaults {
        ListFaults::of(&self.strikes)
    }
}

/// The endpoint of a request and the calendar it is about; None: not a Google endpoint.
fn classify(method: &str, path: &str) -> Option<(&'static str, String)> {
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let named = |name| Some((name, String::new()));
    let of = |name, calendar: &str| Some((name, decode(calendar)));
    match (method, parts.as_slice()) {
        (_, ["o", "oauth2", "v2", "auth" | "consent"] | ["o", "oauth2", "auth"]) => named("oauth.auth"),
        (_, ["token"] | ["o", "oauth2", "token"] | ["oauth2", "v4", "token"]) => named("oauth.token"),
        (_, ["revoke"] | ["o", "oauth2", "revoke"]) => named("oauth.revoke"),
        (_, ["userinfo"] | ["oauth2", "v3" | "v2", "userinfo"]) => named("oauth.userinfo"),
        (method, ["calendar", "v3", rest @ ..]) => match (method, rest) {
            ("GET", ["colors"]) => named("colors.get"),
            ("POST", ["freeBusy"]) => named("freebusy.query"),
            ("POST", ["channels", "stop"]) => named("channels.stop"),
            ("GET", ["users", "me", "calendarList"]) => named("calendarList.list"),
            ("POST", ["users", "me", "calendarList", "watch"]) => named("calendarList.watch"),
            ("GET", ["users", "me", "calendarList", id]) => of("calendarList.get", id),
            ("PATCH" | "PUT", ["users", "me", "calendarList", id]) => of("calendarList.patch", id),
            ("POST", ["calendars"]) => named("calendars.insert"),
            ("GET", ["calendars", id]) => of("calendars.get", id),
            ("DELETE", ["calendars", id]) => of("calendars.delete", id),
            ("GET", ["calendars", id, "events"]) => of("events.list", id),
            ("POST", ["calendars", id, "events"]) => of("events.insert", id),
            ("POST", ["calendars", id, "events", "watch"]) => of("events.watch", id),
            ("GET", ["calendars", id, "events", _]) => of("events.get", id),
            ("PATCH", ["calendars", id, "events", _]) => of("events.patch", id),
            ("PUT", ["calendars", id, "events", _]) => of("events.update", id),
            ("DELETE", ["calendars", id, "events", _]) => of("events.delete", id),
            ("GET", ["calendars", id, "events", _, "instances"]) => of("events.instances", id),
            ("POST", ["calendars", id, "events", _, "move"]) => of("events.move", id),
            _ => named("unknown"),
        },
        _ => None,
    }
}

/// The middleware.
pub async fn intercept(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let path = request.path().to_owned();
    let Some((endpoint, calendar)) = classify(request.method().as_str(), &path) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    if request.headers().contains_key(BYSTANDER) {
        request.extensions_mut().insert(Context {
            endpoint,
            strikes: Vec::new(),
        });
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let shared = request
        .app_data::<Data<Shared>>()
        .cloned()
        .ok_or(ApiError::documented(500, None))?;
    let subject = subject(&mut request, endpoint).await;
    let (number, context, refusal) = arrive(&shared, &request, endpoint, &calendar, subject.as_deref());
    let faults: Vec<Fault> = context
        .strikes
        .iter()
        .map(|strike| strike.fault.clone())
        .collect();
    wait(&context.strikes, request.query_string()).await;
    let strikes = context.strikes.clone();
    hold(&shared, &strikes, false).await;
    let connection = request.conn_data::<Arc<TcpStream>>().cloned();
    if let Some(fault) = faults
        .iter()
        .find(|fault| matches!(fault, Fault::Reset { after: false }))
    {
        tracing::debug!(endpoint, ?fault, "Connection is closed without an answer");
        return Ok(hang_up(request, connection.as_deref()));
    }
    let instead = refusal
        .map(|error| error.error_response())
        .or_else(|| faults.iter().find_map(|fault| answer_instead(endpoint, fault)));
    let response = if let Some(answer) = instead {
        request.into_response(answer)
    } else {
        request.extensions_mut().insert(context);
        next.call(request).await?.map_into_boxed_body()
    };
    if faults.contains(&Fault::Reset { after: true }) {
        close(connection.as_deref());
        return Ok(response);
    }
    {
        let mut state = shared.state();
        let revision = state.revision();
        state.log.answered(number, response.status().as_u16(), revision);
    }
    hold(&shared, &strikes, true).await;
    Ok(spoil(response, &faults).await)
}

/// Notes the call and decides what becomes of it.
fn arrive(
    shared: &Shared,
    request: &ServiceRequest,
    endpoint: &'static str,
    calendar: &str,
    subject: Option<&str>,
) -> (u64, Context, Option<ApiError>) {
    let mut state = shared.state();
    let user = subject.unwrap_or_default();
    let calendar = State::calendar_id(user, calendar);
    let seed = state.settings.fault_seed;
    let params = Params::parse(request.query_string());
    let call = Call {
        page: params.get("pageToken").and_then(page_number).unwrap_or(1),
        incremental: params.get("syncToken").is_some(),
        ..Call::new(endpoint, user, calendar)
    };
    let strikes = state.faults.decide(seed, call);
    let header = |name| request.headers().get(name)?.to_str().ok().map(ToOwned::to_owned);
    let received = Received {
        number: 0,
        at: state.now(),
        endpoint: endpoint.to_owned(),
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: without_tokens(request.query_string()),
        if_match: header(IF_MATCH),
        user: subject.map(ToOwned::to_owned),
        status: None,
        revision: None,
        faults: strikes.iter().map(|strike| strike.rule.clone()).collect(),
    };
    let refusal = if endpoint.starts_with("oauth.") {
        None
    } else {
        over_quota(&state, user)
    };
    let number = state.log.received(received);
    (number, Context { endpoint, strikes }, refusal)
}

/// The account a call is for: of the bearer token, or of the refresh token in a form.
async fn subject(request: &mut ServiceRequest, endpoint: &str) -> Option<String> {
    let shared = request.app_data::<Data<Shared>>()?.clone();
    if let Some(token) = bearer(request.headers().get(AUTHORIZATION)) {
        return shared.state().grants.owner(token);
    }
    if !matches!(endpoint, "oauth.token" | "oauth.revoke") {
        return None;
    }
    let body = request.extract::<Bytes>().await.ok()?;
    let token = url::form_urlencoded::parse(&body)
        .find(|(name, _)| name == "refresh_token" || name == "token")
        .map(|(_, token)| token.into_owned());
    request.set_payload(Payload::from(body));
    shared.state().grants.owner(&token?)
}

/// The token of an `Authorization: Bearer` header.
pub fn bearer(header: Option<&actix_web::http::header::HeaderValue>) -> Option<&str> {
    let (scheme, token) = header?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn without_tokens(query: &str) -> String {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let kept = pairs.filter(|(name, _)| !matches!(name.as_ref(), "access_token" | "token"));
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .finish()
}

fn over_quota(state: &State, user: &str) -> Option<ApiError> {
    let quota = state.settings.quota?;
    let since = state.now() - TimeDelta::minutes(1);
    let recent = || {
        state
            .log
            .requests
            .iter()
            .rev()
            .take_while(|request| request.at > since)
    };
    let counted = || recent().filter(|request| !request.endpoint.starts_with("oauth."));
    let of_user = counted().filter(|request| request.user.as_deref() == Some(user));
    if of_user.map(units).sum::<usize>() >= quota.per_user {
        Some(ApiError::documented(403, Some("userRateLimitExceeded")))
    } else if counted().map(units).sum::<usize>() >= quota.per_project {
        Some(ApiError::named_limit("Queries per minute"))
    } else {
        None
    }
}

/// "Each patch request consumes three quota units", say Google's pages about it.
fn units(request: &Received) -> usize {
    if request.method == "PATCH" { 3 } else { 1 }
}

async fn wait(strikes: &[Strike], query: &str) {
    for strike in strikes {
        let ms = match strike.fault {
            Fault::Delay { ms, jitter_ms } => ms + strike.dice % (jitter_ms + 1),
            Fault::SlowPage { ms_per_event } => ms_per_event * events_asked_for(query),
            _ => continue,
        };
        sleep(Duration::from_millis(ms)).await;
    }
}

fn events_asked_for(query: &str) -> u64 {
    let params = Params::parse(query);
    params
        .get("maxResults")
        .and_then(|text| text.parse().ok())
        .unwrap_or(250)
}

/// How often a held call checks whether it may continue.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

async fn hold(shared: &Shared, strikes: &[Strike], handled: bool) {
    for strike in strikes {
        if matches!(strike.fault, Fault::Hold { after } if after == handled) {
            while shared.state().faults.has(&strike.rule) {
                sleep(LOOK_AGAIN).await;
            }
        }
    }
}

fn answer_instead(endpoint: &str, fault: &Fault) -> Option<HttpResponse> {
    match fault {
        // OAuth words its errors differently; a reason there is its error code.
        Fault::Error {
            status,
            reason,
            message,
            ..
        } if endpoint.starts_with("oauth.") => {
            let code = reason.as_deref().unwrap_or("internal_failure");
            Some(crate::oauth::error(
                *status,
                code,
                message.as_deref().unwrap_or_else(|| crate::oauth::describe(code)),
            ))
        }
        Fault::NamedLimit { limit } => Some(ApiError::named_limit(limit).error_response()),
        Fault::Error {
            status,
            reason,
            message,
            retry_after,
        } => {
            let mut error = ApiError::documented(*status, reason.as_deref());
            error.retry_after = *retry_after;
            if let Some(message) = message {
                error.message.clone_from(message);
            }
            Some(error.error_response())
        }
        Fault::BadGateway => Some(HttpResponse::BadGateway().content_type(ContentType::html()).body(
            "<!DOCTYPE html><html><title>Error 502 (Server Error)!!1</title><p><b>502.</b> That’s an error.",
        )),
        _ => None,
    }
}

fn hang_up(request: ServiceRequest, connection: Option<&TcpStream>) -> ServiceResponse<BoxBody> {
    close(connection);
    request.into_response(HttpResponse::ServiceUnavailable().force_close().finish())
}

/// Closes both directions, so that the answer that follows never leaves.
fn close(connection: Option<&TcpStream>) {
    // It fails only when the client was faster.
    let _ = connection.map(|stream| stream.shutdown(Shutdown::Both));
}

/// Faults of the answer's body.
async fn spoil(response: ServiceResponse<BoxBody>, faults: &[Fault]) -> ServiceResponse<BoxBody> {
    let fault = faults
        .iter()
        .find(|fault| matches!(fault, Fault::Stall { .. } | Fault::Truncate | Fault::Garbage));
    let Some(fault) = fault.cloned() else {
        return response;
    };
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let whole = to_bytes(body).await.unwrap_or_default();
    let response = match fault {
        Fault::Garbage => {
            let mut head = head;
            *head.status_mut() = StatusCode::OK;
            head.set_body(BoxBody::new("{\"kind\": \"calendar#ev\u{fffd}\u{0} not json"))
        }
        other => {
            let pause = if let Fault::Stall { ms } = other {
                Duration::from_millis(ms)
            } else {
                Duration::ZERO
            };
            let half = whole.slice(..whole.len() / 2);
            let cut = stream::once(async move { Ok(half) }).chain(stream::once(async move {
                sleep(pause).await;
                Err::<Bytes, _>(std::io::Error::other("cut by a fault"))
            }));
            let declared = u64::try_from(whole.len()).unwrap_or(u64::MAX).max(1);
            head.set_body(BoxBody::new(SizedStream::new(declared, Box::pin(cut))))
        }
    };
    ServiceResponse::new(request, response)
}
