//! The environment variables that all three services share, and the [`Context`] built from them.
//!
//! A service flattens [`Config`] into its own. That works with envy because every field here is parsed from text.

use std::net::SocketAddr;
use std::time::Duration;

use common::clock::Clock;
use common::config::named;
use common::{optional, parsed};
use google::{Endpoints, Google, GoogleConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use store::seal::Keyring;
use url::{Host, Url};

use crate::{Context, Settings};

/// Read by [`common::config::from_env`]. A field's variable is its name in capitals.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// Postgres, 15 or newer.
    pub database_url: SecretString,
    /// The maximum number of connections to it.
    #[serde(
        default = "database_max_connections",
        deserialize_with = "parse_max_connections"
    )]
    pub database_max_connections: u32,

    /// The address of `/metrics` for Prometheus, never on the public address. None: no metrics.
    #[serde(default, deserialize_with = "parse_metrics_addr")]
    pub metrics_addr: Option<SocketAddr>,

    /// The https origin at which this installation is reachable from the Internet. None: polling only.
    #[serde(default, deserialize_with = "parse_public_url")]
    pub public_url: Option<Url>,
    /// The address for Google's pushes, if it is not below `PUBLIC_URL`.
    #[serde(default, deserialize_with = "parse_webhook_url")]
    pub webhook_url: Option<Url>,

    pub google_client_id: String,
    pub google_client_secret: SecretString,
    /// The base URL of an emulator instead of Google; after a comma the one for browsers, if that is another.
    #[serde(default, deserialize_with = "parse_google_base_url")]
    pub google_base_url: Option<Endpoints>,

    /// Whether disconnecting an account revokes its grant at Google, which ends every grant of the same Google project for
    /// the account. `false` where another application, such as the host's sign-in, shares the project.
    #[serde(
        default = "revoke_on_disconnect",
        deserialize_with = "parse_revoke_on_disconnect"
    )]
    pub revoke_on_disconnect: bool,

    /// The keys that seal Google's tokens: `id:base64 of 32 bytes`, separated by commas. The first one seals, all of
    /// them open.
    #[serde(deserialize_with = "parse_token_keys")]
    pub token_keys: Keyring,

    /// Timings that only tests and unusual installations change: `name=seconds`, separated by commas.
    #[serde(default, deserialize_with = "parse_tuning")]
    pub tuning: Settings,
}

const fn database_max_connections() -> u32 {
    16
}

const fn revoke_on_disconnect() -> bool {
    true
}

parsed!(parse_revoke_on_disconnect: bool, "REVOKE_ON_DISCONNECT");
parsed!(parse_max_connections: u32, "DATABASE_MAX_CONNECTIONS");
parsed!(parse_token_keys: Keyring, "TOKEN_KEYS");
parsed!(parse_tuning: Settings, "TUNING");

optional!(parse_webhook_url: Url, "WEBHOOK_URL");
optional!(parse_metrics_addr: SocketAddr, "METRICS_ADDR");

fn parse_google_base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Endpoints>, D::Error> {
    named(deserializer, "GOOGLE_BASE_URL", |text| {
        let (services, browsers) = text.split_once(',').unwrap_or((text, text));
        let mut endpoints = Endpoints::at(&Url::parse(services)?);
        endpoints.auth_url = Endpoints::at(&Url::parse(browsers)?).auth_url;
        Ok::<_, url::ParseError>(Some(endpoints))
    })
}

fn parse_public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    named(deserializer, "PUBLIC_URL", |text| {
        let url = Url::parse(text).map_err(|error| format!("{error}; expected https://host"))?;
        let local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            return Err("expected https, which Google requires (http is allowed for localhost)".to_owned());
        }
        if url.path() != "/" || url.query().is_some() {
            return Err(
                "expected an origin, such as https://calendar.example.com, without a path".to_owned(),
            );
        }
        Ok(Some(url))
    })
}

