//! Everything that takes part in a simulation, and its one clock.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock::Clock;
use common::ids::UserId;
use google::scopes::{CALENDAR_LIST_READONLY, EVENTS};
use google::{Endpoints, GoogleConfig, Grant, UserInfo};
use google_emulator::{Config, Diverted, Emulator, Seed, Settings as GoogleSettings};
use serde_json::json;
use tokio::sync::mpsc;

use super::api::Api;
use super::broker::{self, Broker};
use super::browser::Browser;
use super::database::{Database, Template};
use super::host::{Host, Parts};
use super::ledger::Ledger;
use super::plan::User;

pub const TEAM: &str = "team@group.calendar.google.com";
pub const PROJECT: &str = "project@group.calendar.google.com";
const HOLIDAYS: &str = "en.uk#holiday@group.v.calendar.google.com";
pub const KEYS: &str = "1:q83vEjRWeJCrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";
const WEBHOOK: &str = "http://127.0.0.1:9/api/calendar/webhook";
/// Whoever writes waits for the first try, however busy the machine is; what is tried again is answered with "pending".
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// What a piece of work was for, to be judged when it has ended.
#[derive(Debug, Clone)]
pub enum Purpose {
    Job,
    Push(Diverted),
    Write,
    Act,
}

pub struct World {
    pub database: Database,
    pub google: Emulator,
    pub pushes: mpsc::UnboundedReceiver<Diverted>,
    /// Sent by Google and not delivered yet; and those that were, to be sent again.
    pub underway: Vec<Diverted>,
    pub delivered: Vec<Diverted>,
    pub broker: Broker,
    pub api: Api,
    pub clock: Clock,
    pub parts: Parts,
    pub hosts: Vec<Host<Purpose>>,
    pub browsers: Vec<Browser>,
    pub ledger: Ledger,
}

pub fn user_id(user: User) -> UserId {
    #[expect(clippy::expect_used, reason = "plain words")]
    UserId::parse(name(user)).expect("a user id")
}

pub const fn name(user: User) -> &'static str {
    match user {
        User::Alice => "alice",
        User::Bob => "bob",
    }
}

pub const fn email(user: User) -> &'static str {
    match user {
        User::Alice => "alice@example.com",
        User::Bob => "bob@example.com",
    }
}

fn seed() -> Result<Seed> {
    let own =
        |user| json!({"id": email(user), "summary": "Mine", "timeZone": "Europe/Berlin", "primary": true});
    let team = json!({"id": TEAM, "summary": "Team", "timeZone": "Europe/Berlin"});
    let holidays =
        json!({"id": HOLIDAYS, "summary": "Holidays", "accessRole": "reader", "pushSupported": false});
    let seed = json!({"users": [
        {"email": email(User::Alice), "calendars": [own(User::Alice), team]},
        {"email": email(User::Bob), "calendars": [own(User::Bob), team, holidays]},
    ]});
    Ok(Seed::from_json("simulation", &seed.to_string())?)
}

/// One that users join and leave.
pub fn project() -> Result<google_emulator::seed::SeedCalendar> {
    Ok(serde_json::from_value(
        json!({"id": PROJECT, "summary": "Project", "timeZone": "America/New_York"}),
    )?)
}

impl World {
    /// Both users are connected; nothing has been pulled.
    pub async fn start(template: &Template, seed: u64) -> Result<Self> {
        let database = template.copy().await?;
        let start: DateTime<Utc> = "2026-11-24T09:00:00Z".parse()?;
        let clock = Clock::manual(start);
        let google = start_google(seed, start).await?;
        let pushes = google.divert_pushes();
        let broker = Broker::start(clock.clone())?;
        let key = common::config::SecretKey::parse("CENTRIFUGO_API_KEY", broker::API_KEY)
            .map_err(anyhow::Error::msg)?;
        let parts = Parts {
            google: google_config(&google)?,
            broker: centrifugo::Client::new(&broker.url(), key)?,
            clock: clock.clone(),
            keyring: KEYS.parse()?,
            settings: settings()?,
        };
        let api = Api::start(&database, &google, &broker, clock.clone()).await?;
        let hosts = (0..2)
            .map(|index| Host::start(index, 0, seed, &database, &parts))
            .collect::<Result<_>>()?;
        let world = Self {
            database,
            google,
            pushes,
            underway: Vec::new(),
            delivered: Vec::new(),
            broker,
            api,
            clock,
            parts,
            hosts,
            browsers: User::ALL.map(Browser::new).into(),
            ledger: Ledger::default(),
        };
        for user in User::ALL {
            let connected = world.connecting(user)?;
            let ctx = world.hosts[0].ctx.clone();
            sync::connections::connect(&ctx, &user_id(user), &connected.0, &connected.1).await?;
        }
        Ok(world)
    }

