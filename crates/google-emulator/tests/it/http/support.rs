//! An emulator with two accounts, and a small client for it.

use google_emulator::{Config, Emulator, Seed};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

pub const ALICE: &str = "alice@example.com";
pub const BOB: &str = "bob@example.com";
pub const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";

/// Alice with a primary and a team calendar; Bob, who may read Alice's calendar.
pub fn accounts() -> Seed {
    let seed = json!({ "users": [
        { "email": ALICE, "name": "Alice Meier", "calendars": [
            { "id": ALICE, "summary": "Alice", "timeZone": "Europe/Zurich", "primary": true },
            { "id": "team@group.calendar.google.com", "summary": "Team", "timeZone": "Europe/Zurich" },
        ]},
        { "email": BOB, "name": "Bob", "calendars": [
            { "id": BOB, "summary": "Bob", "timeZone": "America/New_York", "primary": true },
            { "id": ALICE, "summary": "Alice", "timeZone": "Europe/Zurich", "accessRole": "reader" },
        ]},
    ]});
    Seed::from_json("accounts", &seed.to_string()).unwrap()
}

pub async fn start() -> Emulator {
    Emulator::start(Config {
        seed: accounts(),
        allow_http_callbacks: true,
        ..Config::default()
    })
    .await
    .unwrap()
}

/// Calls Calendar v3 as one user.
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    pub fn of(google: &Emulator, user: &str) -> Self {
        Self::with(google, user, &[CALENDAR])
    }

    pub fn with(google: &Emulator, user: &str, scopes: &[&str]) -> Self {
        let token = google.mint(user, scopes).unwrap().access_token;
        Self {
            http: http(),
            base: google.calendar_url(),
            token,
        }
    }

    /// The same with another access token.
    pub fn with_token(google: &Emulator, token: &str) -> Self {
        Self {
            http: http(),
            base: google.calendar_url(),
            token: token.to_owned(),
        }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    /// All pages of a list: the entries, and the sync token of the last page.
    pub async fn list(&self, path: &str) -> (Vec<Value>, String) {
        let mut items = Vec::new();
        let mut page = String::new();
        loop {
            let (status, body) = self.get(&format!("{path}{page}")).await;
            assert_eq!(status, 200, "{body}");
            items.extend(body["items"].as_array().unwrap().iter().cloned());
            if let Some(token) = body["nextSyncToken"].as_str() {
                return (items, token.to_owned());
            }
            page = format!(
                "&pageToken={}",
                body["nextPageToken"]
                    .as_str()
                    .expect("a page has one of the tokens")
            );
        }
    }
}

/// A client that follows no redirect.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Sends and reads; an empty body is `null`.
pub async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body = answer.text().await.unwrap();
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&body).unwrap_or(Value::String(body))
    };
    (status, body)
}

/// The reason of an error answer.
pub fn reason(body: &Value) -> &str {
    body["error"]["errors"][0]["reason"].as_str().unwrap_or_default()
}

/// An hour on a day of December 2026.
pub fn hour(summary: &str, day: u32) -> Value {
    json!({
        "summary": summary,
        "start": { "dateTime": format!("2026-12-{day:02}T09:00:00+01:00"), "timeZone": "Europe/Zurich" },
        "end": { "dateTime": format!("2026-12-{day:02}T10:00:00+01:00"), "timeZone": "Europe/Zurich" },
    })
}

/// Every day of December from the first, at nine.
pub fn daily(summary: &str, count: u32) -> Value {
    let mut event = hour(summary, 1);
    event["recurrence"] = json!([format!("RRULE:FREQ=DAILY;COUNT={count}")]);
    event
}

pub fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}
