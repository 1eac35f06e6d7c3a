//! The API errors of writes.

use rpc::{Code, RpcError};
use serde_json::{Map, Value, json};
use sync::write::{Conflict, Failure, Reason, Refused};

pub(super) fn rejected(refused: Refused, edits: &str) -> RpcError {
    match refused {
        Refused::Invalid(invalid) => {
            let path = match (edits, invalid.field) {
                ("", field) | (_, field @ "destinationCalendarId") => field.to_owned(),
                (edits, field) => format!("{edits}.{field}"),
            };
            RpcError::invalid(path, invalid.message)
        }
        Refused::KeyReused => RpcError::new(
            Code::BadRequest,
            "This idempotency key was used for a different request",
        )
        .with_reason("IDEMPOTENCY_KEY_REUSED"),
        Refused::Rule { rule, field } => RpcError::new(Code::Forbidden, rule.message())
            .with_reason(rule.name())
            .with_details(Map::from_iter([("field".to_owned(), json!(field))])),
        Refused::Reason(reason) => of_reason(reason),
        Refused::Database(error) => error.into(),
    }
}

pub(super) fn failed(failure: Failure) -> RpcError {
    let error = of_reason(failure.reason);
    match failure.google_reason {
        None => error,
        Some(reason) => error.with_details(Map::from_iter([("googleReason".to_owned(), json!(reason))])),
    }
}

fn of_reason(reason: Reason) -> RpcError {
    let (code, message) = match reason {
        Reason::CalendarNotFound => (Code::NotFound, "Calendar not found"),
        Reason::EventNotFound => (Code::NotFound, "Event not found in this calendar"),
        Reason::SeriesNotFound => (
            Code::NotFound,
            "You were invited to this event only, not to its series",
        ),
        Reason::EventDeleted => (Code::NotFound, "This event has been deleted"),
        Reason::NotConnected => (Code::PreconditionFailed, "This Google account is not connected"),
        Reason::ReauthRequired => (
            Code::PreconditionFailed,
            "This Google account has to be connected again",
        ),
        Reason::WriteScopeMissing => (
            Code::Forbidden,
            "You have not granted permission to change your calendar",
        ),
        Reason::AccessLost => (Code::Forbidden, "This account has lost access to the calendar"),
        Reason::DifferentAccount => (Code::BadRequest, "The two calendars belong to different accounts"),
        Reason::RecurrenceRequired => (
            Code::BadRequest,
            "This series repeats on fixed days; specify how it repeats from now on",
        ),
        Reason::ScopeNotApplicable => (Code::BadRequest, "This is not possible for this part of a series"),
        Reason::ForbiddenByGoogle => (Code::Forbidden, "Google does not let you change this"),
        Reason::RefusedByGoogle => (Code::BadRequest, "Google rejected this change"),
        Reason::QuotaExceeded => (
            Code::TooManyRequests,
            "Google accepts no more changes from this account for now",
        ),
        Reason::GoogleUnavailable => (
            Code::ServiceUnavailable,
            "Google could not be reached; the change was not made",
        ),
        Reason::OutcomeUnknown => (
            Code::BadGateway,
            "Google did not answer; check the event before you try again",
        ),
        Reason::Misconfigured => (Code::InternalServerError, "Google rejected this installation"),
    };
    RpcError::new(code, message).with_reason(reason.name())
}

/// The two sides of a conflict, in `data`.
pub(super) fn in_conflict(conflict: Conflict) -> RpcError {
    let mut details = Map::new();
    details.insert("fields".to_owned(), json!(conflict.fields));
    details.insert("base".to_owned(), conflict.base.unwrap_or(Value::Null));
    details.insert("ours".to_owned(), conflict.ours.unwrap_or(Value::Null));
    details.insert("theirs".to_owned(), conflict.theirs);
    details.insert("etag".to_owned(), json!(conflict.etag));
    RpcError::new(Code::Conflict, "Someone else changed the same fields")
        .with_reason("EDIT_CONFLICT")
        .with_details(details)
}
