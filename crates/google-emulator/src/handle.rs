//! The emulator's own API for tests in the same process: a person's actions in Google, and state for assertions.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{ApiError, Result};
use crate::event_view::{find, instance, instance_id};
use crate::event_write::{self, Writer};
use crate::faults::Rule;
use crate::log::{Change, Mail, Received, Sent};
use crate::oauth::{Decision, Denied, decide};
use crate::paging::SyncToken;
use crate::push::Diverted;
use crate::recurrence::Series;
use crate::seed::SeedCalendar;
use crate::state::State;
use crate::store::{Resource, Revision, is_cancelled};
use crate::{Client, Emulator, Shared, event_list, scopes};

/// The tokens of a completed OAuth flow.
#[derive(Debug, Clone, Serialize)]
pub struct Tokens {
    pub access_token: String,
    pub refresh_token: String,
    /// Seconds the access token lives.
    pub expires_in: i64,
    /// Separated by spaces.
    pub scope: String,
}

impl Emulator {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// The base of Calendar v3, with a slash at the end.
    pub fn calendar_url(&self) -> String {
        format!("{}/calendar/v3/", self.shared.base_url)
    }

    pub fn auth_url(&self) -> String {
        format!("{}/o/oauth2/v2/auth", self.shared.base_url)
    }

    pub fn token_url(&self) -> String {
        format!("{}/token", self.shared.base_url)
    }

    pub fn revoke_url(&self) -> String {
        format!("{}/revoke", self.shared.base_url)
    }

