//! The envelope of an answer.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::http::{Body, Response};
use crate::procedure::Output;
use crate::{Code, Issue, RpcError};

/// The form of the data and errors that a client expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transform {
    None,
    /// `{"json": …}`
    Superjson,
}

impl Transform {
    fn apply<T>(self, value: T) -> Transformed<T> {
        match self {
            Self::None => Transformed::None(value),
            Self::Superjson => Transformed::Superjson { json: value },
        }
    }

    /// A line of a JSONL response.
    pub(super) fn line(self, line: &str) -> Bytes {
        match self {
            Self::None => format!("{line}\n").into(),
            Self::Superjson => format!("{{\"json\":{line}}}\n").into(),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Transformed<T> {
    None(T),
    Superjson { json: T },
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Envelope<'a> {
    Result(TrpcSuccess<'a>),
    Error(Transformed<TrpcFailure<'a>>),
    #[serde(rename = "error")]
    Refusal(TrpcRefusal<'a>),
}

/// An error in both forms.
#[derive(Serialize)]
struct TrpcRefusal<'a> {
    #[serde(flatten)]
    plain: &'a TrpcFailure<'a>,
    json: &'a TrpcFailure<'a>,
}

#[derive(Serialize)]
struct TrpcSuccess<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Transformed<Option<&'a RawValue>>>,
}

#[derive(Serialize)]
struct TrpcFailure<'a> {
    message: &'a str,
    code: i32,
    data: TrpcFailureData<'a>,
}

impl<'a> TrpcFailure<'a> {
    fn new(error: &'a RpcError, path: Option<&'a str>) -> Self {
        Self {
            message: error.message.as_deref().unwrap_or(error.code.name()),
            code: error.code.json_rpc(),
            data: TrpcFailureData {
                code: error.code,
                http_status: error.code.status(),
                path,
                reason: error.reason,
                issues: &error.issues,
                details: error.details.as_deref(),
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TrpcFailureData<'a> {
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

/// The answer to a call: its envelope as JSON, and the status and headers for the HTTP response.
pub(super) struct TrpcReply {
    pub(super) status: u16,
    pub(super) json: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl TrpcReply {
    pub(super) fn success(output: &Output, transform: Transform) -> Self {
        let data = output.as_deref();
        let is_sent = data.is_some() || transform == Transform::Superjson;
        let envelope = Envelope::Result(TrpcSuccess {
            data: is_sent.then(|| transform.apply(data)),
        });
        Self::new(200, &envelope, Vec::new())
    }

    pub(super) fn failure(error: &RpcError, path: Option<&str>, transform: Transform) -> Self {
        let envelope = Envelope::Error(transform.apply(TrpcFailure::new(error, path)));
        Self::new(error.code.status(), &envelope, error.headers())
    }

    /// As [`failure`](Self::failure), for a client of either form: each ignores the fields of the other.
    pub(super) fn refusal(error: &RpcError, path: Option<&str>) -> Self {
        let failure = &TrpcFailure::new(error, path);
        let envelope = Envelope::Refusal(TrpcRefusal {
            plain: failure,
            json: failure,
        });
        Self::new(error.code.status(), &envelope, error.headers())
    }

    /// As [`refusal`](Self::refusal), in a stream whose only line has its only call.
    pub(super) fn refusal_line(error: &RpcError, path: &str) -> Bytes {
        let json = Self::failure(error, Some(path), Transform::None).json;
        format!("{{\"0\":[[{json}]],\"json\":[[[{json}]]]}}\n").into()
    }

    fn new(status: u16, envelope: &Envelope<'_>, headers: Vec<(&'static str, String)>) -> Self {
        Self {
            status,
            json: crate::http::to_json(envelope),
            headers,
        }
    }

    /// This call's line of a JSONL response: chunk `index`, fulfilled, complete.
    pub(super) fn line(self, index: usize) -> String {
        format!("[{index},0,[[{}]]]", self.json)
    }

    pub(super) fn into_response(self) -> Response {
        respond(self.status, self.headers, Body::Full(self.json.into()))
    }
}

pub(super) fn respond(status: u16, extra: Vec<(&'static str, String)>, body: Body) -> Response {
    let mut headers = vec![
        ("vary", "trpc-accept, accept, accept-encoding".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("cache-control", "no-store".to_owned()),
    ];
    headers.extend(extra);
    Response {
        status,
        headers,
        body,
        is_secret: false,
    }
}
