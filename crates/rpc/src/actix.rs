//! Mounts a [`Router`] in an actix-web application.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_ENCODING;
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
/// `context` authenticates the caller from the request's head; its error (401, 429) is the answer to each call. Handlers may
/// add headers to the response through the [`ResponseHeaders`].
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
                let outgoing = ResponseHeaders::default();
                let context = context(request.clone(), outgoing.clone()).await;
                if let Err(error) = &context {
                    error.log(request.path());
                }
                let coding = Coding::accepted_by(&request);
                let request = read(&request, payload, mount).await;
                let response = match protocol {
                    Protocol::Trpc => trpc::handle(&router, request, context, &outgoing).await,
                    Protocol::Orpc => orpc::handle(&router, mount, request, context, &outgoing).await,
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

async fn read(request: &HttpRequest, payload: web::Payload, mount: &str) -> Request {
    let uri = request.uri();
    let path = uri.path().strip_prefix(mount).unwrap_or_default();
    let header = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    Request {
        method: request.method().as_str().to_owned(),
        path: path.strip_prefix('/').unwrap_or(path).to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        content_type: header("content-type"),
        accept: header("trpc-accept").or_else(|| header("accept")),
        orpc_batch: header("x-orpc-batch"),
        body: read_body(request, payload).await,
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
