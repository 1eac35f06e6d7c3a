//! The types that a browser receives, over the socket and from `calendar-api`. The TypeScript types are generated from them.

use chrono::{DateTime, Utc};
use ids::{CalendarId, ConnectionId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use crate::normal_form::CompactView;

/// One instance of an event, as people see it in a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Google's id of this instance, unique in its calendar. For an instance of a series it is
    /// `<master>_<original start in UTC>`.
    pub id: String,
    /// RFC 3339 with the event zone's offset, or a date (`2026-11-22`) when `allDay`.
    pub start: String,
    /// As `start`; the end of an all-day event is exclusive.
    pub end: String,
    #[ts(type = "string")]
    pub calendar_id: CalendarId,
    /// The event that an edit of this instance is based on: a single event, an exception, or the master.
    pub event_id: String,
    /// The master's id, for an instance of a series.
    pub recurring_event_id: Option<String>,
    #[serde(flatten)]
    #[ts(flatten)]
    pub view: EventView,
    /// If several calendars have a copy of this instance and the answer shows each meeting once: all copies, this one
    /// first. It is the one to respond from: of the account that is invited and has not responded, else that organizes, has
    /// accepted, has declined; else the copy in an account's own calendar; else the one with the most access; else the one
    /// in the calendar known for longest. Copies have the same `iCalUID` and, in a series, the same original start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<EventCopy>>")]
    pub copies: Vec<EventCopy>,
}

/// An event without its times and ids: the same for all its instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct EventView {
    pub title: String,
    pub all_day: bool,
    /// The zone in which the event was created: an IANA name, now and then another of Google's (`GMT+02:00`). None for an
    /// all-day event.
    pub time_zone: Option<String>,
    /// The zone of the end, if it is another: a flight lands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub end_time_zone: Option<String>,
    pub description: Option<String>,
    pub location: Option<String>,
    pub html_link: Option<String>,
    pub status: EventStatus,
    /// `default`, `outOfOffice`, `focusTime`, `workingLocation`, `birthday`, `fromGmail`, or a type that Google may add.
    pub event_type: String,
    /// Whether its time is taken.
    pub transparency: Transparency,
    /// Visibility of the details: `default` (the calendar's setting), `public`, `private`, `confidential`, or a value that
    /// Google may add.
    #[ts(optional, as = "Option<String>")]
    pub visibility: String,
    pub color_id: Option<String>,
    pub attendees: Vec<Attendee>,
    pub organizer: Option<Person>,
    /// Where to join a video meeting, if there is one.
    pub conference_url: Option<String>,
    /// RRULE, EXDATE and RDATE lines: of an event that repeats, or of the series if this is an unchanged instance of it.
    pub recurrence: Vec<String>,
    /// None: Google sends none.
    pub reminders: Option<Reminders>,
    /// The fields that this user may change here, by Google's rules. Empty: read only.
    pub can_edit: Vec<String>,
    /// Whether this user may delete it from this calendar.
    #[ts(optional, as = "Option<bool>")]
    pub can_delete: bool,
    /// The texts that are longer in Google and end here with an ellipsis, which stands for the rest: `title`, `description`,
    /// `location`. `getEvent` returns them whole. An edit that leaves the ellipsis in place keeps the rest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<String>>")]
    pub cut_fields: Vec<String>,
    /// The version that an edit is based on.
    pub etag: String,
    /// The same for a meeting in every calendar that has a copy of it, and for all instances of a series.
    #[serde(rename = "iCalUID")]
    pub ical_uid: Option<String>,
    /// If several calendars have a copy of a meeting, the one with the lowest rank is shown. See `Event.copies`.
    #[ts(optional, as = "Option<u16>")]
    pub copy_rank: u16,
}

impl Default for EventView {
    fn default() -> Self {
        Self {
            title: String::new(),
            all_day: false,
            time_zone: None,
            end_time_zone: None,
            description: None,
            location: None,
            html_link: None,
            status: EventStatus::Confirmed,
            event_type: "default".to_owned(),
            transparency: Transparency::Opaque,
            visibility: "default".to_owned(),
            color_id: None,
            attendees: Vec::new(),
            organizer: None,
            conference_url: None,
            recurrence: Vec::new(),
            reminders: None,
            can_edit: Vec::new(),
            can_delete: false,
            cut_fields: Vec::new(),
            etag: String::new(),
            ical_uid: None,
            copy_rank: 0,
        }
    }
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
    /// The response of the calendar's owner to the invitation; none if the owner is not a guest.
    pub response_status: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum EventStatus {
    Confirmed,
    Tentative,
    Cancelled,
}

/// Google's term for "show as": busy or free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Transparency {
    /// Busy. The default.
    #[default]
    Opaque,
    /// Free.
    Transparent,
}

