//! The open channels and the messages to them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::faults::Strike;
use crate::store::Revision;

#[derive(Debug, Default)]
pub struct Channels {
    pub(super) live: BTreeMap<String, Channel>,
    /// Every id that was ever used: they are unique for a project, stopped or not.
    pub(super) used: BTreeSet<String>,
    /// Where pushes go instead of to their address.
    pub(super) diverted: Option<mpsc::UnboundedSender<Diverted>>,
}

/// The resource that a channel watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    Events {
        /// As the client requested it, possibly `primary`.
        asked: String,
        calendar: String,
        /// Only events of these types; all when empty.
        types: Vec<String>,
    },
    CalendarList,
}

#[derive(Debug)]
pub struct Channel {
    pub id: String,
    pub token: Option<String>,
    pub address: String,
    pub user: String,
    pub watched: Watched,
    pub resource_id: String,
    pub resource_uri: String,
    pub expires: DateTime<Utc>,
    pub(super) last_number: u64,
    pub(super) outbox: mpsc::UnboundedSender<Push>,
}

/// A push that is handed over instead of being sent ([`Emulator::divert_pushes`](crate::Emulator::divert_pushes)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diverted {
    /// The entire content of a push.
    pub headers: Vec<(&'static str, String)>,
    pub user: String,
    /// None for a channel on the calendar list.
    pub calendar: Option<String>,
    /// The revision that caused it.
    pub revision: Revision,
}

/// One message to a channel.
#[derive(Debug)]
pub(super) struct Push {
    pub channel_id: String,
    pub number: u64,
    pub state: &'static str,
    pub address: String,
    pub headers: Vec<(&'static str, String)>,
    pub user: String,
    pub calendar: Option<String>,
    pub revision: Revision,
    pub strikes: Vec<Strike>,
    /// Resolved after the first attempt.
    pub tried: Option<oneshot::Sender<()>>,
}

impl Channels {
    pub fn live(&self) -> impl Iterator<Item = &Channel> {
        self.live.values()
    }

    /// From now on pushes are handed over in the order in which they would be sent, in the call that causes them.
    pub(crate) fn divert(&mut self) -> mpsc::UnboundedReceiver<Diverted> {
        let (to, pushes) = mpsc::unbounded_channel();
        self.diverted = Some(to);
        pushes
    }

    /// Ends all channels; their tasks end with them.
    pub fn clear(&mut self) {
        self.live.clear();
        self.used.clear();
    }
}

impl Channel {
    /// The channel without its token, for `GET /_emulator/channels`.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "user": self.user,
            "calendar": self.calendar(),
            "address": self.address,
            "resourceId": self.resource_id,
            "resourceUri": self.resource_uri,
            "expiration": self.expires,
            "lastMessageNumber": self.last_number,
        })
    }

    pub fn calendar(&self) -> Option<&str> {
        match &self.watched {
            Watched::Events { calendar, .. } => Some(calendar),
            Watched::CalendarList => None,
        }
    }
}
