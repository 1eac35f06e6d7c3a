//! The environment variables of calendar-api.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use common::config::{SecretKey, named};
use common::http::source::TrustedProxies;
use common::{optional, optional_secret_key, parsed, secret_key};
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::auth::{Authenticator, JwksUrl, SignatureAlgorithm};
use crate::origin::Origin;

/// Where the service listens by default.
pub const LISTEN_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Read by [`common::config::from_env`]. A field's variable is its name in capitals.
#[derive(Debug, Deserialize)]
pub struct Config {
    #[serde(flatten)]
    pub sync: sync::config::Config,
    /// Where to listen for browsers.
    #[serde(default = "listen_addr", deserialize_with = "parse_listen_addr")]
    pub listen_addr: SocketAddr,

    /// The origin under which browsers reach this service, when `PUBLIC_URL` is not set.
    #[serde(default = "api_url", deserialize_with = "parse_api_url")]
    pub api_url: Origin,
    /// Origins of pages that may call from a browser, and to which a user returns after connecting.
    #[serde(default, deserialize_with = "parse_app_origins")]
    pub app_origins: Vec<Origin>,

    /// Centrifugo's HTTP API on its internal port.
    #[serde(deserialize_with = "parse_centrifugo_api_url")]
    pub centrifugo_api_url: Url,
    #[serde(deserialize_with = "centrifugo_api_key")]
    pub centrifugo_api_key: SecretKey,
    /// Signs the tokens with which browsers open their socket. Nothing else may be signed with it.
    #[serde(deserialize_with = "centrifugo_token_secret")]
    pub centrifugo_token_secret: SecretKey,

    /// Where the host application publishes its keys …
    #[serde(default, deserialize_with = "parse_auth_jwks_url")]
    pub auth_jwks_url: Option<JwksUrl>,
    /// … or the secret that it shares with Calwire.
    #[serde(default, deserialize_with = "auth_hs256_secret")]
    pub auth_hs256_secret: Option<SecretKey>,
    /// The only accepted algorithm. Optional with a shared secret.
    #[serde(default, deserialize_with = "parse_auth_algorithm")]
    pub auth_algorithm: Option<SignatureAlgorithm>,
    /// The `iss` that a token must have.
    pub auth_issuer: String,
    /// The `aud` that a token must have, or have among others.
    pub auth_audience: String,

    /// Proxies whose `X-Forwarded-For` names the source of a connect callback: addresses or networks, separated by commas.
    #[serde(default, deserialize_with = "parse_trusted_proxies")]
    pub trusted_proxies: TrustedProxies,

    /// The most calls of one user in a minute.
    #[serde(default = "rate_limit_per_minute", deserialize_with = "parse_rate_limit")]
    pub rate_limit_per_minute: u32,
}

const fn listen_addr() -> SocketAddr {
    LISTEN_ADDR
}

fn api_url() -> Origin {
    Origin::localhost(8080)
}

const fn rate_limit_per_minute() -> u32 {
    1_200
}

secret_key!(centrifugo_api_key, "CENTRIFUGO_API_KEY");
secret_key!(centrifugo_token_secret, "CENTRIFUGO_TOKEN_SECRET");
parsed!(parse_rate_limit: u32, "RATE_LIMIT_PER_MINUTE");
parsed!(parse_trusted_proxies: TrustedProxies, "TRUSTED_PROXIES");
parsed!(parse_listen_addr: SocketAddr, "LISTEN_ADDR");
parsed!(parse_api_url: Origin, "API_URL");
parsed!(parse_centrifugo_api_url: Url, "CENTRIFUGO_API_URL");

optional_secret_key!(auth_hs256_secret, "AUTH_HS256_SECRET");
optional!(parse_auth_jwks_url: JwksUrl, "AUTH_JWKS_URL");
optional!(parse_auth_algorithm: SignatureAlgorithm, "AUTH_ALGORITHM");

fn parse_app_origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Origin>, D::Error> {
    named(deserializer, "APP_ORIGINS", |text| {
        text.split(',')
            .map(str::trim)
            .map(str::parse)
            .collect::<Result<Vec<_>, _>>()
    })
}

