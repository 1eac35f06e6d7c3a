//! Reading events.

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::CalendarId;
use event_model::expansion::{MAX_INSTANCES, days_window};
use event_model::wire::{Event, Freshness, Mode, Window};
use event_model::zone::Zone;
use rpc::{Code, RpcError};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use store::calendars::Evidence;
use store::connections::Connection;
use sync::read::{Duplicates, Query};
use ts_rs::TS;

use super::input::{Bounded, CalendarIds, EventType, GoogleText, time_zone};
use crate::ownership::own_calendars;
use crate::state::Caller;
use crate::{on_view, reading};

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[ts(optional_fields)]
pub struct UpcomingEventsInput {
    /// Local days: 0 is from now to the end of today, 1 to the end of tomorrow.
    #[ts(as = "Option<u32>")]
    days: Bounded<0, 365>,
    #[ts(as = "Option<u32>")]
    max_results: Bounded<1, 250>,
    /// Default: the selected ones.
    #[ts(as = "Option<Vec<String>>")]
    calendar_ids: Option<CalendarIds>,
    /// The IANA time zone of the days. Default, and where it is unknown to the server: the primary calendar's.
    #[serde(deserialize_with = "time_zone")]
    #[ts(as = "Option<String>")]
    time_zone: Option<Zone>,
    /// Default: all types.
    event_types: Option<Vec<EventType>>,
}

impl Default for UpcomingEventsInput {
    fn default() -> Self {
        Self {
            days: Bounded::new(1),
            max_results: Bounded::new(10),
            calendar_ids: None,
            time_zone: None,
            event_types: None,
        }
    }
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[ts(optional_fields)]
pub struct EventsInput {
    #[ts(type = "string")]
    from: DateTime<Utc>,
    /// Exclusive.
    #[ts(type = "string")]
    to: DateTime<Utc>,
    #[ts(as = "Option<Vec<String>>")]
    calendar_ids: Option<CalendarIds>,
    /// The IANA time zone of all-day events. Default, and where it is unknown to the server: the primary calendar's.
    #[serde(default, deserialize_with = "time_zone")]
    #[ts(as = "Option<String>")]
    time_zone: Option<Zone>,
    /// Default: all types.
    event_types: Option<Vec<EventType>>,
}

#[derive(Debug, Deserialize, TS)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EventInput {
    #[ts(type = "string")]
    calendar_id: CalendarId,
    /// The Event's `id`.
    #[ts(type = "string")]
    event_id: GoogleText,
}

#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EventList {
    /// Whether a Google account is connected. Without one there are no events, which is not an error.
    connected: bool,
    /// The user has granted access to the calendar.
    has_calendar_access: bool,
    events: Vec<Event>,
    /// There are more events than were returned, or a series may have more instances in this time than Calwire keeps.
    truncated: bool,
    /// The zone of the days: as requested, if the server knows it.
    #[ts(type = "string")]
    time_zone: Zone,
    /// That of the least current calendar.
    #[ts(type = "string | null")]
    as_of: Option<DateTime<Utc>>,
    mode: Mode,
    calendars: Vec<Freshness>,
}

/// The most events in a response of [`get_events`]: many times a month of a very busy person.
const EVENTS_MAX: usize = 5_000;
const _: () = assert!(
    EVENTS_MAX < MAX_INSTANCES,
    "a series that was cut must be seen to be"
);
/// The widest span of [`get_events`]: eleven years.
const SPAN_MAX: TimeDelta = TimeDelta::days(4_018);

/// `calendar.google.getUpcomingEvents`: current and upcoming events.
pub async fn get_upcoming_events(caller: Caller, input: UpcomingEventsInput) -> Result<EventList, RpcError> {
    on_view::request_pull(&caller.state.recent_views, &caller.state.sync, &caller.user);
    let now = caller.state.now();
    let filter = Filter::of(input.calendar_ids.as_ref(), input.event_types.as_deref());
    let window = |zone| days_window(now, input.days.get(), zone);
    read(
        &caller,
        now,
        &filter,
        input.time_zone,
        window,
        input.max_results.get() as usize,
    )
    .await
}

