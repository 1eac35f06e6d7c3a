//! The parts that every handler uses.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::seed::Seed;
use crate::settings::Settings;
use crate::state::State;

/// The client id that is registered unless [`Config::client`](crate::Config::client) sets another.
pub const DEFAULT_CLIENT_ID: &str = "emulator.apps.googleusercontent.com";
/// Its secret. Everybody knows it; nothing real hangs on it.
pub const DEFAULT_CLIENT_SECRET: &str = "GOCSPX-emulator-client-secret";

/// The one registered OAuth client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    pub secret: String,
    /// Exactly these are allowed. When there is none, any `http://` address of the own machine is.
    pub redirect_uris: Vec<String>,
    /// Allow any redirect URI.
    pub any_redirect: bool,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            id: DEFAULT_CLIENT_ID.into(),
            secret: DEFAULT_CLIENT_SECRET.into(),
            redirect_uris: Vec::new(),
            any_redirect: false,
        }
    }
}

impl Client {
    pub(crate) fn allows(&self, redirect_uri: &str) -> bool {
        let Ok(url) = url::Url::parse(redirect_uri) else {
            return false;
        };
        let local =
            || url.scheme() == "http" && matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        self.any_redirect
            || self.redirect_uris.iter().any(|each| each == redirect_uri)
            || (self.redirect_uris.is_empty() && local())
    }
}

/// State shared by all handlers.
#[derive(Debug)]
pub(crate) struct Shared {
    pub base_url: String,
    pub client: Client,
    pub seed: Seed,
    pub settings: Settings,
    pub http: reqwest::Client,
    pub runtime: tokio::runtime::Handle,
    pub state: Mutex<State>,
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        // A panic of one test must not hide what the others would have found.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
