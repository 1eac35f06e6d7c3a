//! Where Google is and who we are there.

use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use yup_oauth2::{ApplicationSecret, ConsoleApplicationSecret};

/// The longest that one request may take, its body included.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// The addresses that are asked. The default is Google; a test or a demo names its emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The page where a user consents, for instance `https://accounts.google.com/o/oauth2/v2/auth`.
    pub auth_url: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Url,
    pub revoke_url: Url,
    pub userinfo_url: Url,
    /// The base of Calendar v3; with or without a slash at its end.
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
    /// `calendar_url` with the slash at its end without which a path is glued to the base's last segment.
    pub(crate) fn calendar_base(&self) -> Url {
        let mut base = self.calendar_url.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        base
    }
}

/// What [`Google::new`](crate::Google::new) needs.
#[derive(Debug, Clone)]
pub struct GoogleConfig {
    pub client_id: String,
    pub client_secret: SecretString,
    pub endpoints: Endpoints,
    /// The longest that one request may take, its body included.
    pub timeout: Duration,
}

impl GoogleConfig {
    /// Google itself, with the default timeout of 20 s.
    pub fn new(client_id: impl Into<String>, client_secret: SecretString) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret,
            endpoints: Endpoints::default(),
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// As [`GoogleConfig::new`], from the `client_secret.json` that Google's console offers for download. It names the
    /// authorisation and token addresses too. `Err` says what is missing.
    pub fn from_client_secret_json(json: &str) -> Result<Self, String> {
        let file: ConsoleApplicationSecret = serde_json::from_str(json)
            .map_err(|_| "not a client_secret.json as Google's console makes it".to_owned())?;
        let secret = file
            .web
            .or(file.installed)
            .ok_or("the client_secret.json has neither a `web` nor an `installed` client")?;
        let mut config = Self::new(secret.client_id, secret.client_secret.into());
        let url = |field: &str, text: &str| {
            Url::parse(text).map_err(|error| format!("{field} in client_secret.json: {error}"))
        };
        config.endpoints.auth_url = url("auth_uri", &secret.auth_uri)?;
        config.endpoints.token_url = url("token_uri", &secret.token_uri)?;
        Ok(config)
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
    fn a_client_secret_json_selects_client_and_addresses() {
        let config = GoogleConfig::from_client_secret_json(
            r#"{"web":{"client_id":"id","client_secret":"s3cret","auth_uri":"http://127.0.0.1:1/auth",
                "token_uri":"http://127.0.0.1:1/token","redirect_uris":["http://localhost/cb"]}}"#,
        )
        .unwrap();
        assert_eq!(config.client_id, "id");
        assert_eq!(config.endpoints.token_url.as_str(), "http://127.0.0.1:1/token");
        assert!(!format!("{config:?}").contains("s3cret"));

        let error = GoogleConfig::from_client_secret_json("{}").unwrap_err();
        assert!(error.contains("neither"), "{error}");
    }

    #[test]
    fn the_calendar_base_always_ends_with_a_slash() {
        let mut endpoints = Endpoints::default();
        assert_eq!(endpoints.calendar_base(), endpoints.calendar_url);
        endpoints.calendar_url = Url::parse("http://127.0.0.1:9/calendar/v3").unwrap();
        assert_eq!(
            endpoints.calendar_base().as_str(),
            "http://127.0.0.1:9/calendar/v3/"
        );
    }
}
