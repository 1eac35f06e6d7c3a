//! A browser's way to its messages: a WebSocket in Centrifugo's JSON protocol, one subscription, no recovery.
//!
//! For the canary, which wants to know whether a message gets to where browsers are. A browser itself uses `centrifuge-js`.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use url::Url;

/// Why the socket is of no use any more. Reads as one line.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("the socket cannot be opened or has broken: {0}")]
    Transport(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    #[error("Centrifugo closed the socket{0}")]
    Closed(String),
    #[error("Centrifugo refuses to {command}: {error}")]
    Refused { command: &'static str, error: String },
    #[error("Centrifugo said what is no reply: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl From<tokio_tungstenite::tungstenite::Error> for SocketError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::Transport(Box::new(error))
    }
}

/// An open connection. The caller bounds the time that everything takes.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_id: u64,
    pushed: VecDeque<Value>,
}

impl Socket {
    /// Opens it with a [connection token](crate::Tokens::connection).
    pub async fn open(url: &Url, token: &str) -> Result<Self, SocketError> {
        let (stream, _) = connect_async(url.as_str()).await?;
        let mut socket = Self {
            stream,
            last_id: 0,
            pushed: VecDeque::new(),
        };
        socket.call("connect", json!({ "token": token })).await?;
        Ok(socket)
    }

    /// Subscribes with a [subscription token](crate::Tokens::subscription): what is published from now on comes.
    pub async fn subscribe(&mut self, channel: &str, token: &str) -> Result<(), SocketError> {
        self.call("subscribe", json!({ "channel": channel, "token": token }))
            .await
    }

    /// The next publication's data, however long it takes.
    pub async fn next(&mut self) -> Result<Value, SocketError> {
        loop {
            while let Some(mut push) = self.pushed.pop_front() {
                if let Some(data) = push.pointer_mut("/pub/data") {
                    return Ok(data.take());
                }
            }
            for reply in self.read().await? {
                self.keep(reply);
            }
        }
    }

    async fn call(&mut self, command: &'static str, request: Value) -> Result<(), SocketError> {
        self.last_id += 1;
        let id = self.last_id;
        let text = json!({ "id": id, command: request }).to_string();
        self.stream.send(Message::text(text)).await?;
        loop {
            let mut answer = None;
            for reply in self.read().await? {
                if reply["id"].as_u64() == Some(id) {
                    answer = Some(reply);
                } else {
                    self.keep(reply);
                }
            }
            match answer {
                Some(reply) if reply.get("error").is_some() => {
                    let error = reply["error"].to_string();
                    return Err(SocketError::Refused { command, error });
                }
                Some(_) => return Ok(()),
                None => {}
            }
        }
    }

    fn keep(&mut self, mut reply: Value) {
        self.pushed.extend(reply.get_mut("push").map(Value::take));
    }

    /// The replies of one frame, a line each; an empty one is a ping.
    async fn read(&mut self) -> Result<Vec<Value>, SocketError> {
        loop {
            let message = self.stream.next().await;
            match message.ok_or_else(|| SocketError::Closed(String::new()))?? {
                Message::Text(text) => {
                    let replies: Vec<Value> = text
                        .lines()
                        .filter(|line| !line.is_empty())
                        .map(serde_json::from_str)
                        .collect::<Result<_, _>>()?;
                    if replies.contains(&json!({})) {
                        self.stream.send(Message::text("{}")).await?;
                    }
                    return Ok(replies);
                }
                Message::Close(frame) => {
                    let why = frame.map(|frame| format!(" ({} {})", frame.code, frame.reason));
                    return Err(SocketError::Closed(why.unwrap_or_default()));
                }
                _ => {}
            }
        }
    }
}
