//! oRPC v1's RPC protocol.
//!
//! One call: `POST /calendar/google/getEvents` with `{"json":…,"meta":[…]}`, or GET with the same as `?data=`. A batch
//! (the client's batch plugin): `/__batch__` with `x-orpc-batch`, answered as server-sent events or as one array. Only queries
//! are allowed by GET.

mod payload;
mod reply;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use serde::Deserialize;
use serde_json::Value;

use crate::http::{Body, Request, Response, ResponseHeaders, decode_component};
use crate::{Code, MAX_BATCH, PATH_MAX_LEN, Router, RpcError};
use payload::malformed;
use reply::{OrpcReply, respond};

/// Answers a request that is refused because of its caller. Only its head is read: a batch is answered as if it had the most
/// calls that it may have, of which its client takes its own.
pub fn refuse(request: &Request, error: &RpcError) -> Response {
    let mut reply = OrpcReply::failure(error);
    if request.orpc_batch.is_some() {
        let items: Vec<_> = (0..MAX_BATCH).map(|index| reply.item(index)).collect();
        reply.json = format!("[{}]", items.join(","));
    }
    reply.into_response()
}

/// Handles one HTTP request. `mount` is the path of the protocol, `/rpc-v1`: the calls of a batch have whole URLs.
pub async fn handle<C>(
    router: &Arc<Router<C>>,
    mount: &str,
    request: Request,
    context: C,
    outgoing: &ResponseHeaders,
) -> Response
where
    C: Clone + Send + Sync + 'static,
{
    if request.method == "HEAD" {
        return Response::empty();
    }
    if let Some(mode) = request.orpc_batch.clone() {
        return match batch_items(&request, mount) {
            Ok(items) => batch(router, items, &context, outgoing, mode == "buffered").await,
            Err(error) => OrpcReply::failure(&error).into_response(),
        };
    }
    let call = single(&request);
    let is_secret = has_secret(router, std::slice::from_ref(&call));
    let reply = run(router, call, context).await;
    reply.into_response().with(outgoing).secret(is_secret)
}

fn has_secret<C: Send + 'static>(router: &Router<C>, calls: &[Result<OrpcCall, RpcError>]) -> bool {
    router.has_secret(calls.iter().flatten().map(|call| call.path.as_str()))
}

/// One call, parsed and not yet run.
struct OrpcCall {
    /// Dotted.
    path: String,
    method: String,
    input: Option<Value>,
}

fn single(request: &Request) -> Result<OrpcCall, RpcError> {
    let path = dotted(&request.path)?;
    let serialized = match (request.method.as_str(), &request.body) {
        ("GET", _) => match request.parameter("data") {
            Some(data) => Some(serde_json::from_str(&data).map_err(|_| malformed())?),
            None => None,
        },
        (_, Err(error)) => return Err(error.without_source()),
        (_, Ok(body)) => {
            check_content_type(request)?;
            if body.is_empty() {
                None
            } else {
                Some(serde_json::from_slice(body).map_err(|_| malformed())?)
            }
        }
    };
    Ok(OrpcCall {
        path,
        method: request.method.clone(),
        input: serialized.map(payload::read).transpose()?.flatten(),
    })
}

async fn run<C: Clone + Send + Sync + 'static>(
    router: &Router<C>,
    call: Result<OrpcCall, RpcError>,
    context: C,
) -> OrpcReply {
    let started = Instant::now();
    let path = call.as_ref().map(|call| call.path.clone()).unwrap_or_default();
    let result = async {
        let call = call?;
        let Some(procedure) = router.get(&call.path) else {
            let message = format!("No procedure found on path \"{}\"", call.path);
            return Err(RpcError::new(Code::NotFound, message));
        };
        let allowed = procedure.kind.allowed_methods();
        if !allowed.contains(&call.method.as_str()) {
            return Err(RpcError::of(Code::MethodNotSupported).with_allow(allowed));
        }
        router.call(procedure, context, call.input).await
    };
    let result = result.await;
    router.observe(&path, &result, started.elapsed());
    match result {
        Ok(output) => OrpcReply::success(&output),
        Err(error) => OrpcReply::failure(&error),
    }
}

fn check_content_type(request: &Request) -> Result<(), RpcError> {
    match request.content_type.as_deref() {
        Some(json) if json.starts_with("application/json") => Ok(()),
        _ => Err(RpcError::of(Code::UnsupportedMediaType)),
    }
}

