//! A browser that follows the protocol: it applies the next seq, ignores a known one, and reloads on a gap.

use std::collections::BTreeMap;

use serde_json::Value;

use super::accounts::name;
use super::api::SimulatedApi;
use super::broker::Publication;
use super::plan::User;

pub struct Browser {
    user: User,
    pub seq: i64,
    window: Value,
    /// The instances of each series, by calendar and series.
    series: BTreeMap<(String, String), Vec<Value>>,
    /// How many publications to its channel it has received.
    received: usize,
    is_loaded: bool,
}

/// Events by calendar and id.
pub type EventsById = BTreeMap<(String, String), Value>;

impl Browser {
    pub const fn new(user: User) -> Self {
        Self {
            user,
            seq: 0,
            window: Value::Null,
            series: BTreeMap::new(),
            received: 0,
            is_loaded: false,
        }
    }

    /// Loads a snapshot.
    pub async fn reload(&mut self, api: &SimulatedApi) -> Result<(), String> {
        let state = state(api, self.user).await?;
        self.seq = state["seq"].as_i64().unwrap_or_default();
        self.window = state["window"].clone();
        self.series.clear();
        for event in state["events"].as_array().into_iter().flatten() {
            let key = (text(&event["calendarId"]), series_of(event));
            self.series.entry(key).or_default().push(event.clone());
        }
        self.is_loaded = true;
        Ok(())
    }

    /// Receives up to `count` more messages. Fails if a snapshot lacks an earlier publication.
    pub async fn receive(
        &mut self,
        api: &SimulatedApi,
        published: &[Publication],
        count: usize,
    ) -> Result<(), String> {
        if !self.is_loaded {
            self.reload(api).await?;
        }
        for message in published.iter().skip(self.received).take(count) {
            self.received += 1;
            self.apply(api, message).await?;
        }
        Ok(())
    }

    /// Marks its events as outdated: it loads a snapshot before it receives more.
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
    pub async fn receive_again(
        &mut self,
        api: &SimulatedApi,
        published: &[Publication],
    ) -> Result<(), String> {
        match published.get(self.received.saturating_sub(1)) {
            Some(message) if self.is_loaded => self.apply(api, message).await,
            _ => Ok(()),
        }
    }

    async fn apply(&mut self, api: &SimulatedApi, message: &Publication) -> Result<(), String> {
        if message.seq <= self.seq {
            return Ok(());
        }
        let data = &message.data;
        let is_next = message.seq == self.seq + 1;
        if !is_next || data["type"] != "events.changed" || data["window"] != self.window {
            self.reload(api).await?;
            if self.seq < message.seq {
                return Err(format!(
                    "message {} was published, but the snapshot ends at {}",
                    message.seq, self.seq
                ));
            }
            return Ok(());
        }
        self.seq = message.seq;
        let calendar = text(&data["calendarId"]);
        for series in data["upserted"].as_array().into_iter().flatten() {
            let instances = series["occurrences"].as_array().cloned().unwrap_or_default();
            let key = (calendar.clone(), text(&series["eventId"]));
            if instances.is_empty() {
                self.series.remove(&key);
            } else {
                self.series.insert(key, instances);
            }
        }
        for series in data["deleted"].as_array().into_iter().flatten() {
            self.series.remove(&(calendar.clone(), text(series)));
        }
        Ok(())
    }

    pub fn shown(&self) -> EventsById {
        by_id(self.series.values().flatten())
    }

    /// The events that it shows.
    pub fn events(&self) -> Vec<&Value> {
        self.series.values().flatten().collect()
    }

    pub fn window(&self) -> &Value {
        &self.window
    }
}

/// The answer of `realtime.getState`.
pub async fn state(api: &SimulatedApi, user: User) -> Result<Value, String> {
    api.query(name(user), "realtime.getState", &Value::Null).await
}

pub fn by_id<'a>(events: impl Iterator<Item = &'a Value>) -> EventsById {
    events
        .map(|event| ((text(&event["calendarId"]), text(&event["id"])), event.clone()))
        .collect()
}

fn series_of(event: &Value) -> String {
    text(if event["recurringEventId"].is_string() {
        &event["recurringEventId"]
    } else {
        &event["eventId"]
    })
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