/// Visibility of an event's details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, strum::IntoStaticStr)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum Visibility {
    /// The calendar's setting.
    Default,
    Public,
    Private,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct Person {
    pub email: Option<String>,
    pub display_name: Option<String>,
    #[serde(rename = "self")]
    pub is_self: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct Attendee {
    pub email: Option<String>,
    pub display_name: Option<String>,
    #[serde(rename = "self")]
    pub is_self: bool,
    pub optional: bool,
    /// A room or other equipment, not a person.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub resource: bool,
    /// `needsAction`, `declined`, `tentative` or `accepted`.
    pub response_status: String,
}

impl Default for Attendee {
    fn default() -> Self {
        Self {
            email: None,
            display_name: None,
            is_self: false,
            optional: false,
            resource: false,
            response_status: "needsAction".to_owned(),
        }
    }
}

/// When Google reminds the user of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reminders {
    /// Use the calendar's settings.
    #[serde(default)]
    pub use_default: bool,
    /// Instead of those. Google accepts at most five.
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
    /// Google notifies us of every change.
    Push,
    /// Google is queried at intervals: there is no public URL, or Google cannot watch the calendar.
    Polling,
    /// Older than it should be; a pull is due.
    Stale,
    /// Waiting for the user or a date: a revoked grant, a missing scope, an exhausted quota.
    Paused,
}

/// How current one calendar's data is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Freshness {
    #[ts(type = "string")]
    pub calendar_id: CalendarId,
    /// The data is as Google had it at this moment or later. `null`: not pulled yet.
    #[ts(type = "string | null")]
    pub as_of: Option<DateTime<Utc>>,
    pub mode: Mode,
}

/// The state of one connected Google account, derived from evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    Healthy,
    /// The first listing has not finished.
    Importing,
    /// A pull is overdue and is being retried.
    Delayed,
    /// The grant has ended; the user must connect again. The data stays readable.
    ReauthRequired,
    /// The user did not grant access to the calendar.
    ScopeMissing,
    /// Google Calendar is turned off for this account, usually by an administrator. Calwire looks again every hour.
    CalendarOff,
    Disconnected,
}

/// The version of the messages below, their field `v`.
pub const MESSAGE_VERSION: u8 = 2;

/// The largest message, in bytes of JSON. A larger one is published as a `resync` instead.
pub const MESSAGE_MAX_LEN: usize = 16 * 1024;

/// A message on the channel `calendar:<userId>`. `seq` rises by one from message to message.
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
    /// Events were added, changed or removed. Complete within `window`; views beyond it are out of date.
    #[serde(rename = "events.changed")]
    EventsChanged {
        #[ts(type = "string")]
        calendar_id: CalendarId,
        #[ts(type = "string")]
        as_of: DateTime<Utc>,
        window: Window,
        upserted: Vec<Series>,
        /// Ids of series that no longer have an instance.
        deleted: Vec<String>,
    },
    /// Too many changes for a message: reload this calendar from `calendar-api`.
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
    /// A write that was answered with `pending` has an outcome. The same call with the same `idempotencyKey` returns all of
    /// it; the message about its changes came before.
    #[serde(rename = "write.resolved")]
    WriteResolved {
        idempotency_key: String,
        #[ts(type = "string")]
        intent_id: Uuid,
        state: WriteState,
        /// Why it failed, as the `data.reason` of an error.
        reason: Option<String>,
    },
}

/// The outcome of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum WriteState {
    Done,
    Failed,
    /// Someone else changed the same fields.
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

/// All events of a series, or one event outside a series. They replace all that the receiver has under `seriesId`, which is the
/// master's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    pub series_id: String,
    /// The master and its exceptions. None: the series has no instance within the window.
    pub events: Vec<EventInstances>,
}

/// An event with its instances within a window. The view is there once, without the fields that have their default:
/// null, false, an empty text or list; `status` confirmed, `eventType` and `visibility` default, `transparency` opaque,
/// `copyRank` 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EventInstances {
    pub event_id: String,
    /// The master's id: `eventId` for the master itself. The id of a master's instance is that of the series that it belonged
    /// to first, and its start in UTC (`standup_20261207T081500Z`, `holiday_20261207`); of another event, its `eventId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub recurring_event_id: Option<String>,
    /// Start and end of each, in order, as in an Event.
    pub instances: Vec<(String, String)>,
    #[serde(flatten)]
    #[ts(flatten)]
    pub view: CompactView,
}
