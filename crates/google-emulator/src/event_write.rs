//! Writes to a calendar, with Google's rules: client fields, server fields, and writes to one instance of a series.

use serde_json::{Value, json};

use crate::conference;
use crate::error::{ApiError, Result};
use crate::event_put::put;
use crate::event_types;
use crate::event_view;
use crate::guests::{self, SendUpdates};
use crate::invitations;
use crate::new_id::new_id;
use crate::recurrence::Series;
use crate::seed::AccessRole;
use crate::state::{Calendar, State, email_of};
use crate::store::{Resource, is_cancelled, merge, text};
use crate::time::{EventTime, Length};

/// The writer, the calendar and the precondition of a write.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    pub email: &'a str,
    pub calendar: &'a str,
    /// The `If-Match` header.
    pub if_match: Option<&'a str>,
    /// `conferenceDataVersion=1`: without it conference data in a body is ignored.
    pub conference: bool,
    /// The recipients of mail about it.
    pub send_updates: SendUpdates,
}

impl<'a> Writer<'a> {
    pub fn new(email: &'a str, calendar: &'a str) -> Self {
        Self {
            email,
            calendar: State::calendar_id(email, calendar),
            if_match: None,
            conference: false,
            send_updates: SendUpdates::None,
        }
    }
}

/// Fields that only the server sets.
const SERVER_SET: [&str; 14] = [
    "kind",
    "etag",
    "id",
    "htmlLink",
    "created",
    "updated",
    "creator",
    "organizer",
    "recurringEventId",
    "originalStartTime",
    "iCalUID",
    "hangoutLink",
    "sequence",
    "locked",
];

/// Fields that a guest may change in their copy of another organizer's event. Extended properties are not among them, even
/// private ones: 403 was reported for a patch of nothing else (kewisch/gdata-provider#3).
const GUEST_MAY_CHANGE: [&str; 7] = [
    "attendees",
    "reminders",
    "colorId",
    "transparency",
    "visibility",
    "status",
    "eventLabelId",
];

pub fn insert(state: &mut State, writer: &Writer<'_>, body: &Resource) -> Result<Resource> {
    let calendar = writable(state, writer)?;
    let id = match text(body, "id") {
        Some(id) if !is_client_id(id) => {
            return Err(ApiError::bad_request("invalid", "Invalid resource id value."));
        }
        // Also after the event was deleted: an id is used once.
        Some(id) if calendar.events.head(id).is_some() => return Err(ApiError::duplicate()),
        Some(id) => id.to_owned(),
        None => new_id(),
    };
    let base = identity(state, writer, &id, body);
    let event = compose(state, writer, &base, body)?;
    event_types::check(None, &event)?;
    guests::check_number(None, &event)?;
    let event = put(state, writer.calendar, event, true);
    notify(state, writer, None, &event);
    Ok(event)
}

/// Mails the people whom a write concerns and brings their calendars in line with it.
fn notify(state: &mut State, writer: &Writer<'_>, old: Option<&Resource>, new: &Resource) {
    let by = (writer.email, writer.calendar);
    guests::mail(state, by, writer.send_updates, old, new);
    invitations::spread(state, writer.calendar, old, new);
}

pub fn patch(state: &mut State, writer: &Writer<'_>, id: &str, patch: &Resource) -> Result<Resource> {
    let old = current(state, writer, id)?;
    let mut fields = old.clone();
    merge(
        &mut fields,
        &guests::only_own_answer(writer.calendar, &old, patch),
    );
    write(state, writer, old, &fields)
}

pub fn update(state: &mut State, writer: &Writer<'_>, id: &str, body: &Resource) -> Result<Resource> {
    let old = current(state, writer, id)?;
    let body = guests::only_own_answer(writer.calendar, &old, body);
    write(state, writer, old, &body)
}

pub fn delete(state: &mut State, writer: &Writer<'_>, id: &str) -> Result<Resource> {
    let mut event = current(state, writer, id)?;
    if is_cancelled(&event) {
        return Err(ApiError::deleted());
    }
    event_types::check_deletion(&event)?;
    let old = event.clone();
    event.insert("status".into(), json!("cancelled"));
    let event = invitations::own_part(state, writer.calendar, event);
    let event = put(state, writer.calendar, event, true);
    notify(state, writer, Some(&old), &event);
    Ok(event)
}

/// Gives an event to another calendar of the same user; only ordinary, whole events can be moved.
pub fn move_to(state: &mut State, writer: &Writer<'_>, id: &str, destination: &str) -> Result<Resource> {
    let event = current(state, writer, id)?;
    let target = Writer {
        calendar: State::calendar_id(writer.email, destination),
        if_match: None,
        ..*writer
    };
    if writable(state, &target)?.events.head(id).is_some() {
        return Err(ApiError::duplicate());
    }
    if text(&event, "eventType") != Some("default") || event.contains_key("recurringEventId") {
        return Err(ApiError::bad_request(
            "invalid",
            "Only a whole event of type default can be moved.",
        ));
    }
    if is_cancelled(&event) {
        return Err(ApiError::deleted());
    }
    let mut left = event.clone();
    left.insert("status".into(), json!("cancelled"));
    put(state, writer.calendar, left, true);
    let mut moved = event.clone();
    moved.insert("organizer".into(), organizer(state, &target));
    let moved = put(state, target.calendar, moved, true);
    notify(state, &target, Some(&event), &moved);
    Ok(moved)
}

