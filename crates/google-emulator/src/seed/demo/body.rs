//! Bodies of `events.insert`, built up field by field.

use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone};
use serde_json::{Map, Value, json};
use zones::Zone;

/// Wall-clock time in a zone.
pub(super) trait At {
    fn at(self, day: NaiveDate, hour: u32, minute: u32) -> DateTime<Zone>;
}

impl At for Zone {
    fn at(self, day: NaiveDate, hour: u32, minute: u32) -> DateTime<Zone> {
        let local = day.and_time(NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default());
        // A time that a clock change skips is taken as UTC: a demo event an hour or two off, never a panic.
        self.from_local_datetime(&local)
            .earliest()
            .unwrap_or_else(|| self.from_utc_datetime(&local))
    }
}

/// An event's body under construction.
pub(super) struct Event(pub(super) Map<String, Value>);

pub(super) fn timed(summary: &str, start: DateTime<Zone>, minutes: i64) -> Event {
    Event(Map::new()).with("summary", summary).during(&start, minutes)
}

pub(super) fn all_day(summary: &str, first: NaiveDate, days: u64) -> Event {
    Event(Map::new())
        .with("summary", summary)
        .with("start", json!({ "date": first }))
        .with("end", json!({ "date": first + Days::new(days) }))
}

/// Google's own event type, with what it demands of one.
pub(super) fn birthday(summary: &str, id: &str, next: NaiveDate) -> Event {
    all_day(summary, next - Months::new(12), 1)
        .with("id", id)
        .with("eventType", "birthday")
        .with("birthdayProperties", json!({ "type": "birthday" }))
        .with("transparency", "transparent")
        .with("visibility", "private")
        .recurring(&["RRULE:FREQ=YEARLY"])
}

impl Event {
    pub(super) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.into(), value.into());
        self
    }

    pub(super) fn during(self, start: &DateTime<Zone>, minutes: i64) -> Self {
        let end = *start + TimeDelta::minutes(minutes);
        self.with("start", instant(start)).with("end", instant(&end))
    }

    pub(super) fn recurring(self, rules: &[&str]) -> Self {
        self.with("recurrence", rules)
    }

    /// The instance of `master` that would start at `original`.
    pub(super) fn exception(self, master: &str, original: &DateTime<Zone>) -> Self {
        let id = format!("{master}_{}", original.to_utc().format("%Y%m%dT%H%M%SZ"));
        self.with("id", id)
            .with("recurringEventId", master)
            .with("originalStartTime", instant(original))
    }

    pub(super) fn attendees(self, organizer: &str, guests: &[(&str, &str)]) -> Self {
        let list: Vec<Value> = guests
            .iter()
            .map(|(email, status)| {
                let mut guest = json!({ "email": email, "responseStatus": status });
                if *email == organizer {
                    guest["organizer"] = true.into();
                }
                guest
            })
            .collect();
        self.with("attendees", list)
    }

    /// A Meet link as Google shows it once the conference exists.
    pub(super) fn meet(self, code: &str) -> Self {
        let uri = format!("https://meet.google.com/{code}");
        let conference = json!({
            "conferenceId": code,
            "conferenceSolution": { "key": { "type": "hangoutsMeet" }, "name": "Google Meet" },
            "entryPoints": [{ "entryPointType": "video", "uri": uri, "label": format!("meet.google.com/{code}") }],
        });
        self.with("hangoutLink", uri).with("conferenceData", conference)
    }
}

pub(super) fn instant(time: &DateTime<Zone>) -> Value {
    json!({ "dateTime": time.to_rfc3339(), "timeZone": time.timezone().name() })
}

pub(super) fn bodies(events: Vec<Event>) -> Vec<Map<String, Value>> {
    events.into_iter().map(|event| event.0).collect()
}
