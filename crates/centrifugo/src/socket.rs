//! A socket as a browser opens it, to find out whether one would work: handshake, tokens, and a message that comes back
//! ([`round_trip`]); or to see a user's messages where browsers see them ([`Subscription`]).
//!
//! Over the HTTP client's own connection, so that certificates are judged as everywhere else.

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

/// Where Centrifugo takes WebSockets, below its origin.
pub const PATH: &str = "/connection/websocket";
/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(5);
const TOKEN_LIFE: Duration = Duration::from_mins(1);
/// Centrifugo's error for a subscription that is not allowed.
const PERMISSION_DENIED: u64 = 103;

/// Why a browser's socket would not work. Each reads as one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the socket cannot be reached: {0}")]
    Unreachable(String),
    #[error("{0} is answered instead of a WebSocket")]
    NotASocket(StatusCode),
    #[error("pages of {0} may not open a socket")]
    OriginRefused(String),
    #[error("the token for the socket is not accepted: {0}")]
    TokenRefused(String),
    #[error("the token for the user's channel is not accepted: {0}")]
    SubscriptionRefused(String),
    #[error("a channel can be heard without a token for it")]
    Open,
    #[error("a message was published and did not come back within {} s", PATIENCE.as_secs())]
    Silent,
    #[error("nothing can be published: {0}")]
    Publish(#[from] crate::Error),
}

/// Opens a socket at `url` (`https://host/connection/websocket`) as a page of `origin` does, hears a message of its own, and
/// is refused what belongs to others.
pub async fn round_trip(
    client: &Client,
    tokens: &Tokens,
    url: &Url,
    origin: &str,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    // Nobody's: a person's id would be told what to forget.
    let user = UserId::parse(format!("calwire-check-{}", Uuid::new_v4()))
        .map_err(|error| Problem::Unreachable(error.to_string()))?;
    let mut socket = Socket::open(url, Some(origin)).await?;
    let token = tokens.connection(&user, now, TOKEN_LIFE);
    socket
        .call("connect", json!({ "token": token }))
        .await?
        .map_err(|refusal| Problem::TokenRefused(refusal.to_string()))?;

    let stranger = format!("{NAMESPACE}:calwire-check");
    match socket.call("subscribe", json!({ "channel": stranger })).await? {
        Err(refusal) if refusal["code"] == PERMISSION_DENIED => {}
        Err(refusal) => return Err(Problem::SubscriptionRefused(refusal.to_string())),
        Ok(()) => return Err(Problem::Open),
    }

    let channel = channel_of(&user);
    let token = tokens.subscription(&user, &channel, now, TOKEN_LIFE);
    socket
        .call("subscribe", json!({ "channel": channel, "token": token }))
        .await?
        .map_err(|refusal| Problem::SubscriptionRefused(refusal.to_string()))?;
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
    socket.hear(&check).await
}

/// A user's channel, open: what is published on it from now on comes.
pub struct Subscription(Socket);

impl Subscription {
    /// Opens a socket at `url`, as [`round_trip`] does, and subscribes to the channel of `user`. Good for a minute.
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
            .map_err(|refusal| Problem::TokenRefused(refusal.to_string()))?;
        let channel = channel_of(user);
        let token = tokens.subscription(user, &channel, now, TOKEN_LIFE);
        socket
            .call("subscribe", json!({ "channel": channel, "token": token }))
            .await?
            .map_err(|refusal| Problem::SubscriptionRefused(refusal.to_string()))?;
        Ok(Self(socket))
    }

    /// The next message's data, however long it takes.
    pub async fn next(&mut self) -> Result<Value, Problem> {
        let Self(socket) = self;
        loop {
            while !socket.pushed.is_empty() {
                let mut reply = socket.pushed.remove(0);
                if let Some(data) = reply.pointer_mut("/push/pub/data") {
                    return Ok(data.take());
                }
                if reply == json!({}) {
                    // A ping; who does not answer is taken for gone.
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
    /// What was pushed while an answer was waited for.
    pushed: Vec<Value>,
}

impl Socket {
    /// Without an `origin`, as a program that is no page.
    async fn open(url: &Url, origin: Option<&str>) -> Result<Self, Problem> {
        let http = reqwest::Client::builder()
            .connect_timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // A WebSocket begins as HTTP/1.1.
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
        let response = tokio::time::timeout(PATIENCE, request.send())
            .await
            .map_err(|_| Problem::Unreachable("no answer in time".into()))?
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

    /// The inner `Err` is Centrifugo's refusal, as it said it.
    async fn call(&mut self, command: &str, request: Value) -> Result<Result<(), Value>, Problem> {
        self.next_id += 1;
        let id = self.next_id;
        let text = json!({ "id": id, command: request }).to_string();
        self.stream.send(Message::text(text)).await.map_err(broken)?;
        loop {
            let replies = match self.read().await? {
                Frame::Replies(replies) => replies,
                // A token that is not accepted at all closes the socket.
                Frame::Closed(reason) => return Ok(Err(reason)),
            };
            for mut reply in replies {
                if reply["id"] == id {
                    return Ok(match reply.get_mut("error") {
                        Some(error) => Err(error.take()),
                        None => Ok(()),
                    });
                }
                self.pushed.push(reply);
            }
        }
    }

    async fn hear(&mut self, check: &str) -> Result<(), Problem> {
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
        tokio::time::timeout(PATIENCE, wait)
            .await
            .unwrap_or(Err(Problem::Silent))
    }

    async fn read(&mut self) -> Result<Frame, Problem> {
        let next = tokio::time::timeout(PATIENCE, self.stream.next())
            .await
            .map_err(|_| Problem::Silent)?;
        Ok(match next {
            Some(Ok(Message::Text(text))) => Frame::Replies(
                text.lines()
                    .filter_map(|line| serde_json::from_str(line).ok())
                    .collect(),
            ),
            Some(Ok(Message::Close(frame))) => Frame::Closed(told(frame.as_ref())),
            Some(Ok(_)) => Frame::Replies(Vec::new()),
            Some(Err(error)) => return Err(broken(error)),
            None => Frame::Closed(json!("the socket was closed")),
        })
    }
}

enum Frame {
    /// A frame holds several, a line each.
    Replies(Vec<Value>),
    Closed(Value),
}

fn told(frame: Option<&CloseFrame>) -> Value {
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
