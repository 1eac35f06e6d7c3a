//! The world of the tests: the emulator of Google, a database, and users.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use common::clock::Clock;
use common::ids::{CalendarId, ConnectionId, UserId};
use common::worker::Pass;
use event_model::wire::{Change, Event, Message, Window};
use event_model::zone::Zone;
use google::scopes::{CALENDAR_LIST_READONLY, EVENTS};
use google::{Endpoints, Google, GoogleConfig, Grant, UserInfo};
use google_emulator::{Config, Emulator, Rule, Seed};
use serde_json::{Value, json};
use sqlx::PgPool;
use store::calendars::Calendar;
use store::connections::Connected;
use store::seal::Keyring;
use sync::pull::Puller;
use sync::{Context, Settings, read};

pub struct World {
    pub google: Emulator,
    pub ctx: Context,
    pub pool: PgPool,
    pub clock: Clock,
}

pub fn berlin() -> Zone {
    Zone::named("Europe/Berlin").unwrap()
}

pub fn alice() -> UserId {
    UserId::parse("alice").unwrap()
}

pub fn bob() -> UserId {
    UserId::parse("bob").unwrap()
}

/// The calendar that both users have, besides their primary ones.
pub const TEAM: &str = "team@group.calendar.google.com";
pub const ALICE: &str = "alice@example.com";
pub const BOB: &str = "bob@example.com";

fn seed() -> Seed {
    let user = |email: &str| {
        json!({"email": email, "calendars": [
            {"id": email, "summary": "Mine", "timeZone": "Europe/Berlin", "primary": true},
            {"id": TEAM, "summary": "Team", "timeZone": "Europe/Berlin"},
        ]})
    };
    let seed = json!({"users": [user(ALICE), user(BOB)]});
    Seed::from_json("seed", &seed.to_string()).unwrap()
}

/// A new client, with its own connections.
pub fn client_of(google: &Emulator) -> Google {
    let client = google.client().clone();
    let mut config = GoogleConfig::new(client.id, client.secret.into());
    config.endpoints = Endpoints::at(&google.base_url().parse().unwrap());
    Google::new(config).unwrap()
}

/// Pulls some of the due resources with the production driver, and waits for the pulls to finish.
pub async fn pull_once(ctx: &Context) -> sqlx::Result<Pass> {
    let puller = Puller::new(ctx.clone(), 8);
    let pass = puller.run_once().await?;
    puller.drain().await;
    Ok(pass)
}

impl World {
    /// No user is connected yet. Pages are small, so that every listing has several.
    pub async fn new(pool: PgPool) -> Self {
        Self::with_page_size(pool, 3).await
    }

    pub async fn with_page_size(pool: PgPool, events_page_size: u16) -> Self {
        let google = Emulator::start(Config {
            seed: seed(),
            ..Config::default()
        })
        .await
        .unwrap();
        let clock = Clock::manual(google.now());
        let settings = Settings {
            events_page_size,
            ..Settings::default()
        };
        let keyring = "1:q83vEjRWeJCrze8BI0VniavN7wEjRWeJq83vASNFZ4k="
            .parse::<Keyring>()
            .unwrap();
        let google_client = client_of(&google);
        let ctx = Context::new(pool.clone(), google_client, clock.clone(), keyring, settings);
        Self {
            google,
            ctx,
            pool,
            clock,
        }
    }

    /// Connects a user to the account of the same name.
    pub async fn connect(&self, user: &UserId) -> ConnectionId {
        let email = format!("{user}@example.com");
        let scopes = [EVENTS, CALENDAR_LIST_READONLY];
        let tokens = self.google.mint(&email, &scopes).unwrap();
        let grant = Grant {
            access_token: tokens.access_token.into(),
            refresh_token: Some(tokens.refresh_token.into()),
            scopes: scopes.map(str::to_owned).to_vec(),
            expires_in: TimeDelta::hours(1).to_std().unwrap(),
        };
        let account = UserInfo {
            sub: email.clone(),
            email,
        };
        match sync::connections::connect(&self.ctx, user, &grant, &account)
            .await
            .unwrap()
        {
            Connected::Done { id, .. } => id,
            Connected::RefreshTokenMissing => panic!("a refresh token was given"),
        }
    }

    /// Alice, connected and imported, with an empty outbox.
    pub async fn of_alice(pool: PgPool) -> Self {
        let world = Self::new(pool).await;
        world.connect(&alice()).await;
        world.settle().await;
        world.messages(&alice()).await;
        world
    }

    /// Pulls until no resource is due.
    pub async fn settle(&self) {
        while pull_once(&self.ctx).await.unwrap() == Pass::Worked {}
    }

    /// Marks the user's resources dirty, as a push or a poll does.
    pub async fn push(&self, user: &UserId) {
        let mut conn = self.pool.acquire().await.unwrap();
        store::sync_state::mark_dirty_of_user(&mut conn, self.clock.now(), user, None)
            .await
            .unwrap();
    }

    pub async fn push_and_settle(&self, user: &UserId) {
        self.push(user).await;
        self.settle().await;
    }

    /// Ends all waits and leases.
    pub async fn let_time_pass(&self) {
        sqlx::query(
            "update sync_state set leased_until = now() - interval '1 second' where lease_token is not null",
        )
        .execute(&self.pool)
        .await
        .unwrap();
        sqlx::query("update sync_state set not_before = now() where not_before <> 'infinity'")
            .execute(&self.pool)
            .await
            .unwrap();
    }

    pub async fn calendar(&self, user: &UserId, google_id: &str) -> Calendar {
        let mut conn = self.pool.acquire().await.unwrap();
        let calendars = store::calendars::of_user(&mut conn, user).await.unwrap();
        calendars
            .into_iter()
            .find(|calendar| calendar.google_id == google_id)
            .unwrap()
    }

