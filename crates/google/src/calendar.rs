//! The calendar list and the watch channels.

use std::time::Duration;

use chrono::{DateTime, Utc};
use google_calendar3::api;
use secrecy::{ExposeSecret, SecretString};

use crate::classify::{Endpoint, transient};
use crate::hub::{Observer, path_segment};
use crate::{Error, Google};

/// The most entries that `calendarList.list` returns on one page.
const CALENDAR_LIST_PAGE: i32 = 250;

/// The position in a listing. The default starts a full one. Both tokens are sent with every later page of an incremental
/// listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListCursor {
    /// From the last page of the previous listing.
    pub sync_token: Option<String>,
    /// From the previous page of this listing.
    pub page_token: Option<String>,
}

/// How a listing continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// There is another page, even if this one is empty.
    Page(String),
    /// This was the last page. The token lists the changes from here on.
    Sync(String),
}

impl Next {
    pub(crate) fn of(page: Option<String>, sync: Option<String>) -> Result<Self, Error> {
        match (page, sync) {
            (Some(token), _) => Ok(Self::Page(token)),
            (None, Some(token)) => Ok(Self::Sync(token)),
            (None, None) => Err(transient("a page with neither a page token nor a sync token")),
        }
    }
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Next,
}

/// A calendar as one user sees it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "Google's own fields, independent of each other"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CalendarListEntry {
    pub id: String,
    /// The user's own name for it, where there is one.
    pub summary: String,
    pub description: Option<String>,
    /// An IANA zone.
    pub time_zone: Option<String>,
    pub color_id: Option<String>,
    /// `#rrggbb`, as the foreground.
    pub background_color: Option<String>,
    pub foreground_color: Option<String>,
    /// `freeBusyReader`, `reader`, `writerWithoutPrivateAccess`, `writer`, `owner`, or one that Google adds later.
    pub access_role: String,
    pub primary: bool,
    /// Ticked in Google Calendar.
    pub selected: bool,
    pub hidden: bool,
    /// Removed from the list (incremental listings only). The other fields may be empty.
    pub deleted: bool,
}

/// A channel to be created.
#[derive(Debug, Clone)]
pub struct NewChannel<'a> {
    /// At most 64 characters of `A–Z a–z 0–9 - _ + / =`, never used before in this project.
    pub id: &'a str,
    /// At most 256 characters. Google sends it with every push, which proves that the push is Google's.
    pub token: &'a SecretString,
    /// An https address.
    pub address: &'a str,
    /// The requested lifetime. Google may grant less.
    pub ttl: Duration,
}

/// A channel that Google created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Google's opaque id of the watched resource; needed to stop the channel.
    pub resource_id: String,
    /// None: absent from Google's answer.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Google {
    /// One page of the account's calendars, hidden ones included.
    ///
    /// `showDeleted` is never sent: with a sync token, removed entries are always included.
    pub async fn calendar_list(
        &self,
        access: &SecretString,
        cursor: &ListCursor,
    ) -> Result<Page<CalendarListEntry>, Error> {
        let hub = self.0.hub.hub(access)?;
        let mut observer = Observer::new(Endpoint::Listing);
        let mut call = hub
            .calendar_list()
            .list()
            .show_hidden(true)
            .max_results(CALENDAR_LIST_PAGE)
            .param("prettyPrint", "false");
        if let Some(token) = &cursor.sync_token {
            call = call.sync_token(token);
        }
        if let Some(token) = &cursor.page_token {
            call = call.page_token(token);
        }
        let (_, list) = self
            .0
            .hub
            .bounded(call.delegate(&mut observer).doit())
            .await?
            .map_err(|error| observer.explain(&error))?;
        Ok(Page {
            items: list
                .items
                .unwrap_or_default()
                .into_iter()
                .filter_map(entry)
                .collect(),
            next: Next::of(list.next_page_token, list.next_sync_token)?,
        })
    }

    /// Opens a channel on the events of a calendar. The first push may come before this returns.
    pub async fn watch_events(
        &self,
        access: &SecretString,
        google_calendar_id: &str,
        channel: &NewChannel<'_>,
    ) -> Result<Channel, Error> {
        let hub = self.0.hub.hub(access)?;
        let mut observer = Observer::new(Endpoint::Channel);
        let call = hub
            .events()
            .watch(request(channel), &path_segment(google_calendar_id)?)
            .param("prettyPrint", "false")
            .delegate(&mut observer);
        let answer = self.0.hub.bounded(call.doit()).await?;
        created(answer.map(|(_, channel)| channel), &observer)
    }

    /// Opens a channel on the account's list of calendars.
    pub async fn watch_calendar_list(
        &self,
        access: &SecretString,
        channel: &NewChannel<'_>,
    ) -> Result<Channel, Error> {
        let hub = self.0.hub.hub(access)?;
        let mut observer = Observer::new(Endpoint::Channel);
        let call = hub
            .calendar_list()
            .watch(request(channel))
            .param("prettyPrint", "false")
            .delegate(&mut observer);
        let answer = self.0.hub.bounded(call.doit()).await?;
        created(answer.map(|(_, channel)| channel), &observer)
    }

    /// Closes a channel. Pushes may still arrive for a while. [`Error::NotFound`]: it is closed already, or never existed.
    pub async fn stop_channel(
        &self,
        access: &SecretString,
        channel_id: &str,
        resource_id: &str,
    ) -> Result<(), Error> {
        let hub = self.0.hub.hub(access)?;
        let mut observer = Observer::new(Endpoint::Channel);
        let channel = api::Channel {
            id: Some(channel_id.to_owned()),
            resource_id: Some(resource_id.to_owned()),
            ..api::Channel::default()
        };
        let call = hub.channels().stop(channel).delegate(&mut observer);
        let answer = self.0.hub.bounded(call.doit()).await?;
        answer.map(|_| ()).map_err(|error| observer.explain(&error))
    }
}

fn request(channel: &NewChannel<'_>) -> api::Channel {
    api::Channel {
        id: Some(channel.id.to_owned()),
        type_: Some("web_hook".to_owned()),
        address: Some(channel.address.to_owned()),
        token: Some(channel.token.expose_secret().to_owned()),
        params: Some([("ttl".to_owned(), channel.ttl.as_secs().to_string())].into()),
        ..api::Channel::default()
    }
}

fn created(answer: google_calendar3::Result<api::Channel>, observer: &Observer) -> Result<Channel, Error> {
    let channel = match answer {
        Ok(channel) => channel,
        Err(error) => observer
            .unreadable_channel()
            .ok_or_else(|| observer.explain(&error))?,
    };
    Ok(Channel {
        resource_id: channel
            .resource_id
            .ok_or_else(|| transient("a channel without a resource id"))?,
        expires_at: channel.expiration.and_then(DateTime::from_timestamp_millis),
    })
}

/// None for an entry without an id.
fn entry(entry: api::CalendarListEntry) -> Option<CalendarListEntry> {
    Some(CalendarListEntry {
        id: entry.id?,
        summary: entry.summary_override.or(entry.summary).unwrap_or_default(),
        description: entry.description,
        time_zone: entry.time_zone,
        color_id: entry.color_id,
        background_color: entry.background_color,
        foreground_color: entry.foreground_color,
        access_role: entry.access_role.unwrap_or_default(),
        primary: entry.primary.unwrap_or_default(),
        selected: entry.selected.unwrap_or_default(),
        hidden: entry.hidden.unwrap_or_default(),
        deleted: entry.deleted.unwrap_or_default(),
    })
}
