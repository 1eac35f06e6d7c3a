//! All that the emulator knows, behind one mutex.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::clock::Clock;
use crate::error::{ApiError, Result};
use crate::faults::Faults;
use crate::grants::Grants;
use crate::log::Log;
use crate::push::Channels;
use crate::seed::AccessRole;
use crate::settings::Settings;
use crate::store::{Collection, Resource, Revision, text};
use crate::time;
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
    /// Google's stable account number, derived from the address.
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

/// The address that stands in a resource's `creator` or `organizer`.
pub(crate) fn email_of<'a>(event: &'a Resource, role: &str) -> Option<&'a str> {
    text(event.get(role)?.as_object()?, "email")
}
