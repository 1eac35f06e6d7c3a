//! The web-server flow with PKCE, refresh, revocation, and the identity of an account.

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
use crate::transport::{Answer, bearer, describe, http_date, send};
use crate::{Error, Google};

/// The assumed lifetime of an access token where Google sends none. If it is shorter, a 401 shows that.
const DEFAULT_TOKEN_LIFE: u64 = 3_600;

/// The parameters of the consent page.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest<'a> {
    /// Exactly as registered with Google.
    pub redirect_uri: &'a str,
    pub scopes: &'a [&'a str],
    pub state: &'a str,
    /// [`Pkce::challenge`] (S256).
    pub code_challenge: &'a str,
    /// The account to preselect, if known: its address or `sub`.
    pub login_hint: Option<&'a str>,
    /// Ask again for scopes that are already granted. Needed to get another refresh token. Each such consent uses one of the
    /// hundred refresh tokens that an account may have per client, so not for every login. Without a `login_hint` the user
    /// also chooses the account, even in a browser with one session:
    /// <https://developers.google.com/identity/protocols/oauth2/web-server#creatingclient>.
    pub force_consent: bool,
}

/// A PKCE pair (RFC 7636, S256).
#[derive(Debug, Clone)]
pub struct Pkce {
    /// 43 characters, kept secret until the code is exchanged.
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

/// The result of exchanging a code.
#[derive(Debug, Clone)]
pub struct Grant {
    pub access_token: SecretString,
    /// Counted from now.
    pub expires_in: Duration,
    /// None when the user had consented before and saw no consent page: the earlier one is still valid.
    pub refresh_token: Option<SecretString>,
    /// The scopes that the user granted; any requested one may be missing.
    pub scopes: Vec<String>,
}

/// The result of a refresh.
#[derive(Debug, Clone)]
pub struct AccessToken {
    pub secret: SecretString,
    /// Counted from now.
    pub expires_in: Duration,
    pub scopes: Option<Vec<String>>,
    /// Replaces the one that was used. Google rarely sends one.
    pub refresh_token: Option<SecretString>,
}

/// The owner of an account. `sub` identifies it; the address may change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UserInfo {
    pub sub: String,
    #[serde(default)]
    pub email: String,
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: SecretString,
    expires_in: Option<u64>,
    refresh_token: Option<SecretString>,
    scope: Option<String>,
}

impl Google {
    /// The URL of the consent page, to which the user's browser is redirected. `include_granted_scopes` is not sent: the
    /// grant would contain the scopes that the host application has in the same Google project.
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
                .append_pair("code_challenge", request.code_challenge)
                .append_pair("code_challenge_method", "S256");
            if let Some(hint) = request.login_hint {
                query.append_pair("login_hint", hint);
            }
            if request.force_consent {
                let prompt = if request.login_hint.is_some() {
                    "consent"
                } else {
                    "select_account consent"
                };
                query.append_pair("prompt", prompt);
            }
        }
        url
    }

    /// Requests the consent page without signing in. [`Error::ClientMisconfigured`]: Google shows an error page instead, with
    /// this reason (`redirect_uri_mismatch`, `invalid_client`, …).
    pub async fn check_authorization(&self, request: &AuthorizationRequest<'_>) -> Result<(), Error> {
        let request = self.0.http.client().get(self.authorization_url(request));
        let response = request.send().await.map_err(|error| describe(&error))?;
        let status = response.status();
        let location = response.headers().get(LOCATION).and_then(|url| url.to_str().ok());
        let text = match location {
            Some(url) if url.contains("/error") => explained(url),
            Some(_) => String::new(),
            None => response.text().await.map_err(|error| describe(&error))?,
        };
        let reason = AUTHORIZATION_ERRORS.into_iter().find(|&word| text.contains(word));
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
        let response = request.send().await.map_err(|error| describe(&error))?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        date.and_then(http_date)
            .ok_or_else(|| transient("a response without a date"))
    }

    /// Exchanges the code of a consent. [`Error::GrantRejected`]: the code is invalid, expired, used, or not for this
    /// verifier.
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

    /// Gets a new access token. [`Error::GrantRejected`] is Google's `invalid_grant`, which a race can cause as well as a
    /// revocation. [`Error::GrantRefused`] is a policy's. No other error is evidence about the grant.
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

    /// Revokes the grant of `token` (a refresh or an access token), and with it every token of this account for all clients
    /// of the project: <https://github.com/googleapis/google-auth-library-nodejs/issues/1338>. A token that Google no longer
    /// knows counts as revoked.
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

    /// The account of an access token.
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
        bearer(&body.access_token).map_err(|_| transient("an access token that is no valid header value"))?;
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

/// The errors that Google shows instead of its consent page.
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

/// The URL of Google's error page, with its base64 parameter `authError` decoded.
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
    // serde's own message would quote the body.
    serde_json::from_slice(&answer.body).map_err(|_| transient("unreadable response"))
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
    fn the_reason_is_in_the_error_pages_url() {
        let word = URL_SAFE_NO_PAD.encode("\n\u{15}redirect_uri_mismatch\u{12}");
        for parameter in [word.clone(), format!("{word}%3D")] {
            let url =
                format!("https://accounts.example/signin/oauth/error?authError={parameter}&client_id=1");
            assert!(explained(&url).contains("redirect_uri_mismatch"));
        }
        assert!(!explained("https://accounts.example/signin/oauth/error").contains("mismatch"));
    }
}
