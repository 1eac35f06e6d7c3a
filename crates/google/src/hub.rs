//! The generated client, with what it leaves to its user.

use std::time::Duration;

use google_calendar3::common::{self, Client, Delegate, Response, Retry};
use google_calendar3::{CalendarHub, api};
use http_body_util::combinators::BoxBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use serde_json::Value;

use crate::classify::{self, transient};
use crate::oauth::bearer;
use crate::transport::{USER_AGENT, retry_after};
use crate::{Error, SetupError};

/// Named once, so that the services do not each instantiate the generated code.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// What may stay as it is in a path segment. `.` is not among them, since `..` is a step up.
const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// Makes hubs. A hub is bound to one access token, so each call has its own; the connections are shared.
pub(crate) struct HubFactory {
    client: Client<Connector>,
    base_url: String,
    timeout: Duration,
}

impl HubFactory {
    pub fn new(base_url: &str, timeout: Duration) -> Result<Self, SetupError> {
        let connector = HttpsConnectorBuilder::new()
            // Named, because the process's default is unset until somebody sets it, and asking for it then panics.
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(SetupError::Certificates)?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .build();
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

    /// Waits for a call, but not for ever; the generated client has no timeout.
    pub async fn bounded<T>(
        &self,
        call: impl Future<Output = common::Result<T>>,
    ) -> Result<common::Result<T>, Error> {
        tokio::time::timeout(self.timeout, call)
            .await
            .map_err(|_| transient("timeout"))
    }
}

/// An id as one segment of a path. The generated client puts path parameters in as they are: `a/../b` and `a?b` would
/// change the request. What no encoding can save from being read as a step (`..`) is the id of nothing.
pub(crate) fn path_segment(id: &str) -> Result<String, Error> {
    if matches!(id, "" | "." | "..") {
        return Err(Error::NotFound);
    }
    Ok(utf8_percent_encode(id, PATH_SEGMENT).to_string())
}

/// Sees what the generated client's errors lose: the status and the headers of a failure, and a body it cannot read.
#[derive(Default)]
pub(crate) struct Observer {
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
    /// The failure as a decision. The library's own text is dropped: it prints whole bodies.
    pub fn explain(&self, error: &common::Error) -> Error {
        let body = match error {
            common::Error::BadRequest(body) => Some(body),
            _ => None,
        };
        match (error, self.failure) {
            (_, Some((status, retry_after))) => classify::calendar(status, body, retry_after),
            (common::Error::HttpError(error), None) if error.is_connect() => transient("cannot connect"),
            (common::Error::HttpError(_) | common::Error::Io(_), None) => transient("the connection failed"),
            _ => transient("unreadable answer"),
        }
    }

    /// The channel in an answer that the generated type could not read. Google's guide prints `expiration` as a number,
    /// the generated type takes a string alone; a channel that exists at Google must not be lost for that.
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
            ..Observer::default()
        };
        let channel = observer.unreadable_channel().unwrap();
        assert_eq!(
            (channel.id.as_deref(), channel.expiration),
            (Some("c"), Some(1_426_325_213_000))
        );
        assert!(Observer::default().unreadable_channel().is_none());
    }
}