/// `calendar/google/getEvents` → `calendar.google.getEvents`.
pub(crate) fn dotted(path: &str) -> Result<String, RpcError> {
    if path.len() > PATH_MAX_LEN {
        return Err(RpcError::new(Code::BadRequest, "Path too long"));
    }
    let segments: Option<Vec<_>> = path.split('/').map(decode_component).collect();
    segments
        .map(|segments| segments.join("."))
        .ok_or_else(|| RpcError::new(Code::BadRequest, "Invalid URL-encoding in path"))
}

/// One call of a batch. Its own headers are not read: the headers of the batch authenticate all its calls.
#[derive(Deserialize)]
struct Item {
    method: Option<String>,
    url: String,
    body: Option<Value>,
}

fn batch_items(request: &Request, mount: &str) -> Result<Vec<Result<OrpcCall, RpcError>>, RpcError> {
    let items: Vec<Item> = match (request.method.as_str(), &request.body) {
        ("GET", _) => {
            serde_json::from_str(&request.parameter("batch").unwrap_or_default()).map_err(|_| malformed())?
        }
        ("POST", Ok(body)) => {
            check_content_type(request)?;
            serde_json::from_slice(body).map_err(|_| malformed())?
        }
        ("POST", Err(error)) => return Err(error.without_source()),
        _ => return Err(RpcError::of(Code::MethodNotSupported).with_allow(&["GET", "POST"])),
    };
    if items.len() > MAX_BATCH {
        return Err(RpcError::new(Code::BadRequest, "Batch call exceeds maximum size"));
    }
    let batch_method = request.method.as_str();
    Ok(items
        .into_iter()
        .map(|item| item_call(item, batch_method, mount))
        .collect())
}

fn item_call(item: Item, batch_method: &str, mount: &str) -> Result<OrpcCall, RpcError> {
    let url = url::Url::parse(&item.url).map_err(|_| malformed())?;
    let path = url
        .path()
        .split_once(&format!("{mount}/"))
        .map(|(_, path)| path)
        .ok_or_else(|| RpcError::of(Code::NotFound))?;
    let method = item.method.unwrap_or_else(|| batch_method.to_owned());
    if batch_method == "GET" && method != "GET" {
        return Err(RpcError::of(Code::MethodNotSupported).with_allow(&["POST"]));
    }
    let serialized = if method == "GET" {
        match url.query_pairs().find(|(name, _)| name == "data") {
            Some((_, data)) => Some(serde_json::from_str(&data).map_err(|_| malformed())?),
            None => None,
        }
    } else {
        item.body
    };
    Ok(OrpcCall {
        path: dotted(path)?,
        method,
        input: serialized.map(payload::read).transpose()?.flatten(),
    })
}

async fn batch<C: Clone + Send + Sync + 'static>(
    router: &Arc<Router<C>>,
    items: Vec<Result<OrpcCall, RpcError>>,
    context: &C,
    outgoing: &ResponseHeaders,
    buffered: bool,
) -> Response {
    let is_secret = has_secret(router, &items);
    let only_queries = items.iter().flatten().all(|call| call.method == "GET");
    let replies: Vec<_> = items
        .into_iter()
        .enumerate()
        .map(|(index, call)| {
            let router = Arc::clone(router);
            let context = context.clone();
            async move { run(&router, call, context).await.item(index) }
        })
        .collect();
    if buffered {
        let items = join_all(replies).await.join(",");
        return respond(
            207,
            "application/json",
            Vec::new(),
            Body::Full(format!("[{items}]").into()),
        )
        .with(outgoing)
        .secret(is_secret);
    }
    let events = replies
        .into_iter()
        .collect::<FuturesUnordered<_>>()
        .map(|item| Bytes::from(format!("event: message\ndata: {item}\n\n")));
    let done = stream::iter([Bytes::from_static(b"event: done\n\n")]);
    // A mutation may add headers (a cookie), which have to be sent before the first event.
    let body = if only_queries {
        events.chain(done).boxed()
    } else {
        let events: Vec<_> = events.collect().await;
        stream::iter(events).chain(done).boxed()
    };
    respond(207, "text/event-stream", Vec::new(), Body::Stream(body))
        .with(outgoing)
        .secret(is_secret)
}
