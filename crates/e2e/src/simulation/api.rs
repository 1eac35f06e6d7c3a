//! calendar-api, over HTTP, at the simulation's clock.

use std::time::Duration;

use anyhow::{Context, Result};
use common::clock::Clock;
use google_emulator::Emulator;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::broker::RecordingBroker;
use super::database::SimulatedDatabase;
use super::settings::environment;
use crate::rpc::{AUTH_AUDIENCE, AUTH_ISSUER, AUTH_SECRET};

const TRIES: u32 = 5;

/// Later than any time of a simulation's clock.
const FAR: i64 = 4_000_000_000;

pub struct SimulatedApi {
    base: String,
    http: reqwest::Client,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<Result<()>>,
}

/// A kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Good,
    OtherAlgorithm,
    Expired,
    OtherAudience,
    Unsigned,
}

impl SimulatedApi {
    pub async fn start(
        database: &SimulatedDatabase,
        google: &Emulator,
        broker: &RecordingBroker,
        clock: Clock,
    ) -> Result<Self> {
        let config = common::config::from_vars(environment(database, google, broker))?;
        let service = calendar_api::Application::build_with_clock(config, clock).await?;
        let base = format!("http://127.0.0.1:{}", service.port());
        let stop = CancellationToken::new();
        let served = tokio::spawn(service.run_until_stopped(stop.clone()));
        // The server closes idle connections, perhaps while a request is on its way on one.
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self {
            base,
            http,
            stop,
            served,
        })
    }

    pub fn stop(self) {
        self.stop.cancel();
        self.served.abort();
    }

    /// A user's query. An error is the whole answer.
    pub async fn query(&self, user: &str, path: &str, input: &Value) -> Result<Value, String> {
        let token = token(user, Token::Good);
        let mut answer = self.query_with(&token, path, input).await;
        // As a page does while the database is busy.
        for _ in 0..TRIES {
            if !answer.as_ref().is_err_and(|error| is_passing(error)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            answer = self.query_with(&token, path, input).await;
        }
        answer
    }

    pub async fn query_with(&self, token: &str, path: &str, input: &Value) -> Result<Value, String> {
        let mut request = self
            .http
            .get(format!("{}/trpc/{path}", self.base))
            .bearer_auth(token);
        if !input.is_null() {
            request = request.query(&[("input", input.to_string())]);
        }
        let body: Result<Value> = async { Ok(request.send().await?.json().await?) }.await;
        let mut body = body.map_err(|error| format!("{error:#}"))?;
        if body.get("error").is_some() {
            return Err(body.to_string());
        }
        Ok(body["result"]["data"].take())
    }
}

/// Whether the error is temporary: other work holds a row.
pub fn is_passing(error: &str) -> bool {
    error.contains("SERVICE_UNAVAILABLE") || error.contains("TIMEOUT")
}

/// A JWT for `user`.
pub fn token(user: &str, kind: Token) -> String {
    let expires = if kind == Token::Expired {
        1_000_000_000
    } else {
        FAR
    };
    let audience = if kind == Token::OtherAudience {
        "calwire:centrifugo"
    } else {
        AUTH_AUDIENCE
    };
    let claims = json!({"sub": user, "iss": AUTH_ISSUER, "aud": audience, "exp": expires});
    let algorithm = if kind == Token::OtherAlgorithm {
        Algorithm::HS384
    } else {
        Algorithm::HS256
    };
    let key = EncodingKey::from_secret(AUTH_SECRET.as_bytes());
    let token = encode(&Header::new(algorithm), &claims, &key)
        .context("a JWT")
        .unwrap_or_default();
    if kind == Token::Unsigned {
        let payload = token.split('.').nth(1).unwrap_or_default();
        // {"alg":"none","typ":"JWT"}
        return format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    }
    token
}
