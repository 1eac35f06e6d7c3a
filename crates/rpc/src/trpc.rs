//! tRPC v11 over HTTP.
//!
//! One call: `GET /path?input=…` or `POST /path`. A batch: `/a,b?batch=1` with inputs by index. A batch whose client
//! accepts `application/jsonl` is answered as the calls are done, a line each, after a head line that announces them.
//! A query may come as POST (the client's `methodOverride`); a mutation never as GET.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::share;
use crate::http::{Body, Request, Response, ResponseHeaders, decode_component};
use crate::router::Output;
use crate::{Code, Issue, Kind, MAX_BATCH, Router, RpcError};

const JSONL: &str = "application/jsonl";

/// Answers one HTTP request. `context` is who calls, or why nobody may; `outgoing` is what handlers add to the answer.
pub async fn handle<C>(
    router: &Arc<Router<C>>,
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
    let plan = match Plan::read(router, &request) {
        Ok(plan) => plan,
        Err(error) => return Outcome::failure(&error, None).into_response(),
    };
    let calls = plan.calls(router, &request, &context);
    if !plan.batch {
        let outcomes = join_all(calls.into_iter().map(Call::run)).await;
        return match outcomes.into_iter().next() {
            Some(outcome) => outcome.into_response().with(outgoing),
            None => Outcome::failure(&RpcError::of(Code::BadRequest), None).into_response(),
        };
    }
    if request.accept.as_deref() != Some(JSONL) {
        return batch(join_all(calls.into_iter().map(Call::run)).await).with(outgoing);
    }
    let calls: FuturesUnordered<_> = calls
        .into_iter()
        .enumerate()
        .map(|(index, call)| async move { (index, call.run().await) })
        .collect();
    let head = head_line(calls.len());
    if plan.kind == Some(Kind::Mutation) {
        // A mutation may add headers (a cookie), and those come before the first line.
        let lines: Vec<_> = calls.map(|(index, outcome)| outcome.line(index)).collect().await;
        return streamed(stream::iter([vec![head], lines].concat())).with(outgoing);
    }
    streamed(stream::iter([head]).chain(calls.map(|(index, outcome)| outcome.line(index))))
}

/// What a request asks for, before anything is run.
struct Plan {
    batch: bool,
    paths: Vec<String>,
    /// None when no path of the request is known.
    kind: Option<Kind>,
}

impl Plan {
    fn read<C: Send + 'static>(router: &Router<C>, request: &Request) -> Result<Self, RpcError> {
        let batch = request.parameter("batch").as_deref() == Some("1");
        let Some(path) = decode_component(&request.path) else {
            let message = format!("Invalid URL-encoding in path \"{}\"", request.path);
            return Err(RpcError::new(Code::BadRequest, message));
        };
        check_content_type(request)?;
        if request.method != "GET"
            && let Err(error) = &request.body
        {
            return Err(error.told());
        }
        let paths: Vec<String> = if batch {
            path.split(',').map(Into::into).collect()
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
            batch,
            paths,
            kind: kinds.first().copied(),
        })
    }

    fn calls<C: Clone + Send + Sync + 'static>(
        &self,
        router: &Arc<Router<C>>,
        request: &Request,
        context: &Result<C, RpcError>,
    ) -> Vec<Call<C>> {
        let mut inputs = Inputs::read(request, self.batch);
        let call = |(index, path): (usize, &String)| Call {
            router: Arc::clone(router),
            method: request.method.clone(),
            path: path.clone(),
            context: share(context),
            input: inputs.take(index),
        };
        self.paths.iter().enumerate().map(call).collect()
    }
}

/// JSON and nothing else: a mutation that a plain HTML form could send would be open to cross-site requests.
fn check_content_type(request: &Request) -> Result<(), RpcError> {
    if request.method == "GET" {
        return Ok(());
    }
    match request.content_type.as_deref() {
        Some(json) if json.starts_with("application/json") => Ok(()),
        // The missing closing quote is how the original server says it.
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

/// The inputs of a request. What is wrong with them is told to each call that needs one, not to the request.
enum Inputs {
    Absent,
    One(Value),
    Many(Value),
    Wrong(String),
}

impl Inputs {
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
            Ok(_) => Self::Wrong("\"input\" needs to be an object when doing a batch call".into()),
            Err(error) => Self::Wrong(error.to_string()),
        }
    }

    fn take(&mut self, index: usize) -> Result<Option<Value>, RpcError> {
        match self {
            Self::Absent => Ok(None),
            Self::One(value) => Ok(Some(value.take())),
            Self::Many(Value::Array(values)) => Ok(values.get_mut(index).map(Value::take)),
            Self::Many(values) => Ok(values.get_mut(index.to_string()).map(Value::take)),
            Self::Wrong(message) => Err(RpcError::new(Code::BadRequest, message.clone())),
        }
    }
}

