//! Google's addresses, and the OAuth client that Calwire is there.

use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use yup_oauth2::ApplicationSecret;

use crate::proxy::Proxies;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// The addresses of Google's endpoints. The default is Google; tests and demos use [`Endpoints::at`] with an emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The page where a user consents.
    pub auth_url: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Url,
    pub revoke_url: Url,
    pub userinfo_url: Url,
    /// The base of Calendar v3. Ends with a slash; without one, a joined path would replace its last segment.
    pub calendar_url: Url,
}

impl Default for Endpoints {
    #[expect(clippy::expect_used, reason = "the five addresses are constants")]
    fn default() -> Self {
        let google = |url| Url::parse(url).expect("a constant URL");
        Self {
            auth_url: google("https://accounts.google.com/o/oauth2/v2/auth"),
            token_url: google("https://oauth2.googleapis.com/token"),
            revoke_url: google("https://oauth2.googleapis.com/revoke"),
            userinfo_url: google("https://openidconnect.googleapis.com/v1/userinfo"),
            calendar_url: google("https://www.googleapis.com/calendar/v3/"),
        }
    }
}

impl Endpoints {
    /// All five below one base, with the emulator's paths.
    pub fn at(base: &Url) -> Self {
        let below = |path| {
            let mut url = base.clone();
            url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
            url
        };
        Self {
            auth_url: below("/o/oauth2/v2/auth"),
            token_url: below("/token"),
            revoke_url: below("/revoke"),
            userinfo_url: below("/oauth2/v3/userinfo"),
            calendar_url: below("/calendar/v3/"),
        }
    }
}

/// What [`Google::new`](crate::Google::new) needs.
#[derive(Debug, Clone)]
pub struct GoogleConfig {
    pub client_id: String,
    pub client_secret: SecretString,
    pub endpoints: Endpoints,
    /// The default is the environment's.
    pub proxies: Proxies,
    /// The longest that one request may take, its body included.
    pub timeout: Duration,
}

impl GoogleConfig {
    /// Google itself, with a timeout of 20 s.
    pub fn new(client_id: impl Into<String>, client_secret: SecretString) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret,
            endpoints: Endpoints::default(),
            proxies: Proxies::from_env(),
            timeout: DEFAULT_TIMEOUT,
        }
    }

    pub(crate) fn into_application_secret(self) -> ApplicationSecret {
        ApplicationSecret {
            client_id: self.client_id,
            client_secret: self.client_secret.expose_secret().to_owned(),
            auth_uri: self.endpoints.auth_url.into(),
            token_uri: self.endpoints.token_url.into(),
            ..ApplicationSecret::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_lie_below_one_base() {
        for base in ["http://127.0.0.1:9", "http://127.0.0.1:9/"] {
            let endpoints = Endpoints::at(&Url::parse(base).unwrap());
            assert_eq!(endpoints.token_url.as_str(), "http://127.0.0.1:9/token");
            assert_eq!(endpoints.calendar_url.as_str(), "http://127.0.0.1:9/calendar/v3/");
        }
    }

    #[test]
    fn debug_output_hides_the_client_secret() {
        let config = GoogleConfig::new("id", "s3cret".into());
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
