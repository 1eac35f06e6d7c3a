//! Writes against the emulator and against single odd responses.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::time::Duration;

use google::{Endpoints, Error, EventPath, Google, GoogleConfig, Limit, RawEvent, SendUpdates, scopes};
use google_emulator::{Config, Emulator, Fault, Rule, Seed};
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{any, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const ALICE: &str = "alice@example.com";
const TEAM: &str = "team@group.calendar.google.com";
const READ_ONLY: &str = "holidays@group.calendar.google.com";

fn google_at(base: &str, timeout: Duration) -> Google {
    let mut config = GoogleConfig::new("client", "client-secret".into());
    config.timeout = timeout;
    config.endpoints = Endpoints::at(&base.parse().unwrap());
    Google::new(config).unwrap()
}

async fn start() -> (Emulator, Google, SecretString) {
    let seed = json!({"users": [{"email": ALICE, "calendars": [
        {"id": ALICE, "summary": "Alice", "primary": true, "timeZone": "Europe/London"},
        {"id": TEAM, "summary": "Team", "timeZone": "Europe/London"},
        {"id": READ_ONLY, "summary": "Holidays", "accessRole": "reader"}]}]});
    let emulator = Emulator::start(Config {
        seed: Seed::from_json("seed.json", &seed.to_string()).unwrap(),
        ..Config::default()
    })
    .await
    .unwrap();
    let google = google_at(emulator.base_url(), Duration::from_secs(5));
    let access = emulator.mint(ALICE, &scopes::REQUESTED).unwrap().access_token;
    (emulator, google, access.into())
}

fn lunch(id: &str) -> Value {
    json!({"id": id, "summary": "Lunch", "location": "Room 3",
        "start": {"dateTime": "2026-11-23T12:00:00Z", "timeZone": "Europe/London"},
        "end": {"dateTime": "2026-11-23T13:00:00Z", "timeZone": "Europe/London"}})
}

const fn at<'a>(calendar: &'a str, event: &'a str) -> EventPath<'a> {
    EventPath { calendar, event }
}

fn etag(event: &RawEvent) -> Option<String> {
    field(event, "etag").as_str().map(str::to_owned)
}

fn field(event: &RawEvent, name: &str) -> Value {
    let event: Value = serde_json::from_str(event.raw.get()).unwrap();
    event[name].clone()
}

#[tokio::test]
async fn an_insert_with_our_own_id_happens_once() {
    let (emulator, google, access) = start().await;
    let insert = || async {
        google
            .insert_event(&access, "primary", &lunch("lunch1"), SendUpdates::All)
            .await
    };
    let inserted = insert().await.unwrap();
    assert_eq!(
        (inserted.id.as_str(), field(&inserted, "status")),
        ("lunch1", json!("confirmed"))
    );
    assert_eq!(insert().await.unwrap_err(), Error::AlreadyExists);
    let query = &emulator.requests_to("events.insert")[0].query;
    assert!(
        query.contains("sendUpdates=all") && query.contains("conferenceDataVersion=1"),
        "{query}"
    );

    // Also after it was deleted: an id is never free again.
    google
        .delete_event(&access, at(ALICE, "lunch1"), None, SendUpdates::None)
        .await
        .unwrap();
    assert_eq!(insert().await.unwrap_err(), Error::AlreadyExists);
}

#[tokio::test]
async fn an_insert_with_a_lost_response_is_found_by_id() {
    let (emulator, google, access) = start().await;
    emulator.fault(Rule::new("events.insert", Fault::Reset { after: true }).times(1));
    let lost = google
        .insert_event(&access, "primary", &lunch("lunch1"), SendUpdates::None)
        .await;
    assert!(matches!(lost, Err(Error::OutcomeUnknown { .. })), "{lost:?}");
    let found = google.event(&access, at("primary", "lunch1")).await.unwrap();
    assert_eq!(field(&found, "summary"), "Lunch");
    assert_eq!(
        google.event(&access, at("primary", "nothere")).await.unwrap_err(),
        Error::NotFound
    );
}

#[tokio::test]
async fn a_patch_clears_with_null_and_needs_the_current_version() {
    let (_emulator, google, access) = start().await;
    let made = google
        .insert_event(&access, "primary", &lunch("lunch1"), SendUpdates::None)
        .await
        .unwrap();
    let patch = |etag: Option<String>, body: Value| {
        let (google, access) = (&google, &access);
        async move {
            google
                .patch_event(
                    access,
                    at("primary", "lunch1"),
                    etag.as_deref(),
                    &body,
                    SendUpdates::None,
                )
                .await
        }
    };
    let changed = patch(etag(&made), json!({"summary": "Late lunch", "location": null}))
        .await
        .unwrap();
    assert_eq!(field(&changed, "summary"), "Late lunch");
    assert_eq!(field(&changed, "location"), Value::Null);
    assert_eq!(field(&changed, "start")["dateTime"], "2026-11-23T12:00:00Z");
    let stale = patch(etag(&made), json!({"summary": "Early lunch"})).await;
    assert_eq!(stale.unwrap_err(), Error::Conflict);

    let all_day = json!({"start": {"date": "2026-11-23", "dateTime": null, "timeZone": null},
        "end": {"date": "2026-11-24", "dateTime": null, "timeZone": null}});
    let changed = patch(etag(&changed), all_day).await.unwrap();
    assert_eq!(field(&changed, "start"), json!({"date": "2026-11-23"}));

    let meet = json!({"conferenceData": {"createRequest": {"requestId": "r1",
        "conferenceSolutionKey": {"type": "hangoutsMeet"}}}});
    let changed = patch(None, meet).await.unwrap();
    assert!(
        field(&changed, "hangoutLink")
            .as_str()
            .unwrap()
            .starts_with("https://meet.google.com/")
    );
}

#[tokio::test]
async fn a_delete_needs_the_current_version_and_happens_once() {
    let (_emulator, google, access) = start().await;
    let made = google
        .insert_event(&access, "primary", &lunch("lunch1"), SendUpdates::None)
        .await
        .unwrap();
    let delete = |etag: Option<&'static str>| {
        let (google, access) = (&google, &access);
        async move {
            google
                .delete_event(access, at("primary", "lunch1"), etag, SendUpdates::None)
                .await
        }
    };
    assert_eq!(delete(Some("\"1\"")).await, Err(Error::Conflict));
    let etag = etag(&made);
    let gone = google.delete_event(
        &access,
        at("primary", "lunch1"),
        etag.as_deref(),
        SendUpdates::None,
    );
    assert_eq!(gone.await, Ok(()));
    assert_eq!(delete(None).await, Err(Error::AlreadyDeleted));
    let found = google.event(&access, at("primary", "lunch1")).await.unwrap();
    assert_eq!(field(&found, "status"), "cancelled");
}

