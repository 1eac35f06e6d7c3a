//! The middleware around every request: its log line, and its part in draining.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::web;
use tokio::runtime::Handle;

use super::draining::Draining;

pub(super) async fn log(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let started = Instant::now();
    let method = request.method().clone();
    // The path alone: a query may carry an authorisation code or a state.
    let path = request.path().to_owned();
    let draining = request.app_data::<web::Data<Draining>>().cloned();
    let runtime = draining.as_ref().map(|draining| draining.runtime.clone());
    let is_probe = path == "/readyz" || path == "/healthz";
    let draining = draining.filter(|_| !is_probe);
    if let Some(draining) = &draining {
        draining.record_request();
    }
    let mut response = match &runtime {
        Some(runtime) => DroppedWithin::new(next.call(request), runtime).await,
        None => next.call(request).await,
    };
    if let Some(draining) = &draining
        && draining.is_stopping()
    {
        draining.record_request();
        if let Ok(response) = &mut response {
            response
                .response_mut()
                .head_mut()
                .set_connection_type(ConnectionType::Close);
        }
    }
    let status = match &response {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let duration_ms = started.elapsed().as_secs_f64() * 1e3;
    tracing::debug!(http.method = %method, http.path = path, http.status = status.as_u16(), duration_ms, "Request answered");
    response
}

/// Drops its future within `runtime`. A request may hold something that needs a runtime to be given back, such as a database
/// connection, and a stopping actix drops unfinished requests after the runtime of their worker.
struct DroppedWithin<F> {
    future: Option<Pin<Box<F>>>,
    runtime: Handle,
}

impl<F: Future> DroppedWithin<F> {
    fn new(future: F, runtime: &Handle) -> Self {
        Self {
            future: Some(Box::pin(future)),
            runtime: runtime.clone(),
        }
    }
}

impl<F: Future> Future for DroppedWithin<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match &mut self.future {
            Some(future) => future.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for DroppedWithin<F> {
    fn drop(&mut self) {
        let _within = self.runtime.enter();
        self.future = None;
    }
}
