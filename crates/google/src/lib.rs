//! Google as Calwire sees it: OAuth, Calendar v3, and the headers of its push notifications.
//!
//! [`Google`] is cheap to clone and holds no user: every call takes an access token. Errors are the caller's decisions
//! ([`Error`]). No error and no log line contains a token, a mail address or a part of a response's body.
//!
//! Two clients work behind this API; none of their types is public:
//!
//! - The generated `google-calendar3` makes the small calls: the calendar list, `watch`, `channels.stop`. The private module
//!   `hub` adds what it lacks: percent-encoded path parameters, a timeout, HTTP/1, the crypto provider, and the status and
//!   `Retry-After` of failures.
//! - `reqwest` makes the others, each for a reason. `events.list`: the generated types drop unknown fields and the offset of
//!   a time, one malformed event fails the whole page, and bodies are neither compressed nor bounded. Writes: the generated
//!   client sends neither `If-Match` nor `null`, and does not distinguish "not applied" from "outcome unknown".
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
mod proxy;
pub mod push;
pub mod scopes;
mod transport;
mod write;

pub use calendar::{CalendarListEntry, Channel, ListCursor, NewChannel, Next, Page};
pub use config::{Endpoints, GoogleConfig};
pub use error::{BODY_MAX_LEN, Error, Limit};
pub use events::{EVENTS_PAGE_MAX, EventsPage, RawEvent};
pub use oauth::{AccessToken, AuthorizationRequest, Grant, Pkce, UserInfo};
pub use proxy::Proxies;
pub use write::{EventPath, SendUpdates};

/// Why the client cannot be created. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("no usable CA certificates on this machine: {0}")]
    Certificates(std::io::Error),
    #[error("cannot set up the HTTP client: {0}")]
    HttpClient(String),
    #[error(
        "HTTPS_PROXY or ALL_PROXY names a proxy that is not http://: unset it, or list Google's hosts in NO_PROXY"
    )]
    Proxy,
}

/// A client of Google's OAuth and Calendar v3. Clones share connections.
#[derive(Clone)]
pub struct Google(Arc<Inner>);

struct Inner {
    /// Includes `auth_uri` and `token_uri`.
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
            http: transport::Http::new(config.timeout, &config.proxies, calendar_url.as_str())?,
            hub: hub::HubFactory::new(calendar_url.as_str(), config.timeout, config.proxies.clone())?,
            revoke_url: config.endpoints.revoke_url.clone(),
            userinfo_url: config.endpoints.userinfo_url.clone(),
            calendar_url,
            client: config.into_application_secret(),
        })))
    }
}
