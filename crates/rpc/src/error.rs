//! The error of a call.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use ts_rs::TS;

macro_rules! codes {
    ($($variant:ident $name:literal $json_rpc:literal $status:literal $title:literal,)+) => {
        /// The error codes of tRPC, which oRPC shares.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($variant,)+
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As both protocols write it: `BAD_REQUEST`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// tRPC's number, which its client requires.
            pub const fn json_rpc(self) -> i32 {
                match self { $(Self::$variant => $json_rpc,)+ }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// oRPC's default message.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

codes! {
    ParseError "PARSE_ERROR" -32700 400 "Parse Error",
    BadRequest "BAD_REQUEST" -32600 400 "Bad Request",
    Unauthorized "UNAUTHORIZED" -32001 401 "Unauthorized",
    PaymentRequired "PAYMENT_REQUIRED" -32002 402 "Payment Required",
    Forbidden "FORBIDDEN" -32003 403 "Forbidden",
    NotFound "NOT_FOUND" -32004 404 "Not Found",
    MethodNotSupported "METHOD_NOT_SUPPORTED" -32005 405 "Method Not Supported",
    Timeout "TIMEOUT" -32008 408 "Request Timeout",
    Conflict "CONFLICT" -32009 409 "Conflict",
    PreconditionFailed "PRECONDITION_FAILED" -32012 412 "Precondition Failed",
    PayloadTooLarge "PAYLOAD_TOO_LARGE" -32013 413 "Payload Too Large",
    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" -32015 415 "Unsupported Media Type",
    UnprocessableContent "UNPROCESSABLE_CONTENT" -32022 422 "Unprocessable Content",
    PreconditionRequired "PRECONDITION_REQUIRED" -32028 428 "Precondition Required",
    TooManyRequests "TOO_MANY_REQUESTS" -32029 429 "Too Many Requests",
    ClientClosedRequest "CLIENT_CLOSED_REQUEST" -32099 499 "Client Closed Request",
    InternalServerError "INTERNAL_SERVER_ERROR" -32603 500 "Internal server error",
    NotImplemented "NOT_IMPLEMENTED" -32603 501 "Not Implemented",
    BadGateway "BAD_GATEWAY" -32603 502 "Bad Gateway",
    ServiceUnavailable "SERVICE_UNAVAILABLE" -32603 503 "Service Unavailable",
    GatewayTimeout "GATEWAY_TIMEOUT" -32603 504 "Gateway Timeout",
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A problem with an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[ts(rename = "InputIssue")]
pub struct Issue {
    /// The field: `days`, `calendarIds[2]`, or empty for the input as a whole.
    pub path: String,
    pub message: String,
}

/// The error of a call. The client gets everything but `source`, which is logged where the call is answered.
///
/// Every [`std::error::Error`] becomes an internal one by `?`, so that no internal text leaks by accident.
#[derive(Debug)]
pub struct RpcError {
    pub code: Code,
    /// For people. `None`: the protocol's default for the code.
    pub message: Option<Cow<'static, str>>,
    /// For programs: more specific than the code, in `data.reason`.
    pub reason: Option<&'static str>,
    pub issues: Box<[Issue]>,
    /// For programs: more fields of `data`, such as the two sides of a conflict.
    pub details: Option<Box<Map<String, Value>>>,
    /// Sent as the header `retry-after`, in whole seconds, rounded up.
    pub retry_after: Option<Duration>,
    pub source: Option<Box<dyn Error + Send + Sync>>,
    /// For a wrong method: the allowed ones, sent as the header `allow`.
    pub(crate) allow: &'static [&'static str],
}

impl RpcError {
    /// An error with no text but its code.
    pub fn of(code: Code) -> Self {
        Self {
            code,
            message: None,
            reason: None,
            issues: Box::new([]),
            details: None,
            retry_after: None,
            source: None,
            allow: &[],
        }
    }

    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::of(code)
        }
    }

    /// A well-formed input that is not valid.
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        let issue = Issue {
            path: path.into(),
            message: message.into(),
        };
        let text = match issue.path.as_str() {
            "" => format!("Input validation failed: {}", issue.message),
            path => format!("Input validation failed: {path}: {}", issue.message),
        };
        Self {
            issues: Box::new([issue]),
            ..Self::new(Code::BadRequest, text)
        }
    }

    /// An error that the client can do nothing about. `source` is logged, not sent.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::of(Code::InternalServerError)
        }
    }

    #[must_use]
    pub fn with_reason(self, reason: &'static str) -> Self {
        Self {
            reason: Some(reason),
            ..self
        }
    }

    /// More fields of `data`. They may not be called `code`, `reason` or `issues`.
    #[must_use]
    pub fn with_details(self, details: Map<String, Value>) -> Self {
        Self {
            details: Some(Box::new(details)),
            ..self
        }
    }

    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    #[must_use]
    pub(crate) fn with_allow(self, allow: &'static [&'static str]) -> Self {
        Self { allow, ..self }
    }

    /// A copy without its source.
    pub(crate) fn without_source(&self) -> Self {
        Self {
            code: self.code,
            message: self.message.clone(),
            reason: self.reason,
            issues: self.issues.clone(),
            details: self.details.clone(),
            retry_after: self.retry_after,
            source: None,
            allow: self.allow,
        }
    }

    /// The HTTP headers of the response.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.push(("retry-after", seconds.to_string()));
        }
        if !self.allow.is_empty() {
            headers.push(("allow", self.allow.join(", ")));
        }
        headers
    }

    /// Logs the source. Errors of the client have none and are not logged.
    pub(crate) fn log(&self, path: &str) {
        if let Some(source) = &self.source {
            tracing::error!(rpc.path = path, rpc.code = self.code.name(), error = %Chain(source.as_ref()), "RPC call failed");
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for RpcError {
    fn from(error: E) -> Self {
        Self::internal(error)
    }
}

/// An error with all its sources, in one line.
struct Chain<'a>(&'a (dyn Error + Send + Sync));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
