//! tRPC v11 over HTTP.
//!
//! One call: `GET /path?input=…` or `POST /path`. A batch: `/a,b?batch=1` with inputs by index. A batch whose client
//! accepts `application/jsonl` is answered with a head line that announces the calls, then a line for each call as it
//! finishes. A query may be sent by POST (the client's `methodOverride`); a mutation not by GET.
//!
//! A client with the transformer superjson sends each input as `{"json": …, "meta": …}`, also where there is none. It is
//! answered in the same form. Inputs and outputs are plain JSON, so `meta` is not needed.

mod reply;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use serde_json::Value;

use crate::http::{Body, Request, Response, ResponseHeaders, decode_component};
use crate::procedure::Output;
use crate::{Code, Kind, MAX_BATCH, PATH_MAX_LEN, Router, RpcError};
use reply::{Transform, TrpcReply, respond};

const JSONL: &str = "application/jsonl";

/// Answers a request that is refused because of its caller. Only its head is read.
///
/// Whether the client has a transformer shows in its input alone. So the error is in both forms; a client takes one error as
/// the answer to each call of a batch. The first versions of the streaming client read nothing but lines, where both forms
/// fit for one call only; the inputs of more are in the URL, except those of mutations.
pub fn refuse(request: &Request, error: &RpcError) -> Response {
    let decoded = Some(&request.path)
        .filter(|path| path.len() <= PATH_MAX_LEN)
        .and_then(|path| decode_component(path));
    let paths: Vec<&str> = (decoded.as_deref().into_iter())
        .flat_map(|path| path.split(',').take(MAX_BATCH))
        .collect();
    let streams = request.accept.as_deref() == Some(JSONL);
    match paths[..] {
        [path] if streams => streamed(stream::iter([TrpcReply::refusal_line(error, path)])),
        [path] => TrpcReply::refusal(error, Some(path)).into_response(),
        _ if streams && request.method == "GET" => {
            let is_superjson = request.query.contains("%22json%22");
            let transform = if is_superjson {
                Transform::Superjson
            } else {
                Transform::None
            };
            let replies = paths
                .iter()
                .map(|path| TrpcReply::failure(error, Some(path), Transform::None));
            let lines = replies
                .enumerate()
                .map(|(index, reply)| transform.line(&reply.line(index)));
            let head = transform.line(&head_line(paths.len()));
            streamed(stream::iter([vec![head], lines.collect()].concat()))
        }
        _ => TrpcReply::refusal(error, None).into_response(),
    }
}

/// Handles one HTTP request. `context` is the caller; `outgoing` has the headers that handlers add.
pub async fn handle<C>(
    router: &Arc<Router<C>>,
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
    let batched = request.parameter("batch").as_deref() == Some("1");
    let mut inputs = TrpcInputs::read(&request, batched);
    let transform = inputs.unwrap_superjson();
    let parsed = match TrpcRequest::read(router, &request, batched) {
        Ok(parsed) => parsed,
        Err(error) => return TrpcReply::failure(&error, None, transform).into_response(),
    };
    let is_secret = router.has_secret(parsed.paths.iter().map(String::as_str));
    let streams = batched && request.accept.as_deref() == Some(JSONL);
    // A line of a stream is transformed as a whole.
    let of_calls = if streams { Transform::None } else { transform };
    let calls = parsed.calls(router, &request, &context, inputs, of_calls);
    let response = if streams {
        stream_lines(calls, transform, parsed.kind, outgoing).await
    } else {
        let mut replies = join_all(calls.into_iter().map(TrpcCall::run)).await;
        let single = if batched { None } else { replies.pop() };
        single
            .map_or_else(|| batch(replies), TrpcReply::into_response)
            .with(outgoing)
    };
    response.secret(is_secret)
}

/// The lines of a batch, each as soon as its call has finished.
async fn stream_lines<C: Clone + Send + Sync + 'static>(
    calls: Vec<TrpcCall<C>>,
    transform: Transform,
    kind: Option<Kind>,
    outgoing: &ResponseHeaders,
) -> Response {
    let calls: FuturesUnordered<_> = calls
        .into_iter()
        .enumerate()
        .map(|(index, call)| async move { (index, call.run().await) })
        .collect();
    let head = transform.line(&head_line(calls.len()));
    let line = move |(index, reply): (usize, TrpcReply)| transform.line(&reply.line(index));
    if kind == Some(Kind::Mutation) {
        // A mutation may add headers (a cookie), which have to be sent before the first line.
        let lines: Vec<_> = calls.map(line).collect().await;
        return streamed(stream::iter([vec![head], lines].concat())).with(outgoing);
    }
    streamed(stream::iter([head]).chain(calls.map(line)))
}