/// Why a service cannot start. Its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("could not connect to DATABASE_URL: {0}")]
    Connect(#[source] sqlx::Error),
    #[error(transparent)]
    Schema(#[from] store::SchemaError),
    #[error(transparent)]
    Keys(#[from] store::seal::KeyCheckError),
    #[error("could not create the client for Google: {0}")]
    Google(#[from] google::SetupError),
}

impl Config {
    /// Google's endpoints and our OAuth client.
    pub fn google(&self) -> GoogleConfig {
        let secret = self.google_client_secret.expose_secret().into();
        let mut config = GoogleConfig::new(&self.google_client_id, secret);
        if let Some(emulator) = &self.google_base_url {
            config.endpoints = emulator.clone();
        }
        config
    }

    pub fn settings(&self) -> Settings {
        Settings {
            public_url: self.public_url.clone(),
            webhook_url: self.webhook_url.clone(),
            revoke_on_disconnect: self.revoke_on_disconnect,
            ..self.tuning.clone()
        }
    }

    /// Connects to Postgres and checks the schema and the keys that tokens are sealed with.
    /// `acquire_timeout`: how long to wait for a connection of the pool.
    pub async fn context(self, clock: Clock, acquire_timeout: Duration) -> Result<Context, StartError> {
        let url = self.database_url.expose_secret();
        let pool = store::connect(url, self.database_max_connections, acquire_timeout)
            .await
            .map_err(StartError::Connect)?;
        store::check_schema(&pool).await?;
        let mut conn = pool.acquire().await.map_err(StartError::Connect)?;
        for id in store::seal::check_keys(&mut conn, clock.now(), &self.token_keys).await? {
            tracing::warn!(
                key.id = id,
                "Accounts are sealed with a key that TOKEN_KEYS lacks; they are not synchronized until it is restored"
            );
        }
        drop(conn);
        tracing::info!("Zone rules: {}", event_model::zone::data());
        let google = Google::new(self.google())?;
        let settings = self.settings();
        Ok(Context::new(pool, google, clock, self.token_keys, settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn read(changes: &[(&str, &str)]) -> Result<Config, String> {
        let key = base64::engine::general_purpose::STANDARD.encode((224..=255).collect::<Vec<u8>>());
        let keys = format!("1:{key}");
        let mut vars: std::collections::BTreeMap<&str, &str> = [
            ("DATABASE_URL", "postgres://localhost/x"),
            ("GOOGLE_CLIENT_ID", "id"),
            ("GOOGLE_CLIENT_SECRET", "secret"),
            ("TOKEN_KEYS", &keys),
        ]
        .into();
        vars.extend(changes.iter().copied());
        common::config::from_vars(vars.into_iter().map(|(name, value)| (name.into(), value.into())))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_google_without_a_webhook() {
        let config = read(&[("PUBLIC_URL", "")]).unwrap();
        assert_eq!(config.settings().webhook_address(), None);
        assert_eq!(config.google().endpoints, Endpoints::default());
        assert!(!format!("{config:?}").contains("secret\""));
    }

    #[test]
    fn set_values_are_used() {
        let config = read(&[
            ("PUBLIC_URL", "https://calendar.example.com"),
            ("GOOGLE_BASE_URL", "http://127.0.0.1:9,http://localhost:8"),
            ("TUNING", "grant_confirm_seconds=1,poll_unwatched_seconds=2"),
            ("REVOKE_ON_DISCONNECT", "false"),
        ])
        .unwrap();
        let settings = config.settings();
        assert_eq!(
            settings.webhook_address().unwrap().as_str(),
            "https://calendar.example.com/api/calendar/webhook"
        );
        assert_eq!(settings.grant_confirm_delay, secs(1));
        assert!(!settings.revoke_on_disconnect);
        assert_eq!(settings.poll_unwatched, secs(2));
        assert_eq!(settings.watch_ttl, Settings::default().watch_ttl);
        let endpoints = config.google().endpoints;
        assert_eq!(endpoints.calendar_url.as_str(), "http://127.0.0.1:9/calendar/v3/");
        assert_eq!(endpoints.token_url.as_str(), "http://127.0.0.1:9/token");
        assert_eq!(endpoints.auth_url.as_str(), "http://localhost:8/o/oauth2/v2/auth");
    }

    #[test]
    fn bad_values_are_rejected_by_name() {
        for (name, value) in [
            ("PUBLIC_URL", "http://calendar.example.com"),
            ("PUBLIC_URL", "https://calendar.example.com/path"),
            ("PUBLIC_URL", "calendar.example.com"),
            ("TOKEN_KEYS", "1:short"),
            ("DATABASE_MAX_CONNECTIONS", "many"),
            ("TUNING", "watch_ttl_seconds=a week"),
            ("TUNING", "watch_seconds=1"),
            ("GOOGLE_BASE_URL", "google"),
            ("REVOKE_ON_DISCONNECT", "no"),
            ("GOOGLE_BASE_URL", "http://127.0.0.1:9,browsers"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name), "{name}={value}: {error}");
        }
        assert!(read(&[("PUBLIC_URL", "http://localhost:4000")]).is_ok());
    }
}
