//! Shared by these tests: the emulator of Google, a context, and a connected user.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::clock::Clock;
use common::ids::{ConnectionId, UserId};
use common::worker::Pass;
use google::{Endpoints, Google, GoogleConfig, Grant, UserInfo, scopes};
use google_emulator::seed::{Seed, SeedCalendar, SeedUser};
use google_emulator::{Config, Emulator, Settings as EmulatorSettings};
use serde_json::{Value, json};
use sqlx::PgPool;
use store::connections::Connected;
use sync::{Context, Settings, watch};

use crate::world::pull_once;

pub const ALICE: &str = "alice@example.com";
pub const HOLIDAYS: &str = "en.uk#holiday@group.v.calendar.google.com";
/// The webhook address. Nothing listens there; no test here needs pushes to arrive.
pub const WEBHOOK: &str = "http://127.0.0.1:9/api/calendar/webhook";

pub struct Stage {
    pub google: Emulator,
    pub ctx: Context,
}

impl Stage {
    /// One account with its primary calendar and one that Google cannot watch.
    pub async fn new(pool: PgPool) -> Self {
        Self::with(pool, EmulatorSettings::default()).await
    }

    pub async fn with(pool: PgPool, settings: EmulatorSettings) -> Self {
        let google = Emulator::start(Config {
            seed: seed(),
            allow_http_callbacks: true,
            settings,
            ..Config::default()
        })
        .await
        .unwrap();
        let ctx = context(&google, pool, Clock::manual(google.now()));
        Self { google, ctx }
    }

    /// Another process on the same database, with the same clock.
    pub fn another(&self) -> Context {
        context(&self.google, self.ctx.pool.clone(), self.ctx.clock.clone())
    }

    /// Another process whose clock is wrong by `error`.
    pub fn another_off_by(&self, error: TimeDelta) -> Context {
        context(
            &self.google,
            self.ctx.pool.clone(),
            Clock::manual(self.now() + error),
        )
    }

    /// Changes the settings.
    pub fn configure(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = Settings::clone(&self.ctx.settings);
        change(&mut settings);
        self.ctx.settings = settings.into();
    }

    /// Advances the clock, here and at Google.
    pub fn pass(&self, time: TimeDelta) {
        self.ctx.clock.advance(time);
        self.google.advance(time);
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.ctx.clock.now()
    }

    /// Ages suspected grants by the database's clock until a second attempt is due.
    pub async fn age_suspicions(&self) {
        self.execute("update connections set grant_suspect_at = grant_suspect_at - interval '31 seconds'")
            .await;
    }

    /// Connects Google's `account` to our `user`, as the callback of the OAuth flow does.
    pub async fn connect(&self, user: &str, account: &str) -> ConnectionId {
        let tokens = self.google.mint(account, &scopes::REQUESTED).unwrap();
        let grant = Grant {
            access_token: tokens.access_token.into(),
            expires_in: Duration::from_secs(tokens.expires_in.unsigned_abs()),
            refresh_token: Some(tokens.refresh_token.into()),
            scopes: scopes::REQUESTED.map(str::to_owned).to_vec(),
        };
        let account = self.ctx.google.userinfo(&grant.access_token).await.unwrap();
        match self.reconnect(user, &grant, &account).await {
            Connected::Done { id, .. } => id,
            Connected::RefreshTokenMissing => panic!("a refresh token was given"),
        }
    }

    pub async fn reconnect(&self, user: &str, grant: &Grant, account: &UserInfo) -> Connected {
        sync::connections::connect(&self.ctx, &user_id(user), grant, account)
            .await
            .unwrap()
    }

    /// Pulls until no resource is due.
    pub async fn pull_all(&self) {
        while pull_once(&self.ctx).await.unwrap() == Pass::Worked {}
    }

    /// The messages of a user's stream so far, oldest first.
    pub async fn messages(&self, user: &str) -> Vec<Value> {
        let payloads: Vec<Vec<u8>> =
            sqlx::query_scalar("select payload from outbox where user_id = $1 order by seq")
                .bind(user)
                .fetch_all(&self.ctx.pool)
                .await
                .unwrap();
        payloads
            .iter()
            .map(|payload| serde_json::from_slice(payload).unwrap())
            .collect()
    }

    /// One value of one row.
    pub async fn one<T>(&self, sql: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(sql).fetch_one(&self.ctx.pool).await.unwrap()
    }

    pub async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.ctx.pool).await.unwrap();
    }

    /// The number of channels in a state.
    pub async fn count_channels(&self, state: &str) -> i64 {
        sqlx::query_scalar("select count(*) from watches where state = $1")
            .bind(state)
            .fetch_one(&self.ctx.pool)
            .await
            .unwrap()
    }

    /// All channels receive a push now.
    pub async fn receive_push(&self) {
        sqlx::query("update sync_state set last_push_at = $1")
            .bind(self.now())
            .execute(&self.ctx.pool)
            .await
            .unwrap();
    }

    /// The number of requests to an endpoint of Google.
    pub fn requests_to(&self, endpoint: &str) -> usize {
        self.google.requests_to(endpoint).len()
    }
}

/// Connected, pulled, and with all possible channels: the calendar list's and the primary calendar's.
pub async fn watched(pool: PgPool) -> Stage {
    let stage = Stage::new(pool).await;
    stage.connect("alice", ALICE).await;
    stage.pull_all().await;
    create_channels(&stage).await;
    assert_eq!(stage.google.channels().len(), 2);
    stage
}

pub async fn create_channels(stage: &Stage) {
    while watch::Renewer::new(stage.ctx.clone()).run_once().await.unwrap() == Pass::Worked {}
}

pub async fn stop_channels(stage: &Stage) {
    while watch::stop_once(&stage.ctx).await.unwrap() == Pass::Worked {}
}

pub fn user_id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn seed() -> Seed {
    let calendar = |value: Value| serde_json::from_value::<SeedCalendar>(value).unwrap();
    Seed {
        users: vec![SeedUser {
            email: ALICE.into(),
            name: "Alice".into(),
            calendars: vec![
                calendar(
                    json!({"id": ALICE, "summary": "Alice", "primary": true, "timeZone": "Europe/London"}),
                ),
                calendar(
                    json!({"id": HOLIDAYS, "summary": "Holidays", "accessRole": "reader", "pushSupported": false}),
                ),
            ],
        }],
    }
}

fn context(emulator: &Emulator, pool: PgPool, clock: Clock) -> Context {
    let client = emulator.client();
    let mut config = GoogleConfig::new(client.id.clone(), client.secret.clone().into());
    config.timeout = Duration::from_secs(5);
    config.endpoints = Endpoints::at(&emulator.base_url().parse().unwrap());
    let keys = "1:/v38+/r5+Pf29fTz8vHw7+7t7Ovq6ejn5uXk4+Lh4N8=".parse().unwrap();
    let settings = Settings {
        webhook_url: Some(WEBHOOK.parse().unwrap()),
        ..Settings::default()
    };
    Context::new(pool, Google::new(config).unwrap(), clock, keys, settings)
}
