//! Tokens that are signed with a published key.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use chrono::TimeDelta;
use jsonwebtoken::jwk::Jwk;
use tokio::io::AsyncReadExt as _;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// A signing key, and its public key as the host application publishes it.
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
        // As published by better-auth.
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

/// The PKCS#1 key inside a PKCS#8 key of 2048 bits, after its fixed header of 26 bytes.
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
    reached_through("http://127.0.0.1:9", url, algorithm).unwrap()
}

/// With this proxy for all addresses.
fn reached_through(
    proxy: &str,
    url: JwksUrl,
    algorithm: SignatureAlgorithm,
) -> Result<Authenticator, google::SetupError> {
    Authenticator::with_jwks(url, algorithm, ISSUER, AUDIENCE, &google::Proxies::all(proxy))
}

/// As Google: a proxy by `CONNECT` for `https`, and none for `http`, as in every other test here.
#[tokio::test]
async fn keys_are_fetched_through_the_proxy() {
    let url: JwksUrl = "https://app.example/jwks".parse().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://user:word@{}", listener.local_addr().unwrap());
    let head = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4_096];
        let length = stream.read(&mut head).await.unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let authenticator = reached_through(&proxy, url.clone(), SignatureAlgorithm::EdDsa).unwrap();
    let token = Pair::ed25519("ed").sign(json!({"kid": "ed"}), &claims());
    let unavailable = user_of(&authenticator, &token).await.unwrap_err();
    assert!(
        matches!(unavailable, AuthError::KeysUnavailable(_)),
        "{unavailable}"
    );
    let head = tokio::time::timeout(Duration::from_secs(5), head).await;
    let head = head.unwrap().unwrap();
    assert!(head.starts_with("CONNECT app.example:443 "), "{head}");
    assert!(
        (head.to_lowercase()).contains("proxy-authorization: basic dxnlcjp3b3jk"),
        "{head}"
    );
    let refused = reached_through("socks5://127.0.0.1:1080", url, SignatureAlgorithm::EdDsa);
    let refused = refused.err().unwrap().to_string();
    assert!(refused.ends_with("list app.example in NO_PROXY"), "{refused}");
}

#[tokio::test]
async fn published_keys_of_each_kind_accept_and_reject() {
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
        // The only key of its kind needs no id.
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
        assert_rejected(
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
                assert_rejected(&authenticator, &[("a published key of another algorithm", token)]).await;
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
async fn keys_rotate_and_outlive_their_url_for_a_day() {
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

    // A withdrawn key is dropped.
    respond(
        &server,
        ResponseTemplate::new(200).set_body_json(json!({"keys": [new.jwk]})),
    )
    .await;
    assert!(at(&old, "old", TimeDelta::minutes(20)).await.is_err());

    // The URL is down: the last keys are used for a day; then tokens cannot be verified, which is not a 401.
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
    assert!(
        matches!(refused, Err(AuthError::KeysUnavailable(_))),
        "{refused:?}"
    );
}

#[test]
fn jwks_urls_are_restricted() {
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