    pub fn userinfo_url(&self) -> String {
        format!("{}/oauth2/v3/userinfo", self.shared.base_url)
    }

    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// Reads or changes the whole state; requests are blocked during the call.
    pub fn with<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        use_state(&mut self.shared.state())
    }

    /// Everything as it was at the start.
    pub fn reset(&self) -> Result<()> {
        self.shared.reset()
    }

    /// Tokens of an account without its consent page.
    pub fn mint(&self, user: &str, scopes: &[&str]) -> Result<Tokens> {
        self.shared.mint(user, &scopes.join(" "))
    }

    /// Decides on the consent page for an authorisation URL (or its query) and returns where the browser is sent.
    pub fn authorize(&self, url: &str, decision: &Decision) -> std::result::Result<String, Denied> {
        self.shared.authorize(url, decision)
    }

    /// Withdraws all that an account has granted, as in its Google account settings.
    pub fn revoke(&self, user: &str) {
        self.with(|state| state.grants.revoke(user));
    }

    /// Ends the access tokens of an account; its refresh tokens live on.
    pub fn expire_access_tokens(&self, user: &str) {
        self.with(|state| state.grants.expire_access(Some(user)));
    }

    /// Creates an event in Google; `calendar` may be `primary`. Returns the stored event.
    pub fn insert(&self, user: &str, calendar: &str, body: impl Into<Value>) -> Result<Resource> {
        let body = object(body.into())?;
        self.with(|state| event_write::insert(state, &Writer::new(user, calendar), &body))
    }

    /// Adds an event that no client may create, such as one from Gmail, as a seed does.
    pub fn receive(&self, user: &str, calendar: &str, body: impl Into<Value>) -> Result<()> {
        let body = object(body.into())?;
        self.with(|state| event_write::seed(state, user, calendar, &body))
    }

    /// Changes an event or an instance (`<master>_20261122T090000Z`).
    pub fn patch(
        &self,
        user: &str,
        calendar: &str,
        event: &str,
        patch: impl Into<Value>,
    ) -> Result<Resource> {
        let patch = object(patch.into())?;
        self.with(|state| event_write::patch(state, &Writer::new(user, calendar), event, &patch))
    }

    /// Deletes an event or cancels an instance.
    pub fn delete(&self, user: &str, calendar: &str, event: &str) -> Result<()> {
        self.with(|state| event_write::delete(state, &Writer::new(user, calendar), event).map(drop))
    }

    /// An event or instance as it is stored, deleted or not.
    pub fn event(&self, calendar: &str, event: &str) -> Option<Resource> {
        self.with(|state| find(state.calendars.get(calendar)?, event))
    }

    /// All instances of a series that are not deleted, wherever they have been moved; an event that does not repeat is its
    /// own.
    pub fn instances(&self, calendar: &str, event: &str) -> Vec<Resource> {
        self.with(|state| {
            let Some(calendar) = state.calendars.get(calendar) else {
                return Vec::new();
            };
            let Some(master) = find(calendar, event) else {
                return Vec::new();
            };
            let Ok(Some(series)) = Series::of(&master, calendar.zone) else {
                return Some(master)
                    .filter(|event| !is_cancelled(event))
                    .into_iter()
                    .collect();
            };
            let starts = series.starts(None, None, calendar.zone);
            let instances = starts.iter().filter_map(|start| {
                let id = instance_id(event, start);
                match calendar.events.head(&id) {
                    Some(_) => find(calendar, &id),
                    // `find` would expand the whole series for each.
                    None => Some(instance(&master, &series, start, calendar.zone)),
                }
            });
            instances.filter(|instance| !is_cancelled(instance)).collect()
        })
    }

    /// The events of a fully synchronized client: masters, exceptions and single events that are not deleted,
    /// and cancelled instances.
    pub fn events(&self, calendar: &str) -> Vec<Resource> {
        self.with(|state| state.truth(calendar, state.revision()))
    }

    /// As [`Self::events`], or with a sync token those of a client synchronized up to it, without copying them. Empty if the
    /// text is no sync token.
    pub fn map_events<T>(
        &self,
        calendar: &str,
        sync_token: Option<&str>,
        map: impl Fn(&Resource) -> T,
    ) -> Vec<T> {
        self.with(|state| {
            let revision = match sync_token {
                Some(token) => SyncToken::decode(token).map(|token| token.revision),
                None => Some(state.revision()),
            };
            let found = state.calendars.get(calendar).zip(revision);
            let events = found.map(|(calendar, revision)| event_list::truth(calendar, revision));
            events.unwrap_or_default().into_iter().map(map).collect()
        })
    }

    /// The events of a client synchronized up to this `nextSyncToken`; `None` when it is no sync token.
    pub fn events_at(&self, calendar: &str, sync_token: &str) -> Option<Vec<Resource>> {
        let revision = SyncToken::decode(sync_token)?.revision;
        Some(self.with(|state| state.truth(calendar, revision)))
    }

    /// The revision of the newest write; sync tokens hold it.
    pub fn revision(&self) -> Revision {
        self.with(|state| state.revision())
    }

    /// Puts a calendar into a user's list.
    pub fn add_calendar(&self, user: &str, calendar: &SeedCalendar) -> Result<()> {
        self.with(|state| state.add_calendar(user, calendar))
    }

    /// Takes a calendar out of a user's list.
    pub fn remove_calendar(&self, user: &str, calendar: &str) -> Result<()> {
        self.with(|state| state.remove_entry(user, calendar))
    }

    /// Changes a user's entry for a calendar; another `accessRole` ends the calendar's sync tokens.
    pub fn patch_calendar(&self, user: &str, calendar: &str, patch: impl Into<Value>) -> Result<Resource> {
        let patch = object(patch.into())?;
        self.with(|state| state.patch_entry(user, calendar, &patch))
    }

    /// From now on the sync tokens given so far answer 410, those of one calendar or all.
    pub fn expire_sync_tokens(&self, calendar: Option<&str>) {
        self.with(|state| state.expire_sync_tokens(calendar));
    }

    /// Adds a fault and returns its id.
    pub fn fault(&self, rule: Rule) -> String {
        self.with(|state| state.faults.add(rule).id)
    }

    pub fn clear_fault(&self, id: &str) -> bool {
        self.with(|state| state.faults.remove(id))
    }

    pub fn clear_faults(&self) {
        self.with(|state| state.faults.clear());
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.with(|state| state.now())
    }

    /// Moves the emulator's clock forward: tokens and channels expire.
    pub fn advance(&self, by: TimeDelta) {
        self.with(|state| state.clock.advance(by));
    }

    /// The requests received, oldest first.
    pub fn requests(&self) -> Vec<Received> {
        self.with(|state| state.log.requests.iter().cloned().collect())
    }

    /// The requests to one endpoint, such as `events.list` or `oauth.token`.
    pub fn requests_to(&self, endpoint: &str) -> Vec<Received> {
        self.with(|state| {
            state
                .log
                .requests
                .iter()
                .filter(|each| each.endpoint == endpoint)
                .cloned()
                .collect()
        })
    }

    /// The tries to deliver pushes, oldest first.
    pub fn pushes(&self) -> Vec<Sent> {
        self.with(|state| state.log.pushes.iter().cloned().collect())
    }

    /// The mails to guests and organizers, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.with(|state| state.log.mails.iter().cloned().collect())
    }

    /// The changes that clients made to events since the last call, oldest first. Those of people in Google are not among
    /// them.
    pub fn take_changes(&self) -> Vec<Change> {
        self.with(|state| state.log.changes.drain(..).collect())
    }

    pub fn clear_log(&self) {
        self.with(|state| {
            state.log.changes.clear();
            state.log.mails.clear();
            state.log.requests.clear();
            state.log.pushes.clear();
        });
    }

    /// From now on no push is sent: each is handed over instead, in the call that causes it, for a test to deliver when and
    /// as often as it likes.
    pub fn divert_pushes(&self) -> tokio::sync::mpsc::UnboundedReceiver<Diverted> {
        self.with(|state| state.channels.divert())
    }

    /// The live channels, without their tokens.
    pub fn channels(&self) -> Vec<Value> {
        self.with(|state| state.live_channels())
    }
}

