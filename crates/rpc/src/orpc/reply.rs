//! The envelope of an answer.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::http::{Body, Response, to_json};
use crate::procedure::Output;
use crate::{Code, Issue, RpcError};

#[derive(Serialize)]
struct OrpcSuccess<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct OrpcFailure<'a> {
    json: OrpcFailureBody<'a>,
}

/// The client accepts these keys and no other.
#[derive(Serialize)]
struct OrpcFailureBody<'a> {
    /// Whether clients recognise this error by its type: it has a `reason`.
    defined: bool,
    code: Code,
    status: u16,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<OrpcFailureData<'a>>,
}

#[derive(Serialize)]
struct OrpcFailureData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Issue]>::is_empty")]
    issues: &'a [Issue],
    #[serde(flatten)]
    details: Option<&'a Map<String, Value>>,
}

pub(super) struct OrpcReply {
    pub(super) status: u16,
    pub(super) json: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl OrpcReply {
    pub(super) fn success(output: &Output) -> Self {
        Self {
            status: 200,
            json: to_json(&OrpcSuccess {
                json: output.as_deref(),
            }),
            headers: Vec::new(),
        }
    }

    pub(super) fn failure(error: &RpcError) -> Self {
        let data = OrpcFailureData {
            reason: error.reason,
            issues: &error.issues,
            details: error.details.as_deref(),
        };
        let has_data = error.reason.is_some() || !error.issues.is_empty() || error.details.is_some();
        let failure = OrpcFailure {
            json: OrpcFailureBody {
                defined: error.reason.is_some(),
                code: error.code,
                status: error.code.status(),
                message: error.message.as_deref().unwrap_or(error.code.title()),
                data: has_data.then_some(data),
            },
        };
        Self {
            status: error.code.status(),
            json: to_json(&failure),
            headers: error.headers(),
        }
    }

    pub(super) fn item(&self, index: usize) -> String {
        format!(
            r#"{{"index":{index},"status":{},"body":{}}}"#,
            self.status, self.json
        )
    }

    pub(super) fn into_response(self) -> Response {
        respond(
            self.status,
            "application/json",
            self.headers,
            Body::Full(self.json.into()),
        )
    }
}

pub(super) fn respond(
    status: u16,
    content_type: &'static str,
    extra: Vec<(&'static str, String)>,
    body: Body,
) -> Response {
    let mut headers = vec![
        ("vary", "accept-encoding".to_owned()),
        ("content-type", content_type.to_owned()),
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
