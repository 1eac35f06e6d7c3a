//! An event with its instances, as the mirror holds it, and as messages and snapshots carry it.
//!
//! The view, which all instances share, is there once. As JSON it leaves out the fields that have their default, and so do its
//! guests, organizer and reminders. An instance is its times; its id follows from them ([`instance_id`]).

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use ids::CalendarId;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ts_rs::{Config, TS, TypeVisitor};

use crate::expansion::Occurrence;
use crate::span::{Span, Start};
use crate::wire::{Attendee, Event, EventInstances, EventView, Person, Reminders, Series};
use crate::zone::Zone;

/// Google's id of an instance that starts here. `is_of_master`: its event is a master; others are their own only instance.
pub fn instance_id(event_id: &str, is_of_master: bool, start: Start) -> String {
    if is_of_master {
        start.instance_id(event_id)
    } else {
        event_id.to_owned()
    }
}

/// A view as the mirror stores it: an object of the fields that do not have their default.
pub fn compact(view: &EventView) -> String {
    // A structure of texts, numbers and lists always serializes.
    serde_json::to_string(&Compact(view)).unwrap_or_default()
}

/// A view that is written without the fields that have their default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactView(pub Arc<EventView>);

/// Written without the fields that have their default, here and in the people and reminders of a view.
struct Compact<'a, T: ?Sized>(&'a T);

macro_rules! compact {
    ($type:ty { $($name:literal: $field:ident $(in $form:ident)?),* $(,)? }) => {
        impl Serialize for Compact<'_, $type> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                static DEFAULT: LazyLock<$type> = LazyLock::new(Default::default);
                let mut map = serializer.serialize_map(None)?;
                $(if self.0.$field != DEFAULT.$field {
                    map.serialize_entry($name, &$($form)?(&self.0.$field))?;
                })*
                map.end()
            }
        }
    };
}

compact!(EventView {
    "title": title, "allDay": all_day, "timeZone": time_zone, "endTimeZone": end_time_zone, "description": description,
    "location": location, "htmlLink": html_link, "status": status, "eventType": event_type,
    "transparency": transparency, "visibility": visibility, "colorId": color_id, "attendees": attendees in each,
    "organizer": organizer in one, "conferenceUrl": conference_url, "recurrence": recurrence,
    "reminders": reminders in one, "canEdit": can_edit, "canDelete": can_delete, "cutFields": cut_fields, "etag": etag,
    "iCalUID": ical_uid, "copyRank": copy_rank,
});
compact!(Attendee {
    "email": email, "displayName": display_name, "self": is_self, "optional": optional, "resource": resource,
    "responseStatus": response_status,
});
compact!(Person { "email": email, "displayName": display_name, "self": is_self });
compact!(Reminders { "useDefault": use_default, "overrides": overrides });

#[expect(clippy::ref_option, reason = "the macro passes a reference to a field")]
fn one<T>(value: &Option<T>) -> Option<Compact<'_, T>> {
    value.as_ref().map(Compact)
}

fn each<T>(values: &[T]) -> Vec<Compact<'_, T>> {
    values.iter().map(Compact).collect()
}

impl Serialize for CompactView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Compact(&*self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CompactView {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EventView::deserialize(deserializer).map(|view| Self(Arc::new(view)))
    }
}

impl TS for CompactView {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(config: &Config) -> String {
        format!("Partial<{}>", EventView::name(config))
    }

    fn inline(config: &Config) -> String {
        Self::name(config)
    }

    fn inline_flattened(config: &Config) -> String {
        Self::name(config)
    }

    fn visit_dependencies(visitor: &mut impl TypeVisitor) {
        visitor.visit::<EventView>();
    }
}

/// When the instances of one event take place. They are equally long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    pub is_all_day: bool,
    /// In order. For an all-day event, the midnights in UTC of its dates.
    pub starts: Vec<DateTime<Utc>>,
    pub length: TimeDelta,
}

impl Times {
    /// None: there are no instances.
    fn of(spans: &[Span]) -> Option<Self> {
        let first = spans.first()?;
        Some(Self {
            is_all_day: first.is_all_day(),
            starts: spans.iter().map(|span| span.start().as_utc()).collect(),
            length: first.length(),
        })
    }

    /// The instances, in the zones of the event's start and end.
    pub fn spans(&self, zone: Zone, end_zone: Zone) -> impl Iterator<Item = Span> {
        self.starts.iter().filter_map(move |&start| {
            if self.is_all_day {
                let start = start.date_naive();
                let end = start.checked_add_signed(self.length)?;
                return Some(Span::Days { start, end });
            }
            let end = start.checked_add_signed(self.length)?;
            Some(Span::Time {
                start,
                end,
                zone,
                end_zone,
            })
        })
    }
}

/// An event with those of its instances that lie in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTimes {
    pub event_id: String,
    pub series_id: String,
    pub is_master: bool,
    /// From the first start to the last end, as instants. All-day instances are placed in the calendar's zone.
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub times: Times,
}

/// Instances by their events, which are in order of series and id.
pub fn by_event(occurrences: &[Occurrence]) -> Vec<EventTimes> {
    let events = grouped(occurrences.iter());
    let times = events.into_values().filter_map(|mut instances| {
        instances.sort_by_key(|one| one.span.start());
        let spans: Vec<Span> = instances.iter().map(|one| one.span).collect();
        let first = instances.first()?;
        Some(EventTimes {
            event_id: first.event_id.clone(),
            series_id: first.series_id.clone(),
            is_master: first.is_of_master,
            starts_at: instances.iter().map(|one| one.starts_at).min()?,
            ends_at: instances.iter().map(|one| one.ends_at).max()?,
            times: Times::of(&spans)?,
        })
    });
    times.collect()
}

