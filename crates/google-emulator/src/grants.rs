//! Grants to the OAuth client: codes, refresh tokens, access tokens, and how each of them ends.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;

use crate::scopes::Scopes;

/// Google: "if the limit is reached, creating a new refresh token automatically invalidates the oldest one".
pub const MAX_REFRESH_TOKENS: usize = 100;
const CODE_LIFE: TimeDelta = TimeDelta::minutes(10);
const UNUSED_LIFE: TimeDelta = TimeDelta::days(183);
const TESTING_LIFE: TimeDelta = TimeDelta::days(7);

#[derive(Debug, Default)]
pub struct Grants {
    codes: BTreeMap<String, Code>,
    refresh: BTreeMap<String, Refresh>,
    access: BTreeMap<String, Access>,
    /// The granted scopes, by account.
    consents: BTreeMap<String, Scopes>,
    issued: u64,
}

/// The grant behind an authorisation code.
#[derive(Debug, Clone)]
pub struct Code {
    pub user: String,
    pub scopes: Scopes,
    pub redirect_uri: String,
    /// S256 challenge.
    pub challenge: Option<String>,
    /// Goes into the id token.
    pub nonce: Option<String>,
    /// Whether the exchange also gives a refresh token.
    pub refreshable: bool,
    pub created: DateTime<Utc>,
}

#[derive(Debug, Clone)]
struct Refresh {
    user: String,
    scopes: Scopes,
    created: DateTime<Utc>,
    used: DateTime<Utc>,
    /// Order of issue.
    number: u64,
}

/// Whose access token it is, and for what.
#[derive(Debug, Clone)]
pub struct Access {
    pub user: String,
    pub scopes: Scopes,
    pub expires: DateTime<Utc>,
}

impl Grants {
    pub fn consented(&self, user: &str) -> Option<&Scopes> {
        self.consents.get(user)
    }

    /// Records a consent and returns its code. `again` requests a refresh token even if one was issued before.
    pub fn approve(&mut self, mut code: Code, offline: bool, again: bool) -> String {
        let first = !self.consents.contains_key(&code.user);
        self.consents
            .entry(code.user.clone())
            .or_default()
            .extend(code.scopes.iter().cloned());
        code.refreshable = offline && (first || again);
        let text = random("4/0A", 60);
        self.codes.insert(text.clone(), code);
        text
    }

    /// A code works once; a second use also finds nothing.
    pub fn take_code(&mut self, code: &str, now: DateTime<Utc>) -> Option<Code> {
        self.codes
            .remove(code)
            .filter(|code| now < code.created + CODE_LIFE)
    }

    pub fn issue_access(&mut self, user: &str, scopes: &Scopes, now: DateTime<Utc>, seconds: i64) -> String {
        let token = random("ya29.a0A", 120);
        let expires = now + TimeDelta::seconds(seconds);
        self.access.retain(|_, token| token.expires > now);
        self.access.insert(
            token.clone(),
            Access {
                user: user.into(),
                scopes: scopes.clone(),
                expires,
            },
        );
        token
    }

    pub fn issue_refresh(&mut self, user: &str, scopes: &Scopes, now: DateTime<Utc>) -> String {
        self.consents
            .entry(user.to_owned())
            .or_default()
            .extend(scopes.iter().cloned());
        let mut own: Vec<_> = self
            .refresh
            .iter()
            .filter(|(_, token)| token.user == user)
            .map(|(text, token)| (token.number, text.clone()))
            .collect();
        own.sort_unstable();
        for (_, oldest) in own
            .iter()
            .take((own.len() + 1).saturating_sub(MAX_REFRESH_TOKENS))
        {
            self.refresh.remove(oldest);
        }
        self.issued += 1;
        let token = random("1//0", 96);
        let refresh = Refresh {
            user: user.into(),
            scopes: scopes.clone(),
            created: now,
            used: now,
            number: self.issued,
        };
        self.refresh.insert(token.clone(), refresh);
        token
    }

    /// Whose refresh token it is, and for what; `None` is `invalid_grant`.
    pub fn use_refresh(
        &mut self,
        token: &str,
        now: DateTime<Utc>,
        testing: bool,
    ) -> Option<(String, Scopes)> {
        let refresh = self.refresh.get_mut(token)?;
        if now >= refresh.used + UNUSED_LIFE || (testing && now >= refresh.created + TESTING_LIFE) {
            return None;
        }
        refresh.used = now;
        Some((refresh.user.clone(), refresh.scopes.clone()))
    }

    pub fn access(&self, token: &str, now: DateTime<Utc>) -> Option<&Access> {
        self.access.get(token).filter(|access| now < access.expires)
    }

    /// The account of any live token.
    pub fn owner(&self, token: &str) -> Option<String> {
        let refresh = || self.refresh.get(token).map(|token| token.user.clone());
        self.access
            .get(token)
            .map(|token| token.user.clone())
            .or_else(refresh)
    }

    /// Ends all that an account has granted.
    pub fn revoke(&mut self, user: &str) {
        self.consents.remove(user);
        self.codes.retain(|_, code| code.user != user);
        self.refresh.retain(|_, token| token.user != user);
        self.access.retain(|_, token| token.user != user);
    }

    /// Ends the access tokens of an account (of all when `None`), as if their hour were over.
    pub fn expire_access(&mut self, user: Option<&str>) {
        self.access
            .retain(|_, token| user.is_some_and(|user| token.user != user));
    }

    /// The accounts that have granted something.
    pub fn users(&self) -> BTreeSet<&str> {
        self.consents.keys().map(String::as_str).collect()
    }
}

fn random(prefix: &str, len: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut rng = rand::rng();
    let tail = (0..len).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
    prefix.chars().chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_over_a_hundred_refresh_tokens_is_revoked() {
        let mut grants = Grants::default();
        let now = "2026-11-22T09:00:00Z".parse().unwrap();
        let tokens: Vec<_> = (0..=MAX_REFRESH_TOKENS)
            .map(|_| grants.issue_refresh("a", &Scopes::new(), now))
            .collect();
        grants.issue_refresh("b", &Scopes::new(), now);
        assert!(grants.use_refresh(&tokens[0], now, false).is_none());
        assert!(
            tokens[1..]
                .iter()
                .all(|token| grants.use_refresh(token, now, false).is_some())
        );
    }

    #[test]
    fn refresh_tokens_expire_unused_and_in_testing() {
        let mut grants = Grants::default();
        let start = "2026-01-01T00:00:00Z".parse().unwrap();
        let token = grants.issue_refresh("a", &Scopes::new(), start);
        let later = start + TimeDelta::days(100);
        assert!(grants.use_refresh(&token, later, true).is_none());
        assert!(grants.use_refresh(&token, later, false).is_some());
        assert!(
            grants
                .use_refresh(&token, later + TimeDelta::days(150), false)
                .is_some()
        );
        assert!(
            grants
                .use_refresh(&token, later + TimeDelta::days(400), false)
                .is_none()
        );
    }
}
