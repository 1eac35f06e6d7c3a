//! A table of tokens that must not get in, for each kind of key.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::Jwk;
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

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

/// `base` with `changes` put over it; a null takes a field away.
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

/// A token of any header and any claims, signed correctly.
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

async fn user_of(authenticator: &Authenticator, token: &str) -> Result<String, Refusal> {
    let header = format!("Bearer {token}");
    let user = authenticator.user([header.as_str()].into_iter(), now()).await;
    user.map(|user| user.as_str().to_owned())
}

async fn assert_refused(authenticator: &Authenticator, tokens: &[(&str, String)]) {
    for (what, token) in tokens {
        let refused = user_of(authenticator, token).await;
        let Err(refusal @ Refusal::Token(_)) = refused else {
            panic!("{what}: {refused:?}");
        };
        // What is wrong with a token is for the log alone.
        let (answer, bare) = (refusal.into_answer(), RpcError::of(Code::Unauthorized));
        assert_eq!(format!("{answer:?}"), format!("{bare:?}"), "{what}");
    }
}

#[tokio::test]
async fn good_tokens_get_in() {
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
async fn bad_tokens_of_a_shared_secret_stay_out() {
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
    assert_refused(
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
                "iss of somebody else",
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

/// Tokens that are signed with the right key: only their shape, their header or a claim is odd.
#[tokio::test]
async fn tokens_of_an_odd_shape_stay_out() {
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
    assert_refused(
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
async fn only_one_bearer_header_counts() {
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

/// A signing key and its public half as the host application publishes it.
struct Pair {
    algorithm: Algorithm,
    encoding: EncodingKey,
    jwk: Value,
}

impl Pair {
    fn ed25519(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        Self::new(Algorithm::EdDSA, EncodingKey::from_ed_der(pkcs8.as_ref()), kid)
    }

    fn p256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        Self::new(Algorithm::ES256, EncodingKey::from_ec_der(pkcs8.as_ref()), kid)
    }

    fn rsa(kid: &str) -> Self {
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pkcs1 = pkcs1_of(der.as_ref());
        Self::new(Algorithm::RS256, EncodingKey::from_rsa_der(&pkcs1), kid)
    }

    fn new(algorithm: Algorithm, encoding: EncodingKey, kid: &str) -> Self {
        let mut jwk = Jwk::from_encoding_key(&encoding, algorithm).unwrap();
        jwk.common.key_id = Some(kid.into());
        // As better-auth publishes them.
        jwk.common.key_algorithm = None;
        Self {
            algorithm,
            encoding,
            jwk: serde_json::to_value(jwk).unwrap(),
        }
    }

    fn sign(&self, header: Value, claims: &Value) -> String {
        let header = with(json!({"alg": format!("{:?}", self.algorithm)}), header);
        signed_raw(
            &header.to_string(),
            &claims.to_string(),
            &self.encoding,
            self.algorithm,
        )
    }
}

/// The PKCS#1 key inside a PKCS#8 one of 2048 bits: what follows its fixed head of 26 bytes.
fn pkcs1_of(pkcs8: &[u8]) -> Vec<u8> {
    pkcs8[26..].to_vec()
}

async fn publish(keys: &[&Value]) -> MockServer {
    let server = MockServer::start().await;
    respond(
        &server,
        ResponseTemplate::new(200).set_body_json(json!({ "keys": keys })),
    )
    .await;
    server
}

async fn respond(server: &MockServer, response: ResponseTemplate) {
    server.reset().await;
    Mock::given(method("GET"))
        .respond_with(response)
        .mount(server)
        .await;
}

async fn fetches(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

fn published(server: &MockServer, algorithm: SignatureAlgorithm) -> Authenticator {
    let url = format!("{}/jwks", server.uri()).parse().unwrap();
    Authenticator::with_jwks(url, algorithm, ISSUER, AUDIENCE).unwrap()
}

#[tokio::test]
async fn published_keys_of_each_kind_let_in_and_keep_out() {
    let (ed, ec, rsa) = (Pair::ed25519("ed"), Pair::p256("ec"), Pair::rsa("rsa"));
    let server = publish(&[&ed.jwk, &ec.jwk, &rsa.jwk]).await;
    for (pair, kid, algorithm) in [
        (&ed, "ed", SignatureAlgorithm::EdDsa),
        (&ec, "ec", SignatureAlgorithm::Es256),
        (&rsa, "rsa", SignatureAlgorithm::Rs256),
    ] {
        let authenticator = published(&server, algorithm);
        let good = pair.sign(json!({"kid": kid}), &claims());
        assert_eq!(
            user_of(&authenticator, &good).await.ok().as_deref(),
            Some("alice"),
            "{kid}"
        );
        // The only key of its kind needs no name.
        let unnamed = pair.sign(json!({}), &claims());
        assert!(user_of(&authenticator, &unnamed).await.is_ok(), "{kid}");

        let public = pair.jwk.to_string();
        let with_public_key = EncodingKey::from_secret(public.as_bytes());
        let text = claims().to_string();
        let header = |changes: Value| {
            with(
                json!({"alg": format!("{:?}", pair.algorithm), "kid": kid}),
                changes,
            )
            .to_string()
        };
        let hs = |header: &str| signed_raw(header, &text, &with_public_key, Algorithm::HS256);
        let mallory = Pair::ed25519(kid);
        let theirs = |header: &str| signed_raw(header, &text, &mallory.encoding, Algorithm::EdDSA);
        assert_refused(
            &authenticator,
            &[
                ("HS256 with the public key", hs(&header(json!({"alg": "HS256"})))),
                ("HS256 that says otherwise", hs(&header(json!({})))),
                (
                    "alg none",
                    format!("{}.{}.", part(&header(json!({"alg": "none"}))), part(&text)),
                ),
                (
                    "a key of its own by jwk",
                    theirs(&header(json!({"alg": "EdDSA", "jwk": mallory.jwk}))),
                ),
                (
                    "a key of its own by jku",
                    theirs(&header(json!({"alg": "EdDSA", "jku": "http://127.0.0.1:1/"}))),
                ),
                (
                    "a key of its own by x5u",
                    theirs(&header(json!({"alg": "EdDSA", "x5u": "http://127.0.0.1:1/"}))),
                ),
                (
                    "a path for a kid",
                    pair.sign(json!({"kid": "../../dev/null"}), &claims()),
                ),
                (
                    "SQL for a kid",
                    pair.sign(json!({"kid": "' or 1=1 --"}), &claims()),
                ),
                (
                    "a URL for a kid",
                    pair.sign(json!({"kid": "http://127.0.0.1:1/"}), &claims()),
                ),
                ("a number for a kid", pair.sign(json!({"kid": 1}), &claims())),
                (
                    "expired",
                    pair.sign(json!({"kid": kid}), &with(claims(), json!({"exp": 1}))),
                ),
                (
                    "another audience",
                    pair.sign(json!({"kid": kid}), &with(claims(), json!({"aud": "centrifugo"}))),
                ),
            ],
        )
        .await;
        for other in [&ed, &ec, &rsa] {
            if other.algorithm != pair.algorithm {
                let token = other.sign(json!({"kid": other.jwk["kid"]}), &claims());
                assert_refused(&authenticator, &[("a published key of another algorithm", token)]).await;
            }
        }
    }
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_one_fetch() {
    let ed = Pair::ed25519("ed");
    let server = publish(&[&ed.jwk]).await;
    let authenticator = published(&server, SignatureAlgorithm::EdDsa);
    let refused = AtomicUsize::new(0);
    let calls = (0..200).map(|n| {
        let token = ed.sign(json!({"kid": format!("k{n}")}), &claims());
        let (authenticator, refused) = (&authenticator, &refused);
        async move {
            if user_of(authenticator, &token).await.is_err() {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(refused.into_inner(), 200);
    assert_eq!(fetches(&server).await, 1);
}

#[tokio::test]
async fn keys_rotate_and_outlive_their_address_for_a_day() {
    let (old, new) = (Pair::ed25519("old"), Pair::ed25519("new"));
    let server = publish(&[&old.jwk]).await;
    let authenticator = published(&server, SignatureAlgorithm::EdDsa);
    let at = |pair: &Pair, kid: &str, after: TimeDelta| {
        let when = now() + after;
        let claims = with(
            claims(),
            json!({"exp": (when + TimeDelta::minutes(5)).timestamp()}),
        );
        let header = format!("Bearer {}", pair.sign(json!({"kid": kid}), &claims));
        let authenticator = &authenticator;
        async move { authenticator.user([header.as_str()].into_iter(), when).await }
    };
    assert!(at(&old, "old", TimeDelta::zero()).await.is_ok());

    // A new key is found as soon as a fetch is allowed again.
    let both = json!({"keys": [old.jwk, new.jwk]});
    respond(&server, ResponseTemplate::new(200).set_body_json(both)).await;
    assert!(at(&new, "new", TimeDelta::seconds(29)).await.is_err());
    assert!(at(&new, "new", TimeDelta::seconds(30)).await.is_ok());

    // A withdrawn key goes.
    respond(
        &server,
        ResponseTemplate::new(200).set_body_json(json!({"keys": [new.jwk]})),
    )
    .await;
    assert!(at(&old, "old", TimeDelta::minutes(20)).await.is_err());

    // The address is down: the last keys go on for a day, then nobody can be told apart, which is no 401.
    for (minutes, broken) in [
        (1, ResponseTemplate::new(500)),
        (
            2,
            ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"),
        ),
        (3, ResponseTemplate::new(200).set_body_string("<html>")),
        (4, ResponseTemplate::new(200).set_body_json(json!({"keys": []}))),
        (
            5,
            ResponseTemplate::new(200).set_body_json(json!({"keys": [new.jwk], "pad": "x".repeat(70_000)})),
        ),
        (6, ResponseTemplate::new(200).set_delay(Duration::from_secs(5))),
    ] {
        respond(&server, broken).await;
        let later = TimeDelta::hours(23) + TimeDelta::minutes(minutes);
        assert!(at(&new, "new", later).await.is_ok());
        assert_eq!(fetches(&server).await, 1);
    }
    let refused = at(&new, "new", TimeDelta::hours(25)).await;
    assert!(matches!(refused, Err(Refusal::KeysUnavailable(_))), "{refused:?}");
}

#[test]
fn keys_are_not_fetched_from_just_anywhere() {
    for good in [
        "https://app.example/api/auth/jwks",
        "http://localhost:3000/jwks",
        "http://127.0.0.1:3000/jwks",
        "http://[::1]:3000/jwks",
        "http://web:3000/jwks",
    ] {
        assert!(good.parse::<JwksUrl>().is_ok(), "{good}");
    }
    for (bad, why) in [
        ("jwks", InvalidJwksUrl::NotAUrl),
        ("file:///etc/passwd", InvalidJwksUrl::NotAUrl),
        ("ftp://localhost/jwks", InvalidJwksUrl::Insecure),
        ("http://app.example/jwks", InvalidJwksUrl::Insecure),
        ("http://10.0.0.1/jwks", InvalidJwksUrl::Insecure),
        (
            "http://169.254.169.254/latest/meta-data",
            InvalidJwksUrl::LinkLocal,
        ),
        ("https://169.254.169.254/", InvalidJwksUrl::LinkLocal),
        ("https://[fe80::1]/", InvalidJwksUrl::LinkLocal),
        ("https://[::ffff:169.254.169.254]/", InvalidJwksUrl::LinkLocal),
        ("https://u:p@app.example/jwks", InvalidJwksUrl::Credentials),
    ] {
        assert_eq!(bad.parse::<JwksUrl>(), Err(why), "{bad}");
    }
}
