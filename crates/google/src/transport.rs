//! Requests by `reqwest`: bounded in time and size, never redirected, and with errors that quote no content.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::classify::transient;
use crate::error::{BODY_MAX_LEN, Error, SetupError};
use crate::proxy::Proxies;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A longer `Retry-After` is a mistake or forged. It is cut to this.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
/// No connection was made, so the request had no effect.
pub(crate) const CANNOT_CONNECT: &str = "cannot connect";
pub(crate) const TIMED_OUT: &str = "timeout";
pub(crate) const USER_AGENT: &str = concat!("calwire/", env!("CARGO_PKG_VERSION"));

pub(crate) struct Http(Client);

/// A response of any status.
pub(crate) struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

impl Http {
    /// `endpoint`: decides whether there is a proxy on the way.
    pub fn new(timeout: Duration, proxies: &Proxies, endpoint: &str) -> Result<Self, SetupError> {
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            // A token must never be sent to a host that a response names.
            .redirect(redirect::Policy::none())
            .no_proxy();
        let builder = match proxies.for_reqwest(endpoint)? {
            Some(proxy) => builder.proxy(proxy),
            None => builder,
        };
        builder
            .build()
            .map(Self)
            .map_err(|error| SetupError::HttpClient(error.to_string()))
    }

    pub fn client(&self) -> &Client {
        &self.0
    }
}

/// Sends a request and reads the whole response. `Err` is [`Error::Transient`] or [`Error::AnswerTooLarge`].
pub(crate) async fn send(request: RequestBuilder) -> Result<Answer, Error> {
    let mut response = request.send().await.map_err(|error| describe(&error))?;
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        if body.len() + chunk.len() > BODY_MAX_LEN {
            return Err(Error::AnswerTooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        retry_after,
        body,
    })
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Describes a failed request in a few words. `reqwest`'s own message has the URL, and with it calendar ids, which are
/// mail addresses.
pub(crate) fn describe(error: &reqwest::Error) -> Error {
    // A connection that was not made in time is both.
    transient(if error.is_connect() {
        CANNOT_CONNECT
    } else if error.is_timeout() {
        TIMED_OUT
    } else if error.is_body() || error.is_decode() {
        "the response was cut short"
    } else {
        "the connection failed"
    })
}

/// `Retry-After`: seconds, or a date relative to the response's own `Date`, so that our clock does not matter.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = http_date(text)?;
        let sent = http_date(headers.get(DATE)?.to_str().ok()?)?;
        (until - sent).to_std().unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

pub(crate) fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(Into::into)
}

/// The token, if it is a valid header value. The generated client panics on anything else.
pub(crate) fn bearer(access: &SecretString) -> Result<&str, Error> {
    let token = access.expose_secret();
    if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token)
    } else {
        Err(Error::Unauthorized)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(retry_after: &str, date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        headers
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let read = |text, date| retry_after(&headers(text, date));
        assert_eq!(read("120", None), Some(Duration::from_mins(2)));
        let date = Some("Sun, 22 Nov 2026 10:00:00 GMT");
        assert_eq!(
            read("Sun, 22 Nov 2026 10:00:30 GMT", date),
            Some(Duration::from_secs(30))
        );
        assert_eq!(read("Sun, 22 Nov 2026 09:00:30 GMT", date), Some(Duration::ZERO));
        assert_eq!(read("Sun, 22 Nov 2026 10:00:30 GMT", None), None);
        assert_eq!(read("soon", date), None);
        assert_eq!(read("99999999999", None), Some(RETRY_AFTER_MAX));
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn an_invalid_token_is_refused_before_any_client_uses_it() {
        for token in ["", "a b", "a\r\nx: y", "ä"] {
            assert_eq!(bearer(&token.into()), Err(Error::Unauthorized), "{token:?}");
        }
        assert_eq!(bearer(&"ya29.a-b_c".into()), Ok("ya29.a-b_c"));
    }
}
