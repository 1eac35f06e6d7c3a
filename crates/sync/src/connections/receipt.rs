//! The report to a user who has disconnected an account.

use chrono::{DateTime, Utc};
use common::ids::ConnectionId;
use serde::Serialize;
use ts_rs::TS;

/// The progress of disconnecting an account when the response is sent. The rest is finished in the background.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "DisconnectReceipt")]
pub struct Receipt {
    #[ts(type = "string")]
    pub connection_id: ConnectionId,
    pub email: String,
    pub channels: Channels,
    pub grant: GrantEnd,
    pub data: Forgotten,
}

/// The push channels of a disconnected account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[ts(rename = "StoppedChannels")]
pub struct Channels {
    pub stopped: u32,
    /// Still to be stopped. A channel that cannot be stopped is ignored and expires within a week.
    pub left: u32,
}

/// The state of the grant at Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum GrantEnd {
    /// Google has confirmed the revocation: the Google account no longer lists this application.
    Revoked,
    /// Kept, because another user of this application is connected to the same Google account; revoking it would
    /// disconnect them too.
    KeptForOthers,
    /// Kept, because the grant also has permissions that another application of the same Google project was given, or
    /// because this installation never revokes (`REVOKE_ON_DISCONNECT`); revoking it would end theirs too. The user can end
    /// it on the Google account's page of connected applications.
    Kept,
    /// It had ended before.
    EndedBefore,
    /// Google has not confirmed the revocation yet. It is retried for a day; after that, only the user can revoke it,
    /// on the Google account's page of connected applications.
    Pending,
}

/// The mirrored data of a disconnected account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "ForgottenData")]
pub struct Forgotten {
    pub calendars: u32,
    pub events: u32,
    /// All of it has been deleted. It has not been shown since the request.
    pub deleted: bool,
    /// When it is deleted at the latest.
    #[ts(type = "string")]
    pub deleted_by: DateTime<Utc>,
}
