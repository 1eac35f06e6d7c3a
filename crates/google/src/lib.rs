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

mod calendar;
mod classify;
mod client;
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
pub use client::Google;
pub use config::{Endpoints, GoogleConfig};
pub use error::{BODY_MAX_LEN, Error, Limit, SetupError};
pub use events::{EVENTS_PAGE_MAX, EventsPage, RawEvent};
pub use oauth::{AccessToken, AuthorizationRequest, Grant, Pkce, UserInfo};
pub use proxy::Proxies;
pub use write::{EventPath, SendUpdates};
