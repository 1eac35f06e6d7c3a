//! `events.list` and `events.instances`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use zones::Zone;

use crate::error::{ApiError, Result};
use crate::event_view::{Viewer, find, has_series, instances, overlaps, tombstone};
use crate::faults::{ListFaults, hash};
use crate::paging::{Listing, Page};
use crate::params::Params;
use crate::seed::AccessRole;
use crate::state::{Calendar, State};
use crate::store::{Resource, Revision, is_cancelled, text};
use crate::time::span;

const KNOWN: [&str; 21] = [
    "alwaysIncludeEmail",
    "eventTypes",
    "eventLabelVersion",
    "iCalUID",
    "maxAttendees",
    "maxResults",
    "orderBy",
    "pageToken",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "showDeleted",
    "showHiddenInvitations",
    "singleEvents",
    "syncToken",
    "timeMax",
    "timeMin",
    "timeZone",
    "updatedMin",
    "originalStart",
    "supportsAttachments",
];
/// Google: "There are several query parameters that cannot be specified together with nextSyncToken".
const FORBIDDEN_WITH_SYNC: [&str; 8] = [
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
];
/// "All other query parameters should be the same as for the initial synchronization."
const IDENTITY: [&str; 7] = [
    "alwaysIncludeEmail",
    "eventTypes",
    "eventLabelVersion",
    "maxAttendees",
    "showHiddenInvitations",
    "singleEvents",
    "timeZone",
];
/// How far back `updatedMin` reaches.
const UPDATED_MIN_DAYS: i64 = 30;

/// The filters of one request.
struct Filter<'a> {
    params: &'a Params,
    single: bool,
    show_deleted: Option<bool>,
    window: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    updated_min: Option<DateTime<Utc>>,
    incremental: bool,
}

/// A page of `events.list` as JSON.
pub fn list(state: &State, email: &str, id: &str, params: &Params, faults: &ListFaults) -> Result<Resource> {
    params.only(&KNOWN)?;
    let id = State::calendar_id(email, id);
    let (calendar, role) = state.visible(email, id)?;
    let listing = Listing {
        owner: format!("events {email} {id}"),
        params,
        forbidden_with_sync: &FORBIDDEN_WITH_SYNC,
        identity: &IDENTITY,
        page_sizes: (250, 2500),
        floor: calendar.events.floor,
    };
    let page = Page::open(&listing, state.revision(), &state.settings, faults)?;
    let filter = Filter::read(params, &page, state.now())?;
    let mut events = if filter.single {
        filter
            .expanded(calendar, &page)
            .into_iter()
            .map(Cow::Owned)
            .collect()
    } else {
        filter.stored(calendar, &page)
    };
    sort(&mut events, params.get("orderBy"), calendar);
    if params.get("orderBy").is_none() && page.shuffled {
        events.sort_by_key(|event| {
            hash(
                state.settings.fault_seed,
                &[text(event, "id").unwrap_or_default()],
            )
        });
    }
    let viewer = Viewer {
        email,
        calendar: id,
        role,
        zone: zone_of(params)?,
        max_attendees: params.number("maxAttendees")?,
    };
    let items: Vec<Value> = events[page.range(events.len())]
        .iter()
        .map(|event| filter.show(event, &viewer).into())
        .collect();
    let mut answer = head(state, calendar, id, role);
    // A list that filters by content cannot be continued by a sync token; one with a time window can.
    let continuable = params.get("syncToken").is_some()
        || !FORBIDDEN_WITH_SYNC
            .iter()
            .any(|name| !name.starts_with("timeM") && params.get(name).is_some());
    let seconds = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp());
    page.close(
        &mut answer,
        events.len(),
        continuable,
        (seconds(filter.window.0), seconds(filter.window.1)),
    );
    answer.insert("items".into(), items.into());
    Ok(answer)
}

/// A page of `events.instances`.
pub fn of_series(
    state: &State,
    email: &str,
    (id, event): (&str, &str),
    params: &Params,
    faults: &ListFaults,
) -> Result<Resource> {
    params.only(&KNOWN)?;
    let id = State::calendar_id(email, id);
    let (calendar, role) = state.visible(email, id)?;
    let master = find(calendar, event).ok_or_else(ApiError::not_found)?;
    let listing = Listing {
        owner: format!("instances {email} {id} {event}"),
        params,
        forbidden_with_sync: &[],
        identity: &[],
        page_sizes: (250, 2500),
        floor: 0,
    };
    let page = Page::open(&listing, state.revision(), &state.settings, faults)?;
    let show_deleted = params.flag("showDeleted")? == Some(true);
    let window = (params.time("timeMin")?, params.time("timeMax")?);
    let mut found = instances(calendar, &master, page.revision, window);
    if let Some(original) = params.get("originalStart") {
        let wanted = DateTime::parse_from_rfc3339(original).ok();
        found.retain(|event| {
            let start = event
                .get("originalStartTime")
                .and_then(|time| time.get("dateTime").or(time.get("date")));
            let start = start.and_then(Value::as_str).unwrap_or_default();
            start == original || (wanted.is_some() && DateTime::parse_from_rfc3339(start).ok() == wanted)
        });
    }
    found.retain(|event| show_deleted || !is_cancelled(event));
    let mut found: Vec<_> = found.into_iter().map(Cow::Owned).collect();
    sort(&mut found, Some("startTime"), calendar);
    let viewer = Viewer {
        email,
        calendar: id,
        role,
        zone: zone_of(params)?,
        max_attendees: params.number("maxAttendees")?,
    };
    let items: Vec<Value> = found[page.range(found.len())]
        .iter()
        .map(|event| viewer.render(event).into())
        .collect();
    let mut answer = head(state, calendar, id, role);
    page.close(&mut answer, found.len(), false, (None, None));
    answer.insert("items".into(), items.into());
    Ok(answer)
}

