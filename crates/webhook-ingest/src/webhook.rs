//! `POST /api/calendar/webhook`: checks a push and marks its resource dirty.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use actix_web::http::header::{CONTENT_LENGTH, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use common::http::source::TrustedProxies;
use common::telemetry::trace::SPANS;
use futures_util::StreamExt;
use google::push::Notification;
use tracing::Instrument;

use crate::intake::Intake;
use crate::metrics;
use crate::refusal::{HEADERS_MAX, HEADERS_MAX_LEN, Refusal};
use crate::slots::Slots;
use crate::source::Sources;

/// How long the end of a request in chunks may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(3);
/// A push that takes longer is answered 503.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_900);

/// The state of the handler, one for the whole process.
pub struct Webhook {
    pub intake: std::sync::Arc<Intake>,
    pub sources: Sources,
    pub proxies: TrustedProxies,
    pub slots: Slots,
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
    let source = webhook.proxies.source(request);
    // Before it has a slot: a caller who promises a body and sends none would hold it.
    if let Err(refusal) = expect_no_body(request, body).await {
        penalize(&refusal, &webhook.sources, source);
        return Err(refusal);
    }
    let stranger = source.and_then(|source| webhook.sources.stranger(source));
    let Some(_slot) = webhook.slots.take(stranger) else {
        return Err(Refusal::Overloaded);
    };
    // Free of charge: it costs no look-up, and Google may send any number of these.
    if is_known_to_be_unknown(request, &webhook.intake) {
        return Err(Refusal::UnknownChannel);
    }
    if source.is_some_and(|source| !webhook.sources.admit(source)) {
        return Err(Refusal::TooManyFromSource);
    }
    let outcome = verify_and_accept(request, &webhook.intake).await;
    match (&outcome, source) {
        (Ok(()), Some(source)) => webhook.sources.note_genuine(source),
        (Ok(()), None) => {}
        (Err(refusal), source) => penalize(refusal, &webhook.sources, source),
    }
    outcome
}

async fn verify_and_accept(request: &HttpRequest, intake: &Intake) -> Result<(), Refusal> {
    check_headers(request)?;
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

/// Refuses a request with a body at once. Google sends `Content-Length: 0`; a proxy that has not seen the end of its request
/// yet passes it on in chunks, of which none may have a byte.
async fn expect_no_body(request: &HttpRequest, mut body: web::Payload) -> Result<(), Refusal> {
    let announced = request.headers().get(CONTENT_LENGTH);
    if announced.is_some_and(|length| length != "0") {
        return Err(Refusal::BodyTooLarge);
    }
    match tokio::time::timeout(BODY_TIMEOUT, body.next()).await {
        Ok(None) => Ok(()),
        Ok(Some(Ok(_))) => Err(Refusal::BodyTooLarge),
        Ok(Some(Err(_))) | Err(_) => Err(Refusal::BodyLost),
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