/// Only a listing has a sync token, whatever reason a 410 gives.
#[tokio::test]
async fn a_410_of_an_event_means_deleted() {
    for reason in ["deleted", "fullSyncRequired", "updatedMinTooLongAgo"] {
        let server = MockServer::start().await;
        let body = json!({"error": {"errors": [{"reason": reason}], "code": 410}});
        Mock::given(any())
            .respond_with(ResponseTemplate::new(410).set_body_json(body))
            .mount(&server)
            .await;
        let google = google_at(&server.uri(), Duration::from_secs(5));
        let (access, path, patch) = ("a".into(), at("primary", "lunch1"), json!({}));
        let read = google.event(&access, path).await;
        assert_eq!(read.unwrap_err(), Error::AlreadyDeleted, "{reason}");
        let patched = google.patch_event(&access, path, None, &patch, SendUpdates::None);
        assert_eq!(patched.await.unwrap_err(), Error::AlreadyDeleted, "{reason}");
        let moved = google.move_event(&access, path, "team", SendUpdates::None);
        assert_eq!(moved.await.unwrap_err(), Error::AlreadyDeleted, "{reason}");
        let deleted = google.delete_event(&access, path, None, SendUpdates::None);
        assert_eq!(deleted.await, Err(Error::AlreadyDeleted), "{reason}");
    }
}

#[tokio::test]
async fn a_move_keeps_the_id() {
    let (_emulator, google, access) = start().await;
    google
        .insert_event(&access, "primary", &lunch("lunch1"), SendUpdates::None)
        .await
        .unwrap();
    let moved = google
        .move_event(&access, at("primary", "lunch1"), TEAM, SendUpdates::None)
        .await
        .unwrap();
    assert_eq!(moved.id, "lunch1");
    assert!(google.event(&access, at(TEAM, "lunch1")).await.is_ok());
    let left = google.event(&access, at("primary", "lunch1")).await.unwrap();
    assert_eq!(field(&left, "status"), "cancelled");
}

