//! A WebSocket as a browser opens it: to check that one works, with handshake, tokens and a message ([`round_trip`]), or to
//! receive a user's messages as browsers do ([`Subscription`]).
//!
//! It upgrades a connection of the HTTP client, so that certificates are verified as everywhere else.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::UserId;
use futures_util::{SinkExt, StreamExt};
use reqwest::{StatusCode, Upgraded};
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use url::Url;
use uuid::Uuid;

use crate::{Client, NAMESPACE, Publication, Tokens, channel_of};

/// The path of Centrifugo's WebSocket endpoint.
pub const PATH: &str = "/connection/websocket";
/// The timeout of each step.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
const TOKEN_LIFE: Duration = Duration::from_mins(1);
/// Centrifugo's error for a subscription that is not allowed.
const PERMISSION_DENIED: u64 = 103;

/// Why a browser's socket would not work. Each displays as one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the socket cannot be reached: {0}")]
    Unreachable(String),
    #[error("the server responded {0} instead of opening a WebSocket")]
    NotASocket(StatusCode),
    #[error("pages of {0} are not allowed to open a socket")]
    OriginRefused(String),
    #[error("the connection token was rejected: {0}")]
    TokenRefused(String),
    #[error("the subscription token was rejected: {0}")]
    SubscriptionRefused(String),
    #[error("a channel can be subscribed to without a token")]
    Open,
    #[error("a published message did not arrive within {} s", STEP_TIMEOUT.as_secs())]
    Silent,
    #[error("publishing failed: {0}")]
    Publish(#[from] crate::Error),
}

/// Opens a socket at `url` (`https://host/connection/websocket`) as a page of `origin`, receives a message of its own, and
/// checks that other channels are refused.
pub async fn round_trip(
    client: &Client,
    tokens: &Tokens,
    url: &Url,
    origin: &str,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    // A fictitious user: a real one's browsers would receive the message.
    let user = UserId::parse(format!("calwire-check-{}", Uuid::new_v4()))
        .map_err(|error| Problem::Unreachable(error.to_string()))?;
    let mut socket = Socket::open(url, Some(origin)).await?;
    let token = tokens.connection(&user, now, TOKEN_LIFE);
    socket
        .call("connect", json!({ "token": token }))
        .await?
        .or(Problem::TokenRefused)?;

    let stranger = format!("{NAMESPACE}:calwire-check");
    match socket.call("subscribe", json!({ "channel": stranger })).await? {
        CommandReply::Refused(reason) if reason["code"] == PERMISSION_DENIED => {}
        CommandReply::Refused(reason) => return Err(Problem::SubscriptionRefused(reason.to_string())),
        CommandReply::Accepted => return Err(Problem::Open),
    }

    let channel = channel_of(&user);
    let token = tokens.subscription(&user, &channel, now, TOKEN_LIFE);
    socket
        .call("subscribe", json!({ "channel": channel, "token": token }))
        .await?
        .or(Problem::SubscriptionRefused)?;
    let check = Uuid::new_v4().to_string();
    let data = json!({ "check": check }).to_string();
    let publication = Publication {
        channel: &channel,
        data: data.as_bytes(),
        idempotency_key: &check,
        version: 1,
        version_epoch: &check,
    };
    client.publish(publication).await?;
    socket.receive(&check).await
}

/// A subscription to a user's channel. Receives the messages that are published from now on.
pub struct Subscription(Socket);

impl Subscription {
    /// Opens a socket at `url` and subscribes to the channel of `user`. Valid for a minute.
    pub async fn open(
        tokens: &Tokens,
        url: &Url,
        user: &UserId,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let mut socket = Socket::open(url, None).await?;
        let token = tokens.connection(user, now, TOKEN_LIFE);
        socket
            .call("connect", json!({ "token": token }))
            .await?
            .or(Problem::TokenRefused)?;
        let channel = channel_of(user);
        let token = tokens.subscription(user, &channel, now, TOKEN_LIFE);
        socket
            .call("subscribe", json!({ "channel": channel, "token": token }))
            .await?
            .or(Problem::SubscriptionRefused)?;
        Ok(Self(socket))
    }

    /// The data of the next message. Waits without a timeout.
    pub async fn next(&mut self) -> Result<Value, Problem> {
        let Self(socket) = self;
        loop {
            while !socket.pushed.is_empty() {
                let mut reply = socket.pushed.remove(0);
                if let Some(data) = reply.pointer_mut("/push/pub/data") {
                    return Ok(data.take());
                }
                if reply == json!({}) {
                    // A ping. A client that does not respond is disconnected.
                    socket.stream.send(Message::text("{}")).await.map_err(broken)?;
                }
            }
            match socket.read().await {
                Ok(Frame::Replies(replies)) => socket.pushed = replies,
                Ok(Frame::Closed(reason)) => return Err(Problem::Unreachable(reason.to_string())),
                Err(Problem::Silent) => {}
                Err(problem) => return Err(problem),
            }
        }
    }
}

