//! Single odd responses and their errors. Whole flows are tested against the emulator.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::time::Duration;

use google::{
    AuthorizationRequest, Endpoints, Error, Google, GoogleConfig, Limit, ListCursor, NewChannel, Next, Pkce,
    Proxies,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::matchers::{body_string_contains, header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const TIMEOUT: Duration = Duration::from_millis(500);

fn google_at(base: &str, timeout: Duration) -> Google {
    let mut config = GoogleConfig::new("client", "client-secret".into());
    config.timeout = timeout;
    config.endpoints = Endpoints::at(&base.parse().unwrap());
    Google::new(config).unwrap()
}

/// A server that gives the same response to every request.
async fn answering(reply: ResponseTemplate) -> (MockServer, Google) {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(reply)
        .mount(&server)
        .await;
    let google = google_at(&server.uri(), TIMEOUT);
    (server, google)
}

fn access() -> SecretString {
    "ya29.access".into()
}

fn envelope(status: u16, reason: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"error": {
        "errors": [{"domain": "global", "reason": reason, "message": "m"}], "code": status, "message": "m"}}))
}

async fn events_error(google: &Google) -> Error {
    let cursor = ListCursor::default();
    google
        .events(&access(), "primary", &cursor, 2_500)
        .await
        .unwrap_err()
}

async fn list_error(google: &Google) -> Error {
    google
        .calendar_list(&access(), &ListCursor::default())
        .await
        .unwrap_err()
}

fn is_transient(error: &Error) -> bool {
    matches!(error, Error::Transient { .. })
}

#[tokio::test]
async fn a_response_not_from_google_is_transient_and_never_quoted() {
    let html = "<html>alice@example.com secret meeting</html>";
    for reply in [
        ResponseTemplate::new(502).set_body_raw(html, "text/html"),
        ResponseTemplate::new(404).set_body_raw(html, "text/html"),
        ResponseTemplate::new(403).set_body_raw(html, "text/html"),
        ResponseTemplate::new(200).set_body_raw(html, "text/html"),
        ResponseTemplate::new(503),
        ResponseTemplate::new(200),
        ResponseTemplate::new(200).set_body_raw(
            r#"{"items": [{"id": "alice@example.com", "summary": 7}"#,
            "application/json",
        ),
        ResponseTemplate::new(200).set_body_json(json!({"items": []})),
        ResponseTemplate::new(200).set_body_json(json!([])),
    ] {
        let (_server, google) = answering(reply).await;
        for error in [events_error(&google).await, list_error(&google).await] {
            assert!(is_transient(&error), "{error}");
            assert!(!format!("{error} {error:?}").contains("alice"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn both_clients_classify_alike() {
    for (reply, expected) in [
        (envelope(401, "authError"), Error::Unauthorized),
        (envelope(403, "insufficientPermissions"), Error::ScopeMissing),
        (envelope(404, "notFound"), Error::NotFound),
        (envelope(410, "fullSyncRequired"), Error::SyncTokenExpired),
        (
            envelope(403, "userRateLimitExceeded").insert_header("retry-after", "17"),
            Error::RateLimited {
                limit: Limit::User,
                retry_after: Some(Duration::from_secs(17)),
            },
        ),
        (
            ResponseTemplate::new(429).insert_header("retry-after", "3"),
            Error::RateLimited {
                limit: Limit::Unnamed,
                retry_after: Some(Duration::from_secs(3)),
            },
        ),
    ] {
        let (_server, google) = answering(reply).await;
        assert_eq!(events_error(&google).await, expected);
        assert_eq!(list_error(&google).await, expected);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, _) = answering(ResponseTemplate::new(200)).await;
    let reply = ResponseTemplate::new(302).insert_header("location", elsewhere.uri().as_str());
    let (_server, google) = answering(reply).await;
    assert!(is_transient(&events_error(&google).await));
    assert!(is_transient(&list_error(&google).await));
    assert!(is_transient(&google.refresh(&"1//r".into()).await.unwrap_err()));
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let reply = ResponseTemplate::new(200).set_body_bytes(vec![b' '; google::BODY_MAX_LEN + 1]);
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(reply)
        .mount(&server)
        .await;
    assert_eq!(
        events_error(&google_at(&server.uri(), Duration::from_mins(1))).await,
        Error::AnswerTooLarge
    );
}

#[tokio::test]
async fn a_stalled_or_truncated_response_is_transient() {
    let (_server, google) = answering(ResponseTemplate::new(200).set_delay(TIMEOUT * 20)).await;
    let started = std::time::Instant::now();
    assert_eq!(events_error(&google).await, Error::PageTimedOut);
    assert!(is_transient(&list_error(&google).await));
    assert!(started.elapsed() < TIMEOUT * 6);

    // Announces a thousand bytes, sends ten, and closes the connection.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let google = google_at(&format!("http://{}", listener.local_addr().unwrap()), TIMEOUT);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"items\":[")
                .await;
        }
    });
    assert!(is_transient(&events_error(&google).await));
    assert!(is_transient(&list_error(&google).await));

    // No server at all.
    let google = google_at("http://127.0.0.1:1", TIMEOUT);
    assert!(is_transient(&events_error(&google).await));
    assert!(is_transient(&list_error(&google).await));
    assert!(is_transient(&google.refresh(&"1//r".into()).await.unwrap_err()));
}

#[tokio::test]
async fn every_page_of_a_listing_has_the_same_parameters() {
    let server = MockServer::start().await;
    let segment = "/calendar/v3/calendars/en%2Euk%23holiday%40group%2Ev%2Ecalendar%2Egoogle%2Ecom/events";
    Mock::given(method("GET"))
        .and(path(segment))
        .and(query_param("singleEvents", "false"))
        .and(query_param("maxResults", "100"))
        .and(query_param("syncToken", "s1"))
        .and(query_param_is_missing("showDeleted"))
        .and(query_param_is_missing("orderBy"))
        .and(header("authorization", "Bearer ya29.access"))
        .and(header("accept-encoding", "gzip"))
        .respond_with(|request: &Request| {
            let more = request.url.query().unwrap_or_default().contains("pageToken=p1");
            ResponseTemplate::new(200).set_body_json(if more {
                json!({"items": [{"id": "a", "status": "cancelled"}], "nextSyncToken": "s2"})
            } else {
                json!({"items": [], "nextPageToken": "p1"})
            })
        })
        .expect(2)
        .mount(&server)
        .await;
    let google = google_at(&server.uri(), TIMEOUT);
    let mut cursor = ListCursor {
        sync_token: Some("s1".into()),
        page_token: None,
    };
    let id = "en.uk#holiday@group.v.calendar.google.com";
    let page = google.events(&access(), id, &cursor, 100).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, Next::Page("p1".into())));
    cursor.page_token = Some("p1".into());
    let page = google.events(&access(), id, &cursor, 100).await.unwrap();
    assert_eq!(page.items[0].id, "a");
    assert_eq!(page.next, Next::Sync("s2".into()));
    assert_eq!(
        google.events(&access(), "..", &cursor, 100).await.unwrap_err(),
        Error::NotFound
    );
}

