//! Changing events. Each procedure has an `idempotencyKey`: the same key is the same request, and gets the same answer for a
//! day.
//!
//! A response with `pending: true` means that Google could not be reached in time and that Calwire continues the write: the
//! result arrives over the channel as `write.resolved`, and is the answer to the same call with the same key.

mod error;

use common::ids::CalendarId;
use event_model::patch::EventPatch;
use event_model::wire::Event;
use rpc::RpcError;
use serde::{Deserialize, Serialize};
use sync::write::{Command, Mail, Request, Response, Scope, WriteResult};
use ts_rs::TS;
use uuid::Uuid;

use super::input::{GoogleText, IdempotencyKey};
use crate::state::Caller;
use error::{failed, in_conflict, rejected};

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
    /// Which guests Google mails. Default: `all`, if there are guests. Google warns that with `none` an event may be lost for
    /// some of them.
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
    /// The Event's `etag`: the version that the user edited.
    #[ts(type = "string")]
    base_etag: GoogleText,
    patch: EventPatch,
    /// For a series. Default: the instance alone.
    scope: Option<Scope>,
    /// Which guests Google mails. Default: `all`, if there are guests. Google warns that with `none` an event may be lost for
    /// some of them.
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
    /// Default: delete whichever version is current.
    #[ts(as = "Option<String>")]
    base_etag: Option<GoogleText>,
    /// For a series. Default: the instance alone.
    scope: Option<Scope>,
    /// Which guests Google mails. Default: `all`, if there are guests. Google warns that with `none` an event may be lost for
    /// some of them.
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
    /// The `id` of a single Event, or of a series.
    #[ts(type = "string")]
    event_id: GoogleText,
    /// Of the same account.
    #[ts(type = "string")]
    destination_calendar_id: CalendarId,
    /// Which guests Google mails. Default: `all`, if there are guests. Google warns that with `none` an event may be lost for
    /// some of them.
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
    /// For a series: `this` or `all`. Default: the instance alone.
    scope: Option<Scope>,
    /// Which guests Google mails. Default: `all`, if there are guests. Google warns that with `none` an event may be lost for
    /// some of them.
    send_updates: Option<Mail>,
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct WrittenEvent {
    /// Its new state: for a series, the edited instance or the first one. None while `pending`.
    event: Option<Box<Event>>,
    /// Someone else had changed other fields; both changes are in the event.
    merged: bool,
    pending: bool,
    #[ts(type = "string")]
    intent_id: Uuid,
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DeletedEvent {
    /// False while `pending`.
    deleted: bool,
    pending: bool,
    #[ts(type = "string")]
    intent_id: Uuid,
}

/// `calendar.google.createEvent`
pub async fn create_event(caller: Caller, input: CreateEventInput) -> Result<WrittenEvent, RpcError> {
    let request = Request {
        calendar: input.calendar_id,
        mail: input.send_updates,
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
        mail: input.send_updates,
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
        mail: input.send_updates,
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
        mail: input.send_updates,
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
        mail: input.send_updates,
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

/// `edits`: the input field that contains an invalid edit.
async fn write(
    caller: &Caller,
    key: &IdempotencyKey,
    request: Request,
    edits: &str,
) -> Result<Written, RpcError> {
    let ctx = &caller.state.sync;
    let submitted = sync::write::submit(ctx, &caller.user, key.as_str(), request)
        .await
        .map_err(|refused| rejected(refused, edits))?;
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