/// A request, parsed and not yet run.
struct TrpcRequest {
    paths: Vec<String>,
    /// None: no path of the request is known.
    kind: Option<Kind>,
}

impl TrpcRequest {
    fn read<C: Send + 'static>(router: &Router<C>, request: &Request, batch: bool) -> Result<Self, RpcError> {
        if request.path.len() > PATH_MAX_LEN {
            return Err(RpcError::new(Code::BadRequest, "Path too long"));
        }
        let Some(path) = decode_component(&request.path) else {
            let message = format!("Invalid URL-encoding in path \"{}\"", request.path);
            return Err(RpcError::new(Code::BadRequest, message));
        };
        check_content_type(request)?;
        if request.method != "GET"
            && let Err(error) = &request.body
        {
            return Err(error.without_source());
        }
        let paths: Vec<String> = if batch {
            path.split(',').take(MAX_BATCH + 1).map(Into::into).collect()
        } else {
            vec![path.into_owned()]
        };
        if paths.len() > MAX_BATCH {
            return Err(RpcError::new(Code::BadRequest, "Batch call exceeds maximum size"));
        }
        let mut kinds: Vec<Kind> = Vec::new();
        for procedure in paths.iter().filter_map(|path| router.get(path)) {
            if !kinds.contains(&procedure.kind) {
                kinds.push(procedure.kind);
            }
        }
        if kinds.len() > 1 {
            let names: Vec<_> = kinds.into_iter().map(Kind::name).collect();
            let message = format!("Cannot mix procedure types in call: {}", names.join(", "));
            return Err(RpcError::new(Code::BadRequest, message));
        }
        if !batch && request.accept.as_deref() == Some(JSONL) {
            let message = "Streaming requests must be batched (you can do a batch of 1)";
            return Err(RpcError::new(Code::BadRequest, message));
        }
        Ok(Self {
            paths,
            kind: kinds.first().copied(),
        })
    }

    fn calls<C: Clone + Send + Sync + 'static>(
        &self,
        router: &Arc<Router<C>>,
        request: &Request,
        context: &C,
        mut inputs: TrpcInputs,
        transform: Transform,
    ) -> Vec<TrpcCall<C>> {
        let call = |(index, path): (usize, &String)| TrpcCall {
            router: Arc::clone(router),
            method: request.method.clone(),
            path: path.clone(),
            context: context.clone(),
            input: inputs.take(index),
            transform,
        };
        self.paths.iter().enumerate().map(call).collect()
    }
}

/// Accepts JSON only: a mutation that a plain HTML form could send would be open to cross-site requests.
fn check_content_type(request: &Request) -> Result<(), RpcError> {
    if request.method == "GET" {
        return Ok(());
    }
    match request.content_type.as_deref() {
        Some(json) if json.starts_with("application/json") => Ok(()),
        // The original server omits the closing quote, too.
        Some(other) => Err(RpcError::new(
            Code::UnsupportedMediaType,
            format!("Unsupported content-type \"{other}"),
        )),
        None => Err(RpcError::new(
            Code::UnsupportedMediaType,
            "Missing content-type header",
        )),
    }
}

/// The inputs of a request. An error is the answer of each call that needs one, not of the request.
enum TrpcInputs {
    Absent,
    One(Value),
    Many(Value),
    Malformed(String),
}

impl TrpcInputs {
    fn read(request: &Request, batch: bool) -> Self {
        let parsed = match (request.method.as_str(), &request.body) {
            ("GET", _) => match request.parameter("input") {
                Some(text) if !text.is_empty() => serde_json::from_str(&text),
                _ => return Self::Absent,
            },
            (_, Ok(body)) if !body.is_empty() => serde_json::from_slice(body),
            _ => return Self::Absent,
        };
        match parsed {
            Ok(value) if !batch => Self::One(value),
            Ok(value @ (Value::Object(_) | Value::Array(_))) => Self::Many(value),
            Ok(_) => Self::Malformed("\"input\" needs to be an object when doing a batch call".into()),
            Err(error) => Self::Malformed(error.to_string()),
        }
    }

