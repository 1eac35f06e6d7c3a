//! Reading events.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use common::ids::CalendarId;
use event_model::expansion::{MAX_INSTANCES, days_window};
use event_model::wire::{Event, Freshness, Mode, Window};
use event_model::zone::Zone;
use rpc::{Code, RpcError};
use serde::{Deserialize, Serialize};
use store::calendars::Evidence;
use store::connections::Connection;
use store::instances::ReadRange;
use store::reading::{Load, Reading, Request};
use sync::read::{Duplicates, Query, Selected};
use ts_rs::TS;

use super::input::{Bounded, CalendarIds, EventType, GoogleText, time_zone};
use crate::metrics::AnsweredFrom;
use crate::ownership::own_calendars;
use crate::reader::{Answer, Json, Kind, Question};
use crate::state::Caller;
use crate::{metrics, on_view, reading};

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
    #[ts(as = "Vec<Event>")]
    events: Json,
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
    let filter = Filter {
        span: Span::Days(input.days.get()),
        limit: input.max_results.get() as usize,
        ..Filter::of(
            input.calendar_ids.as_ref(),
            input.event_types.as_deref(),
            input.time_zone,
        )
    };
    read(&caller, &filter).await
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
    let filter = Filter {
        span: Span::Between(window),
        ..Filter::of(
            input.calendar_ids.as_ref(),
            input.event_types.as_deref(),
            input.time_zone,
        )
    };
    read(&caller, &filter).await
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
    /// None: the primary calendar's.
    zone: Option<Zone>,
    span: Span,
    limit: usize,
}

/// The time that a request selects.
#[derive(Debug, Clone, Copy)]
enum Span {
    /// From now to the end of a local day.
    Days(u32),
    Between(Window),
}

impl Span {
    fn window(self, now: DateTime<Utc>, zone: Zone) -> Window {
        match self {
            Self::Days(days) => days_window(now, days, zone),
            Self::Between(window) => window,
        }
    }

    /// A range that contains the window in every zone, and is the same for reads of the same minute.
    fn range(self, now: DateTime<Utc>) -> ReadRange {
        let Window { from, to } = match self {
            Self::Between(window) => window,
            Self::Days(days) => Window {
                from: now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now),
                // A zone may be half a day ahead of UTC, and a day may be skipped.
                to: days_window(now, days.saturating_add(2), Zone::UTC).to,
            },
        };
        ReadRange { from, to }
    }
}

impl<'a> Filter<'a> {
    fn of(calendars: Option<&'a CalendarIds>, types: Option<&[EventType]>, zone: Option<Zone>) -> Self {
        Self {
            calendars: calendars.map(CalendarIds::as_slice),
            types: types.map(|types| types.iter().map(|&kind| <&str>::from(kind).to_owned()).collect()),
            zone,
            span: Span::Days(0),
            limit: EVENTS_MAX,
        }
    }

    /// One more than requested shows whether there are more.
    fn query(&self, window: Window, zone: Zone) -> Query<'_> {
        Query {
            window,
            zone,
            calendars: self.calendars,
            types: self.types.as_deref(),
            limit: self.limit + 1,
            duplicates: Duplicates::Merged,
        }
    }

    fn question(&self, caller: &Caller) -> Question {
        Question {
            user: caller.user.clone(),
            kind: match self.span {
                Span::Days(days) => Kind::Upcoming {
                    days,
                    limit: self.limit,
                },
                Span::Between(Window { from, to }) => Kind::Between { from, to },
            },
            zone: self.zone.map(|zone| zone.to_string()),
            types: self.types.clone(),
        }
    }
}

async fn read(caller: &Caller, filter: &Filter<'_>) -> Result<EventList, RpcError> {
    let now = caller.state.now();
    let range = filter.span.range(now);
    let window = Window {
        from: range.from,
        to: range.to,
    };
    if filter.calendars.is_none()
        && sync::read::is_kept(now, window)
        && let Some(list) = read_shared(caller, now, filter, range).await?
    {
        return Ok(list);
    }
    metrics::answered(AnsweredFrom::Transaction);
    read_directly(caller, now, filter).await
}

