//! What `webhook-ingest` reads from its environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::config::{self, ConfigError, SecretKey};
use common::{parsed, secret_key};
use google::{Endpoints, GoogleConfig};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use store::seal::Keyring;
use url::Url;

use crate::source::TrustedProxies;

secret_key!(centrifugo_api_key, "CENTRIFUGO_API_KEY");
parsed!(listen_addr: SocketAddr, "LISTEN_ADDR");
parsed!(centrifugo_api_url: Url, "CENTRIFUGO_API_URL");
parsed!(token_keys: Keyring, "TOKEN_KEYS");
parsed!(trusted_proxies: TrustedProxies, "TRUSTED_PROXIES");
parsed!(database_max_connections: u32, "DATABASE_MAX_CONNECTIONS");
parsed!(webhook_max_in_flight: usize, "WEBHOOK_MAX_IN_FLIGHT");
parsed!(webhook_max_per_source: u32, "WEBHOOK_MAX_PER_SOURCE");
parsed!(pull_slots: u8, "PULL_SLOTS");

/// As [`parsed!`], for a variable that need not be set.
macro_rules! optional {
    ($function:ident: $type:ty, $variable:literal) => {
        fn $function<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<$type>, D::Error> {
            config::named(deserializer, $variable, |text| {
                text.parse::<$type>().map(Some)
            })
        }
    };
}

optional!(public_url: Url, "PUBLIC_URL");
optional!(webhook_url: Url, "WEBHOOK_URL");
optional!(google_auth_url: Url, "GOOGLE_AUTH_URL");
optional!(google_token_url: Url, "GOOGLE_TOKEN_URL");
optional!(google_revoke_url: Url, "GOOGLE_REVOKE_URL");
optional!(google_userinfo_url: Url, "GOOGLE_USERINFO_URL");
optional!(google_calendar_url: Url, "GOOGLE_CALENDAR_URL");
optional!(grant_confirm_delay: u64, "GRANT_CONFIRM_DELAY");

/// The configuration of the service; every field is the environment variable of the same name.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// `postgres://user:password@host:port/database`.
    pub database_url: SecretString,
    /// Connections of the pool; the intake has one more of its own.
    #[serde(
        default = "defaults::database_max_connections",
        deserialize_with = "database_max_connections"
    )]
    pub database_max_connections: u32,
    #[serde(default = "defaults::listen_addr", deserialize_with = "listen_addr")]
    pub listen_addr: SocketAddr,
    /// The https origin under which Google reaches this service. None: polling only.
    #[serde(default, deserialize_with = "public_url")]
    pub public_url: Option<Url>,
    /// Where Google's pushes go, when that is not below `PUBLIC_URL`.
    #[serde(default, deserialize_with = "webhook_url")]
    pub webhook_url: Option<Url>,
    pub google_client_id: String,
    pub google_client_secret: SecretString,
    #[serde(flatten)]
    pub google_urls: GoogleUrls,
    #[serde(
        default = "defaults::centrifugo_api_url",
        deserialize_with = "centrifugo_api_url"
    )]
    pub centrifugo_api_url: Url,
    #[serde(deserialize_with = "centrifugo_api_key")]
    pub centrifugo_api_key: SecretKey,
    /// Opens and seals Google's tokens.
    #[serde(deserialize_with = "token_keys")]
    pub token_keys: Keyring,
    /// Proxies whose `X-Forwarded-For` names the source of a push: addresses or networks, separated by commas.
    #[serde(default, deserialize_with = "trusted_proxies")]
    pub trusted_proxies: TrustedProxies,
    /// Pushes that may be under way at once in this process; the next one is answered 503.
    #[serde(
        default = "defaults::webhook_max_in_flight",
        deserialize_with = "webhook_max_in_flight"
    )]
    pub webhook_max_in_flight: usize,
    /// Pushes per second from one address, or one /64 of IPv6; past it they are answered 503.
    #[serde(
        default = "defaults::webhook_max_per_source",
        deserialize_with = "webhook_max_per_source"
    )]
    pub webhook_max_per_source: u32,
    /// Resources that are pulled from Google at the same time.
    #[serde(default = "defaults::pull_slots", deserialize_with = "pull_slots")]
    pub pull_slots: u8,
    /// Seconds after which a second `invalid_grant` ends a grant (default 30).
    #[serde(default, deserialize_with = "grant_confirm_delay")]
    pub grant_confirm_delay: Option<u64>,
}

