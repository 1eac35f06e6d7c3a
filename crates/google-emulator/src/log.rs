//! Received requests and sent pushes: for assertions, at `/_emulator/requests` and `/_emulator/pushes`.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::store::{Resource, Revision};

/// Older entries are forgotten, so that a long demo does not grow.
const KEPT: usize = 50_000;
/// A change holds two whole events.
const CHANGES_KEPT: usize = 1_000;

#[derive(Debug, Default)]
pub struct Log {
    pub requests: VecDeque<Received>,
    pub pushes: VecDeque<Sent>,
    pub mails: VecDeque<Mail>,
    pub changes: VecDeque<Change>,
    serial: u64,
}

/// A request to Google's endpoints.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// Counts requests from 1, in order of arrival.
    pub number: u64,
    pub at: DateTime<Utc>,
    pub endpoint: String,
    pub method: String,
    pub path: String,
    /// As it was sent, without tokens.
    pub query: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// Account of the access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `None` while it is being answered, and when it never was (`reset`).
    pub status: Option<u16>,
    /// The emulator's revision when it was answered.
    pub revision: Option<Revision>,
    /// The faults that met it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// One try to deliver a push, or a push that a fault swallowed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    pub at: DateTime<Utc>,
    pub channel_id: String,
    pub message_number: u64,
    /// `sync` or `exists`.
    pub resource_state: &'static str,
    pub user: String,
    /// `None` for a channel on the calendar list.
    pub calendar: Option<String>,
    /// The revision that caused the push.
    pub revision: Revision,
    /// From 1; 0 for a push that was never tried.
    pub attempt: u32,
    pub status: Option<u16>,
    /// Why there is no status: the connection failed or a fault dropped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The effect of a client's write on the event that it named, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub user: String,
    pub calendar: String,
    /// `None` for a new event.
    pub before: Option<Resource>,
    pub after: Resource,
}

/// A mail to a guest or an organizer, as it would have been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    pub at: DateTime<Utc>,
    pub to: String,
    pub kind: MailKind,
    pub calendar: String,
    pub event: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MailKind {
    Invitation,
    Update,
    Cancellation,
    /// A guest's answer, to the organizer.
    Response,
}

impl Log {
    /// Notes a request and returns its number.
    pub fn received(&mut self, mut request: Received) -> u64 {
        self.serial += 1;
        request.number = self.serial;
        push_bounded(&mut self.requests, request, KEPT);
        self.serial
    }

    pub fn answered(&mut self, number: u64, status: u16, revision: Revision) {
        let recent = self.requests.iter_mut().rev();
        if let Some(request) = recent
            .take_while(|each| each.number >= number)
            .find(|each| each.number == number)
        {
            request.status = Some(status);
            request.revision = Some(revision);
        }
    }

    pub fn mailed(&mut self, mail: Mail) {
        push_bounded(&mut self.mails, mail, KEPT);
    }

    pub fn changed(&mut self, change: Change) {
        push_bounded(&mut self.changes, change, CHANGES_KEPT);
    }

    pub fn sent(&mut self, push: Sent) {
        push_bounded(&mut self.pushes, push, KEPT);
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, kept: usize) {
    if queue.len() == kept {
        queue.pop_front();
    }
    queue.push_back(item);
}
