//! Accounts and their calendar lists.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{ApiError, Result};
use crate::seed::{AccessRole, Seed, SeedCalendar};
use crate::shared::Shared;
use crate::state::{Calendar, State, User};
use crate::store::{Collection, Resource, text};
use crate::{event_write, push};
use zones::Zone;

impl Shared {
    /// Everything as it was at the start, the clock included.
    pub fn reset(&self) -> Result<()> {
        let mut fresh = State::new(self.base_url.clone(), self.settings.clone());
        fresh.load(&self.seed)?;
        *self.state() = fresh;
        Ok(())
    }
}

impl State {
    /// Adds the accounts, calendars and events of a seed to what is there.
    pub fn load(&mut self, seed: &Seed) -> Result<()> {
        for user in &seed.users {
            self.add_user(&user.email, &user.name);
            for calendar in &user.calendars {
                self.add_calendar(&user.email, calendar)?;
            }
        }
        Ok(())
    }

    pub fn add_user(&mut self, email: &str, name: &str) {
        let user = self.users.entry(email.to_owned()).or_insert_with(|| User {
            sub: account_number(email),
            name: String::new(),
            calendar_list: Collection::default(),
        });
        let name = if name.is_empty() { email } else { name };
        name.clone_into(&mut user.name);
    }

    /// Puts a calendar into a user's list, makes it if it is new, and adds its events.
    pub fn add_calendar(&mut self, email: &str, seed: &SeedCalendar) -> Result<()> {
        self.user(email)?;
        let zone: Zone = seed.time_zone.parse().map_err(|_| {
            ApiError::bad_request("invalid", format!("Invalid time zone: {}", seed.time_zone))
        })?;
        let calendar = self.calendars.entry(seed.id.clone()).or_insert_with(|| Calendar {
            zone,
            summary: seed.summary.clone(),
            description: seed.description.clone(),
            owner: String::new(),
            push_supported: true,
            events: Collection::default(),
        });
        if seed.access_role == AccessRole::Owner && (seed.primary || calendar.owner.is_empty()) {
            email.clone_into(&mut calendar.owner);
        }
        calendar.push_supported &= seed.push_supported;
        self.put_entry(email, &seed.id, list_entry(email, seed));
        // Exceptions refer to their masters, wherever in the file those stand.
        let (exceptions, others): (Vec<_>, Vec<_>) = seed
            .events
            .iter()
            .partition(|event| event.contains_key("recurringEventId"));
        for event in others.into_iter().chain(exceptions) {
            event_write::seed(self, email, &seed.id, event).map_err(|mut error| {
                let name = text(event, "id")
                    .or(text(event, "summary"))
                    .unwrap_or("without id and summary");
                error.message = format!("{}, event {name}: {}", seed.id, error.message);
                error
            })?;
        }
        Ok(())
    }

    /// Writes a user's calendar list entry and notifies the channels of that list.
    pub(crate) fn put_entry(&mut self, email: &str, calendar: &str, mut entry: Resource) {
        let etag = self.next_etag();
        let revision = self.next_revision();
        entry.insert("etag".into(), etag);
        if let Some(user) = self.users.get_mut(email) {
            user.calendar_list.put(calendar, revision, entry);
        }
        push::calendar_list_changed(self, email);
    }

    /// Changes one entry: `null` removes a field. Losing or gaining rights ends the calendar's sync tokens.
    pub fn patch_entry(&mut self, email: &str, calendar: &str, patch: &Resource) -> Result<Resource> {
        let old = self
            .user(email)?
            .calendar_list
            .head(calendar)
            .ok_or_else(ApiError::not_found)?;
        let mut entry = Resource::clone(&old.body);
        let role = entry.get("accessRole").cloned();
        crate::store::merge(&mut entry, patch);
        let acl_changed = entry.get("accessRole") != role.as_ref();
        self.put_entry(email, calendar, entry);
        if acl_changed {
            self.expire_sync_tokens(Some(calendar));
        }
        let entry = self
            .user(email)?
            .calendar_list
            .head(calendar)
            .ok_or_else(ApiError::not_found)?;
        Ok(Resource::clone(&entry.body))
    }

    /// Takes a calendar out of a user's list.
    pub fn remove_entry(&mut self, email: &str, calendar: &str) -> Result<()> {
        self.role(email, calendar).ok_or_else(ApiError::not_found)?;
        let tombstone = json!({ "kind": "calendar#calendarListEntry", "id": calendar, "deleted": true });
        let Value::Object(tombstone) = tombstone else {
            return Ok(());
        };
        self.put_entry(email, calendar, tombstone);
        Ok(())
    }
}

fn list_entry(email: &str, seed: &SeedCalendar) -> Resource {
    let mut entry = json!({
        "kind": "calendar#calendarListEntry",
        "id": seed.id,
        "summary": seed.summary,
        "timeZone": seed.time_zone,
        "colorId": crate::colors::nearest_calendar_color(&seed.background_color),
        "backgroundColor": seed.background_color,
        "foregroundColor": seed.foreground_color,
        "selected": true,
        "accessRole": seed.access_role.as_str(),
        "defaultReminders": [],
        "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
    });
    if let Some(description) = &seed.description {
        entry["description"] = json!(description);
    }
    if seed.primary {
        entry["primary"] = json!(true);
        entry["defaultReminders"] = json!([{ "method": "popup", "minutes": 30 }]);
    }
    if seed.access_role == AccessRole::Owner {
        entry["dataOwner"] = json!(email);
    }
    match entry {
        Value::Object(entry) => entry,
        _ => Resource::new(),
    }
}

/// 21 digits, always the same for an address, as Google's `sub`.
fn account_number(email: &str) -> String {
    let digest = Sha256::digest(email.as_bytes());
    let number = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("1{number:020}")
}