/// Reads in one statement, shared with others. None: it takes more.
async fn read_shared(
    caller: &Caller,
    now: DateTime<Utc>,
    filter: &Filter<'_>,
    range: ReadRange,
) -> Result<Option<EventList>, RpcError> {
    let reader = &caller.state.reader;
    let question = filter.question(caller);
    let kept = reader.answer(&question);
    let unless = kept.and_then(|kept| kept.position_for(filter.span.window(now, kept.zone)));
    let rows = sync::read::rows_for(filter.limit + 1);
    let request = Request {
        user: caller.user.clone(),
        with_queue: false,
        load: Some(Load {
            unless,
            range,
            limit: i64::try_from(rows).unwrap_or(i64::MAX),
        }),
    };
    let reading = reader.read(request).await?;
    let own = reading.calendars.iter().map(|one| &one.calendar);
    let zone = filter.zone.unwrap_or_else(|| reading::zone_of(own));
    let window = filter.span.window(now, zone);
    // Another caller that has waited for the same statement may have made the answer.
    let kept = reader
        .answer(&question)
        .filter(|kept| kept.holds(&reading, window, zone));
    let answer = if let Some(kept) = kept {
        metrics::answered(AnsweredFrom::Cache);
        kept
    } else if let Some(answer) = answer_of(&reading, &filter.query(window, zone))? {
        metrics::answered(AnsweredFrom::Statement);
        reader.keep(question, answer)
    } else {
        reader.forget(&question);
        return Ok(None);
    };
    Ok(Some(list_of(caller, now, &reading, &answer, window)))
}

/// None: the events were not loaded, or more are needed than were.
fn answer_of(reading: &Reading, query: &Query<'_>) -> Result<Option<Answer>, RpcError> {
    let Some(loaded) = reading::loaded(reading) else {
        return Ok(None);
    };
    let Some(selected) = Selected::of(loaded, query)? else {
        return Ok(None);
    };
    let next_end = selected.next_end();
    let mut events = selected.events(query);
    let is_cut = events.len() == query.limit;
    events.truncate(query.limit - 1);
    let scope = (query.window, query.zone);
    Ok(Some(Answer::new(
        reading,
        scope,
        next_end,
        Json::of(&events)?,
        (is_cut, None),
    )))
}

fn list_of(
    caller: &Caller,
    now: DateTime<Utc>,
    reading: &Reading,
    answer: &Answer,
    window: Window,
) -> EventList {
    let evidence = reading::evidence(reading);
    let calendars = freshness_of(&evidence, caller, now);
    let connections = &reading.connections;
    let (as_of, mode) = reading::overall(&calendars, !connections.is_empty());
    EventList {
        connected: !connections.is_empty(),
        has_calendar_access: has_calendar_access(connections),
        events: answer.json.clone(),
        truncated: answer.is_cut || sync::read::may_lack_instances(&evidence, now, window),
        time_zone: answer.zone,
        as_of,
        mode,
        calendars,
    }
}

/// Reads in a transaction: named calendars, and times and calendars of which not all instances are rows.
async fn read_directly(
    caller: &Caller,
    now: DateTime<Utc>,
    filter: &Filter<'_>,
) -> Result<EventList, RpcError> {
    let named = filter.calendars;
    let mut tx = store::begin_snapshot(&caller.state.sync.pool).await?;
    let connections = store::connections::of_user(&mut tx, &caller.user).await?;
    let own = own_calendars(&mut tx, caller, named).await?;
    let evidence = store::calendars::evidence(&mut tx, now, &caller.user, named).await?;
    let calendars = freshness_of(&evidence, caller, now);
    let zone = filter.zone.unwrap_or_else(|| reading::zone_of(own.iter()));
    let window = filter.span.window(now, zone);
    let query = filter.query(window, zone);
    let mut events = sync::read::events(&mut tx, now, &caller.user, &query).await?;
    let truncated = events.len() > filter.limit || sync::read::may_lack_instances(&evidence, now, window);
    events.truncate(filter.limit);
    let (as_of, mode) = reading::overall(&calendars, !connections.is_empty());
    Ok(EventList {
        connected: !connections.is_empty(),
        has_calendar_access: has_calendar_access(&connections),
        events: Json::of(&events)?,
        truncated,
        time_zone: zone,
        as_of,
        mode,
        calendars,
    })
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
