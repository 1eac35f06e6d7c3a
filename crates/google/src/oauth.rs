//! The web-server flow with PKCE, refresh, revocation and the account's identity.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use http::header::{DATE, LOCATION};
use rand::RngExt;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::classify::{self, transient};
use crate::transport::{Answer, http_date, send, told};
use crate::{Error, Google};

/// Assumed where Google does not say how long an access token lives; a 401 tells when it was shorter.
const DEFAULT_TOKEN_LIFE: u64 = 3_600;

/// What the consent page is asked for.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest<'a> {
    /// Exactly as registered at Google.
    pub redirect_uri: &'a str,
    pub scopes: &'a [&'a str],
    pub state: &'a str,
    /// [`Pkce::challenge`] (S256).
    pub code_challenge: &'a str,
    /// The address to offer first, when it is known.
    pub login_hint: Option<&'a str>,
    /// Ask again for what is already granted. Needed to get a refresh token once more; each such consent uses up one of
    /// the hundred refresh tokens that an account may have for a client, so not for every login.
    pub force_consent: bool,
}

/// A PKCE pair (RFC 7636, S256).
#[derive(Debug, Clone)]
pub struct Pkce {
    /// 43 characters, kept here until the code is exchanged.
    pub verifier: SecretString,
    pub challenge: String,
}

impl Pkce {
    pub fn generate() -> Self {
        let random: [u8; 32] = rand::rng().random();
        let verifier = URL_SAFE_NO_PAD.encode(random);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        Self {
            verifier: verifier.into(),
            challenge,
        }
    }
}

/// What a code was exchanged for.
#[derive(Debug, Clone)]
pub struct Grant {
    pub access_token: SecretString,
    /// Counted from now.
    pub expires_in: Duration,
    /// None when the user had consented before and was not asked again: the one from then is still good.
    pub refresh_token: Option<SecretString>,
    /// What the user really granted; any of what was asked may be missing.
    pub scopes: Vec<String>,
}

/// What a refresh token was exchanged for.
#[derive(Debug, Clone)]
pub struct AccessToken {
    pub secret: SecretString,
    /// Counted from now.
    pub expires_in: Duration,
    pub scopes: Option<Vec<String>>,
    /// Replaces the one that was used, in the rare case that Google sends one.
    pub refresh_token: Option<SecretString>,
}

/// Whose account it is. `sub` is its identity; the address may change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UserInfo {
    pub sub: String,
    #[serde(default)]
    pub email: String,
    #[serde(default)]
    pub email_verified: bool,
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: SecretString,
    expires_in: Option<u64>,
    refresh_token: Option<SecretString>,
    scope: Option<String>,
}

impl Google {
    /// The address of the consent page, where the user's browser is sent.
    #[expect(clippy::expect_used, reason = "auth_uri was a Url when the client was made")]
    pub fn authorization_url(&self, request: &AuthorizationRequest<'_>) -> Url {
        let mut url = Url::parse(&self.0.client.auth_uri).expect("a URL");
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("client_id", &self.0.client.client_id)
                .append_pair("redirect_uri", request.redirect_uri)
                .append_pair("response_type", "code")
                .append_pair("scope", &request.scopes.join(" "))
                .append_pair("state", request.state)
                .append_pair("access_type", "offline")
                .append_pair("include_granted_scopes", "true")
                .append_pair("code_challenge", request.code_challenge)
                .append_pair("code_challenge_method", "S256");
            if let Some(hint) = request.login_hint {
                query.append_pair("login_hint", hint);
            }
            if request.force_consent {
                query.append_pair("prompt", "consent");
            }
        }
        url
    }

    /// Asks for the consent page as a browser does, without anybody signing in: [`Error::ClientMisconfigured`] when Google
    /// shows an error instead, with its word for it (`redirect_uri_mismatch`, `invalid_client`, …).
    pub async fn check_authorization(&self, request: &AuthorizationRequest<'_>) -> Result<(), Error> {
        let request = self.0.http.client().get(self.authorization_url(request));
        let response = request.send().await.map_err(|error| told(&error))?;
        let status = response.status();
        let location = response.headers().get(LOCATION).and_then(|url| url.to_str().ok());
        let said = match location {
            Some(url) if url.contains("/error") => explained(url),
            Some(_) => String::new(),
            None => response.text().await.map_err(|error| told(&error))?,
        };
        let reason = AUTHORIZATION_ERRORS.into_iter().find(|&word| said.contains(word));
        match reason {
            Some(reason) => Err(Error::ClientMisconfigured {
                reason: reason.to_owned(),
            }),
            None if status.is_success() || status.is_redirection() => Ok(()),
            None if status.is_client_error() => Err(Error::Refused {
                reason: status.as_str().to_owned(),
            }),
            None => Err(transient(&format!("status {}", status.as_u16()))),
        }
    }

    /// The time by Google's clock, to the second.
    pub async fn time(&self) -> Result<DateTime<Utc>, Error> {
        let request = self.0.http.client().get(&self.0.client.token_uri);
        let response = request.send().await.map_err(|error| told(&error))?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        date.and_then(http_date)
            .ok_or_else(|| transient("an answer without a date"))
    }

    /// Exchanges the code of a consent. [`Error::GrantRejected`]: the code is wrong, old, used, or not for this verifier.
    pub async fn exchange_code(
        &self,
        code: &str,
        verifier: &SecretString,
        redirect_uri: &str,
    ) -> Result<Grant, Error> {
        let body = self
            .token(&[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("code_verifier", verifier.expose_secret()),
                ("redirect_uri", redirect_uri),
            ])
            .await?;
        Ok(Grant {
            expires_in: body.expires_in(),
            scopes: body.scopes().unwrap_or_default(),
            access_token: body.access_token,
            refresh_token: body.refresh_token,
        })
    }

    /// A new access token. [`Error::GrantRejected`] is Google's `invalid_grant`, which a race can cause as well as a
    /// revocation; nothing else says anything about the grant.
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<AccessToken, Error> {
        let body = self
            .token(&[
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token.expose_secret()),
            ])
            .await?;
        Ok(AccessToken {
            expires_in: body.expires_in(),
            scopes: body.scopes(),
            secret: body.access_token,
            refresh_token: body.refresh_token,
        })
    }

    /// Ends the grant that `token` (a refresh or an access token) belongs to, and with it every token of this account
    /// for all clients of the project. A token that Google no longer knows counts as revoked.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), Error> {
        let request = self
            .0
            .http
            .client()
            .post(self.0.revoke_url.clone())
            .form(&[("token", token.expose_secret())]);
        let answer = send(request).await?;
        if answer.is_success() {
            return Ok(());
        }
        match classify::oauth(answer.status, answer.json().as_ref(), answer.retry_after) {
            Error::Unauthorized | Error::GrantRejected => Ok(()),
            error => Err(error),
        }
    }

    /// Whose account an access token is for.
    pub async fn userinfo(&self, access: &SecretString) -> Result<UserInfo, Error> {
        let request = self
            .0
            .http
            .client()
            .get(self.0.userinfo_url.clone())
            .bearer_auth(bearer(access)?);
        let answer = send(request).await?;
        match answer.status {
            401 => Err(Error::Unauthorized),
            _ => read(&answer),
        }
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<TokenBody, Error> {
        let client = &self.0.client;
        let request = self.0.http.client().post(&client.token_uri).form(
            &form
                .iter()
                .copied()
                .chain([
                    ("client_id", client.client_id.as_str()),
                    ("client_secret", client.client_secret.as_str()),
                ])
                .collect::<Vec<_>>(),
        );
        let body: TokenBody = read(&send(request).await?)?;
        bearer(&body.access_token).map_err(|_| transient("an access token that no header can carry"))?;
        Ok(body)
    }
}

