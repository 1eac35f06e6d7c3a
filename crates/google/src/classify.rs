//! Classifies unsuccessful responses as [`Error`]s.

use std::time::Duration;

use serde_json::Value;

use crate::error::{Error, Limit};

/// The longest reason that is passed on. Google's are camelCase words.
const REASON_MAX_LEN: usize = 64;

/// The parts of Google's error envelope that decide.
#[derive(Debug, Default, PartialEq, Eq)]
struct Envelope {
    /// `errors[0].reason`, or the reason of the newer `details`, or the status word. Empty: not Google's envelope.
    reason: String,
    /// The reason of an `ErrorInfo` of the domain `googleapis.com`, which is about the project or the account, never about a
    /// calendar: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>.
    infrastructure: Option<String>,
    /// `errors[0].location`: the invalid parameter or header.
    location: String,
}

/// The kinds of endpoints of Calendar v3. The same status has different meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `events.list`, `calendarList.list`.
    Listing,
    /// One event: read, insert, patch, delete, move.
    Event,
    /// `watch` and `channels.stop`.
    Channel,
}

/// Classifies a response of Calendar v3 by endpoint, status and reason.
///
/// A response without Google's envelope comes from something in between (a proxy, a front end, a wrong base URL), so it
/// never means that a calendar is gone or forbidden.
pub(crate) fn calendar(
    endpoint: Endpoint,
    status: u16,
    body: Option<&Value>,
    retry_after: Option<Duration>,
) -> Error {
    let Envelope {
        reason,
        infrastructure,
        location,
    } = body.map(envelope).unwrap_or_default();
    let limited = |limit| Error::RateLimited { limit, retry_after };
    if let (403, Some(reason)) = (status, infrastructure)
        && let Some(error) = infrastructure_error(reason)
    {
        return error;
    }
    match (status, reason.as_str()) {
        (400 | 401 | 403, word) if word.starts_with("push.webhookUrl") => Error::Refused { reason },
        (400 | 403, "pushNotSupportedForRequestedResource") => Error::PushNotSupported,
        (400, "channelIdNotUnique") | (409, "duplicate") => Error::AlreadyExists,
        // A page token is valid as long as its listing. An expired one needs the same remedy: a new full listing.
        (400, _)
            if endpoint == Endpoint::Listing && matches!(location.as_str(), "syncToken" | "pageToken") =>
        {
            Error::SyncTokenExpired
        }
        (401, _) => Error::Unauthorized,
        (403 | 429, "userRateLimitExceeded") => limited(Limit::User),
        (403 | 429, "quotaExceeded") => limited(Limit::Usage),
        (403 | 429, "dailyLimitExceeded") => limited(Limit::Project),
        (403, "rateLimitExceeded" | "RATE_LIMIT_EXCEEDED") | (429, _) => limited(whose_limit(body)),
        (403, "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT") => Error::ScopeMissing,
        // `domainPolicy`: an administrator has turned it off, as for Drive in
        // <https://developers.google.com/workspace/drive/api/guides/handle-errors>.
        (403, "notACalendarUser" | "domainPolicy") => Error::CalendarOff,
        (403, "accessNotConfigured" | "SERVICE_DISABLED") => Error::ClientMisconfigured { reason },
        (412, _) => Error::Conflict,
        (400..500, "") | (408 | 409 | ..400 | 500.., _) => transient_status(status),
        (403, _) => Error::Forbidden { reason },
        (404, _) => Error::NotFound,
        (410, reason) => match endpoint {
            Endpoint::Listing if reason != "deleted" => Error::SyncTokenExpired,
            Endpoint::Listing | Endpoint::Event => Error::AlreadyDeleted,
            Endpoint::Channel => Error::NotFound,
        },
        _ => Error::Refused { reason },
    }
}

/// The 403 that is not about a calendar. Calendar v3 sends it with `errors[0].reason` `forbidden`
/// (<https://github.com/fullcalendar/fullcalendar/issues/6673>), which would hide every calendar of every account. None: the
/// older reason is the more exact one.
fn infrastructure_error(reason: String) -> Option<Error> {
    match reason.as_str() {
        "RATE_LIMIT_EXCEEDED" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => None,
        "USER_BLOCKED_BY_ADMIN" => Some(Error::CalendarOff),
        _ => Some(Error::ClientMisconfigured { reason }),
    }
}

