//! `token`: a JWT of a demo user, as the host application would sign it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::stack::{Keys, Stack};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The demo user: alice, bob or carol.
    #[arg(long)]
    user: String,
    /// How long the token is valid, in seconds.
    #[arg(long, default_value_t = 86_400)]
    expires_in: u64,
}

pub fn run(args: &Args) -> Result<()> {
    let stack = Stack::read()?;
    if !stack.users.contains(&args.user) {
        bail!(
            "{:?} is no demo user; there are: {}",
            args.user,
            stack.users.join(", ")
        );
    }
    println!(
        "{}",
        sign(&stack.keys, &args.user, Duration::from_secs(args.expires_in))?
    );
    Ok(())
}

/// A token for `user`, signed with the stack's shared secret.
///
/// HS256 by hand, because the JWT library of the services needs a C library that takes longer to compile than this
/// program, which is compiled before everything else.
pub fn sign(keys: &Keys, user: &str, valid_for: Duration) -> Result<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a tool for people at a terminal: now is now"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = json!({
        "sub": user,
        "iss": keys.auth_issuer,
        "aud": keys.auth_audience,
        "iat": now,
        "exp": now + valid_for.as_secs(),
    });
    encode(&claims, keys.auth_hs256_secret.as_bytes())
}

fn encode(claims: &serde_json::Value, secret: &[u8]) -> Result<String> {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims)?));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).context("HMAC takes a key of any length")?;
    mac.update(signed.as_bytes());
    Ok(format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_one_that_other_implementations_make() {
        // Made with Python's hmac, hashlib and base64 modules.
        let token = encode(&json!({"sub": "alice"}), b"0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(
            token,
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.B3ZVCeqD-r-YgqIh8P8pzsDWV-k3-_krdhAyEOyABBc"
        );
    }
}
