//! An instance as a browser receives it.

use chrono::{DateTime, NaiveDate, Utc};

use crate::calendar::CalendarContext;
use crate::duplicates;
use crate::permissions::{can_edit, delete_restriction};
use crate::resource::EventResource;
use crate::span::Span;
use crate::text::{MAX_DESCRIPTION, MAX_LOCATION, MAX_TITLE, cut};
use crate::wire::Event;
use crate::zone::{self, Zone, rfc3339};

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
    /// The dates of an all-day instance, the second exclusive.
    pub dates: Option<(NaiveDate, NaiveDate)>,
    pub event: Event,
}

/// When one instance takes place: as instants, and as a browser receives it.
pub struct Placement {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    dates: Option<(NaiveDate, NaiveDate)>,
    start: String,
    end: String,
    zone: Option<Zone>,
    /// If it is another.
    end_zone: Option<Zone>,
}

impl Placement {
    /// None: outside the years that chrono supports.
    pub fn of(span: Span, calendar: &CalendarContext) -> Option<Self> {
        Some(match span {
            Span::Days { start, end } => Self {
                starts_at: zone::day_start(calendar.time_zone, start)?,
                ends_at: zone::day_start(calendar.time_zone, end)?,
                dates: Some((start, end)),
                start: start.to_string(),
                end: end.to_string(),
                zone: None,
                end_zone: None,
            },
            Span::Time {
                start,
                end,
                zone,
                end_zone,
            } => Self {
                starts_at: start,
                ends_at: end,
                dates: None,
                start: rfc3339(start, zone),
                end: rfc3339(end, end_zone),
                zone: Some(zone),
                end_zone: Some(end_zone).filter(|other| *other != zone),
            },
        })
    }

    pub fn occurrence(self, instance_id: String, event: &EventResource, template: &Event) -> Occurrence {
        Occurrence {
            event: Event {
                id: instance_id.clone(),
                start: self.start,
                end: self.end,
                all_day: self.dates.is_some(),
                time_zone: self.zone.map(|zone| zone.name().to_owned()),
                end_time_zone: self.end_zone.map(|zone| zone.name().to_owned()),
                ..template.clone()
            },
            instance_id,
            event_id: event.id.clone(),
            series_id: event.series_id().to_owned(),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            dates: self.dates,
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
    Event {
        title: event.title.clone().unwrap_or_default(),
        description: event.description.clone(),
        location: event.location.clone(),
        cut_fields: Vec::new(),
        ..instance
    }
}

/// The part that all instances of an event have in common.
pub fn template(calendar: &CalendarContext, event: &EventResource) -> Event {
    Event {
        id: String::new(),
        title: cut(event.title.as_deref().unwrap_or_default(), MAX_TITLE),
        start: String::new(),
        end: String::new(),
        all_day: false,
        time_zone: None,
        end_time_zone: None,
        description: event
            .description
            .as_deref()
            .map(|text| cut(text, MAX_DESCRIPTION)),
        location: event.location.as_deref().map(|text| cut(text, MAX_LOCATION)),
        html_link: event.html_link.clone(),
        calendar_id: calendar.id,
        event_id: event.id.clone(),
        recurring_event_id: event
            .recurring_event_id
            .clone()
            .or_else(|| event.is_master().then(|| event.id.clone())),
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
        copies: Vec::new(),
    }
}
