//! The environment variables of `webhook-ingest`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use common::config::SecretKey;
use common::http::source::TrustedProxies;
use common::{parsed, secret_key};
use serde::Deserialize;
use url::Url;

secret_key!(centrifugo_api_key, "CENTRIFUGO_API_KEY");
parsed!(listen_addr: SocketAddr, "LISTEN_ADDR");
parsed!(centrifugo_api_url: Url, "CENTRIFUGO_API_URL");
parsed!(trusted_proxies: TrustedProxies, "TRUSTED_PROXIES");
parsed!(webhook_max_in_flight: usize, "WEBHOOK_MAX_IN_FLIGHT");
parsed!(webhook_max_per_source: u32, "WEBHOOK_MAX_PER_SOURCE");
parsed!(pull_slots: u8, "PULL_SLOTS");

/// Where the service listens by default.
pub const LISTEN_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// Read by [`common::config::from_env`]. A field's variable is its name in capitals.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// The variables of all services. The intake has one connection besides the pool's.
    #[serde(flatten)]
    pub sync: sync::config::Config,
    #[serde(default = "defaults::listen_addr", deserialize_with = "listen_addr")]
    pub listen_addr: SocketAddr,
    #[serde(
        default = "defaults::centrifugo_api_url",
        deserialize_with = "centrifugo_api_url"
    )]
    pub centrifugo_api_url: Url,
    #[serde(deserialize_with = "centrifugo_api_key")]
    pub centrifugo_api_key: SecretKey,
    /// Proxies whose `X-Forwarded-For` names the source of a push: addresses or networks, separated by commas.
    #[serde(default, deserialize_with = "trusted_proxies")]
    pub trusted_proxies: TrustedProxies,
    /// Pushes that may be under way at once in this process; the next one is answered 503. A source that has sent no genuine
    /// push lately gets a quarter of them.
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

mod defaults {
    use super::{SocketAddr, Url};

    pub const fn listen_addr() -> SocketAddr {
        super::LISTEN_ADDR
    }

    #[expect(clippy::expect_used, reason = "a constant URL")]
    pub fn centrifugo_api_url() -> Url {
        Url::parse("http://127.0.0.1:9000/api").expect("a constant URL")
    }

    pub const fn webhook_max_in_flight() -> usize {
        1_024
    }

    pub const fn webhook_max_per_source() -> u32 {
        2_000
    }

    pub const fn pull_slots() -> u8 {
        8
    }
}

#[cfg(test)]
mod tests {
    use common::config;

    use super::*;

    /// The sample file with `changes`, and what it leaves empty.
    fn read(changes: &[(&str, &str)]) -> Result<Config, String> {
        let sample = include_str!("../../../.env.example");
        let mut vars: std::collections::BTreeMap<String, String> = sample
            .lines()
            .filter_map(|line| line.split_once('='))
            .filter(|(name, _)| !name.starts_with('#'))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let real = [
            ("DATABASE_URL", "postgres://localhost/x"),
            ("GOOGLE_CLIENT_ID", "client"),
            ("GOOGLE_CLIENT_SECRET", "secret"),
            ("CENTRIFUGO_API_KEY", "5f0f6c1d9e7b4a3c8d2e1f0a9b8c7d6e"),
            ("TOKEN_KEYS", "1:m0hN2yZB5w0m2jXGyk6L1d0uQz1xI8m4vXb7o3pT9sE="),
        ];
        for (name, value) in real.iter().chain(changes) {
            vars.insert((*name).into(), (*value).into());
        }
        config::from_vars(vars).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_is_complete_and_bad_values_are_rejected() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen_addr.to_string(), "127.0.0.1:8081");
        assert_eq!(config.sync.google().endpoints, google::Endpoints::default());
        assert_eq!(config.sync.settings(), sync::Settings::default());
        assert_eq!(
            (config.webhook_max_in_flight, config.webhook_max_per_source),
            (1_024, 2_000)
        );

        let changed = read(&[
            ("GOOGLE_BASE_URL", "http://127.0.0.1:1"),
            ("PUBLIC_URL", "https://c.example.com"),
            ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ])
        .unwrap();
        assert_eq!(
            changed.sync.google().endpoints.token_url.as_str(),
            "http://127.0.0.1:1/token"
        );
        let address = changed.sync.settings().webhook_address().unwrap();
        assert_eq!(address.as_str(), "https://c.example.com/api/calendar/webhook");

        for name in [
            "CENTRIFUGO_API_KEY",
            "TOKEN_KEYS",
            "GOOGLE_BASE_URL",
            "PULL_SLOTS",
            "TRUSTED_PROXIES",
        ] {
            let error = read(&[(name, "change-me")]).unwrap_err();
            assert!(error.starts_with(name), "{name}: {error}");
        }
    }
}
