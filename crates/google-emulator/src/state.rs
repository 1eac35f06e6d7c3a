//! All that the emulator knows, behind one mutex.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::error::{ApiError, Result};
use crate::faults::Faults;
use crate::grants::Grants;
use crate::log::Log;
use crate::push::Channels;
use crate::seed::{AccessRole, Seed, SeedCalendar};
use crate::settings::Settings;
use crate::store::{Collection, Resource, Revision, text};
use crate::{event_write, time};
use zones::Zone;

#[derive(Debug)]
pub struct State {
    /// Where this emulator is reached, without a slash at the end; links in resources start with it.
    pub base_url: String,
    pub clock: Clock,
    pub settings: Settings,
    pub users: BTreeMap<String, User>,
    pub calendars: BTreeMap<String, Calendar>,
    pub grants: Grants,
    pub channels: Channels,
    pub faults: Faults,
    pub log: Log,
    revision: Revision,
    last_etag: u64,
}

/// A Google account.
#[derive(Debug)]
pub struct User {
    /// Google's stable account number, made of the address.
    pub sub: String,
    pub name: String,
    pub calendar_list: Collection,
}

/// A calendar's events and what is the same for all who see it.
#[derive(Debug)]
pub struct Calendar {
    pub zone: Zone,
    pub summary: String,
    pub description: Option<String>,
    /// The account whose primary calendar this is, or the first that has it as `owner`.
    pub owner: String,
    pub push_supported: bool,
    pub events: Collection,
}

impl State {
    pub fn new(base_url: String, settings: Settings) -> Self {
        Self {
            base_url,
            clock: Clock::default(),
            settings,
            users: BTreeMap::new(),
            calendars: BTreeMap::new(),
            grants: Grants::default(),
            channels: Channels::default(),
            faults: Faults::default(),
            log: Log::default(),
            revision: 0,
            last_etag: 0,
        }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The revision of the newest write.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub(crate) fn next_revision(&mut self) -> Revision {
        self.revision += 1;
        self.revision
    }

    /// Quoted, opaque, different for every version; Google's look like twice the time in microseconds.
    pub(crate) fn next_etag(&mut self) -> Value {
        let by_time = u64::try_from(self.now().timestamp_micros() * 2).unwrap_or(0);
        self.last_etag = by_time.max(self.last_etag + 2);
        Value::from(format!("\"{}\"", self.last_etag))
    }

    pub fn user(&self, email: &str) -> Result<&User> {
        self.users.get(email).ok_or_else(ApiError::not_found)
    }

    /// `primary` is the account's own address.
    pub fn calendar_id<'a>(email: &'a str, calendar: &'a str) -> &'a str {
        if calendar == "primary" { email } else { calendar }
    }

    /// A user's role on a calendar: `None` (404) when it is not in the user's list.
    pub fn role(&self, email: &str, calendar: &str) -> Option<AccessRole> {
        let entry = &self.users.get(email)?.calendar_list.head(calendar)?.body;
        if entry.contains_key("deleted") {
            return None;
        }
        serde_json::from_value(entry.get("accessRole")?.clone()).ok()
    }

    /// The calendar, if the user sees it, with the user's role on it.
    pub fn visible(&self, email: &str, calendar: &str) -> Result<(&Calendar, AccessRole)> {
        let role = self.role(email, calendar).ok_or_else(ApiError::not_found)?;
        let calendar = self.calendars.get(calendar).ok_or_else(ApiError::not_found)?;
        Ok((calendar, role))
    }

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
        crate::push::calendar_list_changed(self, email);
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

    /// From now on every sync token of this calendar (or of everything) answers 410.
    pub fn expire_sync_tokens(&mut self, calendar: Option<&str>) {
        let floor = self.next_revision();
        for (id, each) in &mut self.calendars {
            if calendar.is_none_or(|calendar| calendar == id) {
                each.events.floor = floor;
            }
        }
        if calendar.is_none() {
            for user in self.users.values_mut() {
                user.calendar_list.floor = floor;
            }
        }
    }

    pub(crate) fn updated(&self) -> Value {
        time::stamp(self.now())
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

/// The address that stands in a resource's `creator` or `organizer`.
pub(crate) fn email_of<'a>(event: &'a Resource, role: &str) -> Option<&'a str> {
    text(event.get(role)?.as_object()?, "email")
}