    /// Unwraps inputs that superjson has wrapped. A client has one transformer for all its calls.
    fn unwrap_superjson(&mut self) -> Transform {
        let inputs: Vec<&mut Value> = match self {
            Self::One(value) => vec![value],
            Self::Many(Value::Array(values)) => values.iter_mut().collect(),
            Self::Many(Value::Object(values)) => values.values_mut().collect(),
            _ => Vec::new(),
        };
        if inputs.is_empty() || !inputs.iter().all(|input| is_superjson(input)) {
            return Transform::None;
        }
        for input in inputs {
            *input = input["json"].take();
        }
        Transform::Superjson
    }

    fn take(&mut self, index: usize) -> Result<Option<Value>, RpcError> {
        match self {
            Self::Absent => Ok(None),
            Self::One(value) => Ok(Some(value.take())),
            Self::Many(Value::Array(values)) => Ok(values.get_mut(index).map(Value::take)),
            Self::Many(values) => Ok(values.get_mut(index.to_string()).map(Value::take)),
            Self::Malformed(message) => Err(RpcError::new(Code::BadRequest, message.clone())),
        }
    }
}

fn is_superjson(input: &Value) -> bool {
    input.as_object().is_some_and(|input| {
        input.contains_key("json") && input.keys().all(|key| matches!(key.as_str(), "json" | "meta"))
    })
}

/// One call of a request, ready to run.
struct TrpcCall<C> {
    router: Arc<Router<C>>,
    method: String,
    path: String,
    context: C,
    input: Result<Option<Value>, RpcError>,
    transform: Transform,
}

impl<C: Clone + Send + Sync + 'static> TrpcCall<C> {
    async fn run(self) -> TrpcReply {
        let (path, router, started) = (self.path.clone(), Arc::clone(&self.router), Instant::now());
        let transform = self.transform;
        let result = self.result().await;
        router.observe(&path, &result, started.elapsed());
        match result {
            Ok(output) => TrpcReply::success(&output, transform),
            Err(error) => TrpcReply::failure(&error, Some(&path), transform),
        }
    }

    async fn result(self) -> Result<Output, RpcError> {
        let Some(procedure) = self.router.get(&self.path) else {
            let message = format!("No procedure found on path \"{}\"", self.path);
            return Err(RpcError::new(Code::NotFound, message));
        };
        if !procedure.kind.allowed_methods().contains(&self.method.as_str()) {
            let message = format!(
                "Unsupported {}-request to {} procedure at path \"{}\"",
                self.method,
                procedure.kind.name(),
                self.path
            );
            let allow = procedure.kind.allowed_methods();
            return Err(RpcError::new(Code::MethodNotSupported, message).with_allow(allow));
        }
        self.router.call(procedure, self.context, self.input?).await
    }
}

/// All replies in the order of the calls. Their status if they all have the same, else 207.
fn batch(replies: Vec<TrpcReply>) -> Response {
    let first = replies.first().map_or(200, |reply| reply.status);
    let agree = replies.iter().all(|reply| reply.status == first);
    let json: Vec<_> = replies.iter().map(|reply| reply.json.as_str()).collect();
    let json = format!("[{}]", json.join(","));
    let mut headers: Vec<(&'static str, String)> = Vec::new();
    for (name, value) in replies.into_iter().flat_map(|reply| reply.headers) {
        if !headers.iter().any(|(known, _)| *known == name) {
            headers.push((name, value));
        }
    }
    respond(if agree { first } else { 207 }, headers, Body::Full(json.into()))
}

/// `{"0":[[0],[null,0,0]],…}`: call 0 is a promise that chunk 0 fulfils.
fn head_line(calls: usize) -> String {
    let promises: Vec<_> = (0..calls)
        .map(|index| format!("\"{index}\":[[0],[null,0,{index}]]"))
        .collect();
    format!("{{{}}}", promises.join(","))
}

fn streamed(lines: impl stream::Stream<Item = Bytes> + Send + 'static) -> Response {
    respond(200, Vec::new(), Body::Stream(lines.boxed()))
}
