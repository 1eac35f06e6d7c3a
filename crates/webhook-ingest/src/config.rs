//! What `webhook-ingest` reads from its environment.

use std::net::{Ipv4Addr, SocketAddr};

use common::config::{self, ConfigError, SecretKey};
use common::{parsed, secret_key};
use google::{Endpoints, GoogleConfig};
use secrecy::SecretString;
use serde::Deserialize;
use store::seal::Keyring;
use url::Url;

use crate::source::TrustedProxies;

secret_key!(centrifugo_api_key, "CENTRIFUGO_API_KEY");
parsed!(listen_addr: SocketAddr, "LISTEN_ADDR");
parsed!(centrifugo_api_url: Url, "CENTRIFUGO_API_URL");
parsed!(url: Url, "PUBLIC_URL");
parsed!(token_keys: Keyring, "TOKEN_KEYS");
parsed!(trusted_proxies: TrustedProxies, "TRUSTED_PROXIES");
parsed!(database_max_connections: u32, "DATABASE_MAX_CONNECTIONS");
parsed!(webhook_max_in_flight: usize, "WEBHOOK_MAX_IN_FLIGHT");
parsed!(webhook_max_per_source: u32, "WEBHOOK_MAX_PER_SOURCE");
parsed!(pull_slots: u8, "PULL_SLOTS");

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
}

/// Google's addresses, where they are not Google's own.
#[derive(Debug, Default, Deserialize)]
pub struct GoogleUrls {
    #[serde(rename = "google_auth_url")]
    pub auth: Option<Url>,
    #[serde(rename = "google_token_url")]
    pub token: Option<Url>,
    #[serde(rename = "google_revoke_url")]
    pub revoke: Option<Url>,
    #[serde(rename = "google_userinfo_url")]
    pub userinfo: Option<Url>,
    #[serde(rename = "google_calendar_url")]
    pub calendar: Option<Url>,
}

fn public_url<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    url(deserializer).map(Some)
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
        sync::Settings {
            public_url: self.public_url.clone(),
            ..sync::Settings::default()
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