impl Config {
    /// The origin under which browsers reach this service.
    pub fn browser_url(&self) -> Origin {
        match &self.sync.public_url {
            Some(url) => Origin::of(url),
            None => self.api_url.clone(),
        }
    }

    /// Authenticates users. `Err` names the variables that conflict, in one line.
    pub fn authenticator(&self) -> Result<Authenticator, String> {
        let (issuer, audience) = (&self.auth_issuer, &self.auth_audience);
        if audience == centrifugo::AUDIENCE {
            return Err(format!(
                "AUTH_AUDIENCE is {audience}, the audience of socket tokens: a socket token could call the API"
            ));
        }
        match (&self.auth_jwks_url, &self.auth_hs256_secret, self.auth_algorithm) {
            (None, Some(secret), None | Some(SignatureAlgorithm::Hs256)) => {
                if secret.expose() == self.centrifugo_token_secret.expose() {
                    return Err(
                        "AUTH_HS256_SECRET and CENTRIFUGO_TOKEN_SECRET are the same: use different secrets"
                            .into(),
                    );
                }
                Ok(Authenticator::with_secret(
                    secret.expose().as_bytes(),
                    issuer,
                    audience,
                ))
            }
            (Some(_), None, Some(SignatureAlgorithm::Hs256)) => {
                Err("AUTH_ALGORITHM is HS256, which needs AUTH_HS256_SECRET and no AUTH_JWKS_URL".into())
            }
            (Some(url), None, Some(algorithm)) => {
                let proxies = google::Proxies::from_env();
                Authenticator::with_jwks(url.clone(), algorithm, issuer, audience, &proxies)
                    .map_err(|error| format!("cannot set up the client for AUTH_JWKS_URL: {error}"))
            }
            (Some(_), None, None) => {
                Err("AUTH_ALGORITHM is not set; with AUTH_JWKS_URL it is EdDSA, ES256 or RS256".into())
            }
            (None, Some(_), Some(_)) => Err(
                "AUTH_HS256_SECRET requires AUTH_ALGORITHM=HS256; other algorithms need AUTH_JWKS_URL".into(),
            ),
            (Some(_), Some(_), _) => {
                Err("AUTH_JWKS_URL and AUTH_HS256_SECRET are both set; set one of them".into())
            }
            (None, None, _) => Err("neither AUTH_JWKS_URL nor AUTH_HS256_SECRET is set".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn read(changes: &[(&str, &str)]) -> Result<Config, String> {
        let mut vars: std::collections::BTreeMap<&str, &str> = [
            ("DATABASE_URL", "postgres://localhost/x"),
            ("GOOGLE_CLIENT_ID", "id"),
            ("GOOGLE_CLIENT_SECRET", "secret"),
            ("CENTRIFUGO_API_URL", "http://127.0.0.1:9000/api"),
            ("CENTRIFUGO_API_KEY", SECRET),
            ("CENTRIFUGO_TOKEN_SECRET", "fedcba9876543210fedcba9876543210"),
            ("TOKEN_KEYS", "1:4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8="),
            ("AUTH_HS256_SECRET", SECRET),
            ("AUTH_ISSUER", "https://app.example"),
            ("AUTH_AUDIENCE", "calwire"),
        ]
        .into();
        vars.extend(changes.iter().copied());
        common::config::from_vars(vars.into_iter().map(|(name, value)| (name.into(), value.into())))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_used_and_origins_normalized() {
        let config = read(&[("APP_ORIGINS", "http://localhost:3000, https://app.example/")]).unwrap();
        assert_eq!(config.listen_addr.to_string(), "127.0.0.1:8080");
        assert_eq!(config.browser_url().as_str(), "http://localhost:8080");
        let origins: Vec<_> = config.app_origins.iter().map(Origin::as_str).collect();
        assert_eq!(origins, ["http://localhost:3000", "https://app.example"]);
        assert!(config.authenticator().is_ok());
        assert_eq!(config.sync.tuning.realtime_token_life.as_secs(), 900);
    }

    #[test]
    fn bad_values_are_rejected_by_variable_name() {
        for (name, value) in [
            ("APP_ORIGINS", "*"),
            ("APP_ORIGINS", "https://app.example/path"),
            ("APP_ORIGINS", "https://a.example,,https://b.example"),
            ("APP_ORIGINS", "https://user@app.example"),
            ("PUBLIC_URL", "http://calendar.example"),
            ("PUBLIC_URL", "https://calendar.example/x"),
            ("API_URL", "localhost:8080"),
            ("LISTEN_ADDR", "8080"),
            ("TUNING", "realtime_token_seconds=9"),
            ("AUTH_ALGORITHM", "none"),
            ("AUTH_JWKS_URL", "http://169.254.169.254/"),
            ("AUTH_HS256_SECRET", "short"),
            ("TOKEN_KEYS", "1:short"),
            (
                "CENTRIFUGO_TOKEN_SECRET",
                "change-me-change-me-change-me-change-me",
            ),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name), "{name}={value}: {error}");
            assert!(!error.contains("169.254"), "{error}");
        }
        assert!(read(&[("PUBLIC_URL", "http://localhost:4000")]).is_ok());
    }

    #[test]
    fn conflicting_authentication_variables_are_rejected() {
        let jwks = ("AUTH_JWKS_URL", "https://app.example/jwks");
        let no_secret = ("AUTH_HS256_SECRET", "");
        for (changes, error) in [
            (vec![jwks], "AUTH_JWKS_URL and AUTH_HS256_SECRET are both set"),
            (vec![no_secret], "neither"),
            (vec![jwks, no_secret], "AUTH_ALGORITHM is not set"),
            (
                vec![jwks, no_secret, ("AUTH_ALGORITHM", "HS256")],
                "AUTH_ALGORITHM is HS256",
            ),
            (vec![("AUTH_ALGORITHM", "RS256")], "AUTH_HS256_SECRET requires"),
            (
                vec![("AUTH_AUDIENCE", "centrifugo")],
                "AUTH_AUDIENCE is centrifugo",
            ),
            (
                vec![("CENTRIFUGO_TOKEN_SECRET", SECRET)],
                "AUTH_HS256_SECRET and CENTRIFUGO_TOKEN_SECRET",
            ),
        ] {
            let Err(found) = read(&changes).unwrap().authenticator() else {
                panic!("{changes:?}")
            };
            assert!(found.starts_with(error), "{found}");
        }
        let keys = read(&[jwks, no_secret, ("AUTH_ALGORITHM", "EdDSA")]).unwrap();
        assert!(keys.authenticator().is_ok());
    }

    /// `.env.example` with values for the required variables that it leaves empty.
    fn sample() -> Vec<(String, String)> {
        include_str!("../../../.env.example")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| {
                let value = match name {
                    "DATABASE_URL" => "postgres://localhost/x".to_owned(),
                    "TOKEN_KEYS" => "1:4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=".to_owned(),
                    "GOOGLE_CLIENT_ID"
                    | "GOOGLE_CLIENT_SECRET"
                    | "CENTRIFUGO_API_KEY"
                    | "CENTRIFUGO_TOKEN_SECRET"
                    | "AUTH_HS256_SECRET" => format!("{name}-0123456789abcdef0123456789abcdef"),
                    _ => value.to_owned(),
                };
                (name.to_owned(), value)
            })
            .collect()
    }

    #[test]
    fn the_sample_works_once_its_secrets_are_replaced() {
        let config: Config = common::config::from_vars(sample()).unwrap();
        assert!(config.authenticator().is_ok());
        assert_eq!(config.app_origins.len(), 1);

        let mut unchanged = sample();
        let secret = unchanged
            .iter_mut()
            .find(|(name, _)| name == "AUTH_HS256_SECRET")
            .unwrap();
        secret.1 = "change-me-change-me-change-me-change-me".into();
        let error = common::config::from_vars::<Config>(unchanged)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("AUTH_HS256_SECRET still has its sample value"),
            "{error}"
        );
    }
}
