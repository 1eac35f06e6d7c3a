//! `webhook-ingest`: Google's push notifications in, one durable bump out. It also runs the loops that follow from a
//! bump: sync pulls what is due from Google, and the relay publishes what came of it. And it goes on with writes that
//! `calendar-api` did not bring to their end.
//!
//! What a push goes through, in order: the process-wide limit and its source's budget (503), headers and body within
//! bounds, the headers of a push (400), its channel (404), the channel's token and resource (403), and then one commit
//! that it shares with all pushes that wait at that moment (200, or 503). See the modules `webhook`, `intake` and `batch`.

mod batch;
pub mod config;
pub mod intake;
pub mod metrics;
pub mod refusal;
mod source;
mod webhook;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use common::backoff::Backoff;
use common::clock::Clock;
use common::http::{self, Readiness};
use common::telemetry::metrics::Exporter;
use common::worker::{self, Pass, Rhythm};
use secrecy::SecretString;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use sync::pull::Puller;
use sync::{health, relay};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use config::{Config, HealthConfig};
use intake::Intake;
use source::Sources;
use webhook::Webhook;

/// A lost wake-up costs this much; the wake-ups themselves are there within a millisecond.
const IDLE: Duration = Duration::from_secs(1);
/// Relays side by side, so that a stream which hangs holds up one of them.
const RELAYS: usize = 4;
const TOUCHES_EVERY: Duration = Duration::from_secs(10);
/// A push waits no longer for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the service does not start. Reads as one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Listen(#[from] std::io::Error),
    #[error(transparent)]
    Sync(#[from] sync::config::StartError),
    #[error(transparent)]
    Broker(#[from] centrifugo::Error),
}

/// The service, bound to its address and checked.
pub struct Application {
    listener: TcpListener,
    port: u16,
    database_url: SecretString,
    sync: sync::Context,
    centrifugo: centrifugo::Client,
    webhook: web::Data<Webhook>,
    pull_slots: u8,
    metrics: Option<Exporter>,
}

impl Application {
    /// Binds the address, and checks the database's schema, the keys and the broker. A broker that is merely away does not
    /// keep the service from taking pushes; one that is set up wrongly does.
    pub async fn build(config: Config) -> Result<Self, StartError> {
        let listener = http::bind(config.listen_addr)?;
        let port = listener.local_addr()?.port();
        let database_url = config.sync.database_url.clone();
        let metrics_addr = config.sync.metrics_addr;
        let sync = config.sync.context(Clock::system(), ACQUIRE_TIMEOUT).await?;
        let centrifugo =
            centrifugo::Client::new(&config.centrifugo_api_url, config.centrifugo_api_key.clone())?;
        match centrifugo.check(centrifugo::NAMESPACE).await {
            Err(error @ centrifugo::Error::Transient { .. }) => {
                tracing::error!(%error, "Starting without the broker; messages wait until it is back");
            }
            checked => checked?,
        }
        tracing::info!(
            port,
            mode = if sync.settings.webhook_address().is_some() {
                "push"
            } else {
                "polling only"
            },
            "webhook-ingest is set up"
        );
        let tables = [metrics::METRICS, sync::metrics::METRICS];
        let metrics = metrics_addr
            .map(|addr| Exporter::bind(addr, "webhook-ingest", &tables))
            .transpose()?
            .map(|exporter| {
                let pool = sync.pool.clone();
                exporter.collect(move || std::future::ready(sync::metrics::pool(&pool)))
            });
        let webhook = Webhook {
            intake: Arc::new(Intake::new(sync.pool.clone(), sync.clock.clone())),
            sources: Sources::new(config.webhook_max_per_source),
            proxies: config.trusted_proxies,
            slots: Semaphore::new(config.webhook_max_in_flight),
        };
        Ok(Self {
            listener,
            port,
            database_url,
            sync,
            centrifugo,
            webhook: web::Data::new(webhook),
            pull_slots: config.pull_slots,
            metrics,
        })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves and works until `stop`; then takes nothing new, and finishes what has begun.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> std::io::Result<()> {
        let dirty = Arc::new(Notify::new());
        // The intake outlives the server: a request that was taken still gets its commit.
        let intake_stop = CancellationToken::new();
        let mut intakes = JoinSet::new();
        {
            let (intake, stop) = (self.webhook.intake.clone(), intake_stop.clone());
            intakes.spawn(async move { intake.run_lookups(stop).await });
            let (intake, stop) = (self.webhook.intake.clone(), intake_stop.clone());
            let (url, dirty) = (self.database_url.clone(), dirty.clone());
            intakes.spawn(async move { intake.run_bumps(stop, url, dirty).await });
        }
        let deadline = tokio::spawn(worker::stop_deadline(stop.clone()));
        let loops = self.spawn_loops(&stop, &dirty);

        let webhook = self.webhook.clone();
        let routes = move |service: &mut web::ServiceConfig| {
            service
                .app_data(webhook.clone())
                .route("/api/calendar/webhook", web::post().to(webhook::notify))
                .route("/robots.txt", web::get().to(webhook::robots));
        };
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let ready = readiness(&self.sync, &self.centrifugo);
        if let Some(metrics) = self.metrics {
            let stop = stop.clone();
            tokio::spawn(async move { metrics.serve(stop).await });
        }
        let served = http::serve(self.listener, workers, ready, stop.clone(), routes).await;
        // Also when the server failed.
        stop.cancel();
        intake_stop.cancel();
        let drained = async { (intakes.join_all().await, loops.join_all().await) };
        let deadline = deadline.await.map_err(std::io::Error::other)?;
        if tokio::time::timeout_at(deadline, drained).await.is_err() {
            tracing::warn!("Stopped with work under way; its leases run out and others take over");
        }
        served
    }

    fn spawn_loops(&self, stop: &CancellationToken, dirty: &Arc<Notify>) -> JoinSet<()> {
        let outbox = Arc::new(Notify::new());
        let mut loops = JoinSet::new();
        loops.spawn(listen(
            self.sync.pool.clone(),
            dirty.clone(),
            outbox.clone(),
            stop.clone(),
        ));

        let (puller, dirty, stopped) = (
            Puller::new(self.sync.clone(), self.pull_slots),
            dirty.clone(),
            stop.clone(),
        );
        loops.spawn(async move {
            worker::repeat("pull", &stopped, &dirty, rhythm(IDLE), async || {
                puller.run_once().await
            })
            .await;
            puller.drain().await;
        });
        for _ in 0..RELAYS {
            let (pool, centrifugo, clock) = (
                self.sync.pool.clone(),
                self.centrifugo.clone(),
                self.sync.clock.clone(),
            );
            let (outbox, stopped) = (outbox.clone(), stop.clone());
            loops.spawn(async move {
                let pass = async || relay::run_once(&pool, &centrifugo, clock.now()).await;
                worker::repeat("relay", &stopped, &outbox, rhythm(IDLE), pass).await;
            });
        }
        let (sync, stopped) = (self.sync.clone(), stop.clone());
        loops.spawn(async move {
            let pass = async || sync::write::run_once(&sync).await;
            worker::repeat("write", &stopped, &Notify::new(), rhythm(IDLE), pass).await;
        });
        let (intake, stopped) = (self.webhook.intake.clone(), stop.clone());
        loops.spawn(async move {
            let pass = async || intake.write_touches().await.map(|()| Pass::Idle);
            worker::repeat("touch", &stopped, &Notify::new(), rhythm(TOUCHES_EVERY), pass).await;
        });
        loops
    }
}

const fn rhythm(idle: Duration) -> Rhythm {
    Rhythm {
        idle,
        // Back soon after the database or the broker is.
        backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(3)),
    }
}

/// Turns Postgres's notifications into the loops' wake-ups. Those that are lost are made up for by the loops' own rhythm.
async fn listen(pool: PgPool, dirty: Arc<Notify>, outbox: Arc<Notify>, stop: CancellationToken) {
    let pass = async || -> sqlx::Result<Pass> {
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen_all(["calwire_dirty", "calwire_outbox"]).await?;
        loop {
            // What was notified before we listened.
            dirty.notify_one();
            outbox.notify_one();
            while let Some(notification) = listener.try_recv().await? {
                let loops = if notification.channel() == "calwire_dirty" {
                    &dirty
                } else {
                    &outbox
                };
                loops.notify_one();
            }
        }
    };
    let never = Notify::new();
    tokio::select! {
        () = stop.cancelled() => {}
        () = worker::repeat("listen", &stop, &never, rhythm(IDLE), pass) => {}
    }
}

/// Ready means that pushes can be taken. Without the broker they can, and messages wait.
fn readiness(ctx: &sync::Context, centrifugo: &centrifugo::Client) -> Readiness {
    let (database, schema, keys) = (ctx.clone(), ctx.clone(), ctx.clone());
    let broker = centrifugo.clone();
    Readiness::new()
        .needs("database", move || health::database(database.clone()))
        .needs("schema", move || health::schema(schema.clone()))
        .misses("broker", move || health::broker(broker.clone()))
        .misses("keys", move || health::keys(keys.clone()))
}
