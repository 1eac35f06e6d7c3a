//! The real service on a port of its own, with a real Postgres. Google and Centrifugo are wiremock servers, since these tests
//! need single answers of theirs. The whole stack is tested in `e2e`.

#![expect(
    clippy::unwrap_used,
    reason = "clippy exempts tests, not the functions that they share"
)]

mod activity;
mod admin;
mod authorisation;
mod connecting;
mod emulator;
mod hostile;
mod kept;
mod outage;
mod protocol;
mod reading;
mod starting;
mod watching;
mod writing;

use std::collections::BTreeMap;

use calendar_api::{Application, Config};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock::Clock;
use common::ids::{CalendarId, ConnectionId, UserId};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, PgPool};
use store::connections::{Connected, NewGrant};
use store::seal::Keyring;
use tokio_util::sync::CancellationToken;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const AUTH_SECRET: &str = "a-secret-that-only-tests-know-0123456789";
const TOKEN_KEYS: &str = "1:4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=";
const APP: &str = "http://localhost:3000";

pub struct Api {
    base: String,
    pool: PgPool,
    clock: Clock,
    broker: MockServer,
    google: MockServer,
    http: reqwest::Client,
    vars: BTreeMap<String, String>,
    stop: CancellationToken,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

impl Api {
    async fn start(pool: PgPool) -> Self {
        Self::start_with(pool, &[]).await
    }

    async fn start_with(pool: PgPool, changes: &[(&str, &str)]) -> Self {
        let (broker, google) = (MockServer::start().await, MockServer::start().await);
        Mock::given(method("POST"))
            .and(path("/api/history"))
            .respond_with(
                ResponseTemplate::new(200).set_body_json(json!({"result": {"offset": 7, "epoch": "e1"}})),
            )
            .mount(&broker)
            .await;
        let clock = Clock::manual(noon());
        let mut vars: BTreeMap<String, String> = [
            ("DATABASE_URL", pool.connect_options().to_url_lossy().to_string()),
            ("DATABASE_MAX_CONNECTIONS", "4".into()),
            ("LISTEN_ADDR", "127.0.0.1:0".into()),
            ("API_URL", "http://localhost:8080".into()),
            ("APP_ORIGINS", format!("{APP},https://other.example")),
            ("GOOGLE_CLIENT_ID", "client".into()),
            ("GOOGLE_CLIENT_SECRET", "client-secret".into()),
            ("GOOGLE_BASE_URL", google.uri()),
            ("CENTRIFUGO_API_URL", format!("{}/api", broker.uri())),
            ("CENTRIFUGO_API_KEY", "0123456789abcdef0123456789abcdef".into()),
            (
                "CENTRIFUGO_TOKEN_SECRET",
                "fedcba9876543210fedcba9876543210".into(),
            ),
            ("TOKEN_KEYS", TOKEN_KEYS.into()),
            ("AUTH_HS256_SECRET", AUTH_SECRET.into()),
            ("AUTH_ISSUER", "https://app.example".into()),
            ("AUTH_AUDIENCE", "calwire".into()),
        ]
        .map(|(name, value): (&str, String)| (name.to_owned(), value))
        .into();
        vars.extend(
            changes
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned())),
        );
        let config: Config = common::config::from_vars(vars.clone()).unwrap();
        let app = Application::build_with_clock(config, clock.clone())
            .await
            .unwrap();
        let base = format!("http://127.0.0.1:{}", app.port());
        let stop = CancellationToken::new();
        tokio::spawn(app.run_until_stopped(stop.clone()));
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            base,
            pool,
            clock,
            broker,
            google,
            http,
            vars,
            stop,
        }
    }

    /// The context of the other services.
    async fn sync(&self) -> sync::Context {
        let config: sync::config::Config = common::config::from_vars(self.vars.clone()).unwrap();
        let wait = std::time::Duration::from_secs(5);
        config.context(self.clock.clone(), wait).await.unwrap()
    }

    fn jwt(&self, user: &str) -> String {
        let now = self.clock.now().timestamp();
        let claims = json!({"sub": user, "iss": "https://app.example", "aud": "calwire", "exp": now + 3600});
        let key = EncodingKey::from_secret(AUTH_SECRET.as_bytes());
        jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
    }

    fn get(&self, user: &str, path: &str, input: &Value) -> reqwest::RequestBuilder {
        let request = self
            .http
            .get(format!("{}/trpc/{path}", self.base))
            .bearer_auth(self.jwt(user));
        if input.is_null() {
            request
        } else {
            request.query(&[("input", input.to_string())])
        }
    }

    fn post(&self, user: &str, path: &str, input: &Value) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}/trpc/{path}", self.base))
            .bearer_auth(self.jwt(user))
            .header("content-type", "application/json")
            .body(input.to_string())
    }

    /// `Ok`: the data. `Err`: the `data` of the error.
    async fn query(&self, user: &str, path: &str, input: Value) -> Result<Value, Value> {
        unwrap(self.get(user, path, &input).send().await.unwrap()).await
    }

    async fn mutate(&self, user: &str, path: &str, input: Value) -> Result<Value, Value> {
        unwrap(self.post(user, path, &input).send().await.unwrap()).await
    }
}