#[tokio::test]
async fn a_refusal_has_googles_reason() {
    let (emulator, google, access) = start().await;
    let refused = google
        .insert_event(&access, READ_ONLY, &lunch("lunch1"), SendUpdates::None)
        .await;
    let reason = "requiredAccessLevel".to_owned();
    assert_eq!(refused.unwrap_err(), Error::Forbidden { reason });

    let mut backwards = lunch("lunch2");
    backwards["end"]["dateTime"] = "2026-11-23T11:00:00Z".into();
    let refused = google
        .insert_event(&access, ALICE, &backwards, SendUpdates::None)
        .await;
    let reason = "timeRangeEmpty".to_owned();
    assert_eq!(refused.unwrap_err(), Error::Refused { reason });

    let read_only = emulator
        .mint(ALICE, &[scopes::EVENTS_READONLY])
        .unwrap()
        .access_token
        .into();
    let refused = google
        .insert_event(&read_only, ALICE, &lunch("lunch3"), SendUpdates::None)
        .await;
    assert_eq!(refused.unwrap_err(), Error::ScopeMissing);
}

#[tokio::test]
async fn only_a_sent_write_can_have_an_unknown_outcome() {
    let html = ResponseTemplate::new(502).set_body_raw("<html>alice@example.com</html>", "text/html");
    let lost = [
        html.clone(),
        ResponseTemplate::new(500).set_body_json(json!({"error": {"errors": [{"reason": "backendError"}]}})),
        ResponseTemplate::new(503),
        ResponseTemplate::new(200),
        ResponseTemplate::new(200).set_body_raw("{\"id\": \"lu", "application/json"),
        ResponseTemplate::new(200).set_body_json(json!({"summary": "without an id"})),
        ResponseTemplate::new(404).set_body_raw("<html>", "text/html"),
        ResponseTemplate::new(200).set_delay(Duration::from_secs(5)),
    ];
    for reply in lost {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(reply).mount(&server).await;
        let google = google_at(&server.uri(), Duration::from_millis(300));
        let access = "ya29.access".into();
        let path = at("primary", "lunch1");
        let outcomes = [
            google
                .insert_event(&access, "primary", &lunch("lunch1"), SendUpdates::None)
                .await
                .err(),
            google
                .patch_event(&access, path, Some("\"1\""), &json!({}), SendUpdates::None)
                .await
                .err(),
            google
                .move_event(&access, path, TEAM, SendUpdates::None)
                .await
                .err(),
        ];
        for error in outcomes {
            assert!(matches!(error, Some(Error::OutcomeUnknown { .. })), "{error:?}");
            assert!(!format!("{error:?}").contains("alice"));
        }
        let read = google.event(&access, path).await.unwrap_err();
        assert!(
            matches!(read, Error::Transient { .. }),
            "a read leaves nothing in doubt: {read:?}"
        );
    }
    let unreachable = google_at("http://127.0.0.1:9", Duration::from_millis(300));
    let error = unreachable
        .insert_event(&"a".into(), "primary", &lunch("lunch1"), SendUpdates::None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Transient { .. }), "{error:?}");
}

#[tokio::test]
async fn a_rate_limit_is_known_and_etags_are_sent_unchanged() {
    let server = MockServer::start().await;
    let limited = json!({"error": {"errors": [{"reason": "rateLimitExceeded"}], "code": 403}});
    Mock::given(method("PATCH"))
        .and(path("/calendar/v3/calendars/primary/events/lunch1"))
        .and(header("if-match", "\"3181161784712000\""))
        .and(query_param("sendUpdates", "externalOnly"))
        .respond_with(
            ResponseTemplate::new(403)
                .set_body_json(limited)
                .insert_header("retry-after", "7"),
        )
        .mount(&server)
        .await;
    let google = google_at(&server.uri(), Duration::from_secs(5));
    let patch = |etag: &'static str| {
        let google = &google;
        async move {
            let access = "a".into();
            let mail = SendUpdates::ExternalOnly;
            google
                .patch_event(&access, at("primary", "lunch1"), Some(etag), &json!({}), mail)
                .await
                .unwrap_err()
        }
    };
    let expected = Error::RateLimited {
        limit: Limit::Unnamed,
        retry_after: Some(Duration::from_secs(7)),
    };
    assert_eq!(patch("\"3181161784712000\"").await, expected);
    // Not a valid header value, so no event has this etag.
    assert_eq!(patch("\"a\nb\"").await, Error::Conflict);
}
