//! Tokens that are signed with a shared secret.

use super::*;

#[tokio::test]
async fn valid_tokens_are_accepted() {
    let authenticator = Authenticator::with_secret(SECRET, ISSUER, AUDIENCE);
    let at = now().timestamp();
    for (what, token) in [
        ("plain", hs256(json!({}), &claims())),
        ("without typ", hs256(json!({"typ": null}), &claims())),
        ("an access token", hs256(json!({"typ": "at+JWT"}), &claims())),
        (
            "with a kid, which a secret does not need",
            hs256(json!({"kid": "k"}), &claims()),
        ),
        (
            "several audiences",
            hs256(json!({}), &with(claims(), json!({"aud": ["other", AUDIENCE]}))),
        ),
        (
            "expired within the leeway",
            hs256(json!({}), &with(claims(), json!({"exp": at - 20}))),
        ),
        (
            "valid from now on",
            hs256(json!({}), &with(claims(), json!({"nbf": at + 20}))),
        ),
        (
            "fractions of seconds",
            hs256(json!({}), &with(claims(), json!({"exp": 1_795_350_000.5}))),
        ),
    ] {
        assert_eq!(
            user_of(&authenticator, &token).await.ok().as_deref(),
            Some("alice"),
            "{what}"
        );
    }
    let header = format!("bearer {}", hs256(json!({}), &claims()));
    assert!(
        authenticator
            .user([header.as_str()].into_iter(), now())
            .await
            .is_ok()
    );
}

