//! One stack: every part between a change in Google and the browser's socket.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use google_emulator::Emulator;
use provision::front::{self, Demo, Front, Site, Upstreams};
use tokio::process::Command;

use crate::balancer::Balancer;
use crate::broker::{self, Broker};
use crate::database::Database;
use crate::google;
pub use crate::options::Options;
use crate::process::service_binary;
use crate::proxies::Proxies;
use crate::rpc::{self, Api};
pub use crate::service::Service;
use crate::socket::{Socket, Subscribed};
use crate::wait;

/// The page's origin in a stack without a page.
const OTHER_ORIGIN: &str = "http://localhost:3000";
/// The users that a page can sign in as. Their Google accounts have the same names.
const USERS: [&str; 3] = ["alice", "bob", "carol"];

pub struct Stack {
    pub database: Database,
    pub broker: Broker,
    pub google: Emulator,
    pub api: Service,
    /// More processes of it, if [`Options::apis`] is over one.
    pub more_apis: Vec<Service>,
    pub ingests: Vec<Service>,
    pub renewers: Vec<Service>,
    /// With [`Options::page`].
    pub front: Option<Front>,
    /// With [`Options::balanced`].
    pub proxies: Option<Proxies>,
    push: bool,
    env: Vec<(String, String)>,
}

