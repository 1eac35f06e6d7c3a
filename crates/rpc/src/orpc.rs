//! oRPC v1's RPC protocol.
//!
//! One call: `POST /calendar/google/getEvents` with `{"json":…,"meta":[…]}`, or GET with the same as `?data=`. A batch
//! (the client's batch plugin): `/__batch__` with `x-orpc-batch`, answered as server-sent events or as one array. A
//! query may come by GET, a mutation never.

mod payload;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::share;
use crate::http::{Body, Request, Response, ResponseHeaders, decode_component, to_json};
use crate::router::Output;
use crate::{Code, Issue, Kind, MAX_BATCH, Router, RpcError};

const MALFORMED: &str = "Malformed request. Ensure the request body is properly formatted and the 'Content-Type' \
                         header is set correctly.";

/// Answers one HTTP request. `mount` is where the protocol is mounted, `/rpc-v1`: the calls of a batch name whole URLs.
pub async fn handle<C>(
    router: &Arc<Router<C>>,
    mount: &str,
    request: Request,
    context: Result<C, RpcError>,
    outgoing: &ResponseHeaders,
) -> Response
where
    C: Clone + Send + Sync + 'static,
{
    if request.method == "HEAD" {
        return Response {
            status: 204,
            headers: Vec::new(),
            body: Body::Empty,
        };
    }
    if let Some(mode) = request.orpc_batch.clone() {
        return match batch_items(&request, mount) {
            Ok(items) => batch(router, items, &context, outgoing, mode == "buffered").await,
            Err(error) => Outcome::failure(&error).into_response(),
        };
    }
    let call = single(&request);
    run(router, call, context).await.into_response().with(outgoing)
}

/// One call, read and not yet run.
struct Call {
    /// Dotted.
    path: String,
    method: String,
    input: Option<Value>,
}

fn single(request: &Request) -> Result<Call, RpcError> {
    let path = dotted(&request.path)?;
    let serialized = match (request.method.as_str(), &request.body) {
        ("GET", _) => match request.parameter("data") {
            Some(data) => Some(serde_json::from_str(&data).map_err(|_| malformed())?),
            None => None,
        },
        (_, Err(error)) => return Err(error.told()),
        (_, Ok(body)) => {
            check_content_type(request)?;
            if body.is_empty() {
                None
            } else {
                Some(serde_json::from_slice(body).map_err(|_| malformed())?)
            }
        }
    };
    Ok(Call {
        path,
        method: request.method.clone(),
        input: serialized.map(payload::read).transpose()?.flatten(),
    })
}

async fn run<C: Clone + Send + Sync + 'static>(
    router: &Router<C>,
    call: Result<Call, RpcError>,
    context: Result<C, RpcError>,
) -> Outcome {
    let started = Instant::now();
    let path = call.as_ref().map(|call| call.path.clone()).unwrap_or_default();
    let result = async {
        let call = call?;
        let Some(procedure) = router.get(&call.path) else {
            let message = format!("No procedure found on path \"{}\"", call.path);
            return Err(RpcError::new(Code::NotFound, message));
        };
        let allowed = allowed_methods(procedure.kind);
        if !allowed.contains(&call.method.as_str()) {
            return Err(RpcError::of(Code::MethodNotSupported).with_allow(allowed));
        }
        router.call(procedure, context?, call.input).await
    };
    let result = result.await;
    router.observe(&path, &result, started.elapsed());
    match result {
        Ok(output) => Outcome::success(&output),
        Err(error) => Outcome::failure(&error),
    }
}

const fn allowed_methods(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Query => &["GET", "POST"],
        Kind::Mutation => &["POST"],
    }
}

fn malformed() -> RpcError {
    RpcError::new(Code::BadRequest, MALFORMED)
}

fn check_content_type(request: &Request) -> Result<(), RpcError> {
    match request.content_type.as_deref() {
        Some(json) if json.starts_with("application/json") => Ok(()),
        _ => Err(RpcError::of(Code::UnsupportedMediaType)),
    }
}

/// `calendar/google/getEvents` → `calendar.google.getEvents`.
fn dotted(path: &str) -> Result<String, RpcError> {
    let segments: Option<Vec<_>> = path.split('/').map(decode_component).collect();
    segments
        .map(|segments| segments.join("."))
        .ok_or_else(|| RpcError::new(Code::BadRequest, "Invalid URL-encoding in path"))
}

/// One call of a batch. Its own headers are not read: who calls is said once, by the batch.
#[derive(Deserialize)]
struct Item {
    method: Option<String>,
    url: String,
    body: Option<Value>,
}