/// Classifies a response of the OAuth endpoints (RFC 6749, 5.2).
pub(crate) fn oauth(status: u16, body: Option<&Value>, retry_after: Option<Duration>) -> Error {
    let reason = body
        .and_then(|body| body.get("error")?.as_str())
        .map(word)
        .unwrap_or_default();
    match (status, reason.as_str()) {
        (429, _) => Error::RateLimited {
            limit: Limit::Unnamed,
            retry_after,
        },
        (400..500, "invalid_grant") => Error::GrantRejected,
        (400..500, "invalid_token") => Error::Unauthorized,
        (
            400..500,
            "invalid_client"
            | "unauthorized_client"
            | "deleted_client"
            | "disabled_client"
            | "redirect_uri_mismatch"
            | "invalid_scope"
            | "unsupported_grant_type"
            | "org_internal",
        ) => Error::ClientMisconfigured { reason },
        // Observed at refreshes: <https://github.com/dust-tt/dust/pull/31975>.
        (400..500, "admin_policy_enforced" | "access_denied" | "policy_enforced") => {
            Error::GrantRefused { reason }
        }
        (408 | ..400 | 500.., _) | (_, "") => transient_status(status),
        _ => Error::Refused { reason },
    }
}

pub(crate) fn transient(reason: &str) -> Error {
    Error::Transient {
        reason: reason.to_owned(),
    }
}

fn transient_status(status: u16) -> Error {
    transient(&format!("status {status}"))
}

fn envelope(body: &Value) -> Envelope {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(word);
    let details = body.pointer("/error/details").and_then(Value::as_array);
    let details = || details.into_iter().flatten();
    let reason_of = |detail: &Value| detail.get("reason")?.as_str().map(word);
    Envelope {
        reason: text("/error/errors/0/reason")
            .or_else(|| details().find_map(reason_of))
            .or_else(|| text("/error/status"))
            .unwrap_or_default(),
        infrastructure: details()
            .filter(|detail| detail["domain"] == "googleapis.com")
            .find_map(reason_of),
        location: text("/error/errors/0/location").unwrap_or_default(),
    }
}

/// Whose limit a `rateLimitExceeded` is about. Google gives that reason for the project's limits and for an account's;
/// only the limit's name distinguishes them. It is in `details` (`quota_limit`) or in the message: `… and limit 'Queries per
/// minute per user' of service …` (<https://github.com/Atrejoe/Inky-Calendar-Server/issues/104>, and without `per user`
/// <https://github.com/calcom/cal.diy/issues/18079>). Without a name it can also be a limit on one calendar:
/// <https://developers.google.com/workspace/calendar/api/guides/quota>.
fn whose_limit(body: Option<&Value>) -> Limit {
    let name = body.and_then(|body| {
        let details = body.pointer("/error/details").and_then(Value::as_array);
        let detail = details
            .into_iter()
            .flatten()
            .find_map(|detail| detail.pointer("/metadata/quota_limit")?.as_str());
        detail.or_else(|| {
            let message = body.pointer("/error/message")?.as_str()?;
            let (_, rest) = message.split_once("limit '")?;
            rest.split('\'').next()
        })
    });
    match name {
        None => Limit::Unnamed,
        Some(name) if name.to_ascii_lowercase().contains("user") => Limit::User,
        Some(_) => Limit::Project,
    }
}