#[tokio::test]
async fn an_expiration_is_a_string_or_a_number() {
    for expiration in [json!("1426325213000"), json!(1_426_325_213_000_i64)] {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/calendar/v3/calendars/primary/events/watch"))
            .and(body_string_contains(r#""params":{"ttl":"604800"}"#))
            .and(body_string_contains(r#""type":"web_hook""#))
            .and(body_string_contains(r#""token":"t0ken""#))
            .respond_with(ResponseTemplate::new(200).set_body_json(
                json!({"kind": "api#channel", "id": "c1", "resourceId": "r1", "expiration": expiration}),
            ))
            .mount(&server)
            .await;
        let channel = NewChannel {
            id: "c1",
            token: &"t0ken".into(),
            address: "https://calwire.example/api/calendar/webhook",
            ttl: Duration::from_hours(168),
        };
        let google = google_at(&server.uri(), TIMEOUT);
        let made = google.watch_events(&access(), "primary", &channel).await.unwrap();
        assert_eq!(made.resource_id, "r1");
        assert_eq!(made.expires_at.unwrap().timestamp_millis(), 1_426_325_213_000);
    }
}

#[tokio::test]
async fn unwatchable_calendars_and_closed_channels_are_distinguished() {
    let channel = NewChannel {
        id: "c1",
        token: &"t0ken".into(),
        address: "https://calwire.example/api/calendar/webhook",
        ttl: Duration::from_hours(1),
    };
    let (_server, google) = answering(envelope(400, "pushNotSupportedForRequestedResource")).await;
    let error = google
        .watch_events(&access(), "holidays", &channel)
        .await
        .unwrap_err();
    assert_eq!(error, Error::PushNotSupported);
    let (_server, google) = answering(envelope(404, "notFound")).await;
    let error = google.stop_channel(&access(), "c1", "r1").await.unwrap_err();
    assert_eq!(error, Error::NotFound);
    let (_server, google) = answering(ResponseTemplate::new(204)).await;
    assert_eq!(google.stop_channel(&access(), "c1", "r1").await, Ok(()));
}

#[tokio::test]
async fn token_requests_follow_googles_documentation() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/token"))
        .and(body_string_contains("grant_type=authorization_code"))
        .and(body_string_contains("code=4%2Fcode"))
        .and(body_string_contains(
            "client_id=client&client_secret=client-secret",
        ))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "access_token": "ya29.new", "expires_in": 3599, "refresh_token": "1//r", "token_type": "Bearer",
            "scope": "openid https://www.googleapis.com/auth/calendar.events"})))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(body_string_contains("grant_type=refresh_token"))
        .respond_with(ResponseTemplate::new(400).set_body_json(
            json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}),
        ))
        .mount(&server)
        .await;
    let google = google_at(&server.uri(), TIMEOUT);
    let pkce = Pkce::generate();
    let grant = google
        .exchange_code("4/code", &pkce.verifier, "https://x/cb")
        .await
        .unwrap();
    assert_eq!(grant.access_token.expose_secret(), "ya29.new");
    assert_eq!(grant.expires_in, Duration::from_secs(3_599));
    assert_eq!(grant.refresh_token.unwrap().expose_secret(), "1//r");
    assert!(google::scopes::allows_events(&grant.scopes));
    assert!(!google::scopes::allows_calendar_list(&grant.scopes));
    assert_eq!(
        google.refresh(&"1//r".into()).await.unwrap_err(),
        Error::GrantRejected
    );
}

