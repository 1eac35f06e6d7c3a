//! A user's page: it follows the protocol over a network that fails, and checks every frame.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::record::Record;
use crate::normal_form::{self, HeldEvents};
use crate::oracle::{Shown, shown};
use crate::rpc::Api;
use crate::socket::Socket;

/// Bound on a call or an attempt to connect, as in a browser.
const PATIENCE: Duration = Duration::from_secs(8);
/// Before a socket is opened again.
const AGAIN: Duration = Duration::from_millis(150);

pub struct Page {
    keeper: Arc<Keeper>,
    task: JoinHandle<()>,
}

/// The state of a page at a moment.
pub struct Look {
    pub is_live: bool,
    pub seq: i64,
    pub shown: Shown,
}

impl Page {
    /// Opens a page, which loads and connects by itself.
    pub fn open(name: String, api: Api, socket_url: String, record: Arc<Record>) -> Self {
        let keeper = Arc::new(Keeper {
            name,
            api,
            socket_url,
            record,
            state: Mutex::default(),
        });
        let task = tokio::spawn({
            let keeper = keeper.clone();
            async move { keeper.keep().await }
        });
        Self { keeper, task }
    }

    pub fn name(&self) -> &str {
        &self.keeper.name
    }

    pub fn look(&self) -> Look {
        let state = self.keeper.state();
        Look {
            is_live: state.is_live,
            seq: state.seq,
            shown: shown(state.events.iter()),
        }
    }

    /// The event of this id as it is shown.
    pub fn event(&self, id: &str) -> Option<Value> {
        let state = self.keeper.state();
        let mut events = state.events.iter();
        events.find(|event| event["eventId"] == id).cloned()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeper {
    name: String,
    api: Api,
    socket_url: String,
    record: Arc<Record>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_live: bool,
    seq: i64,
    window: Value,
    /// Those within `window`.
    events: HeldEvents,
    /// The position on the channel from which it resumes.
    position: Option<(u64, String)>,
    /// Every message received, by its seq.
    received: BTreeMap<i64, String>,
}

impl Keeper {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep(&self) {
        loop {
            // The next session resumes where this one ended, for whatever reason.
            let _ = self.session().await;
            self.state().is_live = false;
            sleep(AGAIN).await;
        }
    }

    async fn session(&self) -> Result<()> {
        let channel = format!("calendar:{}", self.api.user);
        let token = self.token("realtime.getConnectionToken", Value::Null).await?;
        let mut socket = timeout(PATIENCE, Socket::connect(&self.socket_url, &token)).await??;
        self.record.counts().sockets += 1;
        let token = self
            .token("realtime.getSubscriptionToken", json!({"channel": channel}))
            .await?;
        let known = self.state().position.clone();
        let (offset, epoch) = match known {
            Some(position) => position,
            None => self.load(true).await?.context("a position was requested")?,
        };
        let subscribe = socket.subscribe(&channel, &token, Some((offset, &epoch)));
        let subscribed = timeout(PATIENCE, subscribe).await??;
        if subscribed.recovered {
            for message in &subscribed.publications {
                self.receive(message).await?;
            }
        } else {
            // The socket queues messages from now on, so none is missed between.
            self.load(false).await?;
        }
        {
            let mut state = self.state();
            state.position = Some((subscribed.offset, subscribed.epoch));
            state.is_live = true;
        }
        loop {
            let Some((message, offset)) = socket.publication_within(Duration::from_secs(1)).await? else {
                continue;
            };
            self.receive(&message).await?;
            if let Some(position) = &mut self.state().position {
                position.0 = offset;
            }
        }
    }

    async fn token(&self, path: &str, input: Value) -> Result<String> {
        let answer = self.query(path, input).await?;
        Ok(answer["token"].as_str().context("no token")?.to_owned())
    }

    async fn query(&self, path: &str, input: Value) -> Result<Value> {
        timeout(PATIENCE, self.api.query(path, input)).await?
    }

    /// Loads a snapshot; with `live`, returns the position on the channel that it belongs to.
    async fn load(&self, live: bool) -> Result<Option<(u64, String)>> {
        let loaded = self.query("realtime.getState", json!({ "live": live })).await?;
        self.record.counts().loads += 1;
        let mut state = self.state();
        let seq = loaded["seq"].as_i64().context("a state has a seq")?;
        let last = state.received.last_key_value().map_or(0, |(seq, _)| *seq);
        if seq < last {
            self.record.broken(
                "committed_before_published",
                format!(
                    "{}: {last} was published, but a snapshot ends at {seq}",
                    self.name
                ),
            );
        }
        state.seq = seq;
        state.window = loaded["window"].clone();
        state.events = HeldEvents::of_state(&loaded);
        state.events.iter().for_each(|event| self.is_own(event));
        let position = loaded["offset"].as_u64().zip(loaded["epoch"].as_str());
        Ok(position.map(|(offset, epoch)| (offset, epoch.to_owned())))
    }

    async fn receive(&self, message: &Value) -> Result<()> {
        let seq = message["seq"].as_i64().context("a message has a seq")?;
        let text = message.to_string();
        let before = {
            let mut state = self.state();
            self.record.counts().messages += 1;
            if let Some(known) = state.received.insert(seq, text.clone())
                && known != text
            {
                let detail = format!("{}: {seq} was {known}, and is {text}", self.name);
                self.record.broken("published_as_one", detail);
            }
            state.seq
        };
        if seq <= before {
            return Ok(());
        }
        if seq > before + 1 {
            let detail = format!("{}: {seq} comes after {before}", self.name);
            self.record.broken("nothing_skipped", detail);
        }
        let is_next = seq == before + 1;
        match message["type"].as_str() {
            Some("events.changed") if is_next && message["window"] == self.state().window => {
                self.apply(seq, message);
            }
            // The write's changes were published before.
            Some("write.resolved") if is_next => self.state().seq = seq,
            Some(_) => {
                self.load(false).await?;
                if self.state().seq < seq {
                    bail!("the snapshot is older than the message that caused it");
                }
            }
            None => return Err(anyhow!("a message without a type: {text}")),
        }
        Ok(())
    }

    fn apply(&self, seq: i64, message: &Value) {
        let mut state = self.state();
        state.seq = seq;
        for event in normal_form::upserted(message) {
            self.is_own(&event);
        }
        state.events.apply(message);
    }

    /// Every title begins with its owner's name.
    fn is_own(&self, event: &Value) {
        let title = event["title"].as_str().unwrap_or_default();
        if !title.starts_with(&self.api.user) {
            let detail = format!("{} is shown {title:?}", self.name);
            self.record.broken("only_its_user", detail);
        }
    }
}
