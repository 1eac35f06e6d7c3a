//! A browser's WebSocket to Centrifugo in its JSON protocol, which shows every frame.
//!
//! The real `centrifuge` package is run against the same stack by the conformance tests in `web/conformance`.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::stream::SplitStream;
use futures_util::{Sink, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::rpc::Api;
use crate::wait::PATIENCE;

/// One connection. It answers pings and queues pushes even while no caller waits for one.
pub struct Socket {
    commands: UnboundedSender<Message>,
    frames: UnboundedReceiver<Result<Vec<Value>>>,
    tasks: [JoinHandle<()>; 2],
    next_id: u64,
    waiting: std::collections::VecDeque<Value>,
}

/// The reply to a subscription.
#[derive(Debug, Clone)]
pub struct Subscribed {
    pub offset: u64,
    pub epoch: String,
    pub recovered: bool,
    /// Publications recovered, oldest first.
    pub publications: Vec<Value>,
}

impl Socket {
    pub async fn connect(ws_url: &str, token: &str) -> Result<Self> {
        let (stream, _) = connect_async(ws_url).await?;
        let (sink, stream) = stream.split();
        let (commands, outgoing) = unbounded_channel();
        let (incoming, frames) = unbounded_channel();
        let mut socket = Self {
            tasks: [
                tokio::spawn(send(sink, outgoing)),
                tokio::spawn(receive(stream, incoming, commands.clone())),
            ],
            commands,
            frames,
            next_id: 0,
            waiting: std::collections::VecDeque::default(),
        };
        socket.call("connect", json!({"token": token})).await?;
        Ok(socket)
    }

    /// A socket of `api`'s user on the user's channel, as a page opens it; recovering as in [`Socket::subscribe`].
    pub async fn of_user(api: &Api, ws_url: &str, since: Option<(u64, &str)>) -> Result<(Self, Subscribed)> {
        let token = async |procedure: &str, input: Value| -> Result<String> {
            let answer = api.query(procedure, input).await?;
            Ok(answer["token"]
                .as_str()
                .with_context(|| format!("{procedure} gives no token"))?
                .to_owned())
        };
        let connection = token("realtime.getConnectionToken", Value::Null).await?;
        let mut socket = Self::connect(ws_url, &connection).await?;
        let channel = format!("calendar:{}", api.user);
        let subscription = token("realtime.getSubscriptionToken", json!({"channel": channel})).await?;
        let subscribed = socket.subscribe(&channel, &subscription, since).await?;
        Ok((socket, subscribed))
    }

    /// Subscribes, recovering from `since` (offset and epoch) when given. An error reply is an error.
    pub async fn subscribe(
        &mut self,
        channel: &str,
        token: &str,
        since: Option<(u64, &str)>,
    ) -> Result<Subscribed> {
        let mut request = json!({"channel": channel, "token": token});
        if let Some((offset, epoch)) = since {
            request["recover"] = true.into();
            request["offset"] = offset.into();
            request["epoch"] = epoch.into();
        }
        let reply = self.call("subscribe", request).await?;
        Ok(Subscribed {
            offset: reply["offset"].as_u64().unwrap_or_default(),
            epoch: reply["epoch"].as_str().unwrap_or_default().to_owned(),
            recovered: reply["recovered"].as_bool().unwrap_or_default(),
            publications: reply["publications"]
                .as_array()
                .map(|list| {
                    list.iter()
                        .map(|publication| publication["data"].clone())
                        .collect()
                })
                .unwrap_or_default(),
        })
    }

    /// The next publication's data.
    pub async fn next(&mut self) -> Result<Value> {
        self.next_within(PATIENCE).await?.context("no publication came")
    }

    /// The next change of events. Skips other messages, such as an imported calendar list or a healthy connection.
    pub async fn next_change(&mut self) -> Result<Value> {
        loop {
            let message = self.next().await?;
            if message["type"] == "events.changed" {
                return Ok(message);
            }
        }
    }

    /// As [`Socket::next_change`], for an event with this title.
    pub async fn next_titled(&mut self, title: &str) -> Result<Value> {
        loop {
            let message = self.next_change().await?;
            if message["upserted"][0]["events"][0]["title"] == title {
                return Ok(message);
            }
        }
    }

    /// The next publication's data, or none if there is none within `bound`.
    pub async fn next_within(&mut self, bound: Duration) -> Result<Option<Value>> {
        let deadline = tokio::time::Instant::now() + bound;
        while let Some(mut push) = self.push_before(deadline).await? {
            if let Some(publication) = push.get_mut("pub") {
                return Ok(Some(publication["data"].take()));
            }
        }
        Ok(None)
    }

    /// As [`Socket::next_within`], with the offset on the channel. An error if Centrifugo has ended the subscription.
    pub async fn publication_within(&mut self, bound: Duration) -> Result<Option<(Value, u64)>> {
        let deadline = tokio::time::Instant::now() + bound;
        while let Some(mut push) = self.push_before(deadline).await? {
            if let Some(publication) = push.get_mut("pub") {
                let offset = publication["offset"].as_u64().unwrap_or_default();
                return Ok(Some((publication["data"].take(), offset)));
            }
            if let Some(end) = push.get("unsubscribe").or_else(|| push.get("disconnect")) {
                bail!("{CLOSED}: {end}");
            }
        }
        Ok(None)
    }

    /// The next push, such as `{"pub": {data, offset}}` or `{"unsubscribe": {code}}`. None: there is none before `deadline`.
    pub async fn push_before(&mut self, deadline: tokio::time::Instant) -> Result<Option<Value>> {
        loop {
            if let Some(push) = self.waiting.pop_front() {
                return Ok(Some(push));
            }
            match tokio::time::timeout_at(deadline, self.read()).await {
                Err(_) => return Ok(None),
                Ok(replies) => self.keep_pushes(replies?),
            }
        }
    }

    async fn call(&mut self, command: &str, request: Value) -> Result<Value> {
        self.next_id += 1;
        let id = self.next_id;
        let text = json!({"id": id, command: request}).to_string();
        self.commands.send(Message::text(text)).context(CLOSED)?;
        loop {
            let replies = tokio::time::timeout(PATIENCE, self.read())
                .await
                .context("Centrifugo is silent")??;
            let (mine, others): (Vec<_>, Vec<_>) = replies
                .into_iter()
                .partition(|reply| reply["id"].as_u64() == Some(id));
            self.keep_pushes(others);
            if let Some(mut reply) = mine.into_iter().next() {
                if reply.get("error").is_some() {
                    bail!("Centrifugo refused {command}: {}", reply["error"]);
                }
                return Ok(reply[command].take());
            }
        }
    }

    fn keep_pushes(&mut self, replies: Vec<Value>) {
        self.waiting.extend(
            replies
                .into_iter()
                .filter_map(|mut reply| reply.get_mut("push").map(Value::take)),
        );
    }

    async fn read(&mut self) -> Result<Vec<Value>> {
        self.frames.recv().await.context(CLOSED)?
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

const CLOSED: &str = "Centrifugo closed the connection";

async fn send(mut sink: impl Sink<Message> + Unpin, mut commands: UnboundedReceiver<Message>) {
    while let Some(command) = commands.recv().await {
        if sink.send(command).await.is_err() {
            return;
        }
    }
}

async fn receive(
    mut stream: SplitStream<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    frames: UnboundedSender<Result<Vec<Value>>>,
    pongs: UnboundedSender<Message>,
) {
    while let Some(message) = stream.next().await {
        let frame = match read(message) {
            Ok(Some(replies)) => Ok(replies),
            Ok(None) => continue,
            Err(error) => Err(error),
        };
        let is_ping = |reply: &Value| reply.as_object().is_some_and(serde_json::Map::is_empty);
        let is_over = frame.is_err();
        let pinged = frame.as_ref().is_ok_and(|replies| replies.iter().any(is_ping));
        let is_lost = pinged && pongs.send(Message::text("{}")).is_err();
        if frames.send(frame).is_err() || is_over || is_lost {
            return;
        }
    }
}

/// The replies of a frame, a line each; an empty one is a ping.
fn read(message: Result<Message, Error>) -> Result<Option<Vec<Value>>> {
    match message? {
        Message::Text(text) => {
            let lines = text.lines().filter(|line| !line.is_empty());
            Ok(Some(lines.map(serde_json::from_str).collect::<Result<_, _>>()?))
        }
        Message::Close(frame) => Err(anyhow!("{CLOSED}: {frame:?}")),
        _ => Ok(None),
    }
}
