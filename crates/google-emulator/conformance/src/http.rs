//! Sends requests: with a pause before each, and again after a limit or a failure of the server.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::RequestBuilder;
use serde_json::Value;
use tokio::time::sleep;

/// How gently a target is treated.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Before each request.
    pub pause: Duration,
    /// After the first limit; it doubles with each.
    pub back_off: Duration,
    /// Attempts after the first.
    pub retries: u32,
}

impl Pace {
    /// Some three requests a second: half of Google's limit for an account, and slow enough for one calendar.
    pub const GENTLE: Self = Self {
        pause: Duration::from_millis(300),
        back_off: Duration::from_secs(2),
        retries: 6,
    };
    /// For an emulator: no pause, and no retry that would hide its answer.
    pub const IMMEDIATE: Self = Self {
        pause: Duration::ZERO,
        back_off: Duration::ZERO,
        retries: 0,
    };
}

/// An answer of any status.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// `null` for an empty body, a string for one that is no JSON.
    pub body: Value,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn reason(&self) -> Option<&str> {
        self.body.pointer("/error/errors/0/reason")?.as_str()
    }

    fn is_temporary(&self) -> bool {
        let limits = ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"];
        match self.status {
            429 | 500 | 502..=504 => true,
            403 => self.reason().is_some_and(|reason| limits.contains(&reason)),
            _ => false,
        }
    }
}

/// Sends `request` at this pace. An answer with the status `expected` is never retried.
pub async fn send(pace: Pace, request: RequestBuilder, expected: Option<u16>) -> Result<Answer> {
    let mut wait = pace.back_off;
    for _ in 0..pace.retries {
        let attempt = request.try_clone().context("a request with a streamed body")?;
        let answer = send_once(pace, attempt).await?;
        if !answer.is_temporary() || expected == Some(answer.status) {
            return Ok(answer);
        }
        eprintln!("  status {}: waiting {} s", answer.status, wait.as_secs());
        sleep(wait).await;
        wait *= 2;
    }
    send_once(pace, request).await
}

async fn send_once(pace: Pace, request: RequestBuilder) -> Result<Answer> {
    sleep(pace.pause).await;
    // The URL may have a token in its query.
    let response = request.send().await.map_err(reqwest::Error::without_url)?;
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let text = response.text().await.map_err(reqwest::Error::without_url)?;
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    Ok(Answer {
        status,
        headers,
        body,
    })
}