async fn unwrap(response: reqwest::Response) -> Result<Value, Value> {
    let status = response.status();
    let mut body: Value = response.json().await.unwrap();
    if body.get("error").is_some() {
        assert_eq!(body["error"]["data"]["httpStatus"], status.as_u16());
        return Err(body["error"]["data"].take());
    }
    Ok(body["result"]["data"].take())
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// A connection with one primary, selected calendar that was pulled at noon.
pub async fn connected(pool: &PgPool, name: &str) -> (ConnectionId, CalendarId) {
    let keyring: Keyring = TOKEN_KEYS.parse().unwrap();
    let scopes: Vec<String> = google::scopes::REQUESTED.map(str::to_owned).into();
    let grant = NewGrant {
        user: &user(name),
        google_sub: name,
        email: &format!("{name}@example.com"),
        scopes: &scopes,
        refresh_token: Some(&"refresh".into()),
        access_token: &"access".into(),
        access_expires_at: noon() + TimeDelta::hours(1),
    };
    let mut conn = pool.acquire().await.unwrap();
    let connected = store::connections::connect(&mut conn, noon(), &keyring, &grant)
        .await
        .unwrap();
    let Connected::Done { id: connection, .. } = connected else {
        panic!("{connected:?}")
    };
    let calendar = CalendarId::generate();
    for (resource, kind) in [
        (connection.as_uuid(), "calendar_list"),
        (calendar.as_uuid(), "events"),
    ] {
        sqlx::query(
            "insert into sync_state (resource_id, kind, connection_id, user_id, generation, last_pull_at, poll_at,
                                     horizon_until)
             values ($1, $2, $3, $4, 1, $5, $5::timestamptz + interval '15 min', $5::timestamptz + interval '390 days')",
        )
        .bind(resource)
        .bind(kind)
        .bind(connection.as_uuid())
        .bind(name)
        .bind(noon())
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    sqlx::query(
        "insert into calendars (id, connection_id, user_id, google_id, summary, time_zone, access_role, is_primary,
                                selected, created_at, updated_at)
         values ($1, $2, $3, $4, 'Mine', 'Europe/Berlin', 'owner', true, true, $5, $5)",
    )
    .bind(calendar.as_uuid())
    .bind(connection.as_uuid())
    .bind(name)
    .bind(format!("{name}@example.com"))
    .bind(noon())
    .execute(&mut *conn)
    .await
    .unwrap();
    (connection, calendar)
}

/// One timed instance, stored as a pull stores it.
pub async fn occurrence(pool: &PgPool, name: &str, calendar: CalendarId, id: &str, start: &str, end: &str) {
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let view = json!({"title": id, "timeZone": "UTC"});
    instances(
        pool,
        (name, calendar),
        (id, &view),
        &[time(start)],
        time(end) - time(start),
    )
    .await;
}

/// An event and its instances; a series if there are several.
pub async fn instances(
    pool: &PgPool,
    (name, calendar): (&str, CalendarId),
    (id, view): (&str, &Value),
    starts: &[DateTime<Utc>],
    length: TimeDelta,
) {
    sqlx::query(
        "with event as (
             insert into events (calendar_id, generation, event_id, etag, status, raw, view)
             values ($1, 1, $2, '\"1\"', 'confirmed', '{}', $3)
         )
         insert into instances (user_id, calendar_id, generation, event_id, series_id, is_master, starts_at, ends_at,
                                is_all_day, starts, length)
         values ($4, $1, 1, $2, $2, $5, $6, $7, false, $8, $9)",
    )
    .bind(calendar.as_uuid())
    .bind(id)
    .bind(view.to_string())
    .bind(name)
    .bind(starts.len() > 1)
    .bind(starts[0])
    .bind(starts[starts.len() - 1] + length)
    .bind(starts)
    .bind(length.num_seconds())
    .execute(pool)
    .await
    .unwrap();
}

/// tRPC's answer to an unauthenticated call, in its plain form and in that of superjson.
fn unauthorized(path: &str) -> Value {
    let data = json!({"code": "UNAUTHORIZED", "httpStatus": 401, "path": path});
    let mut error = json!({"message": "UNAUTHORIZED", "code": -32001, "data": data});
    error["json"] = error.clone();
    json!({ "error": error })
}
