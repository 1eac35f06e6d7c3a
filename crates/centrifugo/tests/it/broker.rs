//! Tests against a real Centrifugo with the deployed configuration.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::time::Duration;

use centrifugo::testing::Server;
use centrifugo::{AUDIENCE, Client, Error, ISSUER, MAX_DATA_LEN, NAMESPACE, Publication, Tokens, channel_of};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock::Clock;
use common::config::SecretKey;
use common::ids::UserId;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

const MINUTE: Duration = Duration::from_mins(1);

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn publication<'a>(channel: &'a str, data: &'a [u8], key: &'a str, version: u64) -> Publication<'a> {
    Publication {
        channel,
        data,
        idempotency_key: key,
        version,
        version_epoch: "epoch-1",
    }
}

/// A browser's socket without an SDK: sends commands and receives every reply and push.
struct Socket {
    stream: tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>,
    /// Messages of the last frame: Centrifugo may send several in one, a line each.
    read: VecDeque<Value>,
}

impl Socket {
    async fn open(server: &Server, connect_token: &str) -> Self {
        let (stream, _) = tokio_tungstenite::connect_async(server.websocket_url())
            .await
            .unwrap();
        let mut socket = Self {
            stream,
            read: VecDeque::new(),
        };
        socket
            .send(&json!({"id": 1, "connect": {"token": connect_token}}))
            .await;
        socket
    }

    async fn subscribe(&mut self, channel: &str, token: Option<&str>) {
        let mut command = json!({"id": 2, "subscribe": {"channel": channel}});
        if let Some(token) = token {
            command["subscribe"]["token"] = token.into();
        }
        self.send(&command).await;
    }

    async fn send(&mut self, command: &Value) {
        self.stream
            .send(Message::text(command.to_string()))
            .await
            .unwrap();
    }

