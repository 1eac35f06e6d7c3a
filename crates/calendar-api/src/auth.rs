//! Authenticates the caller by a JWT of the host application.
//!
//! Algorithm, issuer and audience come from the configuration. Of the token's header only `kid` is used, and only to select
//! one of the keys that were fetched from the configured address; `jku`, `x5u` and `jwk` are ignored. Every rejected token
//! gets the same 401; the reason is logged and not sent.

mod error;
mod jwks;

use std::str::FromStr;

use chrono::{DateTime, Utc};
use common::ids::UserId;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

pub use error::AuthError;
pub use jwks::{InvalidJwksUrl, JwksUrl};

/// Longer than any session token; a longer text is not parsed.
const TOKEN_MAX_LEN: usize = 8 * 1024;
/// The most that the host application's clock may differ from ours, in seconds.
const LEEWAY_SECONDS: f64 = 30.0;

/// The algorithm with which the host application signs.
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
    const fn as_jwt(self) -> Algorithm {
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

#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// A single one: the library would also accept a list that contains it.
    iss: String,
    exp: f64,
    nbf: Option<f64>,
}

impl Authenticator {
    /// For tokens signed with a secret that the host application shares with Calwire (HS256).
    pub fn with_secret(secret: &[u8], issuer: &str, audience: &str) -> Self {
        Self {
            keys: Keys::Secret(DecodingKey::from_secret(secret)),
            validation: validation(Algorithm::HS256, issuer, audience),
        }
    }

    /// For tokens signed with a key that the host application publishes at `url`, which is reached as Google is.
    pub fn with_jwks(
        url: JwksUrl,
        algorithm: SignatureAlgorithm,
        issuer: &str,
        audience: &str,
        proxies: &google::Proxies,
    ) -> Result<Self, google::SetupError> {
        let algorithm = algorithm.as_jwt();
        Ok(Self {
            keys: Keys::Published(jwks::Jwks::new(url, algorithm, proxies)?),
            validation: validation(algorithm, issuer, audience),
        })
    }

    /// The user of a request, from its `Authorization` headers.
    pub async fn user<'a>(
        &self,
        authorization: impl Iterator<Item = &'a str>,
        now: DateTime<Utc>,
    ) -> Result<UserId, AuthError> {
        let token = bearer(authorization)?;
        let header =
            jsonwebtoken::decode_header(token).map_err(|error| AuthError::token(error.to_string()))?;
        if !self.validation.algorithms.contains(&header.alg) {
            return Err(AuthError::token("another algorithm than the configured one"));
        }
        if header.crit.is_some() {
            return Err(AuthError::token("requires an extension (crit)"));
        }
        // "JWT" or none; `at+jwt` is an OAuth access token. Other types (a logout token, a proof) are not sessions.
        if !header
            .typ
            .as_deref()
            .is_none_or(|typ| ["jwt", "at+jwt", "application/at+jwt"].contains(&&*typ.to_lowercase()))
        {
            return Err(AuthError::token("its typ is not that of a session token"));
        }
        let key = match &self.keys {
            Keys::Secret(key) => key.clone(),
            Keys::Published(jwks) => jwks.key(header.kid.as_deref(), now).await?,
        };
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &self.validation)
            .map_err(|error| AuthError::token(error.to_string()))?
            .claims;
        if self
            .validation
            .iss
            .as_ref()
            .is_none_or(|ours| !ours.contains(&claims.iss))
        {
            return Err(AuthError::token("another issuer"));
        }
        check_times(&claims, now)?;
        UserId::parse(claims.sub).map_err(|error| AuthError::token(error.to_string()))
    }
}

/// The token of the only `Authorization` header.
fn bearer<'a>(mut authorization: impl Iterator<Item = &'a str>) -> Result<&'a str, AuthError> {
    let (Some(value), None) = (authorization.next(), authorization.next()) else {
        return Err(AuthError::token("not exactly one Authorization header"));
    };
    let (scheme, token) = value.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::token("not a bearer token"));
    }
    if token.len() > TOKEN_MAX_LEN {
        return Err(AuthError::token("the token is too long"));
    }
    Ok(token)
}

/// All checks but those of the times, which use our clock and not the library's.
fn validation(algorithm: Algorithm, issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(algorithm);
    #[cfg(feature = "simulation")]
    crate::mutants::accept_other_algorithms(&mut validation);
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
fn check_times(claims: &Claims, now: DateTime<Utc>) -> Result<(), AuthError> {
    let now = now.timestamp() as f64;
    if claims.exp + LEEWAY_SECONDS <= now {
        return Err(AuthError::token("expired"));
    }
    if claims.nbf.is_some_and(|nbf| nbf - LEEWAY_SECONDS > now) {
        return Err(AuthError::token("not valid yet"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
