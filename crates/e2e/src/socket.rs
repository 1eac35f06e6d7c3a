//! A browser's WebSocket to Centrifugo, by its JSON protocol: every frame is seen as it came.
//!
//! The real `centrifuge` package is run against the same stack by the conformance tests in `web/conformance`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::wait::PATIENCE;

/// One connection. Answers pings, keeps what is pushed.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next_id: u64,
    waiting: std::collections::VecDeque<Value>,
}

/// What a subscription began with.
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
        let mut socket = Self {
            stream,
            next_id: 0,
            waiting: std::collections::VecDeque::default(),
        };
        socket.call("connect", json!({"token": token})).await?;
        Ok(socket)
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

    /// The next change of events; what comes before it (a calendar list that has come in, a connection that has become
    /// healthy) is passed over.
    pub async fn next_change(&mut self) -> Result<Value> {
        loop {
            let message = self.next().await?;
            if message["type"] == "events.changed" {
                return Ok(message);
            }
        }
    }

    /// As [`Socket::next_change`], of an event with this title.
    pub async fn next_titled(&mut self, title: &str) -> Result<Value> {
        loop {
            let message = self.next_change().await?;
            if message["upserted"][0]["occurrences"][0]["title"] == title {
                return Ok(message);
            }
        }
    }

    /// The next publication's data, or none if there is none within `bound`.
    pub async fn next_within(&mut self, bound: Duration) -> Result<Option<Value>> {
        let deadline = tokio::time::Instant::now() + bound;
        loop {
            if let Some(push) = self.waiting.pop_front() {
                if let Some(publication) = push.get("pub") {
                    return Ok(Some(publication["data"].clone()));
                }
                continue;
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
        self.stream.send(Message::text(text)).await?;
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
                    bail!("Centrifugo refuses {command}: {}", reply["error"]);
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

    /// One frame's replies. Frames hold several, a line each; an empty one is a ping.
    async fn read(&mut self) -> Result<Vec<Value>> {
        loop {
            match self
                .stream
                .next()
                .await
                .context("Centrifugo closed the connection")??
            {
                Message::Text(text) => {
                    let replies: Vec<Value> = text
                        .lines()
                        .filter(|line| !line.is_empty())
                        .map(serde_json::from_str)
                        .collect::<Result<_, _>>()?;
                    if replies
                        .iter()
                        .any(|reply| reply.as_object().is_some_and(serde_json::Map::is_empty))
                    {
                        self.stream.send(Message::text("{}")).await?;
                    }
                    return Ok(replies);
                }
                Message::Close(frame) => bail!("Centrifugo closed the connection: {frame:?}"),
                _ => {}
            }
        }
    }
}
