//! What disconnecting an account has done, for the one who asked for it.

use chrono::{DateTime, Utc};
use common::ids::ConnectionId;
use serde::Serialize;
use ts_rs::TS;

/// What became of a disconnected account, at the moment of the answer. What is not done by then is finished by itself.
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

/// The push channels of an account that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[ts(rename = "StoppedChannels")]
pub struct Channels {
    pub stopped: u32,
    /// Still to be stopped. One that cannot be is ended by Google, within a week; nobody listens to it.
    pub left: u32,
}

/// What became of the grant at Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum GrantEnd {
    /// Google has confirmed that it is revoked: this application is no longer among those of the Google account.
    Revoked,
    /// Kept, because another user of this application is connected to the same Google account: to revoke it would
    /// disconnect them too.
    KeptForOthers,
    /// It had ended before.
    EndedBefore,
    /// Google has not confirmed it yet. It is tried again for a day; after that, only the Google account's own page of
    /// connected applications ends it.
    Pending,
}

/// What was mirrored of an account that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "ForgottenData")]
pub struct Forgotten {
    pub calendars: u32,
    pub events: u32,
    /// All of it has been deleted. It was shown to nobody from the moment of the wish.
    pub deleted: bool,
    /// When it is deleted at the latest.
    #[ts(type = "string")]
    pub deleted_by: DateTime<Utc>,
}