impl TokenBody {
    fn expires_in(&self) -> Duration {
        Duration::from_secs(self.expires_in.unwrap_or(DEFAULT_TOKEN_LIFE))
    }

    fn scopes(&self) -> Option<Vec<String>> {
        let scope = self.scope.as_deref()?;
        Some(scope.split_ascii_whitespace().map(str::to_owned).collect())
    }
}

/// What Google says instead of its consent page.
const AUTHORIZATION_ERRORS: [&str; 9] = [
    "redirect_uri_mismatch",
    "invalid_client",
    "deleted_client",
    "disabled_client",
    "unauthorized_client",
    "invalid_scope",
    "org_internal",
    "admin_policy_enforced",
    "invalid_request",
];

/// The address of Google's error page, with what its parameter `authError` has in base64.
fn explained(url: &str) -> String {
    let parameter = url
        .split(['?', '&'])
        .find_map(|pair| pair.strip_prefix("authError="));
    let decoded = parameter.and_then(|text| {
        let text = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
        let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
        URL_SAFE_NO_PAD.decode(text).ok()
    });
    format!("{url} {}", String::from_utf8_lossy(&decoded.unwrap_or_default()))
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    if !answer.is_success() {
        return Err(classify::oauth(
            answer.status,
            answer.json().as_ref(),
            answer.retry_after,
        ));
    }
    // serde's own text would quote the body.
    serde_json::from_slice(&answer.body).map_err(|_| transient("unreadable answer"))
}

/// The token as a header takes it. The generated client panics on anything else.
pub(crate) fn bearer(access: &SecretString) -> Result<&str, Error> {
    let token = access.expose_secret();
    if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token)
    } else {
        Err(Error::Unauthorized)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pkce_challenge_is_the_digest_of_its_verifier() {
        let (one, other) = (Pkce::generate(), Pkce::generate());
        assert_eq!(one.verifier.expose_secret().len(), 43);
        let digest = Sha256::digest(one.verifier.expose_secret().as_bytes());
        assert_eq!(one.challenge, URL_SAFE_NO_PAD.encode(digest));
        assert_ne!(one.challenge, other.challenge);
        assert!(!format!("{one:?}").contains(one.verifier.expose_secret()));
    }

    #[test]
    fn googles_word_is_found_in_the_address_of_its_error_page() {
        let word = URL_SAFE_NO_PAD.encode("\n\u{15}redirect_uri_mismatch\u{12}");
        for parameter in [word.clone(), format!("{word}%3D")] {
            let url =
                format!("https://accounts.example/signin/oauth/error?authError={parameter}&client_id=1");
            assert!(explained(&url).contains("redirect_uri_mismatch"));
        }
        assert!(!explained("https://accounts.example/signin/oauth/error").contains("mismatch"));
    }

    #[test]
    fn a_token_with_a_line_break_is_refused_before_any_client_sees_it() {
        for token in ["", "a b", "a\r\nx: y", "ä"] {
            assert_eq!(bearer(&token.into()), Err(Error::Unauthorized), "{token:?}");
        }
        assert_eq!(bearer(&"ya29.a-b_c".into()), Ok("ya29.a-b_c"));
    }
}
