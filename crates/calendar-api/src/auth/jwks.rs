//! The host application's public keys.
//!
//! Fetched when first needed, again when a token names an unknown key (at most once in 30 s, whatever tokens arrive), and every
//! 10 minutes, so that a withdrawn key is dropped. One fetch at a time. While the URL does not answer, the last keys are used
//! for up to a day.

use std::collections::HashMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use google::{Proxies, SetupError};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex;
use url::{Host, Url};

use super::error::AuthError;

const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
const BODY_MAX_LEN: usize = 64 * 1024;
/// A flood of tokens with invented key ids costs the host application one request in this time.
const FETCH_MIN_INTERVAL: TimeDelta = TimeDelta::seconds(30);
/// Keys are refetched at this age, so that a withdrawn key is dropped.
const REFRESH_AFTER: TimeDelta = TimeDelta::minutes(10);
/// How long keys are used while the URL does not answer.
const KEYS_MAX_AGE: TimeDelta = TimeDelta::hours(24);

/// The URL of the keys: HTTPS, or HTTP within a machine or a private network of containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksUrl(Url);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwksUrl {
    #[error("not a URL")]
    NotAUrl,
    #[error("expected https:// (http:// is for localhost and for names without a dot)")]
    Insecure,
    #[error("link-local addresses, where clouds serve their metadata, are not allowed")]
    LinkLocal,
    #[error("a URL with a user name or a password is not allowed")]
    Credentials,
}

impl FromStr for JwksUrl {
    type Err = InvalidJwksUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| InvalidJwksUrl::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidJwksUrl::Credentials);
        }
        let (address, near) = match url.host().ok_or(InvalidJwksUrl::NotAUrl)? {
            Host::Domain(name) => (None, !name.trim_end_matches('.').contains('.')),
            Host::Ipv4(ip) => (Some(IpAddr::V4(ip)), ip.is_loopback()),
            Host::Ipv6(ip) => match ip.to_ipv4_mapped() {
                Some(ip) => (Some(IpAddr::V4(ip)), ip.is_loopback()),
                None => (Some(IpAddr::V6(ip)), ip.is_loopback()),
            },
        };
        let link_local = match address {
            Some(IpAddr::V4(ip)) => ip.is_link_local(),
            Some(IpAddr::V6(ip)) => ip.is_unicast_link_local(),
            None => false,
        };
        match (url.scheme(), link_local, near) {
            (_, true, _) => Err(InvalidJwksUrl::LinkLocal),
            ("https", ..) | ("http", _, true) => Ok(Self(url)),
            _ => Err(InvalidJwksUrl::Insecure),
        }
    }
}

type KeysById = HashMap<Option<String>, DecodingKey>;

#[derive(Clone, Default)]
struct Fetched {
    keys: Arc<KeysById>,
    at: Option<DateTime<Utc>>,
}

pub(super) struct Jwks {
    http: reqwest::Client,
    url: JwksUrl,
    algorithm: Algorithm,
    fetched: RwLock<Fetched>,
    /// Locked while fetching. When the last fetch began, successful or not.
    fetching: Mutex<Option<DateTime<Utc>>>,
}

impl Jwks {
    pub(super) fn new(url: JwksUrl, algorithm: Algorithm, proxies: &Proxies) -> Result<Self, SetupError> {
        let builder = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        let builder = match proxies.for_reqwest(url.0.as_str())? {
            Some(proxy) => builder.proxy(proxy),
            None => builder,
        };
        let http = builder
            .build()
            .map_err(|error| SetupError::HttpClient(error.to_string()))?;
        Ok(Self {
            http,
            url,
            algorithm,
            fetched: RwLock::default(),
            fetching: Mutex::default(),
        })
    }

