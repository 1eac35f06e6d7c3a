//! A Google: the real one, or an emulator at a base URL.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use google::{Endpoints, Google, GoogleConfig, Proxies};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use url::Url;

use crate::case::{Caller, Case, Need};
pub use crate::http::Pace;
use crate::http::{Answer, send};
use crate::inbox::Inbox;

/// Access tokens live an hour; one of this age is replaced.
const RENEW_AFTER: Duration = Duration::from_mins(45);
const TIMEOUT: Duration = Duration::from_secs(30);

/// The OAuth client of the person who runs the cases.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    pub id: String,
    pub secret: SecretString,
}

pub struct Target {
    pub endpoints: Endpoints,
    /// The emulator's admin API; ends with a slash.
    pub admin: Option<Url>,
    pub client: OAuthClient,
    pub account: Account,
    pub second: Option<Account>,
    /// The id of the scratch calendar.
    pub calendar: String,
    pub inbox: Option<Inbox>,
    /// Shows a person what to do in Google's page.
    pub ask: fn(&str),
    /// The needs that this target meets.
    pub abilities: BTreeSet<Need>,
    pub pace: Pace,
    pub http: reqwest::Client,
}

/// A signed-in account.
pub struct Account {
    pub email: String,
    tokens: Mutex<Tokens>,
    google: Google,
}

struct Tokens {
    access: SecretString,
    refresh: Option<SecretString>,
    since: Instant,
}

impl Account {
    pub fn new(google: Google, email: String, access: SecretString, refresh: Option<SecretString>) -> Self {
        let tokens = Mutex::new(Tokens {
            access,
            refresh,
            since: Instant::now(),
        });
        Self {
            email,
            tokens,
            google,
        }
    }

    /// An access token, renewed where there is a refresh token and the last one is old.
    pub async fn access(&self) -> Result<SecretString> {
        let mut tokens = self.tokens.lock().await;
        if tokens.since.elapsed() > RENEW_AFTER
            && let Some(refresh) = &tokens.refresh
        {
            tokens.access = self.google.refresh(refresh).await?.secret;
            tokens.since = Instant::now();
        }
        Ok(tokens.access.clone())
    }
}

/// Google at these addresses, for tokens.
pub fn google(client: &OAuthClient, endpoints: &Endpoints) -> Result<Google> {
    let config = GoogleConfig {
        endpoints: endpoints.clone(),
        proxies: Proxies::from_env(),
        ..GoogleConfig::new(client.id.clone(), client.secret.clone())
    };
    Google::new(config).context("cannot set up the client of Google")
}

/// A client that follows no redirect: a case wants to see it.
pub fn http_client(is_emulated: bool) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    let builder = if is_emulated { builder.no_proxy() } else { builder };
    Ok(builder.build()?)
}

impl Target {
    /// The needs of a case that this target does not meet.
    pub fn unmet(&self, case: &Case) -> Vec<Need> {
        case.needs.difference(&self.abilities).copied().collect()
    }

    /// A request to a path of a case: `oauth/…`, `emulator/…`, or below Calendar v3.
    pub fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        let url = match path.split_once('/') {
            Some(("oauth", "auth")) => self.endpoints.auth_url.clone(),
            Some(("oauth", "token")) => self.endpoints.token_url.clone(),
            Some(("oauth", "revoke")) => self.endpoints.revoke_url.clone(),
            Some(("oauth", "userinfo")) => self.endpoints.userinfo_url.clone(),
            Some(("emulator", rest)) => self
                .admin
                .as_ref()
                .context("the case needs the emulator")?
                .join(rest)?,
            _ => self.endpoints.calendar_url.join(path)?,
        };
        Ok(self.http.request(method, url))
    }

    pub async fn access(&self, caller: Caller) -> Result<Option<SecretString>> {
        Ok(match caller {
            Caller::Anonymous => None,
            Caller::Account => Some(self.account.access().await?),
            Caller::SecondAccount => {
                let second = self.second.as_ref().context("the case needs a second account")?;
                Some(second.access().await?)
            }
        })
    }

    /// A call of Calendar v3 outside a case.
    pub async fn call(&self, pace: Pace, caller: Caller, request: RequestBuilder) -> Result<Answer> {
        let request = match self.access(caller).await? {
            Some(access) => request.bearer_auth(access.expose_secret()),
            None => request,
        };
        send(pace, request, None).await
    }

    pub fn email(&self, caller: Caller) -> &str {
        match (caller, &self.second) {
            (Caller::SecondAccount, Some(second)) => &second.email,
            _ => &self.account.email,
        }
    }

    /// The addresses and ids that a report must not have, with their replacements.
    pub fn private(&self) -> Vec<(&str, &'static str)> {
        let second = self.second.iter().map(|second| second.email.as_str());
        let mut private = vec![
            (self.calendar.as_str(), "<calendar>"),
            (self.account.email.as_str(), "<account>"),
            (self.client.id.as_str(), "<client>"),
        ];
        private.extend(second.map(|email| (email, "<second account>")));
        private.extend(self.inbox.iter().map(|inbox| (inbox.url(), "<public address>")));
        private.retain(|(text, _)| !text.is_empty());
        private
    }
}