    /// What the callback of the connect flow has in hand.
    pub fn connecting(&self, user: User) -> Result<(Grant, UserInfo)> {
        let email = email(user);
        let scopes = [EVENTS, CALENDAR_LIST_READONLY];
        let tokens = self
            .google
            .mint(email, &scopes)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let grant = Grant {
            access_token: tokens.access_token.into(),
            refresh_token: Some(tokens.refresh_token.into()),
            scopes: scopes.map(str::to_owned).to_vec(),
            expires_in: Duration::from_secs(tokens.expires_in.unsigned_abs()),
        };
        let account = UserInfo {
            sub: email.to_owned(),
            email: email.to_owned(),
        };
        Ok((grant, account))
    }

    /// Time passes for everybody.
    pub async fn pass(&mut self, time: TimeDelta) -> Result<()> {
        self.clock.advance(time);
        self.google.advance(time);
        self.database.set_clock(self.clock.now()).await?;
        Ok(())
    }

    /// Takes what Google has sent since the last time.
    pub fn collect_pushes(&mut self) {
        while let Ok(push) = self.pushes.try_recv() {
            self.underway.push(push);
        }
    }

    /// The user's grant or connection goes: what there is of channels cannot be stopped by us any more.
    pub fn excuse_channels(&mut self, user: User) {
        let channels = self.google.channels();
        let own = channels.iter().filter(|channel| channel["user"] == email(user));
        let ids = own.filter_map(|channel| Some(channel["id"].as_str()?.to_owned()));
        self.ledger.excused.extend(ids);
    }

    pub async fn kill(&mut self, host: usize) -> Result<()> {
        self.note_reached();
        self.hosts[host].kill(&self.database, &self.parts).await
    }

    pub fn note_reached(&mut self) {
        for host in &self.hosts {
            for (point, times) in host.take_reached() {
                *self.ledger.reached.entry(point.to_owned()).or_default() += times;
            }
        }
    }

    /// What was remembered, and how many deadlocks there were.
    pub async fn stop(mut self) -> Result<(Ledger, i64)> {
        self.note_reached();
        for host in &mut self.hosts {
            host.shut_down().await?;
        }
        self.api.stop();
        self.broker.stop().await;
        self.google.stop().await;
        let deadlocks = self.database.deadlocks().await?;
        self.database.drop_now().await?;
        Ok((self.ledger, deadlocks))
    }
}

async fn start_google(seed: u64, start: DateTime<Utc>) -> Result<Emulator> {
    let config = Config {
        seed: self::seed()?,
        allow_http_callbacks: true,
        settings: GoogleSettings {
            fault_seed: seed,
            // A few events make several pages.
            max_page_size: Some(4),
            ..GoogleSettings::default()
        },
        ..Config::default()
    };
    let google = Emulator::start(config).await?;
    google.with(|state| {
        state.clock.freeze(true);
        state.clock.set(start);
    });
    Ok(google)
}

fn settings() -> Result<sync::Settings> {
    Ok(sync::Settings {
        webhook_url: Some(WEBHOOK.parse()?),
        write_deadline: WRITE_DEADLINE,
        ..sync::Settings::default()
    })
}

fn google_config(google: &Emulator) -> Result<GoogleConfig> {
    let client = google.client().clone();
    let mut config = GoogleConfig::new(client.id, client.secret.into());
    config.timeout = Duration::from_secs(20);
    config.endpoints = Endpoints::at(&google.base_url().parse()?);
    Ok(config)
}

/// The environment of the service that browsers talk to.
pub fn environment(database: &Database, google: &Emulator, broker: &Broker) -> BTreeMap<String, String> {
    let client = google.client();
    [
        ("DATABASE_URL", database.url.clone()),
        ("DATABASE_MAX_CONNECTIONS", "3".to_owned()),
        ("LISTEN_ADDR", "127.0.0.1:0".to_owned()),
        ("GOOGLE_CLIENT_ID", client.id.clone()),
        ("GOOGLE_CLIENT_SECRET", client.secret.clone()),
        ("GOOGLE_BASE_URL", google.base_url().to_owned()),
        ("WEBHOOK_URL", WEBHOOK.to_owned()),
        ("CENTRIFUGO_API_URL", broker.url().into()),
        ("CENTRIFUGO_API_KEY", broker::API_KEY.to_owned()),
        (
            "CENTRIFUGO_TOKEN_SECRET",
            "simulation-token-secret-0123456789abcdef".to_owned(),
        ),
        ("TOKEN_KEYS", KEYS.to_owned()),
        ("AUTH_HS256_SECRET", crate::rpc::AUTH_SECRET.to_owned()),
        ("AUTH_ISSUER", crate::rpc::AUTH_ISSUER.to_owned()),
        ("AUTH_AUDIENCE", crate::rpc::AUTH_AUDIENCE.to_owned()),
        ("RATE_LIMIT_PER_MINUTE", "1000000".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The id of a user's own calendar and of those that are shared, in Google.
pub fn calendars(user: User) -> [&'static str; 3] {
    [email(user), TEAM, PROJECT]
}

pub fn start_of_day_in(world: &World, days: u64, hour: u32) -> Result<DateTime<Utc>> {
    let date = world.clock.now().date_naive() + chrono::Days::new(days);
    Ok(date
        .and_hms_opt(hour % 24, 0, 0)
        .context("a time of day")?
        .and_utc())
}