/// One call of a request, ready to run.
struct Call<C> {
    router: Arc<Router<C>>,
    method: String,
    path: String,
    context: Result<C, RpcError>,
    input: Result<Option<Value>, RpcError>,
}

impl<C: Clone + Send + Sync + 'static> Call<C> {
    async fn run(self) -> Outcome {
        let (path, router, started) = (self.path.clone(), Arc::clone(&self.router), Instant::now());
        let result = self.result().await;
        router.observe(&path, &result, started.elapsed());
        match result {
            Ok(output) => Outcome::success(&output),
            Err(error) => Outcome::failure(&error, Some(&path)),
        }
    }

    async fn result(self) -> Result<Output, RpcError> {
        let Some(procedure) = self.router.get(&self.path) else {
            let message = format!("No procedure found on path \"{}\"", self.path);
            return Err(RpcError::new(Code::NotFound, message));
        };
        if !allowed_methods(procedure.kind).contains(&self.method.as_str()) {
            let message = format!(
                "Unsupported {}-request to {} procedure at path \"{}\"",
                self.method,
                procedure.kind.name(),
                self.path
            );
            let allow = allowed_methods(procedure.kind);
            return Err(RpcError::new(Code::MethodNotSupported, message).with_allow(allow));
        }
        self.router.call(procedure, self.context?, self.input?).await
    }
}

const fn allowed_methods(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Query => &["GET", "POST"],
        Kind::Mutation => &["POST"],
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Envelope<'a> {
    Result(Success<'a>),
    Error(Failure<'a>),
}

#[derive(Serialize)]
struct Success<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Failure<'a> {
    message: &'a str,
    code: i32,
    data: FailureData<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureData<'a> {
    code: Code,
    http_status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Issue]>::is_empty")]
    issues: &'a [Issue],
    #[serde(flatten)]
    details: Option<&'a Map<String, Value>>,
}

/// What came of a call: its envelope as JSON, and what it wants of the HTTP answer.
struct Outcome {
    status: u16,
    json: String,
    headers: Vec<(&'static str, String)>,
}

impl Outcome {
    fn success(output: &Output) -> Self {
        let envelope = Envelope::Result(Success {
            data: output.as_deref(),
        });
        Self::new(200, &envelope, Vec::new())
    }

    fn failure(error: &RpcError, path: Option<&str>) -> Self {
        let envelope = Envelope::Error(Failure {
            message: error.message.as_deref().unwrap_or(error.code.name()),
            code: error.code.json_rpc(),
            data: FailureData {
                code: error.code,
                http_status: error.code.status(),
                path,
                reason: error.reason,
                issues: &error.issues,
                details: error.details.as_deref(),
            },
        });
        Self::new(error.code.status(), &envelope, error.headers())
    }

    fn new(status: u16, envelope: &Envelope<'_>, headers: Vec<(&'static str, String)>) -> Self {
        Self {
            status,
            json: crate::http::to_json(envelope),
            headers,
        }
    }

    /// This call's line of a jsonl answer: chunk `index`, fulfilled, with everything in it at once.
    fn line(self, index: usize) -> Bytes {
        format!("[{index},0,[[{}]]]\n", self.json).into()
    }

    fn into_response(self) -> Response {
        respond(self.status, self.headers, Body::Full(self.json.into()))
    }
}

/// All answers in the order of the calls. One status for all if they agree, else 207.
fn batch(outcomes: Vec<Outcome>) -> Response {
    let first = outcomes.first().map_or(200, |outcome| outcome.status);
    let agree = outcomes.iter().all(|outcome| outcome.status == first);
    let json: Vec<_> = outcomes.iter().map(|outcome| outcome.json.as_str()).collect();
    let json = format!("[{}]", json.join(","));
    let mut headers: Vec<(&'static str, String)> = Vec::new();
    for (name, value) in outcomes.into_iter().flat_map(|outcome| outcome.headers) {
        if !headers.iter().any(|(known, _)| *known == name) {
            headers.push((name, value));
        }
    }
    respond(if agree { first } else { 207 }, headers, Body::Full(json.into()))
}

/// `{"0":[[0],[null,0,0]],…}`: call 0 is a promise, to be fulfilled by chunk 0.
fn head_line(calls: usize) -> Bytes {
    let promises: Vec<_> = (0..calls)
        .map(|index| format!("\"{index}\":[[0],[null,0,{index}]]"))
        .collect();
    format!("{{{}}}\n", promises.join(",")).into()
}

fn streamed(lines: impl stream::Stream<Item = Bytes> + Send + 'static) -> Response {
    respond(200, Vec::new(), Body::Stream(lines.boxed()))
}

fn respond(status: u16, extra: Vec<(&'static str, String)>, body: Body) -> Response {
    let mut headers = vec![
        ("vary", "trpc-accept, accept".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("cache-control", "no-store".to_owned()),
    ];
    headers.extend(extra);
    Response {
        status,
        headers,
        body,
    }
}