/// Google's addresses, where they are not Google's own.
#[derive(Debug, Default, Deserialize)]
pub struct GoogleUrls {
    #[serde(default, rename = "google_auth_url", deserialize_with = "google_auth_url")]
    pub auth: Option<Url>,
    #[serde(default, rename = "google_token_url", deserialize_with = "google_token_url")]
    pub token: Option<Url>,
    #[serde(default, rename = "google_revoke_url", deserialize_with = "google_revoke_url")]
    pub revoke: Option<Url>,
    #[serde(
        default,
        rename = "google_userinfo_url",
        deserialize_with = "google_userinfo_url"
    )]
    pub userinfo: Option<Url>,
    #[serde(
        default,
        rename = "google_calendar_url",
        deserialize_with = "google_calendar_url"
    )]
    pub calendar: Option<Url>,
}

impl Config {
    /// `LISTEN_ADDR` alone, for the `health` subcommand, which needs no secrets.
    pub fn listen_addr_from_env() -> Result<SocketAddr, ConfigError> {
        #[derive(Deserialize)]
        struct Address {
            #[serde(default = "defaults::listen_addr", deserialize_with = "listen_addr")]
            listen_addr: SocketAddr,
        }
        config::from_env::<Address>().map(|address| address.listen_addr)
    }

    /// What sync is to do; what is not configured is as in production.
    pub fn sync_settings(&self) -> sync::Settings {
        let production = sync::Settings::default();
        sync::Settings {
            public_url: self.public_url.clone(),
            webhook_url: self.webhook_url.clone(),
            grant_confirm_delay: self
                .grant_confirm_delay
                .map_or(production.grant_confirm_delay, Duration::from_secs),
            ..production
        }
    }

    pub fn google(&self) -> GoogleConfig {
        let mut config = GoogleConfig::new(&self.google_client_id, self.google_client_secret.clone());
        let google = Endpoints::default();
        let urls = &self.google_urls;
        let or = |url: &Option<Url>, default| url.clone().unwrap_or(default);
        config.endpoints = Endpoints {
            auth_url: or(&urls.auth, google.auth_url),
            token_url: or(&urls.token, google.token_url),
            revoke_url: or(&urls.revoke, google.revoke_url),
            userinfo_url: or(&urls.userinfo, google.userinfo_url),
            calendar_url: or(&urls.calendar, google.calendar_url),
        };
        config
    }
}

mod defaults {
    use super::{Ipv4Addr, SocketAddr, Url};

    pub fn database_max_connections() -> u32 {
        16
    }

    pub fn listen_addr() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 8081).into()
    }

    #[expect(clippy::expect_used, reason = "a constant URL")]
    pub fn centrifugo_api_url() -> Url {
        Url::parse("http://127.0.0.1:9000/api").expect("a constant URL")
    }

    pub fn webhook_max_in_flight() -> usize {
        1_024
    }

    pub fn webhook_max_per_source() -> u32 {
        2_000
    }

    pub fn pull_slots() -> u8 {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample file with `changes`, and real keys in the place of the samples.
    fn read(changes: &[(&str, &str)]) -> Result<Config, String> {
        let sample = include_str!("../../../.env.example");
        let mut vars: std::collections::BTreeMap<String, String> = sample
            .lines()
            .filter_map(|line| line.split_once('='))
            .filter(|(name, _)| !name.starts_with('#'))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let real = [
            ("CENTRIFUGO_API_KEY", "5f0f6c1d9e7b4a3c8d2e1f0a9b8c7d6e"),
            ("TOKEN_KEYS", "1:m0hN2yZB5w0m2jXGyk6L1d0uQz1xI8m4vXb7o3pT9sE="),
        ];
        for (name, value) in real.iter().chain(changes) {
            vars.insert((*name).into(), (*value).into());
        }
        config::from_vars(vars).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_is_complete_and_bad_values_are_named() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen_addr.to_string(), "127.0.0.1:8081");
        assert_eq!(config.google().endpoints, Endpoints::default());
        assert_eq!(config.sync_settings(), sync::Settings::default());
        assert_eq!(
            (config.webhook_max_in_flight, config.webhook_max_per_source),
            (1_024, 2_000)
        );

        let changed = read(&[
            ("GOOGLE_TOKEN_URL", "http://127.0.0.1:1/token"),
            ("PUBLIC_URL", "https://c.example.com"),
            ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ])
        .unwrap();
        assert_eq!(
            changed.google().endpoints.token_url.as_str(),
            "http://127.0.0.1:1/token"
        );
        let address = changed.sync_settings().webhook_address().unwrap();
        assert_eq!(address.as_str(), "https://c.example.com/api/calendar/webhook");

        for name in [
            "CENTRIFUGO_API_KEY",
            "TOKEN_KEYS",
            "GOOGLE_TOKEN_URL",
            "PULL_SLOTS",
            "TRUSTED_PROXIES",
        ] {
            let error = read(&[(name, "change-me")]).unwrap_err();
            assert!(error.starts_with(name), "{name}: {error}");
        }
    }
}
