//! Google as Calwire sees it: OAuth, Calendar v3, and the headers of its push notifications.
//!
//! [`Google`] is cheap to clone and holds no user: every call takes the access token it is to use. Errors are the
//! caller's decisions ([`Error`]); no error and no log line carries a token, an address or a part of an answer's body.
//!
//! Two clients work behind this API, and none of their types leaves it:
//!
//! - The generated `google-calendar3` makes the small calls: the calendar list, `watch`, `channels.stop`, colours. What
//!   it leaves to its user is done in the private module `hub`: percent-encoded path parameters, a timeout, HTTP/1, the
//!   crypto provider, the status and the `Retry-After` that its errors lose.
//! - `reqwest` makes the others, each for a reason. `events.list`: the generated types drop every field they do not know
//!   and lose the offset of a time, one odd event fails the whole page, bodies come without gzip and without a bound.
//!   Writes: the generated client sends neither `If-Match` nor `null`, and a write must tell "not done" from "nobody knows".
//!   OAuth: `yup-oauth2` has no web-server flow, does not distinguish a revoked grant from a failed request, and its
//!   refresh flow calls a fixed address. Only its `ApplicationSecret`, the record of an OAuth client, is used here.

use std::sync::Arc;

use reqwest::Url;
use yup_oauth2::ApplicationSecret;

mod calendar;
mod classify;
mod config;
pub mod error;
mod events;
mod hub;
pub mod oauth;
pub mod push;
pub mod scopes;
mod transport;
mod write;

pub use calendar::{CalendarListEntry, Channel, ColorPair, Colors, ListCursor, NewChannel, Next, Page};
pub use config::{Endpoints, GoogleConfig};
pub use error::{Error, Limit};
pub use events::{EVENTS_PAGE_MAX, EventTime, EventsPage, RawEvent};
pub use oauth::{AccessToken, AuthorizationRequest, Grant, Pkce, UserInfo};
pub use transport::BODY_MAX_LEN;
pub use write::{EventPath, SendUpdates};

/// Why the client cannot be made. Reads as one line.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("no usable CA certificates on this machine: {0}")]
    Certificates(std::io::Error),
    #[error("cannot set up the HTTP client: {0}")]
    HttpClient(String),
}

/// A client of Google's OAuth and Calendar v3. Clones share connections.
#[derive(Clone)]
pub struct Google(Arc<Inner>);

struct Inner {
    /// `auth_uri` and `token_uri` included.
    client: ApplicationSecret,
    revoke_url: Url,
    userinfo_url: Url,
    calendar_url: Url,
    http: transport::Http,
    hub: hub::HubFactory,
}

impl Google {
    pub fn new(config: GoogleConfig) -> Result<Self, SetupError> {
        let calendar_url = config.endpoints.calendar_url.clone();
        Ok(Self(Arc::new(Inner {
            http: transport::Http::new(config.timeout)?,
            hub: hub::HubFactory::new(calendar_url.as_str(), config.timeout)?,
            revoke_url: config.endpoints.revoke_url.clone(),
            userinfo_url: config.endpoints.userinfo_url.clone(),
            calendar_url,
            client: config.into_application_secret(),
        })))
    }
}
