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
    /// A longer `Retry-After` ends the attempts, so that none is sent too soon.
    pub longest_wait: Duration,
}

impl Pace {
    /// Some three requests a second: half of Google's limit for an account, and slow enough for one calendar.
    pub const GENTLE: Self = Self {
        pause: Duration::from_millis(300),
        back_off: Duration::from_secs(2),
        retries: 6,
        longest_wait: Duration::from_hours(1),
    };
    /// For an emulator: no pause, and no retry that would hide its answer.
    pub const IMMEDIATE: Self = Self {
        pause: Duration::ZERO,
        back_off: Duration::ZERO,
        retries: 0,
        longest_wait: Duration::ZERO,
    };

    /// Deletions after a run: a person waits for them, and the next run can do the rest.
    pub fn for_clean_up(self) -> Self {
        Self {
            retries: self.retries.min(4),
            longest_wait: self.longest_wait.min(Duration::from_secs(20)),
            ..self
        }
    }
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

    /// A limit, or a failure of the server: the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        let limits = ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"];
        match self.status {
            429 | 500 | 502..=504 => true,
            403 => self.reason().is_some_and(|reason| limits.contains(&reason)),
            _ => false,
        }
    }

    /// `Retry-After`: seconds, or a date relative to the answer's own `Date`.
    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = |text| chrono::DateTime::parse_from_rfc2822(text).ok();
        let wait = date(text)? - date(self.headers.get("date")?)?;
        Some(wait.to_std().unwrap_or_default())
    }
}

/// Sends `request` at this pace, and not before `Retry-After`. An answer with the status `expected` is never retried.
pub async fn send(pace: Pace, request: RequestBuilder, expected: Option<u16>) -> Result<Answer> {
    let mut back_off = pace.back_off;
    for _ in 0..pace.retries {
        let attempt = request.try_clone().context("a request with a streamed body")?;
        let answer = send_once(pace, attempt).await?;
        if !answer.is_temporary() || expected == Some(answer.status) {
            return Ok(answer);
        }
        let asked = answer.retry_after().unwrap_or_default();
        if asked > pace.longest_wait {
            eprintln!(
                "  status {}: not retried, Retry-After is {} s",
                answer.status,
                asked.as_secs()
            );
            return Ok(answer);
        }
        let wait = asked.max(back_off);
        eprintln!("  status {}: waiting {} s", answer.status, wait.as_secs());
        sleep(wait).await;
        back_off *= 2;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let answer = |headers: &[(&str, &str)]| Answer {
            status: 429,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: Value::Null,
        };
        let date = ("date", "Mon, 07 Feb 2028 09:00:00 GMT");
        for (headers, seconds) in [
            (&[("retry-after", "7")][..], Some(7)),
            (
                &[("retry-after", "Mon, 07 Feb 2028 09:01:30 GMT"), date],
                Some(90),
            ),
            (&[("retry-after", "Mon, 07 Feb 2028 08:00:00 GMT"), date], Some(0)),
            (&[("retry-after", "soon"), date], None),
            (&[date], None),
        ] {
            assert_eq!(
                answer(headers).retry_after(),
                seconds.map(Duration::from_secs),
                "{headers:?}"
            );
        }
    }
}
