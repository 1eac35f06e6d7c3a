//! Who calls: a JWT of the host application.
//!
//! Algorithm, issuer and audience come from the configuration. Of the token's header only `kid` is used, and only to
//! choose among keys that we already fetched from the configured address; `jku`, `x5u` and `jwk` are never looked at.
//! Every refusal is the same 401: what was wrong is logged, not told.

mod jwks;

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::UserId;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rpc::{Code, RpcError};
use serde::Deserialize;

pub use jwks::{InvalidJwksUrl, JwksUrl};

/// Longer than any session token; what is longer is not even parsed.
const TOKEN_MAX_LEN: usize = 8 * 1024;
/// How far the host's clock may be from ours, in seconds.
const LEEWAY_SECONDS: f64 = 30.0;

/// How the host application signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    EdDsa,
    Es256,
    Rs256,
    Hs256,
}

impl FromStr for SignatureAlgorithm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "EdDSA" => Ok(Self::EdDsa),
            "ES256" => Ok(Self::Es256),
            "RS256" => Ok(Self::Rs256),
            "HS256" => Ok(Self::Hs256),
            _ => Err("expected EdDSA, ES256, RS256 or HS256"),
        }
    }
}

impl SignatureAlgorithm {
    const fn of_jwt(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
            Self::Hs256 => Algorithm::HS256,
        }
    }
}

/// Verifies the host application's tokens.
pub struct Authenticator {
    keys: Keys,
    validation: Validation,
}

enum Keys {
    Secret(DecodingKey),
    Published(jwks::Jwks),
}

/// Why a request has no user. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Token(String),
    /// No key was ever fetched, or the last ones are too old: nobody can be told apart.
    #[error("the host application's keys cannot be fetched: {0}")]
    KeysUnavailable(String),
}

impl Refusal {
    fn token(reason: impl Into<String>) -> Self {
        Self::Token(reason.into())
    }

    /// The answer: one and the same for all bad tokens.
    pub fn into_answer(self) -> RpcError {
        match self {
            Self::Token(reason) => {
                tracing::debug!(reason, "A token was refused");
                RpcError::of(Code::Unauthorized)
            }
            Self::KeysUnavailable(_) => RpcError::of(Code::ServiceUnavailable)
                .with_retry_after(Duration::from_secs(5))
                .with_source(self.to_string()),
        }
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// One: the library is content with a list that has ours among others.
    iss: String,
    exp: f64,
    nbf: Option<f64>,
}

impl Authenticator {
    /// For tokens signed with a secret that the host application shares with us (HS256).
    pub fn with_secret(secret: &[u8], issuer: &str, audience: &str) -> Self {
        Self {
            keys: Keys::Secret(DecodingKey::from_secret(secret)),
            validation: validation(Algorithm::HS256, issuer, audience),
        }
    }

    /// For tokens signed with a key that the host application publishes at `url`.
    pub fn with_jwks(
        url: JwksUrl,
        algorithm: SignatureAlgorithm,
        issuer: &str,
        audience: &str,
    ) -> Result<Self, reqwest::Error> {
        let algorithm = algorithm.of_jwt();
        Ok(Self {
            keys: Keys::Published(jwks::Jwks::new(url, algorithm)?),
            validation: validation(algorithm, issuer, audience),
        })
    }

    /// The user of a request, from its `Authorization` headers.
    pub async fn user<'a>(
        &self,
        authorization: impl Iterator<Item = &'a str>,
        now: DateTime<Utc>,
    ) -> Result<UserId, Refusal> {
        let token = bearer(authorization)?;
        let header = jsonwebtoken::decode_header(token).map_err(|error| Refusal::token(error.to_string()))?;
        if header.alg != self.validation.algorithms[0] && !common::mutant!("algorithm_from_header") {
            return Err(Refusal::token("another algorithm than the configured one"));
        }
        if header.crit.is_some() {
            return Err(Refusal::token("it demands an extension"));
        }
        // "JWT" or nothing; `at+jwt` is an OAuth access token. What else there is (a logout token, a proof) is no session.
        if !header
            .typ
            .as_deref()
            .is_none_or(|typ| ["jwt", "at+jwt", "application/at+jwt"].contains(&&*typ.to_lowercase()))
        {
            return Err(Refusal::token("not a session token by its typ"));
        }
        let key = match &self.keys {
            Keys::Secret(key) => key.clone(),
            Keys::Published(jwks) => jwks.key(header.kid.as_deref(), now).await?,
        };
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &self.validation)
            .map_err(|error| Refusal::token(error.to_string()))?
            .claims;
        if self
            .validation
            .iss
            .as_ref()
            .is_none_or(|ours| !ours.contains(&claims.iss))
        {
            return Err(Refusal::token("another issuer"));
        }
        check_times(&claims, now)?;
        UserId::parse(claims.sub).map_err(|error| Refusal::token(error.to_string()))
    }
}

/// The one token of the one `Authorization` header.
fn bearer<'a>(mut authorization: impl Iterator<Item = &'a str>) -> Result<&'a str, Refusal> {
    let (Some(value), None) = (authorization.next(), authorization.next()) else {
        return Err(Refusal::token("not exactly one Authorization header"));
    };
    let (scheme, token) = value.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::token("not a bearer token"));
    }
    if token.len() > TOKEN_MAX_LEN {
        return Err(Refusal::token("the token is too long"));
    }
    Ok(token)
}

/// Everything but the times, which are checked against our clock and not the library's.
fn validation(algorithm: Algorithm, issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(algorithm);
    if common::mutant!("algorithm_from_header") {
        validation.algorithms.extend([Algorithm::HS384, Algorithm::HS512]);
    }
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 are exact in f64 for 285 million years"
)]
fn check_times(claims: &Claims, now: DateTime<Utc>) -> Result<(), Refusal> {
    let now = now.timestamp() as f64;
    if claims.exp + LEEWAY_SECONDS <= now {
        return Err(Refusal::token("expired"));
    }
    if claims.nbf.is_some_and(|nbf| nbf - LEEWAY_SECONDS > now) {
        return Err(Refusal::token("not valid yet"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
