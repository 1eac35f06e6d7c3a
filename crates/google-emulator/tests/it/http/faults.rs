//! Faults of calls, and the admin API over HTTP.

use std::time::{Duration, Instant};

use google_emulator::{Emulator, Fault, Quota, Rule};
use serde_json::{Value, json};

use super::support::{ALICE, BOB, Client, answer, hour, http, reason, start};

const EVENTS: &str = "calendars/primary/events";

fn error(status: u16, reason: &str) -> Fault {
    Fault::Error {
        status,
        reason: Some(reason.into()),
        message: None,
        retry_after: None,
    }
}

#[tokio::test]
async fn errors_have_googles_wording_and_skip_the_call() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let cases = [
        (403, "userRateLimitExceeded", "usageLimits"),
        (403, "rateLimitExceeded", "usageLimits"),
        (429, "rateLimitExceeded", "usageLimits"),
        (403, "quotaExceeded", "usageLimits"),
        (403, "insufficientPermissions", "global"),
        (500, "backendError", "global"),
        (503, "backendError", "global"),
    ];
    for (status, why, domain) in cases {
        google.fault(Rule::new("events.insert", error(status, why)).times(1));
        let (code, body) = alice.post(EVENTS, hour("Lost", 1)).await;
        assert_eq!((code.as_u16(), reason(&body)), (status, why));
        assert_eq!(body["error"]["errors"][0]["domain"], domain);
    }
    assert!(google.events(ALICE).is_empty());
    google.fault(
        Rule::new(
            "*",
            Fault::Error {
                status: 429,
                reason: None,
                message: None,
                retry_after: Some(7),
            },
        )
        .times(1),
    );
    let limited = alice.request(reqwest::Method::GET, EVENTS).send().await.unwrap();
    assert_eq!(limited.headers()["retry-after"], "7");
    google.fault(Rule::new("events.list", Fault::BadGateway).times(1));
    let (status, page) = alice.get(EVENTS).await;
    assert!(status == 502 && page.as_str().unwrap().starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn a_connection_closes_before_or_after_handling() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    for (after, stored) in [(false, 0), (true, 1)] {
        google.fault(Rule::new("events.insert", Fault::Reset { after }).times(1));
        let lost = alice
            .request(reqwest::Method::POST, EVENTS)
            .json(&hour("Lost answer", 1))
            .send()
            .await;
        assert!(lost.is_err(), "{lost:?}");
        assert_eq!(google.events(ALICE).len(), stored);
    }
    let unanswered = google.requests_to("events.insert");
    assert!(
        unanswered
            .iter()
            .all(|request| request.status.is_none() && request.faults.len() == 1)
    );
}

