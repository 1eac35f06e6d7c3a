//! Google accounts: connect, disconnect, status.

use chrono::{DateTime, Utc};
use common::ids::ConnectionId;
use event_model::wire::{ConnectionState, Freshness, Mode};
use google::scopes;
use rpc::RpcError;
use serde::{Deserialize, Deserializer, Serialize};
use store::reading::Request;
use sync::connections::{AT_ONCE, Receipt};
use ts_rs::TS;

use super::events::{freshness_of, has_calendar_access};
use super::input::Nothing;
use crate::connect::{self, ReturnTo};
use crate::ownership::no_connection;
use crate::reading;
use crate::state::Caller;

#[derive(Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[ts(optional_fields)]
pub struct ConnectInput {
    /// The page to return to, as a path of the calling application: `/settings?tab=calendar`. It gets `?calwire=connected`,
    /// `denied` or `error`. A `calwire_reason` is added: `scope_missing` when the user is connected but unticked the calendar,
    /// or `calendar_off` when Google Calendar is turned off for the account; and `other_account`, as a second one if need be,
    /// when another account than that of `connectionId` was chosen and is connected now, too;
    /// with an error `invalid_state`, `expired_state`, `other_browser`, `code_missing`,
    /// `code_rejected`, `refresh_token_missing`, `google_unavailable`, `misconfigured`, `internal`, `refused_by_google`, or
    /// a policy of the account's organization, in Google's word: `admin_policy_enforced`, `access_denied` or
    /// `policy_enforced`.
    #[serde(deserialize_with = "return_to")]
    #[ts(as = "Option<String>")]
    return_to: ReturnTo,
    /// The connection to connect again: Google's page preselects its account. Default: the user chooses an account.
    #[ts(as = "Option<String>")]
    connection_id: Option<ConnectionId>,
}

fn return_to<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ReturnTo, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        None => Ok(ReturnTo::default()),
        Some(text) => ReturnTo::parse(&text).map_err(serde::de::Error::custom),
    }
}

#[derive(Debug, Serialize, TS)]
pub struct Connect {
    /// Google's consent page. Send the same browser there: this response sets a cookie. (A page of another origin has to call
    /// with `credentials: "include"`.)
    url: String,
}

/// `calendar.google.connect`
pub async fn connect(caller: Caller, input: ConnectInput) -> Result<Connect, RpcError> {
    let url = connect::begin(&caller, &input.return_to, input.connection_id).await?;
    Ok(Connect { url: url.into() })
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[ts(optional_fields)]
pub struct DisconnectInput {
    /// Default: all of the user's accounts.
    #[ts(as = "Option<String>")]
    connection_id: Option<ConnectionId>,
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Disconnect {
    success: bool,
    #[ts(type = "Array<string>")]
    connection_ids: Vec<ConnectionId>,
    /// The progress for each account.
    receipts: Vec<Receipt>,
}

/// `calendar.google.disconnect`: stops reading the account and showing its events at once. Within a minute its channels are
/// stopped, its grant is revoked unless another user shares it, and its data is deleted; the receipts show the progress.
pub async fn disconnect(caller: Caller, input: DisconnectInput) -> Result<Disconnect, RpcError> {
    let ctx = &caller.state.sync;
    let receipts = sync::connections::disconnect(ctx, &caller.user, input.connection_id, AT_ONCE).await?;
    caller.state.reader.forget_user(&caller.user);
    match input.connection_id {
        Some(id) if receipts.is_empty() => Err(no_connection(id)),
        _ => Ok(Disconnect {
            success: true,
            connection_ids: receipts.iter().map(|receipt| receipt.connection_id).collect(),
            receipts,
        }),
    }
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    connected: bool,
    has_calendar_access: bool,
    connections: Vec<ConnectionInfo>,
    /// Google can push to this installation; otherwise calendars are polled.
    push_available: bool,
    #[ts(type = "string | null")]
    as_of: Option<DateTime<Utc>>,
    mode: Mode,
    /// The selected calendars.
    calendars: Vec<Freshness>,
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionInfo {
    #[ts(type = "string")]
    id: ConnectionId,
    email: String,
    state: ConnectionState,
    /// With `reauth_required`, the policy of the account's organization that ended the grant, in Google's word:
    /// `admin_policy_enforced`, `access_denied` or `policy_enforced`. Its administrator has to allow this application.
    /// Null: the grant was revoked or has expired.
    reason: Option<String>,
    has_calendar_access: bool,
    /// The user has granted permission to change events, too.
    can_write: bool,
    #[ts(type = "string")]
    created_at: DateTime<Utc>,
}

/// `calendar.google.status`
pub async fn status(caller: Caller, _: Nothing) -> Result<Status, RpcError> {
    let now = caller.state.now();
    let request = Request {
        user: caller.user.clone(),
        with_queue: true,
        load: None,
    };
    let reading = caller.state.reader.read(request).await?;
    let connections = &reading.connections;
    let calendars = freshness_of(&reading::evidence(&reading), &caller, now);
    let (as_of, mode) = reading::overall(&calendars, !connections.is_empty());
    Ok(Status {
        connected: !connections.is_empty(),
        has_calendar_access: has_calendar_access(connections),
        push_available: caller.state.sync.settings.webhook_address().is_some(),
        as_of,
        mode,
        calendars,
        connections: connections
            .iter()
            .map(|connection| ConnectionInfo {
                id: connection.id,
                state: sync::connections::state(connection, now),
                has_calendar_access: sync::connections::has_calendar_access(&connection.scopes),
                can_write: scopes::allows_event_writes(&connection.scopes),
                reason: connection.grant_ended_reason.clone(),
                created_at: connection.created_at,
                email: connection.email.clone(),
            })
            .collect(),
    })
}
