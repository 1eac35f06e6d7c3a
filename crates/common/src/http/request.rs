//! The middleware around every request: its log line, its part in draining, and the end of a connection whose body is unread.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use futures_util::Stream;
use tokio::runtime::Handle;

use super::draining::Draining;

pub(super) async fn log(
    mut request: ServiceRequest,
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
    let body = HeldBody::of(&mut request);
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
    response.map(|response| {
        response.map_body(|_, answer| Answer {
            body: Box::pin(answer),
            _request: body,
        })
    })
}

/// The body of a response, and with it that of its request.
struct Answer<B> {
    body: Pin<Box<B>>,
    _request: Option<HeldBody>,
}

impl<B: MessageBody> MessageBody for Answer<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_mut().poll_next(context)
    }
}

/// A request's body, shared with its response. While a response that is sent holds an unread body, actix closes the connection
/// soon after. If the handler has dropped it, actix reads a body in chunks to its end, for however long the client sends.
struct HeldBody(Rc<RefCell<Pin<Box<Payload>>>>);

impl HeldBody {
    /// None: the request has no body.
    fn of(request: &mut ServiceRequest) -> Option<Self> {
        match request.parts_mut().1.take() {
            Payload::None => None,
            payload => {
                let held = Rc::new(RefCell::new(Box::pin(payload)));
                let read = Box::pin(Self(Rc::clone(&held)));
                request.set_payload(Payload::Stream { payload: read });
                Some(Self(held))
            }
        }
    }
}

impl Stream for HeldBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().as_mut().poll_next(context)
    }
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
