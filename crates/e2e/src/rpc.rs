//! Calls to `calendar-api` as a user of the host application, in the tRPC protocol.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

pub const AUTH_SECRET: &str = "e2e-host-application-secret-0123456789abcdef";
pub const AUTH_ISSUER: &str = "https://host.example";
pub const AUTH_AUDIENCE: &str = "calwire";

/// A JWT of the host application for `user`, good for an hour.
pub fn jwt(user: &str) -> Result<String> {
    jwt_for(user, 3600)
}

/// A JWT that expires in `seconds`; negative: it has expired already.
pub fn jwt_for(user: &str, seconds: i64) -> Result<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a token for a real service is issued at the real time"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let expires = now.saturating_add_signed(seconds);
    let claims = json!({"sub": user, "iss": AUTH_ISSUER, "aud": AUTH_AUDIENCE, "iat": now, "exp": expires});
    Ok(encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &EncodingKey::from_secret(AUTH_SECRET.as_bytes()),
    )?)
}

/// The answer to a call that may be refused.
#[derive(Debug, Clone)]
pub enum Answer {
    Done(Value),
    /// The `data` of the error.
    Refused(Value),
}

impl Answer {
    /// Of a call that has to succeed.
    pub fn done(self) -> Result<Value> {
        match self {
            Self::Done(answer) => Ok(answer),
            Self::Refused(refusal) => bail!("refused: {refusal}"),
        }
    }

    /// Of a call that has to be refused.
    pub fn refused(self) -> Result<Value> {
        match self {
            Self::Done(answer) => bail!("done: {answer}"),
            Self::Refused(refusal) => Ok(refusal),
        }
    }
}

/// One user's view of the API, with the cookies of one browser.
#[derive(Clone)]
pub struct Api {
    pub base: String,
    pub user: String,
    token: String,
    pub http: reqwest::Client,
}

impl Api {
    pub fn new(base: &str, user: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // Shorter than the services keep an idle connection, so that none is closed under a request.
            .pool_idle_timeout(Duration::from_secs(2))
            .build()?;
        Ok(Self {
            base: base.to_owned(),
            user: user.to_owned(),
            token: jwt(user)?,
            http,
        })
    }

    /// A query, or the error envelope as an error.
    pub async fn query(&self, path: &str, input: Value) -> Result<Value> {
        unwrap(path, self.request(path, &input).send().await?).await
    }

    /// The request of a query, for a caller that needs the response's headers or bytes.
    pub fn request(&self, path: &str, input: &Value) -> reqwest::RequestBuilder {
        let url = format!("{}/trpc/{path}", self.base);
        let request = self.http.get(url).bearer_auth(&self.token);
        if input.is_null() {
            request
        } else {
            request.query(&[("input", input.to_string())])
        }
    }

    pub async fn mutate(&self, path: &str, input: Value) -> Result<Value> {
        unwrap(path, self.mutation(path, &input).send().await?).await
    }

    /// As [`Api::mutate`], but a refusal is an answer, too.
    pub async fn attempt(&self, path: &str, input: &Value) -> Result<Answer> {
        let mut body: Value = self.mutation(path, input).send().await?.json().await?;
        Ok(match body.get_mut("error") {
            Some(error) => Answer::Refused(error["data"].take()),
            None => Answer::Done(body["result"]["data"].take()),
        })
    }

    /// The request of a mutation, for a caller that needs the response's headers.
    pub fn mutation(&self, path: &str, input: &Value) -> reqwest::RequestBuilder {
        let request = self
            .http
            .post(format!("{}/trpc/{path}", self.base))
            .bearer_auth(&self.token);
        let request = request.header("content-type", "application/json");
        if input.is_null() {
            request
        } else {
            request.body(input.to_string())
        }
    }
}

async fn unwrap(path: &str, response: reqwest::Response) -> Result<Value> {
    let (status, body) = (response.status(), response.text().await?);
    let mut body: Value = serde_json::from_str(&body).with_context(|| format!("{path}: {status} {body}"))?;
    if body.get("error").is_some() {
        bail!("{path}: {status} {body}");
    }
    Ok(body["result"]["data"].take())
}
