//! A person with a calendar, who writes as the page does, with several tabs open.

use anyhow::{Context, Result};
use chrono::TimeDelta;
use google_emulator::{MailKind, Resource};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::google::{self, account, now};
use crate::oracle::View;
use crate::rpc::{Answer, Api};
use crate::socket::Socket;
use crate::{Stack, wait};

/// A guest without a Google account, who receives mails.
pub const GUEST: &str = "guest@elsewhere.example";

/// A user with a Google account of their own, and its calendar.
#[derive(Clone)]
pub struct Person {
    pub api: Api,
    pub account: String,
    pub calendar: String,
}

/// One tab: its view and its socket.
pub struct Tab {
    pub socket: Socket,
    pub view: View,
}

impl Tab {
    pub async fn catch_up(&mut self) -> Result<()> {
        self.view.catch_up(&mut self.socket).await
    }
}

impl Person {
    /// A user of the stack, connected and watched.
    pub async fn of(stack: &Stack, user: &str) -> Result<Self> {
        let api = stack.connect_and_settle(user).await?;
        let account = account(user);
        let calendar = stack.calendar_id(user, &account).await?;
        Ok(Self {
            api,
            account,
            calendar,
        })
    }

    /// A new account with one calendar and these events (bodies of Google's), connected and watched.
    pub async fn new(stack: &Stack, user: &str, events: &Value) -> Result<Self> {
        let id = account(user);
        let primary = json!({"id": id, "summary": user, "timeZone": "Europe/Zurich", "primary": true, "events": events});
        google::add_account(&stack.google, user, &json!([primary]))?;
        Self::of(stack, user).await
    }

    pub async fn tab(&self, stack: &Stack) -> Result<Tab> {
        let (socket, _) = stack.browser(&self.api).await?;
        let view = View::load(&self.api).await?;
        Ok(Tab { socket, view })
    }

    /// The calendar's events from yesterday to six weeks ahead, as the API reads them from the mirror.
    pub async fn shown(&self) -> Result<Vec<Value>> {
        let (from, to) = (now() - TimeDelta::days(1), now() + TimeDelta::days(42));
        let range = json!({"from": from, "to": to, "calendarIds": [self.calendar]});
        let mut answer = self.api.query("calendar.google.getEvents", range).await?;
        let events = answer["events"].as_array_mut().map(std::mem::take);
        events.context("an answer has events")
    }

    /// The first event of [`Person::shown`] with this title.
    pub async fn titled(&self, title: &str) -> Result<Value> {
        let shown = self.shown().await?;
        let found = shown.iter().find(|event| event["title"] == title).cloned();
        found.with_context(|| format!("there is no {title:?} in {shown:#?}"))
    }

    /// Waits until the mirror shows this title.
    pub async fn sees(&self, title: &str) -> Value {
        wait::until(&format!("{title:?} is shown"), async || {
            self.titled(title).await.ok()
        })
        .await
    }

    /// Calls `calendar.google.<verb>` for this calendar.
    pub async fn write(&self, verb: &str, input: &Value) -> Result<Answer> {
        self.api.attempt(&format!("calendar.google.{verb}"), input).await
    }

    /// The answer of a write that has to succeed.
    pub async fn call(&self, verb: &str, input: &Value) -> Result<Value> {
        self.write(verb, input).await?.done().context(verb.to_owned())
    }

    /// The input of a create, with a new key.
    pub fn create_input(&self, event: &Value) -> Value {
        self.input(json!({"event": event}))
    }

    /// The input of an update of an event as it was shown.
    pub fn update_input(&self, shown: &Value, patch: &Value) -> Value {
        self.input(json!({"eventId": shown["id"], "baseEtag": shown["etag"], "patch": patch}))
    }

    pub fn delete_input(&self, shown: &Value) -> Value {
        self.input(json!({"eventId": shown["id"], "baseEtag": shown["etag"]}))
    }

    fn input(&self, mut input: Value) -> Value {
        input["idempotencyKey"] = Uuid::new_v4().to_string().into();
        input["calendarId"] = self.calendar.clone().into();
        input["sendUpdates"] = "all".into();
        input
    }

    /// Google's events, without deleted ones.
    pub fn in_google(&self, stack: &Stack) -> Vec<Resource> {
        let mut events = stack.google.events(&self.account);
        events.retain(|event| event["status"] != "cancelled");
        events
    }

    /// The mails of this calendar to the guest.
    pub fn mailed(&self, stack: &Stack) -> Vec<MailKind> {
        let mails = stack.google.mails();
        mails
            .into_iter()
            .filter(|mail| mail.calendar == self.account && mail.to == GUEST)
            .map(|mail| mail.kind)
            .collect()
    }
}

/// An event of an hour that begins in `ahead` hours, in the API's names.
pub fn hour(title: &str, ahead: i64) -> Value {
    let event = google::timed(title, TimeDelta::hours(ahead), "Europe/Zurich");
    json!({
        "title": title, "start": event["start"]["dateTime"], "end": event["end"]["dateTime"], "timeZone": "Europe/Zurich",
    })
}

/// The same in Google's names, with [`GUEST`].
pub fn with_guest(title: &str, ahead: i64) -> Value {
    let mut event = google::timed(title, TimeDelta::hours(ahead), "Europe/Zurich");
    event["attendees"] = json!([{"email": GUEST}]);
    event
}
