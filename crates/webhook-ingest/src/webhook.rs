//! `POST /api/calendar/webhook`: headers in, one durable bump out.

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
use crate::refusal::Refusal;
use crate::source::{Sources, TrustedProxies};

/// Google sends none.
pub const BODY_MAX_LEN: usize = 4 * 1024;
/// Google sends a dozen.
pub const HEADERS_MAX: usize = 64;
pub const HEADERS_MAX_LEN: usize = 16 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest that Google waits for a 503.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_900);

/// What the handler needs. One for the whole process: a limit for each worker thread would be no limit.
pub struct Webhook {
    pub intake: std::sync::Arc<Intake>,
    pub sources: Sources,
    pub proxies: TrustedProxies,
    /// As many pushes as may be under way.
    pub slots: Semaphore,
}

/// 200 once the push's resource is due in the database; see [`Refusal`] for everything else.
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
    let source = webhook.proxies.source(request);
    if source.is_some_and(|source| !webhook.sources.admit(source)) {
        return Err(Refusal::TooManyFromSource);
    }
    let outcome = take(request, body, &webhook.intake).await;
    if let Err(refusal) = &outcome {
        tell(refusal, &webhook.sources, source);
    }
    outcome
}

async fn take(request: &HttpRequest, body: web::Payload, intake: &Intake) -> Result<(), Refusal> {
    bound_headers(request)?;
    read_away(body).await?;
    let push = Notification::from_headers(|name| request.headers().get(name).map(HeaderValue::as_bytes))?;
    match tokio::time::timeout(ANSWER_WITHIN, intake.accept(&push)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::Unavailable),
    }
}

fn bound_headers(request: &HttpRequest) -> Result<(), Refusal> {
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

/// Reads a body that says nothing, so that the connection can be used again.
async fn read_away(body: web::Payload) -> Result<(), Refusal> {
    match tokio::time::timeout(BODY_TIMEOUT, body.to_bytes_limited(BODY_MAX_LEN)).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Err(_)) => Err(Refusal::BodyTooLarge),
        Ok(Ok(Err(_))) | Err(_) => Err(Refusal::BodyLost),
    }
}

/// A refusal that is somebody's doing is paid for; what may be an attack is in the log, as far as its source may fill it.
fn tell(refusal: &Refusal, sources: &Sources, source: Option<IpAddr>) {
    match refusal {
        Refusal::Overloaded | Refusal::TooManyFromSource | Refusal::Unavailable => return,
        Refusal::WrongToken | Refusal::WrongResource => {
            tracing::warn!(reason = %refusal, "A push that is not genuine was refused");
        }
        _ => tracing::debug!(reason = %refusal, "A push was refused"),
    }
    if let Some(source) = source {
        sources.refused(source);
    }
}

/// Google's fetcher asks before it pushes; a proxy's own answer would keep it away.
pub async fn robots() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body("User-agent: *\nAllow: /api/calendar/webhook\nDisallow: /\n")
}
