//! The fields as JSON: the body of a write to Google, and a conflict for the browser.

use serde_json::{Map, Value, json};

use super::{Conference, Field, Fields, Guest};
use crate::wire::Reminders;

impl Fields {
    /// The fields as a conflict shows them, under the names of an [`Event`](crate::wire::Event).
    pub fn to_conflict(&self) -> Value {
        let mut shown = Map::new();
        shown.insert("title".into(), json!(self.title));
        if let Some(Value::Object(when)) = self.when.map(|when| json!(when)) {
            shown.extend(when);
        }
        shown.insert("description".into(), json!(self.description));
        shown.insert("location".into(), json!(self.location));
        shown.insert("colorId".into(), json!(self.color_id));
        let guests = self.attendees.iter().map(|(email, guest)| {
            json!({"email": email, "optional": guest.optional, "displayName": guest.display_name})
        });
        shown.insert("attendees".into(), guests.collect());
        shown.insert("recurrence".into(), json!(self.recurrence));
        shown.insert("reminders".into(), json!(self.reminders));
        let url = match &self.conference {
            Conference::At(url) => Some(url),
            Conference::None | Conference::Pending | Conference::Requested => None,
        };
        shown.insert("conferenceUrl".into(), json!(url));
        shown.insert("transparency".into(), json!(self.transparency));
        shown.insert("visibility".into(), json!(self.visibility()));
        shown.into()
    }

    /// The body of a write that turns `before` (an event as Google sent it, with `fields`) into this: the fields that differ
    /// and no others. `request_id` identifies the request for a Meet link, so that a retry does not create another.
    pub fn write_over(&self, before: &Value, fields: &Self, request_id: &str) -> Map<String, Value> {
        let mut body = Map::new();
        for field in self.differing(fields) {
            match field {
                Field::Title => drop(body.insert("summary".into(), json!(self.title))),
                Field::When => body.extend(self.times_over(before, fields)),
                Field::Description => drop(body.insert("description".into(), json!(self.description))),
                Field::Location => drop(body.insert("location".into(), json!(self.location))),
                Field::ColorId => drop(body.insert("colorId".into(), json!(self.color_id))),
                Field::Attendees => drop(body.insert("attendees".into(), self.guests_over(before))),
                Field::Recurrence => drop(body.insert("recurrence".into(), json!(self.recurrence))),
                Field::Reminders => drop(body.insert("reminders".into(), self.google_reminders())),
                Field::Conference => drop(body.insert("conferenceData".into(), self.meet(request_id))),
                Field::Transparency => drop(body.insert("transparency".into(), json!(self.transparency))),
                Field::Visibility => drop(body.insert("visibility".into(), json!(self.visibility()))),
            }
        }
        let has_zone = before["start"]["dateTime"].is_null() || !before["start"]["timeZone"].is_null();
        if body.contains_key("recurrence") && !body.contains_key("start") && !has_zone {
            body.extend(self.times_over(before, fields));
        }
        body
    }

    /// Start and end. An event that Google serves without a zone is given none, unless its zone was changed: only the times
    /// of a repeating event need one (`start.timeZone` in
    /// <https://developers.google.com/workspace/calendar/api/v3/reference/events#resource>).
    fn times_over(&self, before: &Value, fields: &Self) -> Vec<(String, Value)> {
        let Some(when) = self.when else { return Vec::new() };
        let stays = self.recurrence.is_empty() && fields.when.is_some_and(|old| old.zones() == when.zones());
        let mut times = Vec::from(when.google_patch());
        for (key, time) in &mut times {
            let old = &before[key.as_str()];
            if stays
                && !old["dateTime"].is_null()
                && old["timeZone"].is_null()
                && let Value::Object(time) = time
            {
                time.remove("timeZone");
            }
        }
        times
    }

    fn visibility(&self) -> &str {
        self.visibility.as_deref().unwrap_or("default")
    }

    /// Google's list, edited. A write replaces the whole list, and Google knows more of a guest than an edit does. A guest
    /// without an address cannot be edited, and stays.
    fn guests_over(&self, before: &Value) -> Value {
        let mut new = self.attendees.clone();
        let mut guests = Vec::new();
        for known in before["attendees"].as_array().into_iter().flatten() {
            let Some(email) = known["email"].as_str().map(str::to_lowercase) else {
                guests.push(known.clone());
                continue;
            };
            if let (Value::Object(known), Some(guest)) = (known, new.remove(&email)) {
                guests.push(edited(known.clone(), &guest));
            }
        }
        guests.extend(new.into_iter().map(|(email, guest)| {
            let invited = Map::from_iter([("email".to_owned(), json!(email))]);
            edited(invited, &guest)
        }));
        guests.into()
    }

    fn google_reminders(&self) -> Value {
        let default = Reminders {
            use_default: true,
            overrides: Vec::new(),
        };
        let reminders = self.reminders.as_ref().unwrap_or(&default);
        if reminders.use_default {
            // Google rejects overrides beside the defaults, and a patch would keep the existing ones.
            json!({"useDefault": true, "overrides": null})
        } else {
            json!({"useDefault": false, "overrides": reminders.overrides})
        }
    }

    fn meet(&self, request_id: &str) -> Value {
        match self.conference {
            Conference::None => Value::Null,
            Conference::Pending | Conference::Requested | Conference::At(_) => json!({"createRequest": {
                "requestId": request_id, "conferenceSolutionKey": {"type": "hangoutsMeet"}}}),
        }
    }
}

/// Google's entry of a guest, edited. A value that is as before is not written.
fn edited(mut entry: Map<String, Value>, guest: &Guest) -> Value {
    if entry.get("optional").and_then(Value::as_bool).unwrap_or(false) != guest.optional {
        entry.insert("optional".into(), json!(guest.optional));
    }
    if let Some(name) = &guest.display_name {
        entry.insert("displayName".into(), json!(name));
    }
    entry.into()
}
