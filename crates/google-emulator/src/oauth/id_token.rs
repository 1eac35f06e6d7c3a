//! `id_token`: the identity of the user, signed with RS256; the key is at `/oauth2/v3/certs`.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::scopes::{self, Scopes};
use crate::state::State;

/// Google accepts both spellings; its tokens have this one.
const ISSUER: &str = "https://accounts.google.com";
const LIFE_SECONDS: i64 = 3600;

/// Makes the key on a thread of its own, so that the first exchange does not wait for it.
pub fn prepare() {
    std::thread::spawn(key);
}

/// One key for the life of the process.
fn key() -> Option<&'static KeyPair> {
    static KEY: OnceLock<Option<KeyPair>> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).ok())
        .as_ref()
}

fn key_id(key: &KeyPair) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(key.public_key().as_ref())[..20])
}

/// A signed token for the account; `None` without the scope `openid`.
pub fn issue(
    state: &State,
    client_id: &str,
    user: &str,
    granted: &Scopes,
    access_token: &str,
    nonce: Option<&str>,
) -> Option<String> {
    if !granted.contains("openid") {
        return None;
    }
    let key = key()?;
    let account = state.user(user).ok()?;
    let now = state.now().timestamp();
    let mut claims = json!({
        "iss": ISSUER,
        "azp": client_id,
        "aud": client_id,
        "sub": account.sub,
        "at_hash": URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token)[..16]),
        "iat": now,
        "exp": now + LIFE_SECONDS,
    });
    if granted.contains(&scopes::canonical("email")) {
        claims["email"] = json!(user);
        claims["email_verified"] = json!(true);
    }
    if granted.contains(&scopes::canonical("profile")) {
        claims["name"] = json!(account.name);
    }
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    let header = json!({ "alg": "RS256", "kid": key_id(key), "typ": "JWT" });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .ok()?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The JWK set that verifies what [`issue`] signs.
pub fn certs() -> Value {
    let keys: Vec<Value> = key()
        .into_iter()
        .map(|key| {
            let public = key.public_key();
            let part = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
            json!({
                "kty": "RSA",
                "use": "sig",
                "alg": "RS256",
                "kid": key_id(key),
                "n": part(public.modulus().big_endian_without_leading_zero()),
                "e": part(public.exponent().big_endian_without_leading_zero()),
            })
        })
        .collect();
    json!({ "keys": keys })
}