/// The events that a client with a token of this revision must have: every event that was not deleted, and the cancelled
/// instances of existing series, as a full list with `singleEvents=false` returned them at that revision.
pub fn truth(calendar: &Calendar, revision: Revision) -> Vec<&Resource> {
    let events = calendar
        .events
        .snapshot(revision)
        .map(|(_, version)| &*version.body);
    events
        .filter(|event| is_listed(calendar, event, revision) && !is_deleted(event))
        .collect()
}

/// Deleted as a whole; a cancelled instance of a series is a fact about the series instead.
fn is_deleted(event: &Resource) -> bool {
    is_cancelled(event) && !event.contains_key("recurringEventId")
}

/// Exceptions go with their master.
fn is_listed(calendar: &Calendar, event: &Resource, revision: Revision) -> bool {
    text(event, "recurringEventId")
        .and_then(|master| calendar.events.at(master, revision))
        .is_none_or(|master| !is_cancelled(&master.body))
}

impl<'a> Filter<'a> {
    fn read(params: &'a Params, page: &Page, now: DateTime<Utc>) -> Result<Self> {
        let window = (params.time("timeMin")?, params.time("timeMax")?);
        if let (Some(from), Some(to)) = window
            && from >= to
        {
            return Err(ApiError::time_range_empty());
        }
        let updated_min = params.time("updatedMin")?;
        if updated_min.is_some_and(|at| at < now - TimeDelta::days(UPDATED_MIN_DAYS)) {
            return Err(ApiError::updated_min_too_long_ago());
        }
        let single = params.flag("singleEvents")? == Some(true);
        match params.get("orderBy") {
            None | Some("updated") => {}
            Some("startTime") if single => {}
            Some("startTime") => {
                return Err(ApiError::bad_request(
                    "badRequest",
                    "The requested ordering is not available for the particular query.",
                ));
            }
            Some(other) => {
                return Err(ApiError::invalid_parameter(
                    "orderBy",
                    format!("Invalid string value: '{other}'. Allowed values: [startTime, updated]"),
                ));
            }
        }
        let at = |seconds: Option<i64>| seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        Ok(Self {
            params,
            single,
            show_deleted: params.flag("showDeleted")?,
            window: if page.since.is_some() {
                (at(page.window.0), at(page.window.1))
            } else {
                window
            },
            updated_min,
            incremental: page.since.is_some(),
        })
    }

