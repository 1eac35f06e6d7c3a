//! Calendar v3's error answers: `{"error":{"errors":[{domain, reason, message, …}],"code","message"}}`.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

pub type Result<T> = std::result::Result<T, ApiError>;

/// One error as Google words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub status: u16,
    pub domain: String,
    pub reason: String,
    pub message: String,
    /// The subject of the error: a kind (`parameter`, `header`) and its name.
    pub location: Option<Box<(String, String)>>,
    /// Seconds for a `Retry-After` header.
    pub retry_after: Option<u64>,
    /// Why Google's infrastructure refused the call before Calendar saw it.
    pub infrastructure: Option<Box<Infrastructure>>,
}

/// The `ErrorInfo` of the domain `googleapis.com` in `details`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Infrastructure {
    pub reason: String,
    /// The name of the limit that was met.
    pub limit: Option<String>,
}

impl ApiError {
    pub fn new(status: u16, domain: &str, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            domain: domain.into(),
            reason: reason.into(),
            message: message.into(),
            location: None,
            retry_after: None,
            infrastructure: None,
        }
    }

    fn at(mut self, kind: &str, name: &str) -> Self {
        self.location = Some(Box::new((kind.into(), name.into())));
        self
    }

    pub fn bad_request(reason: &str, message: impl Into<String>) -> Self {
        Self::new(400, "global", reason, message)
    }

    pub fn invalid_parameter(name: &str, message: impl Into<String>) -> Self {
        Self::bad_request("invalidParameter", message).at("parameter", name)
    }

    /// Events of this type do not allow it.
    pub fn event_type(message: impl Into<String>) -> Self {
        Self::new(400, "calendar", "eventTypeRestriction", message)
    }

    pub fn required(message: &str) -> Self {
        Self::bad_request("required", message)
    }

    pub fn time_range_empty() -> Self {
        Self::new(
            400,
            "calendar",
            "timeRangeEmpty",
            "The specified time range is empty.",
        )
        .at("parameter", "timeMax")
    }

    pub fn unauthorized() -> Self {
        Self::new(401, "global", "authError", "Invalid Credentials").at("header", "Authorization")
    }

    pub fn login_required() -> Self {
        Self::new(401, "global", "required", "Login Required").at("header", "Authorization")
    }

    pub fn insufficient_permissions() -> Self {
        Self::new(
            403,
            "global",
            "insufficientPermissions",
            "Insufficient Permission",
        )
    }

    pub fn writer_required() -> Self {
        Self::new(
            403,
            "calendar",
            "requiredAccessLevel",
            "You need to have writer access to this calendar.",
        )
    }

    pub fn not_found() -> Self {
        Self::new(404, "global", "notFound", "Not Found")
    }

    /// A method or path that this emulator does not have.
    pub fn not_found_page() -> Self {
        Self::new(
            404,
            "global",
            "notFound",
            "Not Found: the emulator has no such method; see its README",
        )
    }

    pub fn duplicate() -> Self {
        Self::new(
            409,
            "global",
            "duplicate",
            "The requested identifier already exists.",
        )
    }

    pub fn deleted() -> Self {
        Self::new(410, "global", "deleted", "Resource has been deleted")
    }

    pub fn full_sync_required() -> Self {
        Self::new(
            410,
            "calendar",
            "fullSyncRequired",
            "Sync token is no longer valid, a full sync is required.",
        )
        .at("parameter", "syncToken")
    }

    pub fn updated_min_too_long_ago() -> Self {
        Self::new(
            410,
            "calendar",
            "updatedMinTooLongAgo",
            "The requested minimum modification time lies too far in the past.",
        )
        .at("parameter", "updatedMin")
    }

    pub fn condition_not_met() -> Self {
        Self::new(412, "global", "conditionNotMet", "Precondition Failed").at("header", "If-Match")
    }

    /// A rate limit that Google names. `rateLimitExceeded` is its reason for the project's limits and for an account's:
    /// <https://github.com/calcom/cal.diy/issues/18079>, <https://github.com/Atrejoe/Inky-Calendar-Server/issues/104>.
    pub fn named_limit(limit: &str) -> Self {
        let message = format!(
            "Quota exceeded for quota metric 'Queries' and limit '{limit}' of service 'calendar-json.googleapis.com' for \
             consumer 'project_number:1'."
        );
        let infrastructure = Infrastructure {
            reason: "RATE_LIMIT_EXCEEDED".into(),
            limit: Some(limit.replace(' ', "")),
        };
        Self {
            infrastructure: Some(infrastructure.into()),
            ..Self::new(403, "usageLimits", "rateLimitExceeded", message)
        }
    }

    /// A refusal of the project, which Calendar v3 words as one of the calendar:
    /// <https://github.com/fullcalendar/fullcalendar/issues/6673>.
    pub fn infrastructure(reason: &str) -> Self {
        let message = "Requests to this API calendar method are blocked.";
        let infrastructure = Infrastructure {
            reason: reason.into(),
            limit: None,
        };
        Self {
            infrastructure: Some(infrastructure.into()),
            ..Self::new(403, "global", "forbidden", message)
        }
    }

    /// The texts that Google documents for a status and reason. Used by faults that name only these two.
    pub fn documented(status: u16, reason: Option<&str>) -> Self {
        match (status, reason) {
            (401, _) => Self::unauthorized(),
            (403, Some(reason)) if reason.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => {
                Self::infrastructure(reason)
            }
            (403 | 429, None) | (_, Some("rateLimitExceeded")) => {
                Self::new(status, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded")
            }
            (_, Some("notACalendarUser")) => Self::new(
                status,
                "calendar",
                "notACalendarUser",
                "The user must be signed up for Google Calendar.",
            ),
            (_, Some("userRateLimitExceeded")) => Self::new(
                status,
                "usageLimits",
                "userRateLimitExceeded",
                "User Rate Limit Exceeded",
            ),
            (_, Some("quotaExceeded")) => Self::new(
                status,
                "usageLimits",
                "quotaExceeded",
                "Calendar usage limits exceeded.",
            ),
            (_, Some("insufficientPermissions")) => Self::insufficient_permissions(),
            (_, Some("requiredAccessLevel")) => Self::writer_required(),
            (_, Some("forbiddenForNonOrganizer")) => Self::new(
                status,
                "calendar",
                "forbiddenForNonOrganizer",
                "Shared properties can only be changed by the organizer of the event.",
            ),
            (404, _) => Self::not_found(),
            (409, None) => Self::duplicate(),
            (410, Some("deleted")) => Self::deleted(),
            (410, _) => Self::full_sync_required(),
            (412, _) => Self::condition_not_met(),
            (500.., None) => Self::new(status, "global", "backendError", "Backend Error"),
            (_, reason) => {
                let reason = reason.unwrap_or("invalid");
                Self::new(status, "global", reason, reason)
            }
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.reason, self.message)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut detail = json!({ "domain": self.domain, "reason": self.reason, "message": self.message });
        if let Some((kind, name)) = self.location.as_deref() {
            detail["locationType"] = json!(kind);
            detail["location"] = json!(name);
        }
        let mut answer = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after {
            answer.insert_header(("Retry-After", seconds.to_string()));
        }
        if self.status == 401 {
            answer.insert_header((
                "WWW-Authenticate",
                r#"Bearer realm="https://accounts.google.com/", error="invalid_token""#,
            ));
        }
        let mut error = json!({ "errors": [detail], "code": self.status, "message": self.message });
        if let Some(Infrastructure { reason, limit }) = self.infrastructure.as_deref() {
            let mut metadata = json!({ "service": "calendar-json.googleapis.com", "consumer": "projects/1" });
            if let Some(limit) = limit {
                metadata["quota_limit"] = json!(limit);
            }
            error["status"] = json!("PERMISSION_DENIED");
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
                "metadata": metadata,
            }]);
        }
        answer.json(json!({ "error": error }))
    }
}