    pub async fn id(&self, user: &UserId, google_id: &str) -> CalendarId {
        self.calendar(user, google_id).await.id
    }

    /// The messages appended for a user since the last call. Their seqs have no gap.
    pub async fn messages(&self, user: &UserId) -> Vec<Change> {
        let rows: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("delete from outbox where user_id = $1 returning seq, payload")
                .bind(user.as_str())
                .fetch_all(&self.pool)
                .await
                .unwrap();
        let mut messages: Vec<Message> = rows
            .iter()
            .map(|(seq, payload)| {
                let message: Message = serde_json::from_slice(payload).unwrap();
                assert_eq!(message.seq, *seq);
                message
            })
            .collect();
        messages.sort_by_key(|message| message.seq);
        for pair in messages.windows(2) {
            assert_eq!(pair[0].seq + 1, pair[1].seq);
        }
        messages.into_iter().map(|message| message.change).collect()
    }

    /// The types of these messages.
    pub async fn message_types(&self, user: &UserId) -> Vec<&'static str> {
        let kinds = self.messages(user).await.into_iter().map(|change| match change {
            Change::EventsChanged { .. } => "events.changed",
            Change::Resync { .. } => "resync",
            Change::CalendarsChanged {} => "calendars.changed",
            Change::ConnectionChanged { .. } => "connection.changed",
            Change::WriteResolved { .. } => "write.resolved",
        });
        kinds.collect()
    }

    /// A calendar's mirror as readers see it: etag and status by event id.
    pub async fn mirror(&self, user: &UserId, google_id: &str) -> BTreeMap<String, (String, String)> {
        let id = self.id(user, google_id).await;
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "select e.event_id, e.etag, e.status from events e
             join sync_state s on s.resource_id = e.calendar_id and s.generation = e.generation
             where e.calendar_id = $1",
        )
        .bind(id.as_uuid())
        .fetch_all(&self.pool)
        .await
        .unwrap();
        rows.into_iter()
            .map(|(id, etag, status)| (id, (etag, status)))
            .collect()
    }

    /// Google's calendar, in the same form.
    pub fn truth(&self, google_id: &str) -> BTreeMap<String, (String, String)> {
        let text = |event: &serde_json::Map<String, Value>, key: &str| {
            event
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        self.google
            .events(google_id)
            .iter()
            .map(|event| (text(event, "id"), (text(event, "etag"), text(event, "status"))))
            .collect()
    }

    pub async fn assert_in_step(&self, user: &UserId, google_id: &str) {
        assert_eq!(
            self.mirror(user, google_id).await,
            self.truth(google_id),
            "{google_id}"
        );
    }

    pub async fn sync_token(&self, user: &UserId, google_id: &str) -> Option<String> {
        self.row(user, google_id, "sync_token").await
    }

    pub async fn last_error(&self, user: &UserId, google_id: &str) -> Option<String> {
        self.row(user, google_id, "last_error").await
    }

    async fn row(&self, user: &UserId, google_id: &str, column: &'static str) -> Option<String> {
        let id = self.id(user, google_id).await;
        let sql = sqlx::AssertSqlSafe(format!("select {column} from sync_state where resource_id = $1"));
        sqlx::query_scalar(sql)
            .bind(id.as_uuid())
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    pub async fn read(&self, user: &UserId, window: Window) -> Vec<Event> {
        let mut conn = self.pool.acquire().await.unwrap();
        let query = read::Query {
            window,
            zone: berlin(),
            calendars: None,
            types: None,
            limit: 1_000,
            duplicates: read::Duplicates::Merged,
        };
        read::events(&mut conn, self.clock.now(), user, &query)
            .await
            .unwrap()
    }

    /// `(title, start)` of a user's events on a day.
    pub async fn day(&self, user: &UserId, days: u64) -> Vec<(String, String)> {
        let date = self.today() + Days::new(days);
        let midnight = |date: NaiveDate| {
            date.and_hms_opt(0, 0, 0)
                .unwrap()
                .and_local_timezone(berlin())
                .unwrap()
                .to_utc()
        };
        let window = Window {
            from: midnight(date),
            to: midnight(date + Days::new(1)),
        };
        let events = self.read(user, window).await;
        events
            .into_iter()
            .map(|event| (event.view.title, event.start))
            .collect()
    }

    pub fn today(&self) -> NaiveDate {
        self.clock.now().date_naive()
    }

    pub fn at(&self, days: u64, hour: u32) -> DateTime<Utc> {
        (self.today() + Days::new(days))
            .and_hms_opt(hour, 0, 0)
            .unwrap()
            .and_utc()
    }

    /// The body of a one-hour event, `days` from now, starting at `hour` UTC.
    pub fn event(&self, title: &str, days: u64, hour: u32) -> Value {
        let start = self.at(days, hour);
        json!({
            "summary": title,
            "start": {"dateTime": start, "timeZone": "Europe/Berlin"},
            "end": {"dateTime": start + TimeDelta::hours(1), "timeZone": "Europe/Berlin"},
        })
    }

    /// Adds an event in Google and returns its id.
    pub fn add(&self, calendar: &str, body: Value) -> String {
        self.google.insert(ALICE, calendar, body).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn fault(&self, rule: Rule) {
        self.google.fault(rule);
    }

    /// Waits until Google has received this many event listings, answered or not.
    pub async fn until_asked(&self, listings: usize) {
        while self.listings() < listings {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    pub fn listings(&self) -> usize {
        self.google.requests_to("events.list").len()
    }
}
