//! The service as a library: built, then run until it is stopped.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use anyhow::Context as _;
use common::clock::Clock;
use common::http::Readiness;
use common::service::{Background, Server};
use secrecy::SecretString;
use sync::health;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::intake::Intake;
use crate::loops;
use crate::slots::Slots;
use crate::source::Sources;
use crate::webhook::{self, Webhook};
use crate::{NAME, metrics};

/// A push waits this long for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// The service: bound, checked, not yet serving.
pub struct Application {
    server: Server,
    database_url: SecretString,
    sync: sync::Context,
    centrifugo: centrifugo::Client,
    webhook: web::Data<Webhook>,
    pull_slots: u8,
}

impl Application {
    /// Binds the address, then checks the database's schema, the keys and the broker. A broker that is down does not keep the
    /// service from accepting pushes; one that is misconfigured does.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let server = Server::bind(NAME, config.listen_addr)?;
        let database_url = config.sync.database_url.clone();
        let metrics_addr = config.sync.metrics_addr;
        let sync = config.sync.context(Clock::system(), ACQUIRE_TIMEOUT).await?;
        let centrifugo =
            centrifugo::Client::new(&config.centrifugo_api_url, config.centrifugo_api_key.clone())?;
        match centrifugo.check(centrifugo::NAMESPACE).await {
            Err(error @ centrifugo::Error::Transient { .. }) => {
                tracing::error!(%error, "Starting without the broker; messages wait in the outbox until it is back");
            }
            checked => checked.context("CENTRIFUGO_API_URL")?,
        }
        let tables = [metrics::METRICS, sync::metrics::METRICS];
        let server = server.export(metrics_addr, &tables, |exporter| {
            let pool = sync.pool.clone();
            exporter.collect(move || std::future::ready(sync::metrics::pool(&pool)))
        })?;
        let webhook = Webhook {
            intake: Arc::new(Intake::new(sync.pool.clone(), sync.clock.clone())),
            sources: Sources::new(config.webhook_max_per_source),
            proxies: config.trusted_proxies,
            slots: Slots::new(config.webhook_max_in_flight),
        };
        Ok(Self {
            server,
            database_url,
            sync,
            centrifugo,
            webhook: web::Data::new(webhook),
            pull_slots: config.pull_slots,
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Serves and works until `stop` is cancelled and started work is finished.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mode = match self.sync.settings.webhook_address() {
            Some(_) => "push",
            None => "polling only",
        };
        tracing::info!(port = self.port(), mode, "webhook-ingest is listening");
        let mut background = Background::new(stop);
        let dirty = Arc::new(Notify::new());
        let outbox = Arc::new(Notify::new());
        self.spawn_intake(&mut background, &dirty);
        loops::spawn_listener(&mut background, &self.sync.pool, &dirty, &outbox);
        loops::spawn_puller(&mut background, &self.sync, self.pull_slots, dirty);
        loops::spawn_relays(&mut background, &self.sync, &self.centrifugo, &outbox);
        loops::spawn_writer(&mut background, &self.sync);
        loops::spawn_touches(&mut background, &self.webhook.intake);

        let webhook = self.webhook.clone();
        let routes = move |service: &mut web::ServiceConfig| {
            service
                .app_data(webhook.clone())
                .route("/api/calendar/webhook", web::post().to(webhook::notify))
                .route("/robots.txt", web::get().to(webhook::robots));
        };
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let readiness = readiness(&self.sync, &self.centrifugo);
        self.server
            .run_until_stopped(workers, readiness, background, routes)
            .await?;
        Ok(())
    }

    /// The intake outlives the server: a request that was accepted still gets its commit.
    fn spawn_intake(&self, background: &mut Background, dirty: &Arc<Notify>) {
        let (intake, served) = (self.webhook.intake.clone(), background.served());
        background.spawn(async move { intake.run_lookups(served).await });
        let (intake, served) = (self.webhook.intake.clone(), background.served());
        let (url, dirty) = (self.database_url.clone(), dirty.clone());
        background.spawn(async move { intake.run_bumps(served, url, dirty).await });
    }
}

/// Ready means that pushes can be accepted. Without the broker they can, and messages wait.
fn readiness(ctx: &sync::Context, centrifugo: &centrifugo::Client) -> Readiness {
    let (database, schema, keys) = (ctx.clone(), ctx.clone(), ctx.clone());
    let broker = centrifugo.clone();
    Readiness::new()
        .required("database", move || health::database(database.clone()))
        .required("schema", move || health::schema(schema.clone()))
        .optional("broker", move || health::broker(broker.clone()))
        .optional("keys", move || health::keys(keys.clone()))
}