impl Stack {
    /// The usual stack: one of each service, with push.
    pub async fn start() -> Result<Self> {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Result<Self> {
        let database = match &options.database_server {
            Some(server) => Database::create_on(server.clone()).await?,
            None => Database::create().await?,
        };
        let (api_port, ingest_port) = (provision::port::free()?, provision::port::free()?);
        let proxies = options.balanced.then(Proxies::start).transpose()?;
        let url = |proxy: fn(&Proxies) -> &Balancer, port: u16| match &proxies {
            Some(proxies) => proxy(proxies).url().to_owned(),
            None => format!("http://127.0.0.1:{port}"),
        };
        let api_url = url(|proxies| &proxies.api, api_port);
        let webhook_url = url(|proxies| &proxies.webhook, ingest_port);
        let google = google::start().await?;
        let front_port = options
            .page
            .as_ref()
            .map(|_| provision::port::free())
            .transpose()?;
        let origin = front_port.map_or_else(|| OTHER_ORIGIN.to_owned(), front::origin);
        let broker = Broker::start(&origin, options.brokers)?;
        let mut env = environment(&database, &broker, &google, &api_url, &origin);
        if options.push {
            let public_url = if front_port.is_some() { origin } else { api_url };
            env.insert("PUBLIC_URL".to_owned(), public_url);
            // In production a proxy gives both one origin. Here Google has its own, so that a test can cut off the browsers alone.
            env.insert(
                "WEBHOOK_URL".to_owned(),
                format!("{webhook_url}/api/calendar/webhook"),
            );
        }
        env.insert("TUNING".to_owned(), options.tuning());
        env.extend(options.env.clone());
        let env: Vec<_> = env.into_iter().collect();
        migrate(&env).await?;
        let api = Service::start("calendar-api", api_port, env.clone()).await?;
        let mut more_apis = Vec::new();
        for _ in 1..options.apis {
            more_apis.push(Service::start("calendar-api", provision::port::free()?, env.clone()).await?);
        }
        let mut ingests = Vec::new();
        for n in 0..options.ingests {
            let port = if n == 0 {
                ingest_port
            } else {
                provision::port::free()?
            };
            ingests.push(Service::start("webhook-ingest", port, env.clone()).await?);
        }
        let mut renewers = Vec::new();
        for _ in 0..options.renewers {
            renewers.push(Service::start("watch-renewer", provision::port::free()?, env.clone()).await?);
        }
        if let Some(proxies) = &proxies {
            proxies.serve([&api].into_iter().chain(&more_apis), ingests.iter());
        }
        let front = match (front_port, options.page) {
            (Some(port), Some(page)) => {
                let upstreams = Upstreams {
                    api: api_port,
                    webhook: ingest_port,
                    centrifugo: broker.port(),
                };
                Some(Front::start(port, site(upstreams, page, &google))?)
            }
            _ => None,
        };
        Ok(Self {
            database,
            broker,
            google,
            api,
            more_apis,
            ingests,
            renewers,
            front,
            proxies,
            push: options.push,
            env,
        })
    }

    /// Runs a command of `calendar-api` to its end, with the stack's environment and `changes`; an empty value unsets.
    pub async fn command(
        &self,
        arguments: &[&str],
        changes: &[(&str, &str)],
    ) -> Result<std::process::Output> {
        let changes = changes.iter().map(|&(name, value)| (name, value));
        let env = self
            .env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        Command::new(service_binary("calendar-api")?)
            .args(arguments)
            .envs(env)
            .envs(changes)
            .kill_on_drop(true)
            .output()
            .await
            .context("calendar-api cannot be run")
    }

    pub fn as_user(&self, user: &str) -> Result<Api> {
        match &self.proxies {
            Some(proxies) => Api::new(proxies.api.url(), user),
            None => Api::new(&self.api.url(), user),
        }
    }

    /// Takes `user` through the connect flow with the Google account of the same name, granting every scope.
    pub async fn connect(&self, user: &str) -> Result<Api> {
        let api = self.as_user(user)?;
        let landed = google::consent(&self.google, &api, &google::account(user), None).await?;
        ensure!(landed.contains("connected"), "the connect flow ended at {landed}");
        Ok(api)
    }

    /// As [`Stack::connect`], and waits until every selected calendar has been imported and, with push, is watched.
    pub async fn connect_and_settle(&self, user: &str) -> Result<Api> {
        let api = self.connect(user).await?;
        self.settled(user).await;
        if self.push && !self.renewers.is_empty() {
            self.watched(user).await;
            // A new channel causes one more pull.
            self.settled(user).await;
        }
        Ok(api)
    }

    /// Waits until each of the user's calendars that Google can watch has exactly one live channel, whose first push has
    /// been answered: it may cause a pull, which a test must not meet later.
    pub async fn watched(&self, user: &str) {
        wait::until(&format!("{user}'s calendars are watched"), async || {
            let channels: Vec<Vec<String>> = sqlx::query_scalar(
                "select coalesce(array_agg(w.channel_id) filter (where w.channel_id is not null), '{}') from calendars c \
                 left join watches w on w.resource_id = c.id and w.state = 'live' \
                 where c.user_id = $1 and c.selected and c.push_supported and c.access_lost_at is null \
                 group by c.id",
            )
            .bind(user)
            .fetch_all(&self.database.pool)
            .await
            .ok()?;
            let pushes = self.google.pushes();
            let is_heard = |channel: &String| {
                pushes
                    .iter()
                    .any(|push| push.channel_id == *channel && push.status == Some(200))
            };
            let is_watched = |of_calendar: &Vec<String>| of_calendar.len() == 1 && of_calendar.iter().all(is_heard);
            (!channels.is_empty() && channels.iter().all(is_watched)).then_some(())
        })
        .await;
    }

    /// Waits until nothing of `user` is dirty, every calendar has been pulled, and the outbox is empty.
    pub async fn settled(&self, user: &str) {
        wait::until(&format!("{user}'s calendars are in sync"), async || {
            let (resources, open, unpulled): (i64, i64, i64) = sqlx::query_as(
                "select count(*), count(*) filter (where dirty_seq > synced_seq or lease_token is not null), \
                        count(*) filter (where last_pull_at is null) \
                 from sync_state where user_id = $1",
            )
            .bind(user)
            .fetch_one(&self.database.pool)
            .await
            .ok()?;
            let waiting: i64 = sqlx::query_scalar("select count(*) from outbox where user_id = $1")
                .bind(user)
                .fetch_one(&self.database.pool)
                .await
                .ok()?;
            // The list is a resource too: the calendars have to be imported.
            (resources > 1 && open == 0 && unpulled == 0 && waiting == 0).then_some(())
        })
        .await;
    }

    /// A browser of `user`, subscribed to the user's channel.
    pub async fn browser(&self, api: &Api) -> Result<(Socket, Subscribed)> {
        Socket::of_user(api, &self.broker.ws_url(), None).await
    }

    /// The user's calendar by its Google id, as Calwire names it.
    pub async fn calendar_id(&self, user: &str, google_id: &str) -> Result<String> {
        let id: uuid::Uuid =
            sqlx::query_scalar("select id from calendars where user_id = $1 and google_id = $2")
                .bind(user)
                .bind(google_id)
                .fetch_one(&self.database.pool)
                .await
                .with_context(|| format!("{user} has no calendar {google_id}"))?;
        Ok(id.to_string())
    }

    /// Starts another `webhook-ingest` on a port that Google does not know, so that only its loops take part.
    pub async fn add_ingest(&mut self) -> Result<()> {
        let ingest = Service::start("webhook-ingest", provision::port::free()?, self.env.clone()).await?;
        self.ingests.push(ingest);
        Ok(())
    }

    /// Stops everything and drops the database.
    pub async fn end(mut self) -> Result<()> {
        for service in self
            .ingests
            .iter_mut()
            .chain(&mut self.renewers)
            .chain(&mut self.more_apis)
            .chain([&mut self.api])
        {
            service.kill().await;
        }
        self.broker.kill();
        self.database.drop_now().await
    }
}

/// A page on which the demo's users can sign in.
fn site(upstreams: Upstreams, page: PathBuf, google: &Emulator) -> Site {
    let emulator = Some(google.base_url().to_owned());
    Site {
        upstreams,
        page,
        demo: Demo::new(&USERS, emulator, rpc::jwt),
    }
}

pub(crate) async fn migrate(env: &[(String, String)]) -> Result<()> {
    let output = Command::new(service_binary("calendar-api")?)
        .arg("migrate")
        .envs(env.iter().map(|(name, value)| (name, value)))
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "calendar-api migrate: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The environment of all services.
pub(crate) fn environment(
    database: &Database,
    broker: &Broker,
    google: &Emulator,
    api_url: &str,
    origin: &str,
) -> BTreeMap<String, String> {
    [
        ("DATABASE_URL", database.url.clone()),
        ("DATABASE_MAX_CONNECTIONS", "8".to_owned()),
        ("API_URL", api_url.to_owned()),
        ("APP_ORIGINS", origin.to_owned()),
        ("GOOGLE_CLIENT_ID", google::CLIENT_ID.to_owned()),
        ("GOOGLE_CLIENT_SECRET", google::CLIENT_SECRET.to_owned()),
        ("GOOGLE_BASE_URL", google.base_url().to_owned()),
        ("CENTRIFUGO_API_URL", broker.api_url()),
        ("CENTRIFUGO_WS_URL", broker.ws_url()),
        ("CENTRIFUGO_API_KEY", broker::API_KEY.to_owned()),
        ("CENTRIFUGO_TOKEN_SECRET", broker::TOKEN_SECRET.to_owned()),
        (
            "TOKEN_KEYS",
            "1:4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=".to_owned(),
        ),
        ("AUTH_HS256_SECRET", rpc::AUTH_SECRET.to_owned()),
        ("AUTH_ALGORITHM", "HS256".to_owned()),
        ("AUTH_ISSUER", rpc::AUTH_ISSUER.to_owned()),
        ("AUTH_AUDIENCE", rpc::AUTH_AUDIENCE.to_owned()),
        ("NO_COLOR", "1".to_owned()),
        (
            "RUST_LOG",
            std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned()),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