fn batch_items(request: &Request, mount: &str) -> Result<Vec<Result<Call, RpcError>>, RpcError> {
    let items: Vec<Item> = match (request.method.as_str(), &request.body) {
        ("GET", _) => {
            serde_json::from_str(&request.parameter("batch").unwrap_or_default()).map_err(|_| malformed())?
        }
        ("POST", Ok(body)) => {
            check_content_type(request)?;
            serde_json::from_slice(body).map_err(|_| malformed())?
        }
        ("POST", Err(error)) => return Err(error.told()),
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

fn item_call(item: Item, batch_method: &str, mount: &str) -> Result<Call, RpcError> {
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
    Ok(Call {
        path: dotted(path)?,
        method,
        input: serialized.map(payload::read).transpose()?.flatten(),
    })
}

async fn batch<C: Clone + Send + Sync + 'static>(
    router: &Arc<Router<C>>,
    items: Vec<Result<Call, RpcError>>,
    context: &Result<C, RpcError>,
    outgoing: &ResponseHeaders,
    buffered: bool,
) -> Response {
    let only_queries = items.iter().flatten().all(|call| call.method == "GET");
    let answers: Vec<_> = items
        .into_iter()
        .enumerate()
        .map(|(index, call)| {
            let router = Arc::clone(router);
            let context = share(context);
            async move { run(&router, call, context).await.item(index) }
        })
        .collect();
    if buffered {
        let items = join_all(answers).await.join(",");
        return respond(
            207,
            "application/json",
            Vec::new(),
            Body::Full(format!("[{items}]").into()),
        )
        .with(outgoing);
    }
    let events = answers
        .into_iter()
        .collect::<FuturesUnordered<_>>()
        .map(|item| Bytes::from(format!("event: message\ndata: {item}\n\n")));
    let done = stream::iter([Bytes::from_static(b"event: done\n\n")]);
    // A mutation may add headers (a cookie), and those come before the first event.
    let body = if only_queries {
        events.chain(done).boxed()
    } else {
        let events: Vec<_> = events.collect().await;
        stream::iter(events).chain(done).boxed()
    };
    respond(207, "text/event-stream", Vec::new(), Body::Stream(body)).with(outgoing)
}

#[derive(Serialize)]
struct Success<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Failure<'a> {
    json: FailureBody<'a>,
}

/// The client accepts these keys and no other.
#[derive(Serialize)]
struct FailureBody<'a> {
    /// Whether clients are told of this error by type: those with a `reason`.
    defined: bool,
    code: Code,
    status: u16,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<FailureData<'a>>,
}

#[derive(Serialize)]
struct FailureData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Issue]>::is_empty")]
    issues: &'a [Issue],
    #[serde(flatten)]
    details: Option<&'a Map<String, Value>>,
}

struct Outcome {
    status: u16,
    json: String,
    headers: Vec<(&'static str, String)>,
}

impl Outcome {
    fn success(output: &Output) -> Self {
        Self {
            status: 200,
            json: to_json(&Success {
                json: output.as_deref(),
            }),
            headers: Vec::new(),
        }
    }

    fn failure(error: &RpcError) -> Self {
        let data = FailureData {
            reason: error.reason,
            issues: &error.issues,
            details: error.details.as_deref(),
        };
        let told = error.reason.is_some() || !error.issues.is_empty() || error.details.is_some();
        let failure = Failure {
            json: FailureBody {
                defined: error.reason.is_some(),
                code: error.code,
                status: error.code.status(),
                message: error.message.as_deref().unwrap_or(error.code.title()),
                data: told.then_some(data),
            },
        };
        Self {
            status: error.code.status(),
            json: to_json(&failure),
            headers: error.headers(),
        }
    }

    fn item(self, index: usize) -> String {
        format!(
            r#"{{"index":{index},"status":{},"body":{}}}"#,
            self.status, self.json
        )
    }

    fn into_response(self) -> Response {
        respond(
            self.status,
            "application/json",
            self.headers,
            Body::Full(self.json.into()),
        )
    }
}

fn respond(
    status: u16,
    content_type: &'static str,
    extra: Vec<(&'static str, String)>,
    body: Body,
) -> Response {
    let mut headers = vec![
        ("content-type", content_type.to_owned()),
        ("cache-control", "no-store".to_owned()),
    ];
    headers.extend(extra);
    Response {
        status,
        headers,
        body,
    }
}