impl Shared {
    pub(crate) fn mint(&self, user: &str, scope: &str) -> Result<Tokens> {
        let mut state = self.state();
        state.user(user)?;
        let (now, granted) = (state.now(), scopes::parse(scope));
        let expires_in = state.settings.access_token_seconds;
        Ok(Tokens {
            access_token: state.grants.issue_access(user, &granted, now, expires_in),
            refresh_token: state.grants.issue_refresh(user, &granted, now),
            expires_in,
            scope: scopes::join(&granted),
        })
    }

    /// An access token alone: consents and refresh tokens stay as they are.
    pub(crate) fn mint_access(&self, user: &str, scope: &str) -> Result<Value> {
        let mut state = self.state();
        state.user(user)?;
        let (now, granted) = (state.now(), scopes::parse(scope));
        let expires_in = state.settings.access_token_seconds;
        let token = state.grants.issue_access(user, &granted, now, expires_in);
        Ok(json!({ "access_token": token, "expires_in": expires_in, "scope": scopes::join(&granted) }))
    }

    pub(crate) fn authorize(&self, url: &str, decision: &Decision) -> std::result::Result<String, Denied> {
        let query = url.split_once('?').map_or(url, |(_, query)| query);
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        decide(&mut self.state(), &self.client, query, decision)
    }
}

impl State {
    pub(crate) fn truth(&self, calendar: &str, revision: Revision) -> Vec<Resource> {
        let Some(calendar) = self.calendars.get(calendar) else {
            return Vec::new();
        };
        event_list::truth(calendar, revision)
            .into_iter()
            .cloned()
            .collect()
    }

    pub(crate) fn live_channels(&self) -> Vec<Value> {
        let now = self.now();
        self.channels
            .live()
            .filter(|channel| channel.expires > now)
            .map(crate::push::Channel::to_json)
            .collect()
    }
}

fn object(value: Value) -> Result<Resource> {
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(ApiError::bad_request("parseError", "Parse Error")),
    }
}
