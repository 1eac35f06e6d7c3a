//! Changing events. Each procedure has an `idempotencyKey` of the client's: the same key is the same request, however
//! often it is sent, and gets the same answer for a day.
//!
//! An answer with `pending: true` says that Google could not be reached in time, and that the write goes on by itself: its
//! end comes over the channel, as `write.resolved`, and is also the answer to the same call with the same key.

use common::ids::CalendarId;
use event_model::patch::EventPatch;
use event_model::wire::Event;
use rpc::{Code, RpcError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sync::write::{Command, Conflict, Failure, Mail, Reason, Refused, Request, Response, Scope, WriteResult};
use ts_rs::TS;
use uuid::Uuid;

use super::input::{GoogleText, IdempotencyKey};
use crate::state::Caller;

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[ts(optional_fields)]
pub struct CreateEventInput {
    #[ts(type = "string")]
    idempotency_key: IdempotencyKey,
    #[ts(type = "string")]
    calendar_id: CalendarId,
    /// With a `start` and an `end`.
    event: EventPatch,
    /// Whom Google mails. None: nobody.
    send_updates: Option<Mail>,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[ts(optional_fields)]
pub struct UpdateEventInput {
    #[ts(type = "string")]
    idempotency_key: IdempotencyKey,
    #[ts(type = "string")]
    calendar_id: CalendarId,
    /// The Event's `id`.
    #[ts(type = "string")]
    event_id: GoogleText,
    /// The Event's `etag`: the version that the user saw.
    #[ts(type = "string")]
    base_etag: GoogleText,
    patch: EventPatch,
    /// Of a series. None: the instance alone.
    scope: Option<Scope>,
    /// Whom Google mails. None: nobody.
    send_updates: Option<Mail>,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[ts(optional_fields)]
pub struct DeleteEventInput {
    #[ts(type = "string")]
    idempotency_key: IdempotencyKey,
    #[ts(type = "string")]
    calendar_id: CalendarId,
    /// The Event's `id`.
    #[ts(type = "string")]
    event_id: GoogleText,
    /// None: whatever it has become.
    #[ts(as = "Option<String>")]
    base_etag: Option<GoogleText>,
    /// Of a series. None: the instance alone.
    scope: Option<Scope>,
    /// Whom Google mails. None: nobody.
    send_updates: Option<Mail>,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[ts(optional_fields)]
pub struct MoveEventInput {
    #[ts(type = "string")]
    idempotency_key: IdempotencyKey,
    #[ts(type = "string")]
    calendar_id: CalendarId,
    /// The `id` of an Event that is no instance of a series, or that of a series.
    #[ts(type = "string")]
    event_id: GoogleText,
    /// Of the same account.
    #[ts(type = "string")]
    destination_calendar_id: CalendarId,
    /// Whom Google mails. None: nobody.
    send_updates: Option<Mail>,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[ts(optional_fields)]
pub struct RespondToEventInput {
    #[ts(type = "string")]
    idempotency_key: IdempotencyKey,
    #[ts(type = "string")]
    calendar_id: CalendarId,
    /// The Event's `id`.
    #[ts(type = "string")]
    event_id: GoogleText,
    response_status: Response,
    /// To the organizer.
    comment: Option<String>,
    /// Of a series: `this` or `all`. None: the instance alone.
    scope: Option<Scope>,
    /// Whom Google mails. None: nobody.
    send_updates: Option<Mail>,
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct WrittenEvent {
    /// As it is now: of a series, the instance that was edited or the first one. None while `pending`.
    event: Option<Box<Event>>,
    /// Somebody else had changed other fields meanwhile, and both changes are in.
    merged: bool,
    pending: bool,
    #[ts(type = "string")]
    intent_id: Uuid,
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DeletedEvent {
    /// Not yet while `pending`.
    deleted: bool,
    pending: bool,
    #[ts(type = "string")]
    intent_id: Uuid,
}

/// `calendar.google.createEvent`
pub async fn create_event(caller: Caller, input: CreateEventInput) -> Result<WrittenEvent, RpcError> {
    let request = Request {
        calendar: input.calendar_id,
        mail: input.send_updates.unwrap_or_default(),
        command: Command::Create { event: input.event },
    };
    write(&caller, &input.idempotency_key, request, "event")
        .await
        .map(WrittenEvent::from)
}

/// `calendar.google.updateEvent`
pub async fn update_event(caller: Caller, input: UpdateEventInput) -> Result<WrittenEvent, RpcError> {
    let request = Request {
        calendar: input.calendar_id,
        mail: input.send_updates.unwrap_or_default(),
        command: Command::Update {
            event_id: input.event_id.into_string(),
            base_etag: input.base_etag.into_string(),
            patch: input.patch,
            scope: input.scope,
        },
    };
    write(&caller, &input.idempotency_key, request, "patch")
        .await
        .map(WrittenEvent::from)
}

/// `calendar.google.deleteEvent`
pub async fn delete_event(caller: Caller, input: DeleteEventInput) -> Result<DeletedEvent, RpcError> {
    let request = Request {
        calendar: input.calendar_id,
        mail: input.send_updates.unwrap_or_default(),
        command: Command::Delete {
            event_id: input.event_id.into_string(),
            base_etag: input.base_etag.map(GoogleText::into_string),
            scope: input.scope,
        },
    };
    let written = write(&caller, &input.idempotency_key, request, "").await?;
    Ok(DeletedEvent {
        deleted: !written.pending,
        pending: written.pending,
        intent_id: written.intent_id,
    })
}

/// `calendar.google.moveEvent`: to another calendar of the same account, under the same id.
pub async fn move_event(caller: Caller, input: MoveEventInput) -> Result<WrittenEvent, RpcError> {
    let request = Request {
        calendar: input.calendar_id,
        mail: input.send_updates.unwrap_or_default(),
        command: Command::Move {
            event_id: input.event_id.into_string(),
            destination: input.destination_calendar_id,
        },
    };
    write(&caller, &input.idempotency_key, request, "")
        .await
        .map(WrittenEvent::from)
}

/// `calendar.google.respondToEvent`
pub async fn respond_to_event(caller: Caller, input: RespondToEventInput) -> Result<WrittenEvent, RpcError> {
    let request = Request {
        calendar: input.calendar_id,
        mail: input.send_updates.unwrap_or_default(),
        command: Command::Respond {
            event_id: input.event_id.into_string(),
            response: input.response_status,
            comment: input.comment,
            scope: input.scope,
        },
    };
    write(&caller, &input.idempotency_key, request, "")
        .await
        .map(WrittenEvent::from)
}

struct Written {
    event: Option<Box<Event>>,
    merged: bool,
    pending: bool,
    intent_id: Uuid,
}

impl From<Written> for WrittenEvent {
    fn from(written: Written) -> Self {
        Self {
            event: written.event,
            merged: written.merged,
            pending: written.pending,
            intent_id: written.intent_id,
        }
    }
}

/// `edits`: the input's field that an invalid edit is in.
async fn write(
    caller: &Caller,
    key: &IdempotencyKey,
    request: Request,
    edits: &str,
) -> Result<Written, RpcError> {
    let ctx = &caller.state.sync;
    let submitted = sync::write::submit(ctx, &caller.user, key.as_str(), request)
        .await
        .map_err(|refused| not_taken(refused, edits))?;
    let (event, merged, pending) = match submitted.result {
        None => (None, false, true),
        Some(WriteResult::Done { event, merged }) => (event, merged, false),
        Some(WriteResult::Failed(failure)) => return Err(failed(failure)),
        Some(WriteResult::Conflict(conflict)) => return Err(in_conflict(*conflict)),
    };
    Ok(Written {
        event,
        merged,
        pending,
        intent_id: submitted.intent_id,
    })
}

fn not_taken(refused: Refused, edits: &str) -> RpcError {
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
            "This idempotency key was used for another request",
        )
        .with_reason("IDEMPOTENCY_KEY_REUSED"),
        Refused::Rule { rule, field } => RpcError::new(Code::Forbidden, rule.message())
            .with_reason(rule.name())
            .with_details(Map::from_iter([("field".to_owned(), json!(field))])),
        Refused::Reason(reason) => of_reason(reason),
        Refused::Database(error) => error.into(),
    }
}

fn failed(failure: Failure) -> RpcError {
    let error = of_reason(failure.reason);
    match failure.google_reason {
        None => error,
        Some(reason) => error.with_details(Map::from_iter([("googleReason".to_owned(), json!(reason))])),
    }
}

fn of_reason(reason: Reason) -> RpcError {
    let (code, message) = match reason {
        Reason::CalendarNotFound => (Code::NotFound, "There is no such calendar"),
        Reason::EventNotFound => (Code::NotFound, "There is no such event in this calendar"),
        Reason::SeriesNotFound => (
            Code::NotFound,
            "You were invited to this event alone, not to its series",
        ),
        Reason::EventDeleted => (Code::NotFound, "This event has been deleted"),
        Reason::NotConnected => (Code::PreconditionFailed, "This Google account is not connected"),
        Reason::ReauthRequired => (
            Code::PreconditionFailed,
            "Google asks you to connect this account again",
        ),
        Reason::WriteScopeMissing => (Code::Forbidden, "You have not allowed changes to your calendar"),
        Reason::AccessLost => (
            Code::Forbidden,
            "Google no longer shows this calendar to the account",
        ),
        Reason::DifferentAccount => (Code::BadRequest, "The two calendars belong to different accounts"),
        Reason::RecurrenceRequired => (
            Code::BadRequest,
            "The rules of this series name its days; say how it repeats from now on",
        ),
        Reason::ScopeNotApplicable => (Code::BadRequest, "This cannot be done to this part of a series"),
        Reason::ForbiddenByGoogle => (Code::Forbidden, "Google does not let you change this"),
        Reason::RefusedByGoogle => (Code::BadRequest, "Google refuses this change"),
        Reason::QuotaExceeded => (
            Code::TooManyRequests,
            "Google takes no more changes from this account for now",
        ),
        Reason::GoogleUnavailable => (
            Code::ServiceUnavailable,
            "Google could not be reached; the change was not made",
        ),
        Reason::OutcomeUnknown => (
            Code::BadGateway,
            "Google did not answer; look at the event before you try again",
        ),
        Reason::Misconfigured => (
            Code::InternalServerError,
            "Google does not accept this installation",
        ),
    };
    RpcError::new(code, message).with_reason(reason.name())
}

/// The two sides of a conflict, in `data`.
fn in_conflict(conflict: Conflict) -> RpcError {
    let mut details = Map::new();
    details.insert("fields".to_owned(), json!(conflict.fields));
    details.insert("base".to_owned(), conflict.base.unwrap_or(Value::Null));
    details.insert("ours".to_owned(), conflict.ours.unwrap_or(Value::Null));
    details.insert("theirs".to_owned(), conflict.theirs);
    details.insert("etag".to_owned(), json!(conflict.etag));
    RpcError::new(Code::Conflict, "Somebody else has changed the same meanwhile")
        .with_reason("EDIT_CONFLICT")
        .with_details(details)
}
