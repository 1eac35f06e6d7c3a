//! Replies that a real Centrifugo rarely sends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use centrifugo::{Client, Error, Publication};
use common::config::SecretKey;
use url::Url;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const KEY: &str = "0123456789abcdef0123456789abcdef";

async fn publish(reply: ResponseTemplate) -> Result<u64, Error> {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/api/publish"))
        .and(header("x-api-key", KEY))
        .respond_with(reply)
        .mount(&server)
        .await;
    let url = Url::parse(&format!("{}/api/", server.uri())).unwrap();
    let client = Client::new(&url, SecretKey::parse("CENTRIFUGO_API_KEY", KEY).unwrap()).unwrap();
    let publication = Publication {
        channel: "calendar:alice",
        data: br#"{"v":1}"#,
        idempotency_key: "key",
        version: 1,
        version_epoch: "epoch",
    };
    let first = client.publish(publication).await;
    let again = client.publish(publication).await;
    assert_eq!(first, again);
    let requests = server.received_requests().await.unwrap();
    let bodies: Vec<_> = requests.iter().map(|request| &request.body).collect();
    assert_eq!(bodies[0], bodies[1], "a retry sends the same bytes");
    first.map(|position| position.offset)
}

#[tokio::test]
async fn every_reply_has_its_error() {
    let body = |text: &str| ResponseTemplate::new(200).set_body_raw(text, "application/json");
    let error = |code: u32| body(&format!(r#"{{"error":{{"code":{code},"message":"why"}}}}"#));

    assert_eq!(
        publish(body(r#"{"result":{"offset":7,"epoch":"xcf4"}}"#)).await,
        Ok(7)
    );
    assert_eq!(publish(body(r#"{"result":{}}"#)).await, Ok(0));

    for transient in [
        error(100),
        error(111),
        error(999),
        ResponseTemplate::new(500),
        ResponseTemplate::new(502).set_body_string("<html>"),
        ResponseTemplate::new(429),
        body("<html>welcome</html>"),
        body("{}"),
        body(""),
    ] {
        let outcome = publish(transient).await;
        assert!(matches!(outcome, Err(Error::Transient { .. })), "{outcome:?}");
    }
    for poison in [
        error(106),
        error(107),
        ResponseTemplate::new(400),
        ResponseTemplate::new(413),
    ] {
        let outcome = publish(poison).await;
        assert!(matches!(outcome, Err(Error::Poison { .. })), "{outcome:?}");
    }
    for configuration in [
        error(101),
        error(102),
        error(108),
        ResponseTemplate::new(401),
        ResponseTemplate::new(404),
        ResponseTemplate::new(307).insert_header("location", "/elsewhere"),
    ] {
        let outcome = publish(configuration).await;
        assert!(matches!(outcome, Err(Error::Misconfigured { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_stalled_broker_is_a_timeout() {
    let started = std::time::Instant::now();
    let server = MockServer::start().await;
    let stalled = ResponseTemplate::new(200).set_delay(Duration::from_mins(1));
    Mock::given(method("POST"))
        .respond_with(stalled)
        .mount(&server)
        .await;
    let url = Url::parse(&server.uri()).unwrap();
    let client = Client::new(&url, SecretKey::parse("CENTRIFUGO_API_KEY", KEY).unwrap()).unwrap();
    let outcome = client.info().await.unwrap_err();
    assert!(outcome.to_string().ends_with("/info: timeout"), "{outcome}");
    assert!(started.elapsed() < Duration::from_secs(9));
}
