//! Tables of valid and invalid tokens, for each kind of key.

mod published;
mod secret;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use rpc::{Code, RpcError};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://app.example";
const AUDIENCE: &str = "calwire";
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn claims() -> Value {
    let now = now().timestamp();
    json!({"sub": "alice", "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300})
}

/// `base` with `changes`; a null removes a field.
fn with(mut base: Value, changes: Value) -> Value {
    let fields = base.as_object_mut().unwrap();
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    for (name, value) in changes {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
    base
}

fn part(value: &str) -> String {
    URL_SAFE_NO_PAD.encode(value)
}

/// A correctly signed token with any header and claims.
fn signed_raw(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

fn hs256(header: Value, claims: &Value) -> String {
    let header = with(json!({"alg": "HS256", "typ": "JWT"}), header);
    let key = EncodingKey::from_secret(SECRET);
    signed_raw(&header.to_string(), &claims.to_string(), &key, Algorithm::HS256)
}

async fn user_of(authenticator: &Authenticator, token: &str) -> Result<String, AuthError> {
    let header = format!("Bearer {token}");
    let user = authenticator.user([header.as_str()].into_iter(), now()).await;
    user.map(|user| user.as_str().to_owned())
}

async fn assert_rejected(authenticator: &Authenticator, tokens: &[(&str, String)]) {
    for (what, token) in tokens {
        let refused = user_of(authenticator, token).await;
        let Err(refusal @ AuthError::Token(_)) = refused else {
            panic!("{what}: {refused:?}");
        };
        // The reason is logged and not sent.
        let (answer, bare) = (refusal.into_rpc_error(), RpcError::of(Code::Unauthorized));
        assert_eq!(format!("{answer:?}"), format!("{bare:?}"), "{what}");
    }
}
