//! Mounts a [`Router`] in an actix-web application.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::compression::Coding;
use crate::http::{Body, Request, Response, ResponseHeaders};
use crate::{Code, Router, RpcError, orpc, trpc};

/// The largest request body, in bytes: a batch of twenty with room to spare.
pub const BODY_MAX_LEN: usize = 256 * 1024;
/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Mounts the router at `trpc` (`/trpc`) for tRPC and at each of `orpc` (`/rpc-v1`) for oRPC. Every path and method below a
/// mount is answered in the protocol's envelope.
///
/// `context` authenticates the caller from the request's head; its error (401, 429) is the answer, and the body is not read.
/// Handlers may add headers to the response through the [`ResponseHeaders`].
pub fn mount<C, F>(
    config: &mut web::ServiceConfig,
    router: &Arc<Router<C>>,
    trpc: &'static str,
    orpc: &[&'static str],
    context: impl Fn(HttpRequest, ResponseHeaders) -> F + Clone + 'static,
) where
    C: Clone + Send + Sync + 'static,
    F: Future<Output = Result<C, RpcError>> + 'static,
{
    let protocols =
        std::iter::once((Protocol::Trpc, trpc)).chain(orpc.iter().map(|&mount| (Protocol::Orpc, mount)));
    for (protocol, mount) in protocols {
        let (router, context) = (Arc::clone(router), context.clone());
        let respond = move |request: HttpRequest, payload: web::Payload| {
            let (router, context) = (Arc::clone(&router), context.clone());
            async move {
                let (outgoing, started) = (ResponseHeaders::default(), Instant::now());
                let mut read = head_of(&request, mount);
                let context = match context(request.clone(), outgoing.clone()).await {
                    Ok(context) => context,
                    Err(error) => {
                        error.log(request.path());
                        let response = refuse(protocol, &read, &error, &request);
                        let called = orpc::dotted(&read.path).unwrap_or_default();
                        router.observe(&called, &Err::<(), _>(error), started.elapsed());
                        return response;
                    }
                };
                let coding = Coding::accepted_by(&request);
                read.body = read_body(&request, payload).await;
                let response = match protocol {
                    Protocol::Trpc => trpc::handle(&router, read, context, &outgoing).await,
                    Protocol::Orpc => orpc::handle(&router, mount, read, context, &outgoing).await,
                };
                write(response, coding)
            }
        };
        config.service(web::scope(mount).default_service(web::to(respond)));
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Trpc,
    Orpc,
}

/// A body that the client has sent or will send is not read: the connection cannot be used again.
fn refuse(protocol: Protocol, head: &Request, error: &RpcError, request: &HttpRequest) -> HttpResponse {
    let response = match protocol {
        Protocol::Trpc => trpc::refuse(head, error),
        Protocol::Orpc => orpc::refuse(head, error),
    };
    let mut response = write(response, None);
    let headers = request.headers();
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}

/// The request without its body.
fn head_of(request: &HttpRequest, mount: &str) -> Request {
    let path = request.uri().path().strip_prefix(mount).unwrap_or_default();
    let header = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    Request {
        method: request.method().as_str().to_owned(),
        path: path.strip_prefix('/').unwrap_or(path).to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        content_type: header("content-type"),
        accept: header("trpc-accept").or_else(|| header("accept")),
        orpc_batch: header("x-orpc-batch"),
        body: Ok(Bytes::new()),
    }
}

async fn read_body(request: &HttpRequest, mut payload: web::Payload) -> Result<Bytes, RpcError> {
    let announced = request
        .headers()
        .get("content-length")
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_MAX_LEN) {
        return Err(too_large());
    }
    let collect = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| {
                RpcError::new(
                    Code::BadRequest,
                    "The connection closed before the end of the request body",
                )
            })?;
            if body.len() + chunk.len() > BODY_MAX_LEN {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    let too_slow = || RpcError::new(Code::Timeout, "Timed out reading the request body");
    tokio::time::timeout(BODY_TIMEOUT, collect)
        .await
        .unwrap_or_else(|_| Err(too_slow()))
}

fn too_large() -> RpcError {
    let message = format!("Request body too large (limit {BODY_MAX_LEN} bytes)");
    RpcError::new(Code::PayloadTooLarge, message)
}

/// `coding`: the one that the client accepts.
fn write(response: Response, coding: Option<Coding>) -> HttpResponse {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponseBuilder::new(status);
    for (name, value) in response.headers {
        builder.append_header((name, value));
    }
    let coding = coding.filter(|_| !response.is_secret);
    let encoded = |coding: Coding| (CONTENT_ENCODING, coding.name());
    match (response.body, coding) {
        (Body::Empty, _) => builder.finish(),
        (Body::Full(bytes), coding) => {
            match coding.and_then(|coding| Some((coding, coding.compress(&bytes)?))) {
                Some((coding, compressed)) => builder.insert_header(encoded(coding)).body(compressed),
                None => builder.body(bytes),
            }
        }
        (Body::Stream(parts), Some(coding)) => builder
            .insert_header(encoded(coding))
            .streaming(coding.compress_stream(parts)),
        (Body::Stream(parts), None) => builder.streaming(parts.map(Ok::<_, std::convert::Infallible>)),
    }
}