/// Writes an event of a seed file: as an insert, but ids and people are taken as they are, and an exception of a series
/// may be given with `recurringEventId` and `originalStartTime`.
pub fn seed(state: &mut State, email: &str, calendar: &str, body: &Resource) -> Result<()> {
    let writer = Writer {
        email,
        calendar,
        if_match: None,
        conference: true,
        send_updates: SendUpdates::None,
    };
    let Some(master) = text(body, "recurringEventId") else {
        let id = text(body, "id").map_or_else(new_id, ToOwned::to_owned);
        if seen(state, calendar)?.events.head(&id).is_some() {
            return Ok(());
        }
        let mut base = identity(state, &writer, &id, body);
        keep_people(&mut base, body);
        let event = compose(state, &writer, &base, body)?;
        put(state, calendar, event, true);
        return Ok(());
    };
    let place = seen(state, calendar)?;
    let original = body
        .get("originalStartTime")
        .ok_or_else(|| ApiError::required("Missing originalStartTime."))?;
    let original = EventTime::parse(original, place.zone, "original start")?;
    let mut old = event_view::find(place, &event_view::instance_id(master, &original)).ok_or_else(|| {
        ApiError::bad_request(
            "invalid",
            format!("{master} has no instance at originalStartTime."),
        )
    })?;
    keep_people(&mut old, body);
    let mut fields = old.clone();
    fields.extend(body.clone());
    let event = compose(state, &writer, &old, &fields)?;
    put(state, calendar, event, true);
    Ok(())
}

fn keep_people(base: &mut Resource, body: &Resource) {
    for key in ["creator", "organizer", "iCalUID"] {
        if let Some(value) = body.get(key) {
            base.insert(key.into(), value.clone());
        }
    }
}

fn seen<'a>(state: &'a State, calendar: &str) -> Result<&'a Calendar> {
    state.calendars.get(calendar).ok_or_else(ApiError::not_found)
}

fn writable<'a>(state: &'a State, writer: &Writer<'_>) -> Result<&'a Calendar> {
    match state.visible(writer.email, writer.calendar)? {
        (_, AccessRole::FreeBusyReader | AccessRole::Reader) => Err(ApiError::writer_required()),
        (calendar, _) => Ok(calendar),
    }
}

/// The event a write is about, after the checks that come before its body is read.
fn current(state: &State, writer: &Writer<'_>, id: &str) -> Result<Resource> {
    let event = event_view::find(writable(state, writer)?, id).ok_or_else(ApiError::not_found)?;
    match writer.if_match {
        Some(wanted) if wanted != "*" && Some(wanted) != text(&event, "etag") => {
            Err(ApiError::condition_not_met())
        }
        _ => Ok(event),
    }
}

/// Replaces an event by new fields. A write that changes nothing creates no new version.
fn write(state: &mut State, writer: &Writer<'_>, old: Resource, fields: &Resource) -> Result<Resource> {
    if is_cancelled(&old) && text(fields, "status").is_none_or(|status| status == "cancelled") {
        return Err(ApiError::deleted());
    }
    let event = compose(state, writer, &old, fields)?;
    event_types::check(Some(&old), &event)?;
    guests::check_number(Some(&old), &event)?;
    let changed = |except: &[&str]| {
        let keys = old.keys().chain(event.keys());
        keys.filter(|key| !except.contains(&key.as_str()))
            .any(|key| old.get(key) != event.get(key))
    };
    if !changed(&[]) {
        return Ok(old);
    }
    let shared = changed(&GUEST_MAY_CHANGE);
    let guest = email_of(&old, "organizer").is_some_and(|organizer| organizer != writer.calendar);
    if shared && guest && !invitations::may_guests_modify(&old) {
        return Err(ApiError::documented(403, Some("forbiddenForNonOrganizer")));
    }
    // Google leaves `updated` alone when only reminders change, while the etag is new.
    let touched = changed(&["reminders"]);
    let event = invitations::own_part(state, writer.calendar, event);
    let event = put(state, writer.calendar, event, touched);
    notify(state, writer, Some(&old), &event);
    Ok(event)
}

/// The server-set fields of a new event.
fn identity(state: &State, writer: &Writer<'_>, id: &str, body: &Resource) -> Resource {
    let mut base = Resource::new();
    base.insert("kind".into(), json!("calendar#event"));
    base.insert("etag".into(), Value::Null);
    base.insert("id".into(), json!(id));
    base.insert("status".into(), json!("confirmed"));
    base.insert(
        "htmlLink".into(),
        json!(format!("{}/calendar/event?eid={id}", state.base_url)),
    );
    base.insert("created".into(), state.updated());
    base.insert("updated".into(), state.updated());
    base.insert("creator".into(), json!({ "email": writer.email }));
    base.insert("organizer".into(), organizer(state, writer));
    let uid = text(body, "iCalUID").map_or_else(|| format!("{id}@google.com"), ToOwned::to_owned);
    base.insert("iCalUID".into(), json!(uid));
    base
}

