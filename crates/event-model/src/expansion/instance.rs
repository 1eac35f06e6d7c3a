//! An instance as a browser receives it.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use ids::CalendarId;

use crate::calendar::CalendarContext;
use crate::duplicates;
use crate::normal_form;
use crate::permissions::{can_edit, delete_restriction};
use crate::resource::EventResource;
use crate::span::Span;
use crate::text::{MAX_DESCRIPTION, MAX_LOCATION, MAX_TITLE, cut};
use crate::wire::{Event, EventView};
use crate::zone;

/// One instance of an event within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Google's id of the instance, unique in its calendar.
    pub instance_id: String,
    /// The event that it shows: a single event, an exception, or the master.
    pub event_id: String,
    /// The master's id, or `event_id` where there is none.
    pub series_id: String,
    pub starts_at: DateTime<Utc>,
    /// Not before `starts_at`. An all-day instance is placed in the calendar's zone.
    pub ends_at: DateTime<Utc>,
    /// Dates, or the instants in the event's zones.
    pub span: Span,
    /// Whether the event is a master, so that the instance's id is derived from its start.
    pub is_of_master: bool,
    /// The same for all instances of the event.
    pub view: Arc<EventView>,
}

impl Occurrence {
    /// The dates of an all-day instance, the second exclusive.
    pub fn dates(&self) -> Option<(NaiveDate, NaiveDate)> {
        self.span.dates()
    }

    /// Whether its event is a master or an exception.
    pub fn is_in_series(&self) -> bool {
        self.is_of_master || self.event_id != self.series_id
    }

    /// The instance as procedures answer with it.
    pub fn event(&self, calendar: CalendarId) -> Event {
        let (start, end) = self.span.texts();
        Event {
            id: self.instance_id.clone(),
            start,
            end,
            calendar_id: calendar,
            event_id: self.event_id.clone(),
            recurring_event_id: self.is_in_series().then(|| self.series_id.clone()),
            view: (*self.view).clone(),
            copies: Vec::new(),
        }
    }
}

/// When one instance takes place.
pub struct Placement {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    span: Span,
}

impl Placement {
    /// None: outside the years that chrono supports.
    pub fn of(span: Span, calendar: &CalendarContext) -> Option<Self> {
        let (starts_at, ends_at) = match span {
            Span::Days { start, end } => (
                zone::day_start(calendar.time_zone, start)?,
                zone::day_start(calendar.time_zone, end)?,
            ),
            Span::Time { start, end, .. } => (start, end),
        };
        Some(Self {
            starts_at,
            ends_at,
            span,
        })
    }

    pub fn occurrence(self, instance_id: String, event: &EventResource, view: Arc<EventView>) -> Occurrence {
        Occurrence {
            instance_id,
            event_id: event.id.clone(),
            series_id: event.series_id().to_owned(),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            span: self.span,
            is_of_master: event.is_master() && event.recurring_event_id.is_none(),
            view,
        }
    }
}

/// The texts that are longer than a browser receives.
fn cut_fields(event: &EventResource) -> Vec<String> {
    let is_longer =
        |text: &Option<String>, max| text.as_ref().is_some_and(|text| text.chars().nth(max).is_some());
    let mut fields = vec![
        ("title", is_longer(&event.title, MAX_TITLE)),
        ("description", is_longer(&event.description, MAX_DESCRIPTION)),
        ("location", is_longer(&event.location, MAX_LOCATION)),
    ];
    fields.retain(|(_, is_cut)| *is_cut);
    fields.into_iter().map(|(field, _)| field.to_owned()).collect()
}

/// The same event with its texts whole.
pub fn whole(instance: Event, event: &EventResource) -> Event {
    let view = EventView {
        title: event.title.clone().unwrap_or_default(),
        description: event.description.clone(),
        location: event.location.clone(),
        cut_fields: Vec::new(),
        ..instance.view
    };
    Event { view, ..instance }
}

/// The view of an event, as the mirror stores it. Empty: it is not shown.
pub fn stored_view(calendar: &CalendarContext, event: &EventResource) -> String {
    let Some(span) = Span::of(event, calendar).filter(|_| !event.is_cancelled()) else {
        return String::new();
    };
    normal_form::compact(&view(calendar, event, span))
}

/// The view that all instances of an event share. `span`: of one of them.
pub fn view(calendar: &CalendarContext, event: &EventResource, span: Span) -> EventView {
    let zones = span.zones();
    EventView {
        title: cut(event.title.as_deref().unwrap_or_default(), MAX_TITLE),
        all_day: span.is_all_day(),
        time_zone: zones.map(|(zone, _)| zone.name().to_owned()),
        end_time_zone: zones
            .filter(|(zone, end_zone)| zone != end_zone)
            .map(|(_, end_zone)| end_zone.name().to_owned()),
        description: event
            .description
            .as_deref()
            .map(|text| cut(text, MAX_DESCRIPTION)),
        location: event.location.as_deref().map(|text| cut(text, MAX_LOCATION)),
        html_link: event.html_link.clone(),
        status: event.wire_status(),
        event_type: event.event_type.clone(),
        transparency: event.transparency,
        visibility: event.visibility.clone().unwrap_or_else(|| "default".to_owned()),
        color_id: event.color_id.clone(),
        attendees: event.attendees.clone(),
        organizer: event.organizer.clone(),
        conference_url: event.conference_url.clone(),
        recurrence: event.recurrence.clone(),
        reminders: event.reminders.clone(),
        can_edit: can_edit(event, &calendar.access_role),
        can_delete: delete_restriction(event, &calendar.access_role).is_none(),
        cut_fields: cut_fields(event),
        etag: event.etag.clone(),
        ical_uid: event.ical_uid.clone(),
        copy_rank: duplicates::rank(calendar, event),
    }
}
