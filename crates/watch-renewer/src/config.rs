//! The environment variables of watch-renewer.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::config::named;
use common::parsed;
use google::GoogleConfig;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use store::seal::Keyring;
use sync::Settings;
use url::{Host, Url};

/// Read by [`common::config::from_env`]. A field's variable is its name in capitals.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// Postgres, 15 or newer.
    pub database_url: SecretString,
    /// The most connections to it.
    #[serde(
        default = "database_max_connections",
        deserialize_with = "parse_max_connections"
    )]
    pub database_max_connections: u32,
    /// Where `/healthz` and `/readyz` are answered, and nothing else.
    #[serde(default = "listen_addr", deserialize_with = "parse_listen_addr")]
    pub listen_addr: SocketAddr,

    /// The https origin under which Google reaches webhook-ingest. None: polling only.
    #[serde(default, deserialize_with = "parse_public_url")]
    pub public_url: Option<Url>,
    /// Where Google's pushes go, when that is not below `PUBLIC_URL`.
    #[serde(default, deserialize_with = "parse_webhook_url")]
    pub webhook_url: Option<Url>,

    pub google_client_id: String,
    pub google_client_secret: SecretString,
    /// Google's addresses; only tests and the emulator need others than the defaults.
    #[serde(default, deserialize_with = "parse_google_token_url")]
    pub google_token_url: Option<Url>,
    #[serde(default, deserialize_with = "parse_google_revoke_url")]
    pub google_revoke_url: Option<Url>,
    #[serde(default, deserialize_with = "parse_google_calendar_url")]
    pub google_calendar_url: Option<Url>,

    /// The keys that seal Google's tokens: `id:base64 of 32 bytes`, separated by commas. The first seals, all open.
    #[serde(deserialize_with = "parse_token_keys")]
    pub token_keys: Keyring,

    /// Seconds after which a second `invalid_grant` ends a grant (default 30).
    #[serde(default, deserialize_with = "parse_grant_confirm_delay")]
    pub grant_confirm_delay: Option<u64>,
    /// Seconds of life that are asked for a channel (default a week). Google may grant less.
    #[serde(default, deserialize_with = "parse_watch_ttl")]
    pub watch_ttl: Option<u64>,
    /// Seconds of silence after which a channel is replaced (default 12 hours).
    #[serde(default, deserialize_with = "parse_watch_silence_max")]
    pub watch_silence_max: Option<u64>,
}

/// The part of [`Config`] that the `health` subcommand needs.
#[derive(Debug, Deserialize)]
pub struct HealthConfig {
    #[serde(default = "listen_addr", deserialize_with = "parse_listen_addr")]
    pub listen_addr: SocketAddr,
}

const fn database_max_connections() -> u32 {
    16
}

const fn listen_addr() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8082)
}

parsed!(parse_max_connections: u32, "DATABASE_MAX_CONNECTIONS");
parsed!(parse_listen_addr: SocketAddr, "LISTEN_ADDR");
parsed!(parse_token_keys: Keyring, "TOKEN_KEYS");

/// As [`parsed!`], for a variable that need not be set.
macro_rules! optional {
    ($function:ident: $type:ty, $variable:literal) => {
        fn $function<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<$type>, D::Error> {
            named(deserializer, $variable, |text| {
                text.parse::<$type>().map(Some)
            })
        }
    };
}

optional!(parse_webhook_url: Url, "WEBHOOK_URL");
optional!(parse_google_token_url: Url, "GOOGLE_TOKEN_URL");
optional!(parse_google_revoke_url: Url, "GOOGLE_REVOKE_URL");
optional!(parse_google_calendar_url: Url, "GOOGLE_CALENDAR_URL");
optional!(parse_grant_confirm_delay: u64, "GRANT_CONFIRM_DELAY");
optional!(parse_watch_ttl: u64, "WATCH_TTL");
optional!(parse_watch_silence_max: u64, "WATCH_SILENCE_MAX");

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
            return Err(
                "expected https, which Google demands (http is for localhost and the emulator)".into(),
            );
        }
        if url.path() != "/" || url.query().is_some() {
            return Err(
                "expected an origin, such as https://calendar.example.com, without a path".to_owned(),
            );
        }
        Ok(Some(url))
    })
}

impl Config {
    /// Google's addresses and our client there.
    pub fn google(&self) -> GoogleConfig {
        let secret = self.google_client_secret.expose_secret().into();
        let mut config = GoogleConfig::new(&self.google_client_id, secret);
        let endpoints = &mut config.endpoints;
        for (ours, theirs) in [
            (&self.google_token_url, &mut endpoints.token_url),
            (&self.google_revoke_url, &mut endpoints.revoke_url),
            (&self.google_calendar_url, &mut endpoints.calendar_url),
        ] {
            if let Some(url) = ours {
                *theirs = url.clone();
            }
        }
        config
    }

    pub fn settings(&self) -> Settings {
        let mut settings = Settings {
            public_url: self.public_url.clone(),
            webhook_url: self.webhook_url.clone(),
            ..Settings::default()
        };
        for (ours, theirs) in [
            (self.grant_confirm_delay, &mut settings.grant_confirm_delay),
            (self.watch_ttl, &mut settings.watch_ttl),
            (self.watch_silence_max, &mut settings.watch_silence_max),
        ] {
            if let Some(seconds) = ours {
                *theirs = Duration::from_secs(seconds);
            }
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;

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
    fn without_a_public_url_there_is_no_webhook_and_google_is_google() {
        let config = read(&[("PUBLIC_URL", "")]).unwrap();
        assert_eq!(config.settings().webhook_address(), None);
        assert_eq!(config.google().endpoints, google::Endpoints::default());
        assert_eq!(config.listen_addr.port(), 8082);
        assert!(!format!("{config:?}").contains("secret\""));
    }

    #[test]
    fn what_is_set_is_taken() {
        let config = read(&[
            ("PUBLIC_URL", "https://calendar.example.com"),
            ("GOOGLE_CALENDAR_URL", "http://127.0.0.1:9/calendar/v3"),
            ("GRANT_CONFIRM_DELAY", "1"),
        ])
        .unwrap();
        let settings = config.settings();
        assert_eq!(
            settings.webhook_address().unwrap().as_str(),
            "https://calendar.example.com/api/calendar/webhook"
        );
        assert_eq!(settings.grant_confirm_delay, Duration::from_secs(1));
        assert_eq!(settings.watch_ttl, Settings::default().watch_ttl);
        assert_eq!(config.google().endpoints.calendar_url.port(), Some(9));
    }

    #[test]
    fn a_bad_value_is_refused_by_name() {
        for (name, value) in [
            ("PUBLIC_URL", "http://calendar.example.com"),
            ("PUBLIC_URL", "https://calendar.example.com/path"),
            ("PUBLIC_URL", "calendar.example.com"),
            ("TOKEN_KEYS", "1:short"),
            ("LISTEN_ADDR", "8082"),
            ("DATABASE_MAX_CONNECTIONS", "many"),
            ("WATCH_TTL", "a week"),
            ("GOOGLE_TOKEN_URL", "token"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name), "{name}={value}: {error}");
        }
        assert!(read(&[("PUBLIC_URL", "http://localhost:4000")]).is_ok());
    }
}
