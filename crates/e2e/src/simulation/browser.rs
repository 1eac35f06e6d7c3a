//! A browser that keeps a calendar by the rules of the protocol: the next seq is applied, a known one is ignored, a gap
//! reloads.

use std::collections::BTreeMap;

use serde_json::Value;

use super::api::Api;
use super::broker::Told;
use super::plan::User;
use super::world::name;

pub struct Browser {
    user: User,
    pub seq: i64,
    window: Value,
    /// Calendar and series, and the instances of it.
    series: BTreeMap<(String, String), Vec<Value>>,
    /// How much of what its channel was told it has heard.
    heard: usize,
    is_loaded: bool,
}

/// What a browser shows, or should: by calendar and id.
pub type Shown = BTreeMap<(String, String), Value>;

impl Browser {
    pub const fn new(user: User) -> Self {
        Self {
            user,
            seq: 0,
            window: Value::Null,
            series: BTreeMap::new(),
            heard: 0,
            is_loaded: false,
        }
    }

    /// Reads everything anew.
    pub async fn reload(&mut self, api: &Api) -> Result<(), String> {
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

    /// Hears up to `count` messages more. Fails when a snapshot does not hold what was told before it.
    pub async fn hear(&mut self, api: &Api, told: &[Told], count: usize) -> Result<(), String> {
        if !self.is_loaded {
            self.reload(api).await?;
        }
        for message in told.iter().skip(self.heard).take(count) {
            self.heard += 1;
            self.apply(api, message).await?;
        }
        Ok(())
    }

    /// What it shows is out of date; it reads everything anew before it hears more.
    pub fn unload(&mut self) {
        self.is_loaded = false;
    }

    /// The broker notices that messages did not come through, and sends what came since again.
    pub fn recover(&mut self) {
        self.heard = 0;
    }

    /// The next message does not come through.
    pub fn miss(&mut self, told: &[Told]) {
        self.heard = (self.heard + 1).min(told.len());
    }

    /// The last message comes again.
    pub async fn hear_again(&mut self, api: &Api, told: &[Told]) -> Result<(), String> {
        match told.get(self.heard.saturating_sub(1)) {
            Some(message) if self.is_loaded => self.apply(api, message).await,
            _ => Ok(()),
        }
    }

    async fn apply(&mut self, api: &Api, message: &Told) -> Result<(), String> {
        if message.seq <= self.seq {
            return Ok(());
        }
        let data = &message.data;
        let is_next = message.seq == self.seq + 1;
        if !is_next || data["type"] != "events.changed" || data["window"] != self.window {
            self.reload(api).await?;
            if self.seq < message.seq {
                return Err(format!(
                    "message {} was told, and the snapshot ends at {}",
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

    pub fn shown(&self) -> Shown {
        by_id(self.series.values().flatten())
    }

    /// The events that it shows, for somebody to choose from.
    pub fn events(&self) -> Vec<&Value> {
        self.series.values().flatten().collect()
    }

    pub fn window(&self) -> &Value {
        &self.window
    }
}

/// What `realtime.getState` answers.
pub async fn state(api: &Api, user: User) -> Result<Value, String> {
    api.query(name(user), "realtime.getState", &Value::Null).await
}

pub fn by_id<'a>(events: impl Iterator<Item = &'a Value>) -> Shown {
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
