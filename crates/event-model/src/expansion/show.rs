//! An instance as the browser gets it.

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat, Utc};
use chrono_tz::Tz;

use super::{CalendarContext, Occurrence, zone};
use crate::duplicates;
use crate::permissions::can_edit;
use crate::resource::{EventResource, cut};
use crate::wire::Event;

/// The most that goes to a browser of a text, in characters: more than Google's own pages let a person type, so that a
/// megabyte in a title, which the API takes, does not crowd out everything else. The mirror keeps it whole.
pub const MAX_TITLE: usize = 1_024;
pub const MAX_LOCATION: usize = 1_024;
pub const MAX_DESCRIPTION: usize = 8_192;

/// Where one instance lies.
pub struct Place {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub dates: Option<(NaiveDate, NaiveDate)>,
    /// Start and end as the browser gets them.
    pub shown: (String, String),
    pub zone: Option<Tz>,
}

impl Place {
    pub fn occurrence(self, instance_id: String, event: &EventResource, template: &Event) -> Occurrence {
        let (start, end) = self.shown;
        Occurrence {
            event: Event {
                id: instance_id.clone(),
                start,
                end,
                all_day: self.dates.is_some(),
                time_zone: self.zone.map(|zone| zone.name().to_owned()),
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

/// With the zone's offset at that instant. Before clocks went by zones, an offset had seconds, which RFC 3339 cannot say.
pub fn rfc3339(instant: DateTime<Utc>, zone: Tz) -> String {
    let offset = zone::offset(zone, instant);
    let offset = if offset.local_minus_utc() % 60 == 0 {
        offset
    } else {
        FixedOffset::east_opt(0).unwrap_or(offset)
    };
    instant
        .with_timezone(&offset)
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What all instances of an event have in common.
pub fn template(calendar: &CalendarContext, event: &EventResource) -> Event {
    Event {
        id: String::new(),
        title: cut(event.title.as_deref().unwrap_or_default(), MAX_TITLE),
        start: String::new(),
        end: String::new(),
        all_day: false,
        time_zone: None,
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
        status: event.payload_status(),
        event_type: event.event_type.clone(),
        transparency: event.transparency,
        color_id: event.color_id.clone(),
        attendees: event.attendees.clone(),
        organizer: event.organizer.clone(),
        conference_url: event.conference_url.clone(),
        recurrence: event.recurrence.clone(),
        reminders: event.reminders.clone(),
        can_edit: can_edit(event, &calendar.access_role),
        etag: event.etag.clone(),
        ical_uid: event.ical_uid.clone(),
        copy_rank: duplicates::rank(calendar, event),
        copies: Vec::new(),
    }
}
