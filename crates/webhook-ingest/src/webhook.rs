//! `POST /api/calendar/webhook`: checks a push and marks its resource dirty.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse, web};
use common::telemetry::trace::SPANS;
use google::push::Notification;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::intake::Intake;
use crate::metrics;
use crate::refusal::{BODY_MAX_LEN, HEADERS_MAX, HEADERS_MAX_LEN, Refusal};
use crate::source::{Sources, TrustedProxies};

const BODY_TIMEOUT: Duration = Duration::from_secs(3);
/// A push that takes longer is answered 503.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_900);

/// The state of the handler. One for the whole process: a limit per worker thread would be no limit.
pub struct Webhook {
    pub intake: std::sync::Arc<Intake>,
    pub sources: Sources,
    pub proxies: TrustedProxies,
    /// One permit for each push that may be handled at once.
    pub slots: Semaphore,
}

/// 200 once the push's resource is marked dirty in the database; see [`Refusal`] for the other responses.
pub async fn notify(
    request: HttpRequest,
    body: web::Payload,
    webhook: web::Data<Webhook>,
) -> Result<HttpResponse, Refusal> {
    let started = Instant::now();
    let span = tracing::trace_span!(target: SPANS, "push");
    let outcome = admit(&request, body, &webhook).instrument(span).await;
    metrics::answered(&outcome, started.elapsed());
    outcome.map(|()| HttpResponse::Ok().finish())
}

async fn admit(request: &HttpRequest, body: web::Payload, webhook: &Webhook) -> Result<(), Refusal> {
    let Ok(_slot) = webhook.slots.try_acquire() else {
        return Err(Refusal::Overloaded);
    };
    // Free of charge: it costs no look-up, and Google may send any number of these. The body is not awaited.
    if is_known_to_be_unknown(request, &webhook.intake) {
        return Err(Refusal::UnknownChannel);
    }
    let source = webhook.proxies.source(request);
    if source.is_some_and(|source| !webhook.sources.admit(source)) {
        return Err(Refusal::TooManyFromSource);
    }
    let outcome = verify_and_accept(request, body, &webhook.intake).await;
    match (&outcome, source) {
        (Ok(()), Some(source)) => webhook.sources.note_genuine(source),
        (Ok(()), None) => {}
        (Err(refusal), source) => penalize(refusal, &webhook.sources, source),
    }
    outcome
}

async fn verify_and_accept(
    request: &HttpRequest,
    body: web::Payload,
    intake: &Intake,
) -> Result<(), Refusal> {
    check_headers(request)?;
    discard_body(body).await?;
    let push = notification(request)?;
    match tokio::time::timeout(ANSWER_WITHIN, intake.accept(&push)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::Unavailable),
    }
}

fn notification(request: &HttpRequest) -> Result<Notification, Refusal> {
    Notification::from_headers(|name| request.headers().get(name).map(HeaderValue::as_bytes))
        .map_err(Refusal::from)
}

/// Whether a recent look-up did not find the channel.
fn is_known_to_be_unknown(request: &HttpRequest, intake: &Intake) -> bool {
    check_headers(request)
        .and_then(|()| notification(request))
        .is_ok_and(|push| intake.is_unknown(&push.channel_id))
}

fn check_headers(request: &HttpRequest) -> Result<(), Refusal> {
    let headers = request.headers();
    let len: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers.len() > HEADERS_MAX || len > HEADERS_MAX_LEN {
        return Err(Refusal::HeadersTooLarge);
    }
    Ok(())
}

/// Drains and discards the body so the connection can be reused.
async fn discard_body(body: web::Payload) -> Result<(), Refusal> {
    match tokio::time::timeout(BODY_TIMEOUT, body.to_bytes_limited(BODY_MAX_LEN)).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Err(_)) => Err(Refusal::BodyTooLarge),
        Ok(Ok(Err(_))) | Err(_) => Err(Refusal::BodyLost),
    }
}

/// Charges the source's budget for requests it got wrong, and logs possible attacks, at a rate that the budget bounds. An
/// address that also sends genuine pushes does not pay for unknown channels.
fn penalize(refusal: &Refusal, sources: &Sources, source: Option<IpAddr>) {
    match refusal {
        Refusal::Overloaded | Refusal::TooManyFromSource | Refusal::Unavailable => return,
        Refusal::UnknownChannel if source.is_some_and(|source| sources.is_genuine(source)) => return,
        Refusal::WrongToken | Refusal::WrongResource => {
            tracing::warn!(reason = %refusal, "Rejected a forged push");
        }
        _ => tracing::debug!(reason = %refusal, "Rejected a push"),
    }
    match (source, refusal) {
        (Some(source), Refusal::UnknownChannel) => sources.charge_lookup(source),
        (Some(source), _) => sources.charge(source),
        (None, _) => {}
    }
}

/// Google's fetcher reads this before it pushes; a 404 of a proxy could keep it away.
pub async fn robots() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("User-agent: *\nAllow: /api/calendar/webhook\nDisallow: /\n")
}
