//! The stack under test: two of each service, a proxy in every link, and people with their pages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use google_emulator::Emulator;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::client::Client;
use super::link::{Link, Replica, ServiceKind};
use super::network::Network;
use super::page::Page;
use super::people::Participant;
use super::plan::{COPIES, PAGES, USERS};
use super::record::Record;
use super::replica::{Running, port_of, start_all, urls};
use super::waiting::settle;
use crate::balancer::Balancer;
use crate::broker::Broker;
use crate::database::{Database, Private};
use crate::process::service_binary;
use crate::rpc::Api;
use crate::{google, stack, wait};

/// There is no page, so no origin opens sockets.
const ORIGIN: &str = "http://localhost:3000";
/// Bound on the setup, before any fault.
const SET_UP_WITHIN: Duration = Duration::from_mins(1);

/// The keys that tokens are sealed with before and after the rotation.
pub const OLD_KEYS: &str = "1:4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=";
pub const NEW_KEYS: &str =
    "2:xc/pY5pj2mdi0owzwpSgmicuNo77NKUCd8y5kHvZ/uQ=,1:4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=";

/// Shorter waits than in production, so that a run of a minute covers what takes an hour there.
const SETTINGS: [(&str, &str); 5] = [
    ("TOKEN_KEYS", OLD_KEYS),
    ("DATABASE_MAX_CONNECTIONS", "8"),
    (
        "TUNING",
        "sync_lease_seconds=5,grant_confirm_seconds=1,poll_watched_seconds=4,poll_unwatched_seconds=4",
    ),
    ("RATE_LIMIT_PER_MINUTE", "100000"),
    ("RUST_LOG", "info,sync=debug"),
];

pub struct Deployment {
    pub folder: PathBuf,
    pub server: Arc<Mutex<Private>>,
    pub database: Database,
    pub broker: Mutex<Broker>,
    pub google: Emulator,
    pub network: Network,
    pub replicas: BTreeMap<Replica, Mutex<Running>>,
    pub people: Vec<Participant>,
    /// Without the links that fail.
    pub direct: Vec<Api>,
    pub record: Arc<Record>,
    /// Tasks that measure how long a recovery takes.
    probes: StdMutex<JoinSet<()>>,
    /// The environment of the services, without the links.
    env: BTreeMap<String, String>,
    /// Before the copies of calendar-api.
    front: Balancer,
    _webhook: Balancer,
}