/// `calendar.google.getEvents`: the events that overlap `[from, to)`.
pub async fn get_events(caller: Caller, input: EventsInput) -> Result<EventList, RpcError> {
    if input.from >= input.to {
        return Err(RpcError::invalid("to", "expected a time after `from`"));
    }
    if input.to - input.from > SPAN_MAX {
        let message = format!("expected a time within {} days of `from`", SPAN_MAX.num_days());
        return Err(RpcError::invalid("to", message));
    }
    let window = Window {
        from: input.from,
        to: input.to,
    };
    let filter = Filter::of(input.calendar_ids.as_ref(), input.event_types.as_deref());
    read(
        &caller,
        caller.state.now(),
        &filter,
        input.time_zone,
        |_| window,
        EVENTS_MAX,
    )
    .await
}

/// `calendar.google.getEvent`: one event, with its texts whole.
pub async fn get_event(caller: Caller, input: EventInput) -> Result<Event, RpcError> {
    let mut tx = store::begin_snapshot(&caller.state.sync.pool).await?;
    let named = [input.calendar_id];
    let own = own_calendars(&mut tx, &caller, Some(&named)).await?;
    let calendar = own
        .iter()
        .find(|calendar| calendar.id == input.calendar_id && calendar.access_lost_at.is_none());
    let found = match calendar {
        Some(calendar) => sync::write::whole_event(&mut tx, calendar, input.event_id.as_str()).await?,
        None => None,
    };
    found.ok_or_else(|| {
        RpcError::new(Code::NotFound, "Event not found in this calendar").with_reason("EVENT_NOT_FOUND")
    })
}

/// The events that a request selects.
struct Filter<'a> {
    /// None: the selected calendars.
    calendars: Option<&'a [CalendarId]>,
    /// None: all.
    types: Option<Vec<String>>,
}

impl<'a> Filter<'a> {
    fn of(calendars: Option<&'a CalendarIds>, types: Option<&[EventType]>) -> Self {
        Self {
            calendars: calendars.map(CalendarIds::as_slice),
            types: types.map(|types| types.iter().map(|&kind| <&str>::from(kind).to_owned()).collect()),
        }
    }
}

async fn read(
    caller: &Caller,
    now: DateTime<Utc>,
    filter: &Filter<'_>,
    zone: Option<Zone>,
    window: impl FnOnce(Zone) -> Window,
    limit: usize,
) -> Result<EventList, RpcError> {
    let named = filter.calendars;
    let mut tx = store::begin_snapshot(&caller.state.sync.pool).await?;
    let connections = store::connections::of_user(&mut tx, &caller.user).await?;
    let own = own_calendars(&mut tx, caller, named).await?;
    let evidence = store::calendars::evidence(&mut tx, now, &caller.user, named).await?;
    let calendars = freshness_of(&evidence, caller, now);
    let zone = zone.unwrap_or_else(|| reading::zone_of(&own));
    let window = window(zone);
    // One more than requested shows whether there are more.
    let query = Query {
        window,
        zone,
        calendars: named,
        types: filter.types.as_deref(),
        limit: limit + 1,
        duplicates: Duplicates::Merged,
    };
    let mut events = sync::read::events(&mut tx, now, &caller.user, &query).await?;
    let truncated = events.len() > limit || sync::read::may_lack_instances(&evidence, now, window);
    events.truncate(limit);
    let (as_of, mode) = reading::overall(&calendars, !connections.is_empty());
    Ok(EventList {
        connected: !connections.is_empty(),
        has_calendar_access: has_calendar_access(&connections),
        events,
        truncated,
        time_zone: zone,
        as_of,
        mode,
        calendars,
    })
}

/// The freshness of the named calendars, or of the selected ones.
pub async fn freshness(
    conn: &mut PgConnection,
    caller: &Caller,
    now: DateTime<Utc>,
    named: Option<&[CalendarId]>,
) -> sqlx::Result<Vec<Freshness>> {
    let evidence = store::calendars::evidence(conn, now, &caller.user, named).await?;
    Ok(freshness_of(&evidence, caller, now))
}

/// The freshness of these calendars.
pub fn freshness_of(evidence: &[Evidence], caller: &Caller, now: DateTime<Utc>) -> Vec<Freshness> {
    evidence
        .iter()
        .map(|calendar| sync::freshness::freshness(calendar, now, caller.state.sync.settings.push_late))
        .collect()
}

/// Whether an account of the user grants access to its calendars.
pub fn has_calendar_access(connections: &[Connection]) -> bool {
    connections
        .iter()
        .any(|connection| sync::connections::has_calendar_access(&connection.scopes))
}