struct Socket {
    stream: WebSocketStream<Upgraded>,
    next_id: u64,
    /// Pushes that arrived while waiting for a reply.
    pushed: Vec<Value>,
}

impl Socket {
    /// Without an `origin`: as a program that is not a web page.
    async fn open(url: &Url, origin: Option<&str>) -> Result<Self, Problem> {
        let http = reqwest::Client::builder()
            .connect_timeout(STEP_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // A WebSocket starts as HTTP/1.1.
            .http1_only()
            .build()
            .map_err(|error| unreachable(&error))?;
        let mut request = http
            .get(url.clone())
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        if let Some(origin) = origin {
            request = request.header("Origin", origin);
        }
        let response = tokio::time::timeout(STEP_TIMEOUT, request.send())
            .await
            .map_err(|_| Problem::Unreachable("timeout".into()))?
            .map_err(|error| unreachable(&error))?;
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => {}
            StatusCode::FORBIDDEN => {
                return Err(Problem::OriginRefused(origin.unwrap_or("no origin").to_owned()));
            }
            status => return Err(Problem::NotASocket(status)),
        }
        let upgraded = response.upgrade().await.map_err(|error| unreachable(&error))?;
        Ok(Self {
            stream: WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await,
            next_id: 0,
            pushed: Vec::new(),
        })
    }

    /// Sends a command and waits for its reply.
    async fn call(&mut self, command: &str, request: Value) -> Result<CommandReply, Problem> {
        self.next_id += 1;
        let id = self.next_id;
        let text = json!({ "id": id, command: request }).to_string();
        self.stream.send(Message::text(text)).await.map_err(broken)?;
        loop {
            let replies = match self.read().await? {
                Frame::Replies(replies) => replies,
                // An invalid token closes the socket.
                Frame::Closed(reason) => return Ok(CommandReply::Refused(reason)),
            };
            for mut reply in replies {
                if reply["id"] == id {
                    return Ok(match reply.get_mut("error") {
                        Some(error) => CommandReply::Refused(error.take()),
                        None => CommandReply::Accepted,
                    });
                }
                self.pushed.push(reply);
            }
        }
    }

    async fn receive(&mut self, check: &str) -> Result<(), Problem> {
        let is_it = |push: &Value| push["push"]["pub"]["data"]["check"] == check;
        let wait = async {
            loop {
                if self.pushed.drain(..).any(|push| is_it(&push)) {
                    return Ok(());
                }
                match self.read().await? {
                    Frame::Replies(replies) => self.pushed = replies,
                    Frame::Closed(_) => return Err(Problem::Silent),
                }
            }
        };
        tokio::time::timeout(STEP_TIMEOUT, wait)
            .await
            .unwrap_or(Err(Problem::Silent))
    }

    async fn read(&mut self) -> Result<Frame, Problem> {
        let next = tokio::time::timeout(STEP_TIMEOUT, self.stream.next())
            .await
            .map_err(|_| Problem::Silent)?;
        Ok(match next {
            Some(Ok(Message::Text(text))) => Frame::Replies(
                text.lines()
                    .filter_map(|line| serde_json::from_str(line).ok())
                    .collect(),
            ),
            Some(Ok(Message::Close(frame))) => Frame::Closed(close_reason(frame.as_ref())),
            Some(Ok(_)) => Frame::Replies(Vec::new()),
            Some(Err(error)) => return Err(broken(error)),
            None => Frame::Closed(json!("the socket was closed")),
        })
    }
}

/// Centrifugo's reply to a command.
enum CommandReply {
    Accepted,
    /// With Centrifugo's reason.
    Refused(Value),
}

impl CommandReply {
    fn or(self, problem: fn(String) -> Problem) -> Result<(), Problem> {
        match self {
            Self::Accepted => Ok(()),
            Self::Refused(reason) => Err(problem(reason.to_string())),
        }
    }
}

enum Frame {
    /// A frame has one reply per line.
    Replies(Vec<Value>),
    Closed(Value),
}

fn close_reason(frame: Option<&CloseFrame>) -> Value {
    frame.map_or(
        json!("the socket was closed"),
        |frame| json!({ "code": u16::from(frame.code), "message": frame.reason.as_str() }),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn broken(error: tokio_tungstenite::tungstenite::Error) -> Problem {
    Problem::Unreachable(error.to_string())
}

fn unreachable(error: &reqwest::Error) -> Problem {
    Problem::Unreachable(crate::client::describe(error))
}
