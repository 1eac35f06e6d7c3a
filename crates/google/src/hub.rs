//! The generated client, with the safeguards that it lacks: timeouts, encoded paths, the status of a failure.

use std::time::Duration;

use google_calendar3::common::{self, Client, Delegate, Response, Retry};
use google_calendar3::{CalendarHub, api};
use http_body_util::combinators::BoxBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use serde_json::Value;

use crate::classify::{self, Endpoint, transient};
use crate::error::{Error, SetupError};
use crate::proxy::{Proxies, ProxyConnector};
use crate::transport::{TIMED_OUT, USER_AGENT, bearer, retry_after};

/// One named type, so that the services do not each instantiate the generated code.
pub(crate) type Connector = HttpsConnector<ProxyConnector>;

/// The characters that are percent-encoded in a path segment. `.` is among them, since `..` would leave the segment.
const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// Creates hubs. A hub is bound to one access token, so each call has its own; the connections are shared.
pub(crate) struct HubFactory {
    client: Client<Connector>,
    base_url: String,
    timeout: Duration,
}

impl HubFactory {
    pub fn new(base_url: &str, timeout: Duration, proxies: Proxies) -> Result<Self, SetupError> {
        let connector = HttpsConnectorBuilder::new()
            // Explicit, since the constructor that uses the process's default provider panics where none is set.
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(SetupError::Certificates)?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(ProxyConnector::new(proxies));
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .build::<_, BoxBody<_, _>>(connector);
        Ok(Self {
            client,
            base_url: base_url.to_owned(),
            timeout,
        })
    }

    pub fn hub(&self, access: &SecretString) -> Result<CalendarHub<Connector>, Error> {
        let mut hub = CalendarHub::new(self.client.clone(), bearer(access)?.to_owned());
        hub.base_url(self.base_url.clone());
        hub.user_agent(USER_AGENT.to_owned());
        Ok(hub)
    }

    /// Runs a call with a timeout; the generated client has none.
    pub async fn bounded<T>(
        &self,
        call: impl Future<Output = common::Result<T>>,
    ) -> Result<common::Result<T>, Error> {
        tokio::time::timeout(self.timeout, call)
            .await
            .map_err(|_| transient(TIMED_OUT))
    }
}

/// Encodes an id as one segment of a path. The generated client inserts path parameters unencoded: `a/../b` and `a?b`
/// would change the request. `.` and `..` are path steps even when encoded, so no such id exists.
pub(crate) fn path_segment(id: &str) -> Result<String, Error> {
    if matches!(id, "" | "." | "..") {
        return Err(Error::NotFound);
    }
    Ok(utf8_percent_encode(id, PATH_SEGMENT).to_string())
}

/// Records what the generated client's errors lose: the status and headers of a failure, and a body it cannot parse.
pub(crate) struct Observer {
    endpoint: Endpoint,
    failure: Option<(u16, Option<Duration>)>,
    unreadable: Option<String>,
}

impl Delegate for Observer {
    fn http_failure(&mut self, response: &Response, _: Option<&Value>) -> Retry {
        self.failure = Some((response.status().as_u16(), retry_after(response.headers())));
        Retry::Abort
    }

    fn response_json_decode_error(&mut self, body: &str, _: &serde_json::Error) {
        self.unreadable = Some(body.to_owned());
    }
}

impl Observer {
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            failure: None,
            unreadable: None,
        }
    }

    /// Classifies the failure. The library's own text is dropped: it prints whole bodies.
    pub fn explain(&self, error: &common::Error) -> Error {
        let body = match error {
            common::Error::BadRequest(body) => Some(body),
            _ => None,
        };
        match (error, self.failure) {
            (_, Some((status, retry_after))) => classify::calendar(self.endpoint, status, body, retry_after),
            (common::Error::HttpError(error), None) if error.is_connect() => transient("cannot connect"),
            (common::Error::HttpError(_) | common::Error::Io(_), None) => transient("the connection failed"),
            _ => transient("unreadable response"),
        }
    }

    /// The channel in a response that the generated type could not parse. Google's guide prints `expiration` as a number,
    /// and the generated type accepts only a string; a channel that exists at Google must not be lost for that.
    pub fn unreadable_channel(&self) -> Option<api::Channel> {
        let mut body: Value = serde_json::from_str(self.unreadable.as_deref()?).ok()?;
        let expiration = body.get_mut("expiration")?;
        *expiration = Value::String(expiration.as_i64()?.to_string());
        serde_json::from_value(body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_leave_its_path_segment() {
        for (id, segment) in [
            ("primary", "primary"),
            (
                "en.uk#holiday@group.v.calendar.google.com",
                "en%2Euk%23holiday%40group%2Ev%2Ecalendar%2Egoogle%2Ecom",
            ),
            ("a/../../token?x=1", "a%2F%2E%2E%2F%2E%2E%2Ftoken%3Fx%3D1"),
        ] {
            assert_eq!(path_segment(id).as_deref(), Ok(segment));
            let base = reqwest::Url::parse("http://g/calendar/v3/").unwrap();
            let path = base.join(&format!("calendars/{segment}/events")).unwrap();
            assert_eq!(path.path(), format!("/calendar/v3/calendars/{segment}/events"));
        }
        for id in ["", ".", ".."] {
            assert_eq!(path_segment(id), Err(Error::NotFound));
        }
    }

    #[test]
    fn a_channel_with_a_numeric_expiration_is_not_lost() {
        let observer = Observer {
            unreadable: Some(r#"{"id":"c","resourceId":"r","expiration":1426325213000}"#.into()),
            ..Observer::new(Endpoint::Channel)
        };
        let channel = observer.unreadable_channel().unwrap();
        assert_eq!(
            (channel.id.as_deref(), channel.expiration),
            (Some("c"), Some(1_426_325_213_000))
        );
        assert!(Observer::new(Endpoint::Channel).unreadable_channel().is_none());
    }
}