impl Deployment {
    /// Starts it, with all users connected and in sync.
    pub async fn start(seed: u64, server: Arc<Mutex<Private>>, folder: &Path) -> Result<Arc<Self>> {
        let database = Database::create_on(server.lock().await.url()).await?;
        let google = google::start().await?;
        google.with(|state| {
            state.settings.fault_seed = seed;
            state.settings.push_retry_ms = 400;
        });
        let broker = Broker::start(ORIGIN, 1)?;
        let network = Network::start(folder)?;
        let (api, webhook) = (Balancer::start("/readyz")?, Balancer::start("/readyz")?);
        let mut env = stack::environment(&database, &broker, &google, api.url(), ORIGIN);
        env.extend(SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let webhook_port = network.lead(Link::Webhook, port_of(webhook.url())?).await?;
        env.insert("PUBLIC_URL".to_owned(), api.url().to_owned());
        env.insert(
            "WEBHOOK_URL".to_owned(),
            format!("http://127.0.0.1:{webhook_port}/api/calendar/webhook"),
        );
        stack::migrate(&env.clone().into_iter().collect::<Vec<_>>()).await?;
        let replicas = start_all(&network, &env, folder).await?;
        for (balancer, service) in [
            (&api, ServiceKind::CalendarApi),
            (&webhook, ServiceKind::WebhookIngest),
        ] {
            balancer.serve(urls(&replicas, service).await);
        }
        for running in replicas.values() {
            let running = running.lock().await;
            let what = format!("{} is ready", running.replica.name());
            wait::until_within(SET_UP_WITHIN, &what, async || {
                running.is_ready().await.then_some(())
            })
            .await;
        }
        wait::until_within(SET_UP_WITHIN, "all processes receive requests", async || {
            (api.ready() == COPIES && webhook.ready() == COPIES).then_some(())
        })
        .await;
        let mut deployment = Self {
            folder: folder.to_owned(),
            server,
            database,
            broker: Mutex::new(broker),
            google,
            network,
            replicas,
            people: Vec::new(),
            direct: Vec::new(),
            record: Arc::default(),
            probes: StdMutex::default(),
            env,
            front: api,
            _webhook: webhook,
        };
        deployment.move_in().await?;
        Ok(Arc::new(deployment))
    }

    /// Gives each user an account, connects it, and opens their pages.
    async fn move_in(&mut self) -> Result<()> {
        let (api_url, socket_port) = (self.front.url().to_owned(), self.broker.lock().await.port());
        for user in USERS {
            google::add_account(&self.google, user, &json!([calendar(user)]))?;
            let direct = Api::new(&api_url, user)?;
            let landed = google::consent(&self.google, &direct, &google::account(user), None).await?;
            ensure!(landed.contains("connected"), "the connect flow ended at {landed}");
            self.direct.push(direct);
        }
        settle(&self.database.pool, SET_UP_WITHIN).await?;
        for (index, user) in USERS.into_iter().enumerate() {
            let link = self
                .network
                .lead(Link::Api { user: index }, port_of(&api_url)?)
                .await?;
            let api = Api::new(&format!("http://127.0.0.1:{link}"), user)?;
            let mut sockets = Vec::new();
            for page in 0..PAGES {
                let link = Link::Socket { user: index, page };
                let port = self.network.lead(link, socket_port).await?;
                sockets.push(format!("ws://127.0.0.1:{port}/connection/websocket"));
            }
            let client = Client::open(user, &api.base, &sockets.pop().context("there are pages")?)?;
            let pages = sockets.into_iter().enumerate().map(|(page, socket)| {
                let name = format!("{user}'s page {page}");
                Page::open(name, api.clone(), socket, self.record.clone())
            });
            let pages = pages.collect();
            let account = google::account(user);
            self.people.push(Participant {
                name: user,
                calendar: self.calendar_id(user, &account).await?,
                account,
                api,
                pages,
                client,
                made: StdMutex::default(),
                waiting: 0.into(),
            });
        }
        // As if the calendars had been imported long ago: a calendar is not rebuilt soon after its import.
        sqlx::query("update sync_state set rebuilt_at = rebuilt_at - interval '1 hour'")
            .execute(&self.database.pool)
            .await?;
        Ok(())
    }

    async fn calendar_id(&self, user: &str, google_id: &str) -> Result<String> {
        let id: uuid::Uuid =
            sqlx::query_scalar("select id from calendars where user_id = $1 and google_id = $2")
                .bind(user)
                .bind(google_id)
                .fetch_one(&self.database.pool)
                .await?;
        Ok(id.to_string())
    }

    pub fn replica(&self, replica: Replica) -> Result<&Mutex<Running>> {
        let known = self.replicas.get(&replica);
        known.with_context(|| format!("there is no {}", replica.name()))
    }

    /// Runs a probe in the background.
    pub fn probe(&self, probe: impl Future<Output = ()> + Send + 'static) {
        self.probes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(probe);
    }

    /// Waits for all probes; each has its own bound.
    pub async fn probed(&self) {
        let mut probes = std::mem::take(&mut *self.probes.lock().unwrap_or_else(PoisonError::into_inner));
        while probes.join_next().await.is_some() {}
    }

    /// Runs a command of `calendar-api` with these keys, directly on Postgres.
    pub async fn command(&self, argument: &str, keys: &str) -> Result<std::process::Output> {
        let env = self
            .env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        Command::new(service_binary("calendar-api")?)
            .arg(argument)
            .envs(env)
            .env("TOKEN_KEYS", keys)
            .kill_on_drop(true)
            .output()
            .await
            .context("calendar-api cannot be run")
    }
}

fn calendar(user: &str) -> Value {
    let mut series = google::timed(
        &format!("{user} weekly"),
        chrono::TimeDelta::hours(3),
        "Europe/Zurich",
    );
    series["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=6"]);
    let mut events = vec![series];
    for n in 0..4 {
        let ahead = chrono::TimeDelta::hours(5 + 24 * n);
        events.push(google::timed(&format!("{user} {n}"), ahead, "Europe/Zurich"));
    }
    events.push(google::all_day(&format!("{user} all day"), 2));
    json!({"id": google::account(user), "summary": user, "timeZone": "Europe/Zurich", "primary": true, "events": events})
}