    /// Masters, exceptions and single events, oldest change first.
    fn stored<'c>(&self, calendar: &'c Calendar, page: &Page) -> Vec<Cow<'c, Resource>> {
        let mut found: Vec<_> = calendar
            .events
            .snapshot(page.revision)
            .filter(|(id, version)| {
                let event = &version.body;
                page.since.is_none_or(|since| version.revision > since)
                    && is_listed(calendar, event, page.revision)
                    && (!is_deleted(event) || self.wants_deleted())
                    && self.matches(event)
                    && self.in_window(calendar, id, event, page.since)
            })
            .map(|(_, version)| (version.revision, Cow::Borrowed(&*version.body)))
            .collect();
        found.sort_by_key(|(revision, _)| *revision);
        found.into_iter().map(|(_, event)| event).collect()
    }

    fn wants_deleted(&self) -> bool {
        self.incremental || self.show_deleted == Some(true) || self.updated_min.is_some()
    }

    /// A changed event is listed if it is, or was for this client, in the window; a deleted one always.
    fn in_window(&self, calendar: &Calendar, id: &str, event: &Resource, since: Option<Revision>) -> bool {
        let before = || since.and_then(|since| calendar.events.at(id, since));
        is_cancelled(event) && self.incremental
            || overlaps(event, self.window, calendar.zone)
            || before().is_some_and(|old| overlaps(&old.body, self.window, calendar.zone))
    }

    /// Single events and instances. Of a touched series all instances come again, those that went as cancelled.
    fn expanded(&self, calendar: &Calendar, page: &Page) -> Vec<Resource> {
        let now = self.all_single(calendar, page.revision);
        let Some(since) = page.since else {
            return now
                .into_values()
                .filter(|event| !is_cancelled(event) || self.wants_deleted())
                .collect();
        };
        let touched: BTreeSet<&str> = calendar
            .events
            .snapshot(page.revision)
            .filter(|(_, version)| version.revision > since)
            .map(|(id, _)| id)
            .collect();
        let is_touched = |event: &Resource| {
            let of = |key| text(event, key).is_some_and(|id| touched.contains(id));
            of("id") || of("recurringEventId")
        };
        let mut gone = self.all_single(calendar, since);
        gone.retain(|id, event| !now.contains_key(id) && !is_cancelled(event) && is_touched(event));
        for event in gone.values_mut() {
            event.insert("status".into(), json!("cancelled"));
        }
        now.into_values()
            .filter(is_touched)
            .chain(gone.into_values())
            .collect()
    }

    fn all_single(&self, calendar: &Calendar, revision: Revision) -> BTreeMap<String, Resource> {
        let mut found = Vec::new();
        for (_, version) in calendar.events.snapshot(revision) {
            let event = &version.body;
            if event.contains_key("recurrence") {
                found.extend(instances(calendar, event, revision, self.window));
            } else if !has_series(calendar, event, revision) && overlaps(event, self.window, calendar.zone) {
                found.push(Resource::clone(event));
            }
        }
        found.retain(|event| self.matches(event));
        found
            .into_iter()
            .filter_map(|event| Some((text(&event, "id")?.to_owned(), event)))
            .collect()
    }

    fn matches(&self, event: &Resource) -> bool {
        let mut types = self.params.all("eventTypes").peekable();
        let typed = types.peek().is_none() || types.any(|kind| text(event, "eventType") == Some(kind));
        let updated = || {
            let at = text(event, "updated").and_then(|at| at.parse::<DateTime<Utc>>().ok());
            self.updated_min.is_none_or(|min| at.is_some_and(|at| at >= min))
        };
        let uid = || {
            self.params
                .get("iCalUID")
                .is_none_or(|uid| text(event, "iCalUID") == Some(uid))
        };
        let word = || {
            self.params
                .get("q")
                .is_none_or(|words| contains_words(event, words))
        };
        typed && updated() && uid() && word() && self.has_properties(event)
    }

    fn has_properties(&self, event: &Resource) -> bool {
        [
            ("privateExtendedProperty", "private"),
            ("sharedExtendedProperty", "shared"),
        ]
        .iter()
        .all(|(name, part)| {
            self.params.all(name).all(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let stored = event
                    .get("extendedProperties")
                    .and_then(|all| all.get(part)?.get(key)?.as_str());
                stored == Some(value)
            })
        })
    }

    /// A deleted event keeps its details only for a client that sends `showDeleted=true`.
    fn show(&self, event: &Resource, viewer: &Viewer<'_>) -> Resource {
        if is_cancelled(event) && self.show_deleted != Some(true) {
            tombstone(event)
        } else {
            viewer.render(event)
        }
    }
}

fn contains_words(event: &Resource, words: &str) -> bool {
    let mut searched = String::new();
    for key in ["summary", "description", "location"] {
        searched.push_str(text(event, key).unwrap_or_default());
        searched.push('\n');
    }
    searched.push_str(&event.get("attendees").map(Value::to_string).unwrap_or_default());
    let searched = searched.to_lowercase();
    words
        .to_lowercase()
        .split_whitespace()
        .all(|word| searched.contains(word))
}

fn sort(events: &mut [Cow<'_, Resource>], order: Option<&str>, calendar: &Calendar) {
    match order {
        Some("startTime") => events.sort_by_cached_key(|event| {
            let start = span(event, calendar.zone).map(|(start, _)| start.instant(calendar.zone));
            (start, text(event, "id").unwrap_or_default().to_owned())
        }),
        Some("updated") => {
            events.sort_by_cached_key(|event| text(event, "updated").unwrap_or_default().to_owned());
        }
        _ => {}
    }
}

pub fn zone_of(params: &Params) -> Result<Option<Zone>> {
    params
        .get("timeZone")
        .map(|name| {
            name.parse()
                .map_err(|_| ApiError::bad_request("invalid", "Invalid value for: timeZone"))
        })
        .transpose()
}

fn head(state: &State, calendar: &Calendar, id: &str, role: AccessRole) -> Resource {
    let versions = calendar
        .events
        .snapshot(state.revision())
        .map(|(_, version)| version);
    let newest = versions.max_by_key(|version| version.revision);
    let mut head = Resource::new();
    head.insert("kind".into(), json!("calendar#events"));
    head.insert(
        "etag".into(),
        json!(format!("\"p{}\"", newest.map_or(0, |newest| newest.revision))),
    );
    head.insert("summary".into(), json!(calendar.summary));
    head.insert(
        "description".into(),
        json!(calendar.description.clone().unwrap_or_default()),
    );
    let updated = newest.and_then(|newest| newest.body.get("updated").cloned());
    head.insert("updated".into(), updated.unwrap_or_else(|| state.updated()));
    head.insert("timeZone".into(), json!(calendar.zone.name()));
    head.insert("accessRole".into(), json!(role.as_str()));
    let primary = id == calendar.owner;
    let reminders = if primary {
        json!([{ "method": "popup", "minutes": 30 }])
    } else {
        json!([])
    };
    head.insert("defaultReminders".into(), reminders);
    head
}
