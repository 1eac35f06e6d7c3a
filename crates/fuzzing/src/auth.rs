//! Tokens of the host application. Input with a line break is a header and claims, which are signed with the right key, to
//! fuzz the code behind the signature check. Any other input is used as a token as it is.

use std::cell::OnceCell;

use calendar_api::auth::Authenticator;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;

use crate::Target;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const ISSUER: &str = "https://app.example";
const AUDIENCE: &str = "calwire";
const NOW: i64 = 1_795_348_800;
const LEEWAY: f64 = 30.0;

pub const TARGET: Target = Target {
    name: "jwt",
    run,
    words: &[
        "\n",
        ".",
        r#""alg":"HS256""#,
        r#""alg":"none""#,
        r#""typ":"JWT""#,
        r#""crit":["exp"]"#,
        r#""kid":"../../dev/null""#,
        r#""jwk":{"kty":"oct","k":"AAAA"}"#,
        r#""sub":"alice""#,
        r#""iss":"https://app.example""#,
        r#""aud":["calwire"]"#,
        r#""exp":1795349100"#,
        r#""nbf":1e300"#,
        r#","sub":"bob""#,
    ],
};

thread_local! {
    static AUTHENTICATOR: OnceCell<Authenticator> = const { OnceCell::new() };
}

fn user_of(token: &str) -> Option<String> {
    let now: DateTime<Utc> = DateTime::from_timestamp(NOW, 0).unwrap_or_default();
    let header = format!("Bearer {token}");
    AUTHENTICATOR.with(|authenticator| {
        let authenticator =
            authenticator.get_or_init(|| Authenticator::with_secret(SECRET, ISSUER, AUDIENCE));
        // With a shared secret, this never waits.
        let user = authenticator
            .user([header.as_str()].into_iter(), now)
            .now_or_never();
        let user = user.map(|user| user.map(|user| user.as_str().to_owned()));
        user.and_then(Result::ok)
    })
}

fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match text.split_once('\n') {
        None => assert_eq!(user_of(text), None, "a signature was guessed"),
        Some((header, claims)) => signed(header, claims),
    }
}

/// Parses the claims of an accepted token again: subject, issuer, audience and lifetime must be right.
fn signed(header: &str, claims: &str) {
    let part = |text: &str| base64_url(text.as_bytes());
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(SECRET);
    let Ok(signature) = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256) else {
        return;
    };
    let Some(user) = user_of(&format!("{message}.{signature}")) else {
        return;
    };
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let (header, claims) = (read(header), read(claims));
    assert_eq!(header["alg"], "HS256");
    assert!(header.get("crit").is_none_or(Value::is_null));
    assert_eq!(claims["sub"], user);
    assert_eq!(claims["iss"], ISSUER);
    let aud = &claims["aud"];
    assert!(
        aud == AUDIENCE
            || aud
                .as_array()
                .is_some_and(|all| all.iter().any(|aud| aud == AUDIENCE))
    );
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in f64")]
    let now = NOW as f64;
    assert!(claims["exp"].as_f64().is_some_and(|exp| exp + LEEWAY > now));
    assert!(
        claims
            .get("nbf")
            .is_none_or(|nbf| nbf.is_null() || nbf.as_f64().is_some_and(|nbf| nbf - LEEWAY <= now))
    );
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