fn organizer(state: &State, writer: &Writer<'_>) -> Value {
    match state.calendars.get(writer.calendar) {
        Some(calendar) if writer.calendar != calendar.owner => {
            json!({ "email": writer.calendar, "displayName": calendar.summary })
        }
        _ => json!({ "email": writer.calendar }),
    }
}

/// The event that results when a client writes `fields` over `old`, checked and normalised.
fn compose(state: &State, writer: &Writer<'_>, old: &Resource, fields: &Resource) -> Result<Resource> {
    let calendar = seen(state, writer.calendar)?;
    let mut event: Resource = old.clone();
    event.retain(|key, _| SERVER_SET.contains(&key.as_str()));
    let status = text(fields, "status").unwrap_or("confirmed");
    if !matches!(status, "confirmed" | "tentative" | "cancelled") {
        return Err(ApiError::bad_request("invalid", "Invalid event status value."));
    }
    event.insert("status".into(), json!(status));
    for (key, value) in fields {
        let ignored = SERVER_SET.contains(&key.as_str()) || value.is_null();
        if !ignored && !matches!(key.as_str(), "status" | "start" | "end" | "conferenceData") {
            event.insert(key.clone(), value.clone());
        }
    }
    // An empty list is no recurrence: clients send one with every event (https://github.com/kuzmoyev/google-calendar-simple-api).
    let repeats = event
        .get("recurrence")
        .and_then(Value::as_array)
        .is_none_or(|rules| !rules.is_empty());
    if event.contains_key("recurringEventId") || !repeats {
        event.shift_remove("recurrence");
    }
    set_times(&mut event, fields, calendar)?;
    set_defaults(&mut event, old, fields)?;
    conference::set(&mut event, old, fields, writer.conference);
    Ok(event)
}

fn set_times(event: &mut Resource, fields: &Resource, calendar: &Calendar) -> Result<()> {
    let part = |key: &str| fields.get(key).filter(|value| !value.is_null());
    let start = part("start").ok_or_else(|| ApiError::required("Missing start time."))?;
    let end = part("end").ok_or_else(|| ApiError::required("Missing end time."))?;
    if event.contains_key("recurrence") && start.get("dateTime").is_some() && start.get("timeZone").is_none()
    {
        return Err(ApiError::required("Missing time zone definition for start time."));
    }
    let zone = calendar.zone;
    let start = EventTime::parse(start, zone, "start")?;
    let mut end = EventTime::parse(end, zone, "end")?;
    if matches!(
        (start, end),
        (EventTime::Date(_), EventTime::At { .. }) | (EventTime::At { .. }, EventTime::Date(_))
    ) {
        return Err(ApiError::bad_request(
            "invalid",
            "The start and end times must either both be date or both be dateTime.",
        ));
    }
    if end.local() == start.local() && matches!(start, EventTime::Date(_)) {
        end = start.plus(Length::Days(1));
    }
    if end.instant(zone) < start.instant(zone) {
        return Err(ApiError::time_range_empty());
    }
    event.insert("start".into(), start.render(zone));
    event.insert("end".into(), end.render(zone));
    Series::of(event, zone).map(|_| ())
}

fn set_defaults(event: &mut Resource, old: &Resource, fields: &Resource) -> Result<()> {
    let kind = text(fields, "eventType")
        .or(text(old, "eventType"))
        .unwrap_or("default")
        .to_owned();
    if text(old, "eventType").is_some_and(|before| before != kind) {
        return Err(ApiError::event_type("Event type cannot be changed."));
    }
    let known = [
        "default",
        "birthday",
        "focusTime",
        "fromGmail",
        "outOfOffice",
        "workingLocation",
    ];
    if !known.contains(&kind.as_str()) {
        return Err(ApiError::bad_request(
            "invalid",
            format!("Invalid value for: {kind} is not a valid event type"),
        ));
    }
    event.insert("eventType".into(), json!(kind));
    event
        .entry("reminders")
        .or_insert_with(|| json!({ "useDefault": true }));
    let moved = ["start", "end", "recurrence"]
        .iter()
        .any(|key| old.get(*key) != event.get(*key));
    let sequence = old.get("sequence").and_then(Value::as_u64);
    event.insert(
        "sequence".into(),
        json!(sequence.map_or(0, |number| number + u64::from(moved))),
    );
    let organizer = email_of(event, "organizer").map(ToOwned::to_owned);
    if let Some(Value::Array(attendees)) = event.get_mut("attendees") {
        for attendee in attendees.iter_mut().filter_map(Value::as_object_mut) {
            attendee.shift_remove("self");
            attendee
                .entry("responseStatus")
                .or_insert_with(|| json!("needsAction"));
            if organizer.is_some() && text(attendee, "email") == organizer.as_deref() {
                attendee.insert("organizer".into(), json!(true));
            }
        }
    }
    Ok(())
}

fn is_client_id(id: &str) -> bool {
    (5..=1024).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'))
}
