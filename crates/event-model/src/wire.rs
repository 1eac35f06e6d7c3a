//! What a browser receives, over the socket and from `calendar-api` alike. The TypeScript types are made from these.

use chrono::{DateTime, Utc};
use ids::{CalendarId, ConnectionId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

/// One instance of an event, as people see it in a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Google's id of this instance, unique in its calendar. For an instance of a series it is
    /// `<master>_<original start in UTC>`.
    pub id: String,
    pub title: String,
    /// RFC 3339 with the event zone's offset, or a date (`2026-11-22`) when `allDay`.
    pub start: String,
    /// As `start`; the end of an all-day event is exclusive.
    pub end: String,
    pub all_day: bool,
    /// The IANA zone the event was made in; none for an all-day event.
    pub time_zone: Option<String>,
    pub description: Option<String>,
    pub location: Option<String>,
    pub html_link: Option<String>,
    #[ts(type = "string")]
    pub calendar_id: CalendarId,
    /// The event that an edit of this instance is based on: a single event, an exception, or the master.
    pub event_id: String,
    /// The master's id, for an instance of a series.
    pub recurring_event_id: Option<String>,
    pub status: EventStatus,
    /// `default`, `outOfOffice`, `focusTime`, `workingLocation`, `birthday`, `fromGmail`, or what Google adds next.
    pub event_type: String,
    /// Whether its time is taken.
    #[serde(default)]
    pub transparency: Transparency,
    pub color_id: Option<String>,
    pub attendees: Vec<Attendee>,
    pub organizer: Option<Person>,
    /// Where to join a video meeting, if there is one.
    pub conference_url: Option<String>,
    /// RRULE, EXDATE and RDATE lines: of an event that repeats, or of the series that this is an unchanged instance of.
    #[serde(default)]
    pub recurrence: Vec<String>,
    /// None: Google says nothing.
    #[serde(default)]
    pub reminders: Option<Reminders>,
    /// The fields that this user may change here, in Google's rules. Empty: read only.
    pub can_edit: Vec<String>,
    /// The version that an edit is based on.
    pub etag: String,
    /// The same meeting has the same one in every calendar that has a copy of it; so have all instances of a series.
    #[serde(rename = "iCalUID")]
    pub ical_uid: Option<String>,
    /// Which copy of a meeting is shown where several calendars have one: that with the lowest number. See `Event.copies`.
    #[serde(default)]
    #[ts(optional, as = "Option<u16>")]
    pub copy_rank: u16,
    /// Where several calendars have a copy of this instance and an answer has each meeting once: all copies, this one
    /// first. It is the one to answer from: that of the account which is asked for an answer, else of the one which
    /// organizes, has accepted, has declined; else the one in an account's own calendar; else the one of which the account
    /// may do the most; else the one in the calendar that has been known for longest. Copies are what has the same
    /// `iCalUID` and, in a series, the same original start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<EventCopy>>")]
    pub copies: Vec<EventCopy>,
}

/// A copy of a meeting in one of several calendars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EventCopy {
    #[ts(type = "string")]
    pub calendar_id: CalendarId,
    /// As the `id` of its Event.
    pub id: String,
    pub event_id: String,
    /// What the calendar's owner has answered to the invitation; none where that is no guest.
    pub response_status: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum EventStatus {
    Confirmed,
    Tentative,
    Cancelled,
}

/// Google's word for "show as": busy, or free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Transparency {
    /// Busy. Where Google says nothing it is this.
    #[default]
    Opaque,
    /// Free.
    Transparent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    pub email: Option<String>,
    pub display_name: Option<String>,
    #[serde(rename = "self")]
    pub is_self: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Attendee {
    pub email: Option<String>,
    pub display_name: Option<String>,
    #[serde(rename = "self")]
    pub is_self: bool,
    pub optional: bool,
    /// `needsAction`, `declined`, `tentative` or `accepted`.
    pub response_status: String,
}

/// When Google reminds the user of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reminders {
    /// As the calendar's settings say.
    #[serde(default)]
    pub use_default: bool,
    /// Instead of those. Google takes at most five.
    #[serde(default)]
    pub overrides: Vec<Reminder>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Reminder {
    /// `popup` or `email`.
    pub method: String,
    /// Before the start.
    pub minutes: u32,
}

/// How a calendar is being kept current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Google tells us of every change.
    Push,
    /// We ask Google every now and then: no public URL, or a calendar that Google cannot watch.
    Polling,
    /// Older than it should be; work on it is going on.
    Stale,
    /// Nothing will change until a person or a date does something: a revoked grant, a missing scope, a quota spent.
    Paused,
}

/// How current one calendar's data is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Freshness {
    #[ts(type = "string")]
    pub calendar_id: CalendarId,
    /// The data is as Google had it at this moment, or later. `null`: never pulled yet.
    #[ts(type = "string | null")]
    pub as_of: Option<DateTime<Utc>>,
    pub mode: Mode,
}

/// The state of one connected Google account, derived from evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    Healthy,
    /// The first listing is still on its way.
    Importing,
    /// A pull is overdue; it is being tried again.
    Delayed,
    /// The grant is dead; the user must connect again. The data stays readable.
    ReauthRequired,
    /// The user did not grant access to the calendar.
    ScopeMissing,
    Disconnected,
}

/// The version of the messages below, their field `v`.
pub const MESSAGE_VERSION: u8 = 1;

/// A message larger than this goes out as a `resync` instead, in bytes of JSON.
pub const MESSAGE_MAX_LEN: usize = 16 * 1024;

/// What goes out on the channel `calendar:<userId>`. `seq` rises by one from message to message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Message {
    pub v: u8,
    #[ts(type = "number")]
    pub seq: i64,
    #[serde(flatten)]
    pub change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Change {
    /// Events came, changed or went. Within `window` this is all there is to know; views beyond it are out of date.
    #[serde(rename = "events.changed")]
    EventsChanged {
        #[ts(type = "string")]
        calendar_id: CalendarId,
        #[ts(type = "string")]
        as_of: DateTime<Utc>,
        window: Window,
        upserted: Vec<Series>,
        /// Series ids that have no instance any more.
        deleted: Vec<String>,
    },
    /// Too much to tell: reload this calendar from `calendar-api`.
    #[serde(rename = "resync")]
    Resync {
        #[ts(type = "string")]
        calendar_id: CalendarId,
    },
    /// The list of calendars, or something about one of them, changed.
    #[serde(rename = "calendars.changed")]
    CalendarsChanged {},
    #[serde(rename = "connection.changed")]
    ConnectionChanged {
        #[ts(type = "string")]
        connection_id: ConnectionId,
        state: ConnectionState,
    },
    /// A write that was answered with `pending` has come to its end. The same call with the same `idempotencyKey` answers
    /// with all of it; what it changed was told before.
    #[serde(rename = "write.resolved")]
    WriteResolved {
        idempotency_key: String,
        #[ts(type = "string")]
        intent_id: Uuid,
        state: WriteState,
        /// Why it failed, as an error's `data.reason`.
        reason: Option<String>,
    },
}

/// What has become of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum WriteState {
    Done,
    Failed,
    /// Somebody else had changed the same fields.
    Conflict,
}

/// A span of time, `from` inclusive, `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Window {
    #[ts(type = "string")]
    pub from: DateTime<Utc>,
    #[ts(type = "string")]
    pub to: DateTime<Utc>,
}

/// All instances of one event within a window: one for a single event, any number for a series. They replace whatever
/// the receiver had under `eventId`, which is the master's id for a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    pub event_id: String,
    pub occurrences: Vec<Event>,
}