#[tokio::test]
async fn a_token_that_no_header_can_hold_is_rejected() {
    let body = json!({"access_token": "ya29\r\nx-evil: 1", "expires_in": 3599});
    let (_server, google) = answering(ResponseTemplate::new(200).set_body_json(body)).await;
    assert!(is_transient(&google.refresh(&"1//r".into()).await.unwrap_err()));
}

#[tokio::test]
async fn revoking_an_ended_grant_succeeds() {
    let (_server, google) = answering(ResponseTemplate::new(200)).await;
    assert_eq!(google.revoke(&"1//r".into()).await, Ok(()));
    let dead = ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_token"}));
    let (_server, google) = answering(dead).await;
    assert_eq!(google.revoke(&"1//r".into()).await, Ok(()));
    let (_server, google) = answering(ResponseTemplate::new(503)).await;
    assert!(is_transient(&google.revoke(&"1//r".into()).await.unwrap_err()));
}

#[tokio::test]
async fn the_consent_page_requests_offline_access_with_pkce() {
    let google = google_at("http://127.0.0.1:1", TIMEOUT);
    let mut request = AuthorizationRequest {
        redirect_uri: "https://x/oauth/google/callback",
        scopes: &google::scopes::REQUESTED,
        state: "st&te",
        code_challenge: "chal",
        login_hint: None,
        force_consent: false,
    };
    let query = |request: &AuthorizationRequest<'_>| -> std::collections::HashMap<String, String> {
        google
            .authorization_url(request)
            .query_pairs()
            .into_owned()
            .collect()
    };
    let asked = query(&request);
    assert_eq!(asked["access_type"], "offline");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["state"], "st&te");
    assert_eq!(asked["scope"], google::scopes::REQUESTED.join(" "));
    assert!(!asked.contains_key("prompt") && !asked.contains_key("login_hint"));
    request.force_consent = true;
    assert_eq!(query(&request)["prompt"], "select_account consent");
    request.login_hint = Some("alice@example.com");
    let asked = query(&request);
    assert_eq!(
        (&*asked["prompt"], &*asked["login_hint"]),
        ("consent", "alice@example.com")
    );
    assert!(!asked.contains_key("include_granted_scopes"));
}

/// Both clients go through the proxy to Google, and past it to an emulator.
#[tokio::test]
async fn google_is_reached_through_the_proxy() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://user:word@{}", listener.local_addr().unwrap());
    let heads = tokio::spawn(async move {
        let mut heads = Vec::new();
        while heads.len() < 3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4_096];
            let length = stream.read(&mut head).await.unwrap();
            heads.push(String::from_utf8_lossy(&head[..length]).into_owned());
        }
        heads
    });
    let mut config = GoogleConfig::new("id", "secret".into());
    config.proxies = Proxies::all(&proxy);
    config.timeout = Duration::from_secs(2);
    let google = Google::new(config.clone()).unwrap();
    assert!(is_transient(&events_error(&google).await));
    assert!(is_transient(&list_error(&google).await));
    assert!(is_transient(&google.refresh(&"1//r".into()).await.unwrap_err()));
    let heads = tokio::time::timeout(Duration::from_secs(5), heads)
        .await
        .unwrap()
        .unwrap();
    for (head, host) in heads.iter().zip(["www", "www", "oauth2"]) {
        assert!(
            head.starts_with(&format!("CONNECT {host}.googleapis.com:443 ")),
            "{head}"
        );
        assert!(
            head.to_lowercase()
                .contains("proxy-authorization: basic dxnlcjp3b3jk"),
            "{head}"
        );
    }
    let (server, _) = answering(envelope(404, "notFound")).await;
    config.endpoints = Endpoints::at(&server.uri().parse().unwrap());
    let emulated = Google::new(config.clone()).unwrap();
    assert_eq!(events_error(&emulated).await, Error::NotFound);
    assert_eq!(list_error(&emulated).await, Error::NotFound);
    config.endpoints = Endpoints::default();
    config.proxies = Proxies::all("socks5://127.0.0.1:1080");
    assert!(
        Google::new(config)
            .err()
            .unwrap()
            .to_string()
            .starts_with("HTTPS_PROXY")
    );
}