#[tokio::test]
async fn a_held_call_waits_until_its_fault_is_removed() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let insert = |summary| {
        let event = hour(summary, 1);
        alice.request(reqwest::Method::POST, EVENTS).json(&event).send()
    };
    let statuses = || -> Vec<Option<u16>> {
        let calls = google.requests_to("events.insert");
        calls.iter().map(|call| call.status).collect()
    };
    let until = async |expected: &[Option<u16>]| {
        for _ in 0..1_000 {
            if statuses() == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?} instead of {expected:?}", statuses());
    };
    let before = google.fault(Rule::new("events.insert", Fault::Hold { after: false }).times(1));
    let client = tokio::spawn(insert("Late"));
    until(&[None]).await;
    client.abort();
    assert!(google.events(ALICE).is_empty());
    google.clear_fault(&before);
    until(&[Some(200)]).await;
    assert_eq!(google.events(ALICE).len(), 1, "handled, without an answer");

    let after = google.fault(Rule::new("events.insert", Fault::Hold { after: true }).times(1));
    let client = tokio::spawn(insert("Unanswered"));
    until(&[Some(200), Some(200)]).await;
    assert_eq!(google.events(ALICE).len(), 2);
    assert!(!client.is_finished());
    google.clear_fault(&after);
    assert_eq!(client.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn bodies_are_cut_stalled_and_garbled() {
    let google = start().await;
    let alice = Client::of(&google, ALICE);
    let read = || async {
        alice
            .request(reqwest::Method::GET, EVENTS)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
    };
    google.fault(Rule::new("events.list", Fault::Truncate).times(1));
    assert!(read().await.is_err());
    google.fault(Rule::new("events.list", Fault::Stall { ms: 200 }).times(1));
    let asked = Instant::now();
    assert!(read().await.is_err());
    assert!(asked.elapsed() >= Duration::from_millis(200));
    google.fault(Rule::new("events.list", Fault::Garbage).times(1));
    assert!(serde_json::from_slice::<Value>(&read().await.unwrap()).is_err());
    google.fault(
        Rule::new(
            "events.list",
            Fault::Delay {
                ms: 150,
                jitter_ms: 10,
            },
        )
        .times(1),
    );
    let asked = Instant::now();
    assert!(serde_json::from_slice::<Value>(&read().await.unwrap()).is_ok());
    assert!(asked.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn the_quota_counts_users_and_the_project() {
    let google = start().await;
    google.with(|state| {
        state.settings.quota = Some(Quota {
            per_user: 2,
            per_project: 3,
        });
    });
    let (alice, bob) = (Client::of(&google, ALICE), Client::of(&google, BOB));
    assert_eq!(
        (
            alice.get(EVENTS).await.0.as_u16(),
            alice.get(EVENTS).await.0.as_u16()
        ),
        (200, 200)
    );
    assert_eq!(reason(&alice.get(EVENTS).await.1), "userRateLimitExceeded");
    assert_eq!(reason(&bob.get(EVENTS).await.1), "rateLimitExceeded");
    google.advance(chrono::TimeDelta::minutes(2));
    let event = google.insert(ALICE, "primary", hour("Renamed", 1)).unwrap();
    let path = format!("{EVENTS}/{}", event["id"].as_str().unwrap());
    let renamed = alice.patch(&path, json!({"summary": "Once"})).await;
    assert_eq!(renamed.0, 200);
    // A PATCH is three.
    assert_eq!(reason(&bob.get(EVENTS).await.1), "rateLimitExceeded");
}

async fn admin(google: &Emulator, method: &str, path: &str, body: Value) -> Value {
    let url = format!("{}/_emulator/{path}", google.base_url());
    let request = http().request(method.parse().unwrap(), url);
    let request = if body.is_null() {
        request
    } else {
        request.json(&body)
    };
    answer(request).await.1
}

#[tokio::test]
async fn the_admin_api_does_over_http_what_the_library_does() {
    let google = start().await;
    let call = |method: &'static str, path: &'static str, body: Value| admin(&google, method, path, body);
    let tokens = call(
        "POST",
        "tokens",
        json!({"user": ALICE, "scopes": ["https://www.googleapis.com/auth/calendar"]}),
    )
    .await;
    let alice = Client::with_token(&google, tokens["access_token"].as_str().unwrap());
    alice.post(EVENTS, hour("One", 1)).await;
    let (_, token) = alice.list(&format!("{EVENTS}?")).await;
    alice.post(EVENTS, hour("Two", 2)).await;
    let count = |state: &Value| state["events"].as_array().unwrap().len();
    let path = format!("state?calendar={ALICE}&syncToken={token}");
    let then = admin(&google, "GET", &path, Value::Null).await;
    let now = call("GET", "state?calendar=alice@example.com", Value::Null).await;
    assert_eq!((count(&then), count(&now)), (1, 2));

    let added = call(
        "POST",
        "faults",
        json!({"endpoint": "events.get", "fault": "error", "status": 503, "id": "mine"}),
    )
    .await;
    assert_eq!(added[0]["id"], "mine");
    assert_eq!(call("GET", "faults", Value::Null).await[0]["fault"], "error");
    assert_eq!(alice.get("calendars/primary/events/x").await.0, 503);
    assert_eq!(call("DELETE", "faults/mine", Value::Null).await, json!({}));
    let wrong = call("POST", "faults", json!({"fault": "gremlins"})).await;
    assert!(
        wrong["error"]["message"].as_str().unwrap().contains("gremlins"),
        "{wrong}"
    );

    let asked = call("GET", "requests?endpoint=events.insert", Value::Null).await;
    assert_eq!(
        (asked.as_array().unwrap().len(), &asked[0]["user"]),
        (2, &json!(ALICE))
    );
    assert_eq!(
        call("PATCH", "settings", json!({"maxPageSize": 1})).await["maxPageSize"],
        1
    );
    assert!(alice.get(EVENTS).await.1["nextPageToken"].is_string());
    assert!(call("PATCH", "settings", json!({"nonsense": 1})).await["error"]["message"].is_string());

    let moved = call("POST", "clock", json!({"advanceSeconds": 7200})).await;
    assert!(moved["now"].as_str().unwrap() > now["now"].as_str().unwrap());
    assert_eq!(alice.get(EVENTS).await.0, 401, "the access token's hour is over");
    call("POST", "users", json!({"email": "dave@example.com", "calendars": [{"id": "dave@example.com", "summary": "Dave", "primary": true}]})).await;
    call(
        "PATCH",
        "calendars",
        json!({"user": "dave@example.com", "id": "dave@example.com", "pushSupported": false}),
    )
    .await;
    assert!(google.with(|state| !state.calendars["dave@example.com"].push_supported));
    call("POST", "reset", Value::Null).await;
    let users = call("GET", "users", Value::Null).await;
    assert_eq!(
        users
            .as_array()
            .unwrap()
            .iter()
            .map(|user| &user["email"])
            .collect::<Vec<_>>(),
        [ALICE, BOB]
    );
    assert!(google.events(ALICE).is_empty());
}
