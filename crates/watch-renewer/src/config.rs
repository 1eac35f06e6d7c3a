//! The environment variables of watch-renewer.

use std::net::{Ipv4Addr, SocketAddr};

use common::parsed;
use serde::Deserialize;

/// Read by [`common::config::from_env`]. A field's variable is its name in capitals.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// Where `/healthz` and `/readyz` are answered, and nothing else.
    #[serde(default = "listen_addr", deserialize_with = "parse_listen_addr")]
    pub listen_addr: SocketAddr,
    #[serde(flatten)]
    pub sync: sync::config::Config,
}

/// The part of [`Config`] that the `health` subcommand needs.
#[derive(Debug, Deserialize)]
pub struct HealthConfig {
    #[serde(default = "listen_addr", deserialize_with = "parse_listen_addr")]
    pub listen_addr: SocketAddr,
}

const fn listen_addr() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8082)
}

parsed!(parse_listen_addr: SocketAddr, "LISTEN_ADDR");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_variables_are_read_too_and_a_bad_value_is_refused_by_name() {
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
