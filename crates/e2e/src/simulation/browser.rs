//! A browser that follows the protocol: it applies the next seq, ignores a known one, and reloads on a gap.

use std::collections::BTreeMap;

use anyhow::{Error, Result};
use serde_json::{Value, json};

use super::accounts::name;
use super::api::SimulatedApi;
use super::broker::Publication;
use super::ledger::{holds, violated};
use super::plan::User;
use crate::normal_form::HeldEvents;

pub struct Browser {
    user: User,
    pub seq: i64,
    /// Null: it has loaded nothing yet.
    stream_epoch: Value,
    window: Value,
    /// Those within `window`.
    events: HeldEvents,
    /// How many publications to its channel it has received.
    received: usize,
    is_loaded: bool,
}

/// Events by calendar and id.
pub type EventsById = BTreeMap<(String, String), Value>;

impl Browser {
    pub fn new(user: User) -> Self {
        Self {
            user,
            seq: 0,
            stream_epoch: Value::Null,
            window: Value::Null,
            events: HeldEvents::default(),
            received: 0,
            is_loaded: false,
        }
    }

    /// Loads a snapshot.
    pub async fn reload(&mut self, api: &SimulatedApi) -> Result<()> {
        let state = state(api, self.user).await?;
        self.take(&state);
        Ok(())
    }

    /// Loads what has changed since the events that it has.
    pub async fn refresh(&mut self, api: &SimulatedApi) -> Result<()> {
        if self.stream_epoch.is_null() {
            return self.reload(api).await;
        }
        let held = json!({"streamEpoch": self.stream_epoch, "seq": self.seq, "window": self.window});
        let input = json!({ "held": held });
        let state = query(api, self.user, "realtime.getState", &input).await?;
        if state["snapshot"].is_null() {
            self.add(api, &state).await
        } else {
            self.take(&state);
            Ok(())
        }
    }

    fn take(&mut self, state: &Value) {
        self.seq = state["seq"].as_i64().unwrap_or_default();
        self.stream_epoch = state["streamEpoch"].clone();
        self.window = state["window"].clone();
        self.events = HeldEvents::of_state(state);
        self.is_loaded = true;
    }

    /// Applies the messages of an answer without a snapshot, which have to complete what it has.
    async fn add(&mut self, api: &SimulatedApi, state: &Value) -> Result<()> {
        let (user, before) = (name(self.user), self.seq);
        for message in state["messages"].as_array().into_iter().flatten() {
            holds!(
                message["seq"] == self.seq + 1,
                "held_is_completed",
                "{user}: {} comes after {}",
                message["seq"],
                self.seq
            );
            match message["type"].as_str() {
                Some("write.resolved") => {}
                // The message was written on another day.
                Some("events.changed") if message["window"] != self.window => return self.reload(api).await,
                Some("events.changed") => self.events.apply(message),
                other => violated!("held_is_completed", "{user}: {other:?} cannot be applied"),
            }
            self.seq += 1;
        }
        let is_same = state["window"] == self.window && state["streamEpoch"] == self.stream_epoch;
        holds!(
            state["seq"] == self.seq && is_same,
            "held_is_completed",
            "{user}: from {before} of {} the messages lead to {} of {}",
            self.stream_epoch,
            self.seq,
            state["seq"]
        );
        self.is_loaded = true;
        Ok(())
    }

    /// Receives up to `count` more messages. Fails if a snapshot lacks an earlier publication.
    pub async fn receive(
        &mut self,
        api: &SimulatedApi,
        published: &[Publication],
        count: usize,
    ) -> Result<()> {
        if !self.is_loaded {
            self.refresh(api).await?;
        }
        for message in published.iter().skip(self.received).take(count) {
            self.received += 1;
            self.apply(api, message).await?;
        }
        Ok(())
    }

    /// Marks its events as outdated: it loads what it lacks before it receives more.
    pub fn unload(&mut self) {
        self.is_loaded = false;
    }

    /// The broker notices that messages were lost, and sends everything again.
    pub fn recover(&mut self) {
        self.received = 0;
    }

    /// The next message is lost.
    pub fn miss(&mut self, published: &[Publication]) {
        self.received = (self.received + 1).min(published.len());
    }

    /// The last message arrives again.
    pub async fn receive_again(&mut self, api: &SimulatedApi, published: &[Publication]) -> Result<()> {
        match published.get(self.received.saturating_sub(1)) {
            Some(message) if self.is_loaded => self.apply(api, message).await,
            _ => Ok(()),
        }
    }

    async fn apply(&mut self, api: &SimulatedApi, message: &Publication) -> Result<()> {
        if message.seq <= self.seq {
            return Ok(());
        }
        let data = &message.data;
        let is_next = message.seq == self.seq + 1;
        if !is_next || data["type"] != "events.changed" || data["window"] != self.window {
            self.refresh(api).await?;
            holds!(
                self.seq >= message.seq,
                "snapshot_covers_published",
                "{}: message {} was published, but the snapshot ends at {}",
                name(self.user),
                message.seq,
                self.seq
            );
            return Ok(());
        }
        self.seq = message.seq;
        self.events.apply(data);
        Ok(())
    }

    pub fn shown(&self) -> EventsById {
        by_id(self.events.iter())
    }

    /// The events that it shows.
    pub fn events(&self) -> Vec<&Value> {
        self.events.iter().collect()
    }

    pub fn window(&self) -> &Value {
        &self.window
    }
}

/// The answer of `realtime.getState`, with a snapshot.
pub async fn state(api: &SimulatedApi, user: User) -> Result<Value> {
    query(api, user, "realtime.getState", &Value::Null).await
}

pub async fn query(api: &SimulatedApi, user: User, path: &str, input: &Value) -> Result<Value> {
    api.query(name(user), path, input).await.map_err(Error::msg)
}

pub fn by_id<'a>(events: impl Iterator<Item = &'a Value>) -> EventsById {
    events
        .map(|event| ((text(&event["calendarId"]), text(&event["id"])), event.clone()))
        .collect()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
