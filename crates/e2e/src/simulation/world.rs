//! All parts of a simulation, and its clock.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use common::clock::Clock;
use google::scopes::{CALENDAR_LIST_READONLY, EVENTS};
use google::{Grant, UserInfo};
use google_emulator::{Config, Diverted, Emulator, Fault, Rule, Settings as GoogleSettings};
use serde_json::Value;
use tokio::sync::mpsc;

use super::accounts::{self, email, user_id};
use super::api::SimulatedApi;
use super::broker::{self, RecordingBroker};
use super::browser::Browser;
use super::database::{SimulatedDatabase, Template};
use super::host::{Host, Parts, Ran};
use super::ledger::Ledger;
use super::plan::{Job, Snare, User};
use super::settings::{KEYS, google_config, settings};

/// Much shorter than a slow page of the usual size takes, and longer than one of the smaller sizes.
const IMPATIENT: Duration = Duration::from_millis(300);

/// The purpose of a piece of work, by which its result is judged.
#[derive(Debug, Clone)]
pub enum Purpose {
    Job,
    Push(Diverted),
    Write,
    Act,
}

pub struct World {
    pub database: SimulatedDatabase,
    pub google: Emulator,
    pub pushes: mpsc::UnboundedReceiver<Diverted>,
    /// Sent by Google and not delivered yet.
    pub underway: Vec<Diverted>,
    /// Kept to be replayed.
    pub delivered: Vec<Diverted>,
    pub broker: RecordingBroker,
    pub api: SimulatedApi,
    pub clock: Clock,
    pub parts: Parts,
    pub hosts: Vec<Host<Purpose>>,
    pub browsers: Vec<Browser>,
    pub ledger: Ledger,
}

impl World {
    /// Both users are connected; nothing has been pulled.
    pub async fn start(template: &Template, seed: u64) -> Result<Self> {
        let database = template.copy().await?;
        let start: DateTime<Utc> = "2026-11-24T09:00:00Z".parse()?;
        let clock = Clock::manual(start);
        let google = start_google(seed, start).await?;
        let pushes = google.divert_pushes();
        let broker = RecordingBroker::start(clock.clone())?;
        let key = common::config::SecretKey::parse("CENTRIFUGO_API_KEY", broker::API_KEY)
            .map_err(anyhow::Error::msg)?;
        let parts = Parts {
            google: google_config(&google)?,
            broker: centrifugo::Client::new(&broker.url(), key)?,
            clock: clock.clone(),
            keyring: KEYS.parse()?,
            settings: settings()?,
        };
        let api = SimulatedApi::start(&database, &google, &broker, clock.clone()).await?;
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

    /// The grant and the account that the callback of the connect flow receives.
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

    /// Advances the clock of every part.
    pub async fn pass(&mut self, time: TimeDelta) -> Result<()> {
        self.clock.advance(time);
        self.google.advance(time);
        self.database.set_clock(self.clock.now()).await?;
        Ok(())
    }

    /// Takes the pushes that Google has sent since the last call.
    pub fn collect_pushes(&mut self) {
        while let Ok(push) = self.pushes.try_recv() {
            self.underway.push(push);
        }
    }

    /// Records that the user's channels cannot be stopped any more, because their grant or connection ends.
    pub fn excuse_channels(&mut self, user: User) {
        let channels = self.google.channels();
        let own = channels.iter().filter(|channel| channel["user"] == email(user));
        let ids = own.filter_map(|channel| Some(channel["id"].as_str()?.to_owned()));
        self.ledger.excused.extend(ids);
    }

    /// A worker of a process makes one pass. While pages are slow, a pull does not wait long for them: the clock of that
    /// wait is real.
    pub async fn work(&mut self, host: usize, job: Job, snare: Option<&Snare>) -> Result<Ran> {
        let is_impatient = job == Job::Pull && self.has_slow_pages();
        let google = is_impatient.then(|| {
            let mut config = self.parts.google.clone();
            config.timeout = IMPATIENT;
            config
        });
        let work = self.hosts[host].job(job, google);
        self.hosts[host].run(work, snare, Purpose::Job).await
    }

    fn has_slow_pages(&self) -> bool {
        let is_slow = |rule: &Rule| {
            matches!(rule.fault, Fault::SlowPage { .. }) && rule.times.is_none_or(|times| rule.struck < times)
        };
        self.google.with(|state| state.faults.rules().iter().any(is_slow))
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

    /// Counts the published messages by their type, resyncs by their reason as well.
    pub async fn count_messages(&mut self) -> Result<()> {
        for user in User::ALL {
            let published = self.broker.published(accounts::name(user));
            // After a restart of the broker, a message may have been published again.
            let by_seq: BTreeMap<_, _> = published.iter().map(|one| (one.seq, &one.data)).collect();
            for (seq, data) in by_seq {
                let mut kind = data["type"].as_str().unwrap_or_default().to_owned();
                if kind == "resync" {
                    let reason = self.reason_of_resync(user, (seq, &data["calendarId"])).await?;
                    kind = format!("{kind}: {reason}");
                }
                *self.ledger.messages.entry(kind).or_default() += 1;
            }
        }
        Ok(())
    }

    async fn reason_of_resync(&self, user: User, (seq, calendar): (i64, &Value)) -> Result<&'static str> {
        let row: Option<(Option<String>, Option<String>)> = sqlx::query_as(
            "select r.outcome, r.cause from calendars c
             left join sync_rounds r on r.calendar_id = c.id and r.user_id = $1 and r.seq = $2
             where c.id::text = $3",
        )
        .bind(accounts::name(user))
        .bind(seq)
        .bind(calendar.as_str())
        .fetch_optional(&self.database.pool)
        .await?;
        Ok(
            match row
                .as_ref()
                .map(|(outcome, cause)| (outcome.as_deref(), cause.as_deref()))
            {
                None => "its calendar is gone",
                Some((None, _)) => "no pull: a new zone or role",
                Some((Some("listed"), Some("first"))) => "first listing",
                Some((Some("listed"), _)) => "listed again",
                Some(_) => "too large, or a long backlog",
            },
        )
    }

    /// Returns the ledger and the number of deadlocks.
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
        seed: accounts::seed()?,
        allow_http_callbacks: true,
        settings: GoogleSettings {
            fault_seed: seed,
            // So that a few events make several pages.
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

pub fn start_of_day_in(world: &World, days: u64, hour: u32) -> Result<DateTime<Utc>> {
    let date = world.clock.now().date_naive() + chrono::Days::new(days);
    Ok(date
        .and_hms_opt(hour % 24, 0, 0)
        .context("a time of day")?
        .and_utc())
}