    /// The next message that is no ping, or the code with which the server closed the socket.
    async fn next(&mut self) -> Result<Value, u16> {
        loop {
            if let Some(message) = self.read.pop_front() {
                return Ok(message);
            }
            let frame = tokio::time::timeout(Duration::from_secs(5), self.stream.next())
                .await
                .expect("a frame within 5 s");
            match frame {
                Some(Ok(Message::Text(text))) => {
                    let lines = text.lines().filter(|&line| line != "{}");
                    self.read
                        .extend(lines.map(|line| serde_json::from_str::<Value>(line).unwrap()));
                }
                Some(Ok(Message::Close(Some(close)))) => return Err(close.code.into()),
                Some(Ok(_)) => {}
                ended => panic!("the socket ended without a code: {ended:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_publication_reaches_only_its_user_and_once() {
    let server = Server::start().await;
    let (client, tokens) = (server.client(), server.tokens());
    let (alice, bob) = (user("alice"), user("auth0|bob@example.com"));
    let channel = channel_of(&alice);

    let mut socket = Socket::open(&server, &tokens.connection(&alice, now(), MINUTE)).await;
    let connected = socket.next().await.unwrap();
    let ttl = connected["connect"]["ttl"].as_u64().unwrap();
    assert!(
        (50..=60).contains(&ttl),
        "a connection expires with its token: {connected}"
    );
    socket
        .subscribe(
            &channel,
            Some(&tokens.subscription(&alice, &channel, now(), MINUTE)),
        )
        .await;
    let subscribed = socket.next().await.unwrap();
    assert_eq!(subscribed["subscribe"]["recoverable"], true, "{subscribed}");
    assert_eq!(
        subscribed["subscribe"].get("expires"),
        None,
        "the subscription itself does not expire"
    );

    let before = client.history_position(&channel).await.unwrap();
    let first = publication(&channel, br#"{"v":1,"seq":1}"#, "key-1", 1);
    let position = client.publish(first).await.unwrap();
    assert_eq!((before.offset, position.offset), (0, 1));
    assert_eq!(before.epoch, position.epoch);
    assert_eq!(
        client.publish(first).await.unwrap(),
        position,
        "the same key is the same publication"
    );
    let stale = publication(&channel, br#"{"v":1,"seq":1}"#, "another-key", 1);
    assert_eq!(
        client.publish(stale).await.unwrap(),
        position,
        "an old version goes nowhere"
    );
    client
        .publish(publication(&channel, br#"{"v":1,"seq":2}"#, "key-2", 2))
        .await
        .unwrap();
    for seq in [1, 2] {
        let push = socket.next().await.unwrap();
        assert_eq!(push["push"]["channel"], channel);
        assert_eq!(push["push"]["pub"]["data"], json!({"v": 1, "seq": seq}));
    }
    let info = client.info().await.unwrap();
    assert_eq!(info.nodes.len(), 1);
    assert!(info.nodes[0].version.starts_with("6."), "{info:?}");

    // Bob connects as himself. Without a token for the channel he is refused; with Alice's he is disconnected.
    let connect = tokens.connection(&bob, now(), MINUTE);
    let mut socket = Socket::open(&server, &connect).await;
    socket.next().await.unwrap();
    socket.subscribe(&channel, None).await;
    assert_eq!(socket.next().await.unwrap()["error"]["code"], 103);
    socket
        .subscribe(
            &channel,
            Some(&tokens.subscription(&alice, &channel, now(), MINUTE)),
        )
        .await;
    assert_eq!(socket.next().await, Err(3500));
    let mut socket = Socket::open(&server, &connect).await;
    socket.next().await.unwrap();
    let own = channel_of(&bob);
    socket
        .subscribe(&own, Some(&tokens.subscription(&bob, &own, now(), MINUTE)))
        .await;
    assert!(
        socket.next().await.unwrap()["subscribe"].is_object(),
        "a user id may have . _ | @ -"
    );

    client.disconnect(&bob).await.unwrap();
    assert_eq!(socket.next().await, Err(3503));
}

#[tokio::test]
async fn expired_tokens_and_those_of_another_kind_are_rejected() {
    let server = Server::start().await;
    let alice = user("alice");
    let tokens = server.tokens();

    let expired = tokens.connection(&alice, now() - TimeDelta::minutes(5), MINUTE);
    let mut socket = Socket::open(&server, &expired).await;
    assert_eq!(socket.next().await.unwrap()["error"]["code"], 109);

    let subscription = tokens.subscription(&alice, &channel_of(&alice), now(), MINUTE);
    let mut socket = Socket::open(&server, &subscription).await;
    assert_eq!(
        socket.next().await,
        Err(3500),
        "a subscription token does not connect"
    );

    let others = Tokens::new(&SecretKey::parse("OTHER", "o".repeat(40)).unwrap());
    let mut socket = Socket::open(&server, &others.connection(&alice, now(), MINUTE)).await;
    assert_eq!(socket.next().await, Err(3500), "another secret does not connect");
}

/// A JWT with any claims, signed with the broker's own secret.
fn signed(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(Server::token_secret().expose().as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

#[tokio::test]
async fn tokens_of_the_host_application_are_rejected() {
    let server = Server::start().await;
    let at = now().timestamp();
    let of_ours = json!({"sub": "alice", "aud": AUDIENCE, "iss": ISSUER, "iat": at, "exp": at + 60});
    let mut socket = Socket::open(&server, &signed(&of_ours)).await;
    assert!(
        socket.next().await.unwrap()["connect"].is_object(),
        "so it is the claims that are refused"
    );
    let good = signed(&of_ours);
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let claims_part = good.split('.').nth(1).unwrap();
    let changed = |name: &str, value: Value| {
        let mut claims = of_ours.clone();
        claims[name] = value;
        signed(&claims)
    };
    for (what, token) in [
        ("of the host application", changed("aud", json!("calwire"))),
        ("of another issuer", changed("iss", json!("https://app.example"))),
        ("without a signature", format!("{unsigned}.{claims_part}.")),
        (
            "with another's signature",
            format!("{}x", &good[..good.len() - 4]),
        ),
        ("of nothing", "x.y.z".to_owned()),
    ] {
        let mut socket = Socket::open(&server, &token).await;
        assert_eq!(socket.next().await, Err(3500), "a token {what}");
    }
}

#[tokio::test]
async fn a_subscription_needs_a_token_for_its_channel() {
    let server = Server::start().await;
    let (alice, bob) = (user("alice"), user("bob"));
    let tokens = server.tokens();
    for (what, channel, token) in [
        ("no token", channel_of(&alice), None),
        (
            "another user's token",
            channel_of(&alice),
            Some(tokens.subscription(&alice, &channel_of(&alice), now(), MINUTE)),
        ),
        (
            "a token for one's own channel",
            channel_of(&alice),
            Some(tokens.subscription(&bob, &channel_of(&bob), now(), MINUTE)),
        ),
        (
            "the token of the connection",
            channel_of(&alice),
            Some(tokens.connection(&bob, now(), MINUTE)),
        ),
        ("no namespace", "alice".to_owned(), None),
        ("a channel by its users", "calendar:x#bob".to_owned(), None),
        ("a private channel", "$calendar:alice".to_owned(), None),
    ] {
        let mut socket = Socket::open(&server, &tokens.connection(&bob, now(), MINUTE)).await;
        socket.next().await.unwrap();
        socket.subscribe(&channel, token.as_deref()).await;
        let refused = match socket.next().await {
            Ok(reply) => reply["error"]["code"].is_u64(),
            Err(code) => code == 3500,
        };
        assert!(refused, "{what} for {channel}");
    }
}

#[tokio::test]
async fn errors_are_the_callers_decisions() {
    let mut server = Server::start().await;
    let client = server.client();
    client.check(NAMESPACE).await.unwrap();

    let channel = channel_of(&user("alice"));
    let large = format!(r#"{{"v":"{}"}}"#, "x".repeat(MAX_DATA_LEN));
    for data in [&b"[1]"[..], b"not json", large.as_bytes()] {
        let refused = client
            .publish(publication(&channel, data, "key", 1))
            .await
            .unwrap_err();
        assert!(matches!(refused, Error::Poison { .. }), "{refused}");
    }

    let namespace = client.check("calendars").await.unwrap_err();
    insta::assert_snapshot!(namespace, @"Centrifugo is not set up for Calwire: it has no namespace `calendar`; start it with deploy/centrifugo.json (error 102, unknown channel)");
    let stranger = Client::new(
        &server.api_url(),
        SecretKey::parse("KEY", "k".repeat(40)).unwrap(),
    )
    .unwrap();
    let key = stranger.check(NAMESPACE).await.unwrap_err();
    insta::assert_snapshot!(key, @"Centrifugo is not set up for Calwire: it rejects CENTRIFUGO_API_KEY; set it to the value of CENTRIFUGO_HTTP_API_KEY");
    let elsewhere = server.api_url().join("/elsewhere").unwrap();
    let url = Client::new(&elsewhere, Server::api_key())
        .unwrap()
        .check(NAMESPACE)
        .await
        .unwrap_err();
    assert!(
        url.to_string()
            .contains("responded 404 Not Found; CENTRIFUGO_API_URL must be"),
        "{url}"
    );

    let before = client
        .publish(publication(&channel, b"{}", "key", 7))
        .await
        .unwrap();
    server.kill().await;
    let away = client.check(NAMESPACE).await.unwrap_err();
    assert!(matches!(away, Error::Transient { .. }), "{away}");
    assert!(away.to_string().contains("Connection refused"), "{away}");
    server.restart().await;
    let after = client.history_position(&channel).await.unwrap();
    assert_eq!(after.offset, 0);
    assert_ne!(after.epoch, before.epoch, "an empty broker has another epoch");
}