/// Keeps at most [`REASON_MAX_LEN`] plain characters of text from outside, so that it is safe to log.
fn word(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_.-".contains(*c))
        .take(REASON_MAX_LEN)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listing(status: u16, reason: &str) -> Error {
        let body =
            json!({"error": {"errors": [{"domain": "x", "reason": reason, "message": "m"}], "code": status}});
        calendar(
            Endpoint::Listing,
            status,
            Some(&body),
            Some(Duration::from_secs(7)),
        )
    }

    fn limited(limit: Limit) -> Error {
        Error::RateLimited {
            limit,
            retry_after: Some(Duration::from_secs(7)),
        }
    }

    #[test]
    fn status_and_reason_decide_together() {
        let forbidden = |reason: &str| Error::Forbidden {
            reason: reason.into(),
        };
        let refused = |reason: &str| Error::Refused {
            reason: reason.into(),
        };
        for (status, reason, expected) in [
            (400, "timeRangeEmpty", refused("timeRangeEmpty")),
            (400, "push.webhookUrlNotHttps", refused("push.webhookUrlNotHttps")),
            (
                401,
                "push.webhookUrlUnauthorized",
                refused("push.webhookUrlUnauthorized"),
            ),
            (
                400,
                "pushNotSupportedForRequestedResource",
                Error::PushNotSupported,
            ),
            (400, "channelIdNotUnique", Error::AlreadyExists),
            (401, "authError", Error::Unauthorized),
            (403, "userRateLimitExceeded", limited(Limit::User)),
            (403, "rateLimitExceeded", limited(Limit::Unnamed)),
            (429, "rateLimitExceeded", limited(Limit::Unnamed)),
            (403, "dailyLimitExceeded", limited(Limit::Project)),
            (429, "userRateLimitExceeded", limited(Limit::User)),
            (403, "quotaExceeded", limited(Limit::Usage)),
            (403, "insufficientPermissions", Error::ScopeMissing),
            (
                403,
                "forbiddenForNonOrganizer",
                forbidden("forbiddenForNonOrganizer"),
            ),
            (403, "notACalendarUser", Error::CalendarOff),
            (403, "domainPolicy", Error::CalendarOff),
            (404, "notFound", Error::NotFound),
            (409, "duplicate", Error::AlreadyExists),
            (410, "fullSyncRequired", Error::SyncTokenExpired),
            (410, "updatedMinTooLongAgo", Error::SyncTokenExpired),
            (410, "deleted", Error::AlreadyDeleted),
            (412, "conditionNotMet", Error::Conflict),
            (500, "backendError", transient("status 500")),
            (302, "", transient("status 302")),
        ] {
            assert_eq!(listing(status, reason), expected, "{status} {reason}");
        }
    }

    #[test]
    fn the_limits_name_says_whose_it_is() {
        let message = |limit: &str| {
            let text = format!(
                "Quota exceeded for quota metric 'Queries' and limit '{limit}' of service 'calendar-json.googleapis.com' \
                 for consumer 'project_number:1'."
            );
            json!({"error": {"code": 403, "message": text, "errors": [{"reason": "rateLimitExceeded"}]}})
        };
        let detail = |limit: &str| {
            json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [
                {"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quota_limit": limit}}]}})
        };
        for (status, body, limit) in [
            (403, message("Queries per minute"), Limit::Project),
            (403, message("Queries per day"), Limit::Project),
            (403, message("Queries per minute per user"), Limit::User),
            (403, message("Queries per user per 100 seconds"), Limit::User),
            (429, detail("defaultPerMinutePerProject"), Limit::Project),
            (429, detail("defaultPerMinutePerUser"), Limit::User),
            (
                403,
                json!({"error": {"message": "Rate Limit Exceeded",
                "errors": [{"reason": "rateLimitExceeded"}]}}),
                Limit::Unnamed,
            ),
        ] {
            let error = calendar(
                Endpoint::Listing,
                status,
                Some(&body),
                Some(Duration::from_secs(7)),
            );
            assert_eq!(error, limited(limit), "{body}");
        }
    }

    #[test]
    fn a_response_without_googles_envelope_is_transient() {
        for status in [400, 403, 404, 409, 410, 418, 502, 503] {
            assert_eq!(
                calendar(Endpoint::Listing, status, None, None),
                transient(&format!("status {status}"))
            );
        }
        assert_eq!(calendar(Endpoint::Listing, 401, None, None), Error::Unauthorized);
        assert_eq!(calendar(Endpoint::Event, 412, None, None), Error::Conflict);
        assert!(matches!(
            calendar(Endpoint::Listing, 429, None, None),
            Error::RateLimited { .. }
        ));
    }

    #[test]
    fn an_expired_token_is_recognised_by_its_location() {
        for location in ["syncToken", "pageToken"] {
            let body =
                json!({"error": {"errors": [{"reason": "invalid", "location": location}], "code": 400}});
            let classified = |endpoint| calendar(endpoint, 400, Some(&body), None);
            assert_eq!(classified(Endpoint::Listing), Error::SyncTokenExpired);
            for endpoint in [Endpoint::Event, Endpoint::Channel] {
                assert!(matches!(classified(endpoint), Error::Refused { .. }));
            }
        }
    }

    #[test]
    fn only_a_listing_has_a_sync_token_to_expire() {
        for reason in ["fullSyncRequired", "updatedMinTooLongAgo", "deleted", "gone"] {
            let body = json!({"error": {"errors": [{"reason": reason}], "code": 410}});
            let classified = |endpoint| calendar(endpoint, 410, Some(&body), None);
            assert_eq!(classified(Endpoint::Event), Error::AlreadyDeleted, "{reason}");
            assert_eq!(classified(Endpoint::Channel), Error::NotFound, "{reason}");
        }
    }

    #[test]
    fn a_refusal_of_the_project_is_none_of_a_calendar() {
        let error = |reason: &str, detail: Value| {
            let body = json!({"error": {"code": 403, "status": "PERMISSION_DENIED",
                "errors": [{"domain": "global", "reason": reason}], "details": [{"@type": "x"}, detail]}});
            calendar(Endpoint::Listing, 403, Some(&body), None)
        };
        let detail = |reason: &str| json!({"reason": reason, "domain": "googleapis.com", "metadata": {}});
        for reason in [
            "API_KEY_SERVICE_BLOCKED",
            "CONSUMER_SUSPENDED",
            "CONSUMER_INVALID",
            "SERVICE_DISABLED",
            "BILLING_DISABLED",
        ] {
            let misconfigured = Error::ClientMisconfigured {
                reason: reason.into(),
            };
            assert_eq!(error("forbidden", detail(reason)), misconfigured);
        }
        let blocked = detail("USER_BLOCKED_BY_ADMIN");
        assert_eq!(error("forbidden", blocked), Error::CalendarOff);
        let scope = detail("ACCESS_TOKEN_SCOPE_INSUFFICIENT");
        assert_eq!(error("insufficientPermissions", scope), Error::ScopeMissing);
        let limit = || detail("RATE_LIMIT_EXCEEDED");
        let of_user = Error::RateLimited {
            limit: Limit::User,
            retry_after: None,
        };
        assert_eq!(error("userRateLimitExceeded", limit()), of_user);
        // Another domain says nothing of the project.
        let other = json!({"reason": "CONSUMER_SUSPENDED", "domain": "example.com"});
        let forbidden = Error::Forbidden {
            reason: "forbidden".into(),
        };
        assert_eq!(error("forbidden", other), forbidden);
    }

    #[test]
    fn the_newer_envelope_is_understood() {
        let body = json!({"error": {"code": 403, "status": "PERMISSION_DENIED",
            "details": [{"@type": "x"}, {"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}});
        assert_eq!(
            calendar(Endpoint::Event, 403, Some(&body), None),
            Error::ScopeMissing
        );
    }

    #[test]
    fn a_reason_is_short_and_plain() {
        let long = "a\n<b>".repeat(1_000);
        let Error::Forbidden { reason } = listing(403, &long) else {
            panic!("a 403 with a reason is forbidden");
        };
        assert_eq!(reason.len(), REASON_MAX_LEN);
        assert!(reason.chars().all(|c| c.is_ascii_alphanumeric()));
    }

    #[test]
    fn only_invalid_grant_rejects_the_grant() {
        let error = |status, error: &str| oauth(status, Some(&json!({"error": error})), None);
        assert_eq!(error(400, "invalid_grant"), Error::GrantRejected);
        assert!(matches!(
            error(401, "invalid_client"),
            Error::ClientMisconfigured { .. }
        ));
        assert!(matches!(
            error(400, "redirect_uri_mismatch"),
            Error::ClientMisconfigured { .. }
        ));
        assert!(matches!(error(400, "invalid_request"), Error::Refused { .. }));
        for reason in ["admin_policy_enforced", "access_denied", "policy_enforced"] {
            let refused = Error::GrantRefused {
                reason: reason.into(),
            };
            assert_eq!(error(400, reason), refused);
        }
        assert!(matches!(error(500, "invalid_grant"), Error::Transient { .. }));
        assert!(matches!(oauth(400, None, None), Error::Transient { .. }));
        assert!(matches!(oauth(429, None, None), Error::RateLimited { .. }));
    }
}
