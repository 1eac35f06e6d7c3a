//! The JWTs that browsers need for Centrifugo: one to connect, one for each channel.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::config::SecretKey;
use common::ids::UserId;
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;

/// `client.token.audience`. A JWT of the host application has another audience and cannot open a socket.
pub const AUDIENCE: &str = "centrifugo";
/// `client.token.issuer`.
pub const ISSUER: &str = "calendar-api";

/// Signs tokens with the secret that only calendar-api and Centrifugo have (HS256).
#[derive(Clone)]
pub struct Tokens {
    key: EncodingKey,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    aud: &'static str,
    iss: &'static str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_at: Option<i64>,
}

impl Tokens {
    pub fn new(secret: &SecretKey) -> Self {
        Self {
            key: EncodingKey::from_secret(secret.expose().as_bytes()),
        }
    }

    /// A token to open a socket as `user`. The connection must be refreshed with a new token before `now + ttl`.
    pub fn connection(&self, user: &UserId, now: DateTime<Utc>, ttl: Duration) -> String {
        self.sign(&Claims {
            channel: None,
            expire_at: None,
            ..claims(user, now, ttl)
        })
    }

    /// A token to subscribe to `channel` until `now + ttl`. The subscription itself does not expire (`expire_at: 0`); it ends
    /// with its connection, which does.
    ///
    /// The caller has checked that `user` may read `channel`, which is [`channel_of`](crate::channel_of)`(user)`.
    pub fn subscription(&self, user: &UserId, channel: &str, now: DateTime<Utc>, ttl: Duration) -> String {
        self.sign(&Claims {
            channel: Some(channel),
            expire_at: Some(0),
            ..claims(user, now, ttl)
        })
    }

    #[expect(
        clippy::expect_used,
        reason = "HS256 takes any key, and claims of strings and numbers always serialize"
    )]
    fn sign(&self, claims: &Claims<'_>) -> String {
        jsonwebtoken::encode(&Header::default(), claims, &self.key).expect("HS256 signs any claims")
    }
}

fn claims(user: &UserId, now: DateTime<Utc>, ttl: Duration) -> Claims<'_> {
    let iat = now.timestamp();
    Claims {
        sub: user.as_str(),
        aud: AUDIENCE,
        iss: ISSUER,
        iat,
        exp: iat.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)),
        channel: None,
        expire_at: None,
    }
}