type Grouped<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a Occurrence>>;

fn grouped<'a>(occurrences: impl Iterator<Item = &'a Occurrence>) -> Grouped<'a> {
    let mut events = Grouped::new();
    for one in occurrences {
        let key = (one.series_id.as_str(), one.event_id.as_str());
        events.entry(key).or_default().push(one);
    }
    events
}

/// These instances as series, in order of their ids, for a message or a snapshot.
pub fn series<'a>(occurrences: impl Iterator<Item = &'a Occurrence>) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for ((series_id, _), instances) in grouped(occurrences) {
        let Some(event) = event_instances(instances) else {
            continue;
        };
        match all.last_mut() {
            Some(last) if last.series_id == series_id => last.events.push(event),
            _ => all.push(Series {
                series_id: series_id.to_owned(),
                events: vec![event],
            }),
        }
    }
    all
}

fn event_instances(mut instances: Vec<&Occurrence>) -> Option<EventInstances> {
    instances.sort_by_key(|one| one.span.start());
    let first = instances.first()?;
    Some(EventInstances {
        event_id: first.event_id.clone(),
        recurring_event_id: first.is_in_series().then(|| first.series_id.clone()),
        instances: instances.iter().map(|one| one.span.texts()).collect(),
        view: CompactView(first.view.clone()),
    })
}

/// The events that a receiver derives from a series, as procedures return them.
pub fn events(calendar: CalendarId, series: &Series) -> Vec<Event> {
    let instances = series.events.iter().flat_map(|event| {
        let is_of_master = event.recurring_event_id.as_ref() == Some(&event.event_id);
        event.instances.iter().map(move |(start, end)| Event {
            id: start_of(start).map_or_else(
                || event.event_id.clone(),
                |start| instance_id(&event.event_id, is_of_master, start),
            ),
            start: start.clone(),
            end: end.clone(),
            calendar_id: calendar,
            event_id: event.event_id.clone(),
            recurring_event_id: event.recurring_event_id.clone(),
            view: (*event.view.0).clone(),
            copies: Vec::new(),
        })
    });
    instances.collect()
}

fn start_of(text: &str) -> Option<Start> {
    if let Ok(date) = text.parse() {
        return Some(Start::Day(date));
    }
    let instant = DateTime::parse_from_rfc3339(text).ok()?;
    Some(Start::At(instant.to_utc()))
}

/// The zones of a view's times. Names that are not zones follow the calendar's clock, as when the event was expanded.
pub fn zones(view: &EventView, calendar: Zone) -> (Zone, Zone) {
    let named = |name: &Option<String>| name.as_deref().and_then(Zone::of_name);
    let zone = named(&view.time_zone).map_or(calendar, |zone| zone.following(calendar));
    let end_zone = named(&view.end_time_zone).map_or(zone, |zone| zone.following(calendar));
    (zone, end_zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{EventStatus, Reminder, Transparency};

    fn full() -> EventView {
        let text = || Some("x".to_owned());
        EventView {
            title: "x".into(),
            all_day: true,
            time_zone: text(),
            end_time_zone: text(),
            description: text(),
            location: text(),
            html_link: text(),
            status: EventStatus::Tentative,
            event_type: "focusTime".into(),
            transparency: Transparency::Transparent,
            visibility: "private".into(),
            color_id: text(),
            attendees: vec![Attendee {
                email: text(),
                display_name: text(),
                is_self: true,
                optional: true,
                resource: true,
                response_status: "accepted".into(),
            }],
            organizer: Some(Person {
                email: text(),
                display_name: text(),
                is_self: true,
            }),
            conference_url: text(),
            recurrence: vec!["RRULE:FREQ=DAILY".into()],
            reminders: Some(Reminders {
                use_default: true,
                overrides: vec![Reminder {
                    method: "popup".into(),
                    minutes: 10,
                }],
            }),
            can_edit: vec!["title".into()],
            can_delete: true,
            cut_fields: vec!["title".into()],
            etag: "x".into(),
            ical_uid: text(),
            copy_rank: 7,
        }
    }

    fn plain<T: Serialize>(value: &T) -> serde_json::Value {
        serde_json::to_value(value).unwrap()
    }

    fn written(view: &EventView) -> serde_json::Value {
        serde_json::from_str(&compact(view)).unwrap()
    }

    #[test]
    fn compact_view_has_every_field_without_its_default() {
        assert_eq!(written(&full()), plain(&full()), "no field has its default");
        assert_eq!(plain(&CompactView(Arc::new(full()))), plain(&full()));
        assert_eq!(
            serde_json::from_value::<EventView>(plain(&full())).unwrap(),
            full()
        );
    }

    #[test]
    fn compact_view_leaves_out_defaults_at_each_level() {
        assert_eq!(compact(&EventView::default()), "{}");
        let view = EventView {
            attendees: vec![Attendee::default()],
            organizer: Some(Person::default()),
            reminders: Some(Reminders::default()),
            ..EventView::default()
        };
        let short = r#"{"attendees":[{}],"organizer":{},"reminders":{}}"#;
        assert_eq!(compact(&view), short);
        assert_eq!(serde_json::from_str::<EventView>(short).unwrap(), view);
    }
}
