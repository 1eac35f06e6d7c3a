//! The environment variables of watch-renewer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use centrifugo::Tokens;
use common::config::{SecretKey, named};
use common::ids::UserId;
use common::{optional_secret_key, parsed};
use serde::{Deserialize, Deserializer};
use sync::canary;
use url::Url;

/// Where the service listens by default.
pub const LISTEN_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);

/// Read by [`common::config::from_env`]. A field's variable is its name in capitals.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// The address of `/healthz` and `/readyz`. The service serves nothing else.
    #[serde(default = "listen_addr", deserialize_with = "parse_listen_addr")]
    pub listen_addr: SocketAddr,
    #[serde(flatten)]
    pub sync: sync::config::Config,

    /// The user of the host application whose connected account the canary changes. None: no canary.
    #[serde(default, deserialize_with = "parse_canary_user")]
    pub canary_user: Option<UserId>,
    /// The calendar that it changes, by Google's id. Default: the primary one.
    #[serde(default)]
    pub canary_calendar: Option<String>,
    /// The URL of Centrifugo's socket.
    #[serde(default = "centrifugo_ws_url", deserialize_with = "parse_centrifugo_ws_url")]
    pub centrifugo_ws_url: SocketUrl,
    /// The same as that of calendar-api. Only the canary needs it.
    #[serde(default, deserialize_with = "centrifugo_token_secret")]
    pub centrifugo_token_secret: Option<SecretKey>,
}

impl Config {
    /// The canary and its tokens, if it is configured. `Err` names the missing variable.
    pub fn canary(&self) -> Result<Option<(canary::CanaryConfig, Tokens)>, String> {
        let Some(user) = &self.canary_user else {
            return Ok(None);
        };
        let secret = self
            .centrifugo_token_secret
            .as_ref()
            .ok_or("CANARY_USER needs CENTRIFUGO_TOKEN_SECRET, the same as that of calendar-api")?;
        let config = canary::CanaryConfig {
            user: user.clone(),
            calendar: self.canary_calendar.clone(),
            every: self.sync.tuning.canary_every.max(Duration::from_secs(1)),
            patience: self.sync.tuning.canary_patience,
            socket_url: self.centrifugo_ws_url.as_http(),
        };
        Ok(Some((config, Tokens::new(secret))))
    }
}

fn centrifugo_ws_url() -> SocketUrl {
    SocketUrl("ws://127.0.0.1:8000/connection/websocket".into())
}

/// A `ws` or `wss` URL.
#[derive(Debug, Clone)]
pub struct SocketUrl(String);

impl std::str::FromStr for SocketUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "ws" | "wss") && url.has_host() => Ok(Self(text.to_owned())),
            _ => Err("expected ws://host/connection/websocket, or wss"),
        }
    }
}

impl SocketUrl {
    /// With the scheme of the HTTP request that opens the socket.
    #[expect(clippy::expect_used, reason = "it was parsed as a URL")]
    pub fn as_http(&self) -> Url {
        Url::parse(&self.0.replacen("ws", "http", 1)).expect("a URL")
    }
}

fn parse_canary_user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UserId>, D::Error> {
    named(deserializer, "CANARY_USER", |text| UserId::parse(text).map(Some))
}

const fn listen_addr() -> SocketAddr {
    LISTEN_ADDR
}

optional_secret_key!(centrifugo_token_secret, "CENTRIFUGO_TOKEN_SECRET");
parsed!(parse_centrifugo_ws_url: SocketUrl, "CENTRIFUGO_WS_URL");
parsed!(parse_listen_addr: SocketAddr, "LISTEN_ADDR");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_variables_are_read_and_bad_values_rejected_by_name() {
        let read = |addr: &str| {
            let vars = [
                ("DATABASE_URL", "postgres://localhost/x"),
                ("GOOGLE_CLIENT_ID", "id"),
                ("GOOGLE_CLIENT_SECRET", "secret"),
                ("TOKEN_KEYS", "1:4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8="),
                ("DATABASE_MAX_CONNECTIONS", "7"),
                ("LISTEN_ADDR", addr),
            ];
            common::config::from_vars::<Config>(vars.map(|(name, value)| (name.into(), value.into())))
        };
        let config = read("").unwrap();
        assert_eq!(config.listen_addr.port(), 8082);
        assert_eq!(config.sync.database_max_connections, 7);
        assert!(read("8082").unwrap_err().to_string().starts_with("LISTEN_ADDR"));
    }
}