    /// The key with this id. A token without an id is accepted only if a single key is published.
    pub(super) async fn key(&self, kid: Option<&str>, now: DateTime<Utc>) -> Result<DecodingKey, AuthError> {
        let fetched = self.current();
        let age = fetched.at.map(|at| now - at);
        match find(&fetched.keys, kid) {
            Some(key) if age.is_some_and(|age| age < REFRESH_AFTER) => return Ok(key),
            Some(key) if age.is_some_and(|age| age < KEYS_MAX_AGE) => {
                // One caller refetches; the others, and this one if that fails, use the known keys.
                if let Ok(last) = self.fetching.try_lock() {
                    // A failure is logged in `fetch`.
                    let _ = self.fetch(last, now).await;
                    return find(&self.current().keys, kid)
                        .ok_or_else(|| AuthError::token("the key was withdrawn"));
                }
                return Ok(key);
            }
            _ => {}
        }
        let last = self.fetching.lock().await;
        let failure = self.fetch(last, now).await.err();
        let fetched = self.current();
        if fetched.at.is_none_or(|at| now - at >= KEYS_MAX_AGE) {
            let reason = failure.unwrap_or_else(|| "the last attempt was a moment ago".into());
            return Err(AuthError::KeysUnavailable(reason));
        }
        find(&fetched.keys, kid).ok_or_else(|| AuthError::token("unknown key"))
    }

    fn current(&self) -> Fetched {
        self.fetched
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Fetches the keys, unless the last attempt was less than [`FETCH_MIN_INTERVAL`] ago.
    async fn fetch(
        &self,
        mut last: tokio::sync::MutexGuard<'_, Option<DateTime<Utc>>>,
        now: DateTime<Utc>,
    ) -> Result<(), String> {
        if last.is_some_and(|last| now - last < FETCH_MIN_INTERVAL) {
            return Ok(());
        }
        *last = Some(now);
        match self.download().await {
            Ok(keys) => {
                let fetched = Fetched {
                    keys: Arc::new(keys),
                    at: Some(now),
                };
                *self.fetched.write().unwrap_or_else(PoisonError::into_inner) = fetched;
                Ok(())
            }
            Err(reason) => {
                tracing::warn!(reason, "Could not fetch the host application's keys");
                Err(reason)
            }
        }
    }

    async fn download(&self) -> Result<KeysById, String> {
        let response = self
            .http
            .get(self.url.0.clone())
            .send()
            .await
            .map_err(|error| describe(&error))?;
        if !response.status().is_success() {
            return Err(format!("AUTH_JWKS_URL answered {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        let mut parts = response.bytes_stream();
        while let Some(part) = parts.next().await {
            body.extend_from_slice(&part.map_err(|error| describe(&error))?);
            if body.len() > BODY_MAX_LEN {
                return Err(format!("the key set is larger than {BODY_MAX_LEN} bytes"));
            }
        }
        let set: JwkSet = serde_json::from_slice(&body).map_err(|_| "not a JSON Web Key Set".to_owned())?;
        let keys: KeysById = set
            .keys
            .iter()
            .filter(|jwk| signs_with(jwk, self.algorithm))
            .filter_map(|jwk| Some((jwk.common.key_id.clone(), DecodingKey::from_jwk(jwk).ok()?)))
            .collect();
        if keys.is_empty() {
            return Err(format!("no key for {:?} in the key set", self.algorithm));
        }
        Ok(keys)
    }
}

fn find(keys: &KeysById, kid: Option<&str>) -> Option<DecodingKey> {
    match kid {
        Some(kid) => keys.get(&Some(kid.to_owned())).cloned(),
        None if keys.len() == 1 => keys.values().next().cloned(),
        None => None,
    }
}

/// Whether a key fits the configured algorithm. Its `alg` may be missing, as with better-auth.
fn signs_with(jwk: &Jwk, algorithm: Algorithm) -> bool {
    let kind = match (&jwk.algorithm, algorithm) {
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
        // 2048 bits are 342 characters of base64; shorter moduli can be factored.
        (AlgorithmParameters::RSA(key), Algorithm::RS256) => key.n.trim_start_matches('A').len() >= 341,
        _ => false,
    };
    let purpose = jwk
        .common
        .public_key_use
        .as_ref()
        .is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let own = jwk
        .common
        .key_algorithm
        .is_none_or(|own| own.to_string() == format!("{algorithm:?}"));
    kind && purpose && own
}

fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "request to AUTH_JWKS_URL timed out".into()
    } else if error.is_connect() {
        "could not connect to AUTH_JWKS_URL".into()
    } else {
        "request to AUTH_JWKS_URL failed".into()
    }
}