#[expect(clippy::too_many_lines, reason = "a table")]
#[tokio::test]
async fn invalid_tokens_of_a_shared_secret_are_rejected() {
    let authenticator = Authenticator::with_secret(SECRET, ISSUER, AUDIENCE);
    let good = hs256(json!({}), &claims());
    let (body, signature) = good.rsplit_once('.').unwrap();
    let at = now().timestamp();
    let changed = |changes: Value| hs256(json!({}), &with(claims(), changes));
    let key = EncodingKey::from_secret(SECRET);
    let raw = |header: &str, claims: &str| signed_raw(header, claims, &key, Algorithm::HS256);
    let other_key = EncodingKey::from_secret(b"another secret of the right size");
    let header = r#"{"alg":"HS256"}"#;
    let text = claims().to_string();
    let none = |alg: &str| {
        format!(
            "{}.{}.",
            part(&format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#)),
            part(&text)
        )
    };
    assert_rejected(
        &authenticator,
        &[
            ("nothing", String::new()),
            ("not a token", "alice".into()),
            ("two parts", body.into()),
            ("four parts", format!("{good}.x")),
            ("no signature", format!("{body}.")),
            ("a signature cut short", good[..good.len() - 4].into()),
            (
                "a signature of something else",
                format!("{}.{signature}", part(header)),
            ),
            ("padded base64", format!("{good}=")),
            ("a space at the end", format!("{good} ")),
            ("too long", format!("{good}{}", "x".repeat(100_000))),
            ("alg none", none("none")),
            ("alg None", none("None")),
            (
                "alg nOnE, with a signature",
                format!("{}{signature}", none("nOnE")),
            ),
            ("alg empty", none("")),
            ("alg missing", raw(r#"{"typ":"JWT"}"#, &text)),
            ("alg in lower case", raw(r#"{"alg":"hs256"}"#, &text)),
            ("alg an array", raw(r#"{"alg":["HS256"]}"#, &text)),
            (
                "alg HS384",
                signed_raw(r#"{"alg":"HS384"}"#, &text, &key, Algorithm::HS384),
            ),
            (
                "alg HS512",
                signed_raw(r#"{"alg":"HS512"}"#, &text, &key, Algorithm::HS512),
            ),
            (
                "alg said RS256, made with HS256",
                raw(r#"{"alg":"RS256"}"#, &text),
            ),
            (
                "alg said EdDSA, made with HS256",
                raw(r#"{"alg":"EdDSA"}"#, &text),
            ),
            (
                "another key",
                signed_raw(header, &text, &other_key, Algorithm::HS256),
            ),
            (
                "an empty key",
                signed_raw(header, &text, &EncodingKey::from_secret(b""), Algorithm::HS256),
            ),
            (
                "an extension that must be understood",
                hs256(json!({"crit": ["exp"]}), &claims()),
            ),
            ("a logout token", hs256(json!({"typ": "logout+jwt"}), &claims())),
            (
                "a proof of possession",
                hs256(json!({"typ": "dpop+jwt"}), &claims()),
            ),
            ("a header that is not JSON", raw("{", &text)),
            ("claims that are not JSON", raw(header, "{")),
            ("claims that are an array", raw(header, "[]")),
            ("expired", changed(json!({"exp": at - 31}))),
            ("expired long ago", changed(json!({"exp": 0}))),
            ("exp missing", changed(json!({"exp": null}))),
            ("exp a string", changed(json!({"exp": (at + 300).to_string()}))),
            (
                "exp null",
                raw(
                    header,
                    &text.replace(&format!("\"exp\":{}", at + 300), "\"exp\":null"),
                ),
            ),
            ("exp an array", changed(json!({"exp": [at + 300]}))),
            ("exp negative", changed(json!({"exp": -1}))),
            ("not valid yet", changed(json!({"nbf": at + 31}))),
            ("nbf a string", changed(json!({"nbf": at.to_string()}))),
            ("iss missing", changed(json!({"iss": null}))),
            (
                "iss of another issuer",
                changed(json!({"iss": "https://evil.example"})),
            ),
            (
                "iss with a slash more",
                changed(json!({"iss": format!("{ISSUER}/")})),
            ),
            ("iss in capitals", changed(json!({"iss": ISSUER.to_uppercase()}))),
            ("aud missing", changed(json!({"aud": null}))),
            ("aud empty", changed(json!({"aud": []}))),
            ("aud of Centrifugo", changed(json!({"aud": "centrifugo"}))),
            ("aud a prefix", changed(json!({"aud": "calwire-admin"}))),
            ("aud a number", changed(json!({"aud": 1}))),
            ("sub missing", changed(json!({"sub": null}))),
            ("sub empty", changed(json!({"sub": ""}))),
            ("sub a number", changed(json!({"sub": 1}))),
            (
                "sub that names another channel",
                changed(json!({"sub": "bob,alice"})),
            ),
            ("sub with a wildcard", changed(json!({"sub": "*"}))),
            ("sub too long", changed(json!({"sub": "a".repeat(129)}))),
        ],
    )
    .await;
}

/// Tokens signed with the right key, whose shape, header or claims are invalid.
#[tokio::test]
async fn malformed_tokens_are_rejected() {
    let authenticator = Authenticator::with_secret(SECRET, ISSUER, AUDIENCE);
    let good = hs256(json!({}), &claims());
    let at = now().timestamp();
    let key = EncodingKey::from_secret(SECRET);
    let header = r#"{"alg":"HS256"}"#;
    let text = claims().to_string();
    let raw = |header: &str, claims: &str| signed_raw(header, claims, &key, Algorithm::HS256);
    let twice = |claim: &str| raw(header, &text.replacen('{', &format!("{{{claim},"), 1));
    let changed = |changes: Value| hs256(json!({}), &with(claims(), changes));
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let mallory = EncodingKey::from_secret(b"a secret that mallory has made up");
    let signed_by_mallory =
        |header: &Value| signed_raw(&header.to_string(), &text, &mallory, Algorithm::HS256);
    let jwk = json!({"kty": "oct", "k": part("a secret that mallory has made up"), "alg": "HS256"});
    assert_rejected(
        &authenticator,
        &[
            ("a dot at the end", format!("{good}.")),
            ("dots at the end", format!("{good}...")),
            ("a dot before", format!(".{good}")),
            ("dots and nothing", "..".into()),
            ("five parts, as JWE has", format!("{head}.{signature}.{signature}.{body}.{signature}")),
            (
                "a header of JWE",
                raw(r#"{"alg":"dir","enc":"A256GCM"}"#, &text),
            ),
            ("JSON instead of base64", format!("{header}.{text}.{signature}")),
            ("the JSON form of a signature", json!({"payload": body, "protected": head, "signature": signature}).to_string()),
            ("padded parts", format!("{head}=.{body}=.{signature}=")),
            ("base64 of the other alphabet", format!("{head}.{body}.{}", signature.replace(['-', '_'], "+"))
                + if signature.contains(['-', '_']) { "" } else { "+" }),
            ("a line break in the signature", format!("{head}.{body}.{}\n{}", &signature[..9], &signature[9..])),
            ("a comma and a second token", format!("{good},{good}")),
            ("a space and a second token", format!("{good} {good}")),
            ("letters that look alike", good.replacen('e', "\u{435}", 1)),
            ("a mark that joins no letters", format!("{good}\u{200d}")),
            ("a byte order mark", format!("\u{feff}{good}")),
            ("NUL at the end", format!("{good}\0")),
            ("100 KB of claims", changed(json!({"pad": "x".repeat(100_000)}))),
            ("100 KB of header", hs256(json!({"pad": "x".repeat(100_000)}), &claims())),
            ("alg twice, the second none", raw(r#"{"alg":"HS256","alg":"none"}"#, &text)),
            ("alg twice, the first none", raw(r#"{"alg":"none","alg":"HS256"}"#, &text)),
            ("sub twice", twice(r#""sub":"bob""#)),
            ("exp twice", twice(r#""exp":1"#)),
            ("iss twice", twice(r#""iss":"https://evil.example""#)),
            ("aud twice", twice(r#""aud":"centrifugo""#)),
            ("its own key by jwk", signed_by_mallory(&json!({"alg": "HS256", "jwk": jwk}))),
            ("its own key by jku", signed_by_mallory(&json!({"alg": "HS256", "jku": "http://127.0.0.1:1/"}))),
            ("its own key by x5u", signed_by_mallory(&json!({"alg": "HS256", "x5u": "http://127.0.0.1:1/"}))),
            ("its own key by x5c", signed_by_mallory(&json!({"alg": "HS256", "x5c": ["MIIB"]}))),
            ("a path for a kid", signed_by_mallory(&json!({"alg": "HS256", "kid": "../../../dev/null"}))),
            ("claims that are not encoded, by crit", hs256(json!({"b64": false, "crit": ["b64"]}), &claims())),
            ("an empty crit", hs256(json!({"crit": []}), &claims())),
            ("another's token inside", hs256(json!({"typ": "JWE", "cty": "JWT"}), &claims())),
            ("the token of a socket", hs256(json!({}), &json!({"sub": "alice", "iss": "calendar-api", "aud": "centrifugo", "iat": at, "exp": at + 300}))),
            ("exp true", changed(json!({"exp": true}))),
            ("exp beyond numbers", raw(header, &text.replace(&format!("\"exp\":{}", at + 300), "\"exp\":1e999"))),
            ("nbf beyond time", changed(json!({"nbf": 1e300}))),
            ("iss an array", changed(json!({"iss": [ISSUER, "https://evil.example"]}))),
            ("aud an object", changed(json!({"aud": {AUDIENCE: true}}))),
            ("aud with a space", changed(json!({"aud": format!("{AUDIENCE} ")}))),
            ("sub an array", changed(json!({"sub": ["alice"]}))),
            ("sub with letters that look alike", changed(json!({"sub": "\u{430}lice"}))),
            ("sub with a line break", changed(json!({"sub": "alice\nbob"}))),
            ("sub with NUL", changed(json!({"sub": "alice\0"}))),
            ("sub with a space", changed(json!({"sub": "alice "}))),
            ("sub that is a channel", changed(json!({"sub": "calendar:alice"}))),
        ],
    )
    .await;
}

#[tokio::test]
async fn exactly_one_bearer_header_is_accepted() {
    let authenticator = Authenticator::with_secret(SECRET, ISSUER, AUDIENCE);
    let good = hs256(json!({}), &claims());
    let header = format!("Bearer {good}");
    for (what, headers) in [
        ("none", vec![]),
        ("two", vec![header.clone(), header.clone()]),
        ("no scheme", vec![good.clone()]),
        ("basic", vec![format!("Basic {good}")]),
        ("a tab", vec![format!("Bearer\t{good}")]),
    ] {
        let user = authenticator
            .user(headers.iter().map(String::as_str), now())
            .await;
        assert!(user.is_err(), "{what}");
    }
}
