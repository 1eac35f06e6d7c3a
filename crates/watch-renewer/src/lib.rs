//! Keeps every calendar current by the clock: push channels, polls, the horizon of series, and what has to go.
//!
//! Nothing here is asked by anybody. Each loop repeats one job of `sync` that takes its work by lease or by a row that
//! only one can write, so any number of renewers may run. A loop that fails says so once and tries again later; the
//! others go on.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use centrifugo::Tokens;
use common::clock::Clock;
use common::http::Readiness;
use common::ids::UserId;
use common::telemetry::metrics::Exporter;
use common::worker::{Rhythm, repeat, stop_deadline};
use sync::metrics::overview::{self, Sampler};
use sync::{Context, canary, connections, health, poll, pull, watch, write};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

mod config;

pub use config::{Config, HealthConfig};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A new calendar should be watched while its owner still looks at the page that connected it.
const WATCH_EVERY: Duration = Duration::from_secs(2);
const POLL_EVERY: Duration = Duration::from_secs(5);
const DISCONNECT_EVERY: Duration = Duration::from_secs(2);
/// Another role or zone of a calendar is waited for by whoever looks at it; moving the horizon on is not.
const HORIZON_EVERY: Duration = Duration::from_secs(5);
/// How often the canary looks whether it is its turn.
const CANARY_LOOK: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_secs(10);
const PURGE_EVERY: Duration = Duration::from_mins(1);

/// A renewer that is bound and checked, and not yet at work.
pub struct Application {
    listener: TcpListener,
    port: u16,
    ctx: Context,
    metrics: Option<Exporter>,
    canary: Option<(canary::CanaryConfig, Tokens)>,
}

impl Application {
    /// Binds, connects and checks. An error is one line that says what to do.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let listener = common::http::bind(config.listen_addr)?;
        let port = listener.local_addr()?.port();
        let metrics_addr = config.sync.metrics_addr;
        let canary = config.canary().map_err(anyhow::Error::msg)?;
        let canarys = canary.as_ref().map(|(config, _)| config.user.clone());
        let ctx = config.sync.context(Clock::system(), ACQUIRE_TIMEOUT).await?;
        let metrics = metrics_addr
            .map(|addr| exporter(addr, &ctx, canarys))
            .transpose()?;
        Ok(Self {
            listener,
            port,
            ctx,
            metrics,
            canary,
        })
    }

    /// The port that health is answered on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Works until `stop` is cancelled, then finishes the passes that have begun.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> anyhow::Result<()> {
        if let Some(address) = self.ctx.settings.webhook_address() {
            tracing::info!(
                port = self.port,
                "Push mode: Google is asked to push changes to {address}; polling covers the rest"
            );
        } else {
            tracing::info!(
                port = self.port,
                "Polling-only mode, because PUBLIC_URL is not set: a change made in Google takes about a minute"
            );
        }
        let deadline = tokio::spawn(stop_deadline(stop.clone()));
        let mut loops = start_loops(&self.ctx, &stop);
        if let Some((config, tokens)) = self.canary {
            let (ctx, stop) = (self.ctx.clone(), stop.clone());
            loops.spawn(async move {
                let pass = || canary::run_once(&ctx, &config, &tokens);
                let never_woken = Notify::new();
                let probes = repeat("canary", &stop, &never_woken, Rhythm::every(CANARY_LOOK), pass);
                // A probe waits for a message; a stop does not wait for a probe.
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = probes => {}
                }
            });
        }
        if let Some(metrics) = self.metrics {
            let stop = stop.clone();
            tokio::spawn(async move { metrics.serve(stop).await });
        }
        let readiness = readiness(&self.ctx);
        let served = common::http::serve(self.listener, 1, readiness, stop.clone(), |_| ()).await;
        // The server ends by itself only when it fails; the loops have no use without it.
        stop.cancel();
        let drained = tokio::time::timeout_at(deadline.await?, async {
            while loops.join_next().await.is_some() {}
        });
        if drained.await.is_err() {
            tracing::warn!("Some work did not end in time and is cut off; its lease lets others take over");
            loops.shutdown().await;
        }
        self.ctx.pool.close().await;
        Ok(served?)
    }
}

fn start_loops(ctx: &Context, stop: &CancellationToken) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    macro_rules! start {
        ($name:literal, $every:expr, $job:expr) => {
            let (ctx, stop) = (ctx.clone(), stop.clone());
            loops.spawn(async move {
                let never_woken = Notify::new();
                repeat($name, &stop, &never_woken, Rhythm::every($every), || {
                    $job(&ctx)
                })
                .await;
            });
        };
    }
    start!("watch", WATCH_EVERY, watch::run_once);
    start!("stop", WATCH_EVERY, watch::stop_once);
    start!("poll", POLL_EVERY, poll::run_once);
    start!("disconnect", DISCONNECT_EVERY, connections::disconnect_once);
    start!("horizon", HORIZON_EVERY, pull::extend_horizon_once);
    start!("sweep", SWEEP_EVERY, pull::purge_once);
    start!("purge", PURGE_EVERY, poll::purge_once);
    start!("forget", PURGE_EVERY, write::purge_once);
    loops
}

/// This process's own, and the state of the installation.
fn exporter(addr: SocketAddr, ctx: &Context, canary: Option<UserId>) -> std::io::Result<Exporter> {
    let (pool, sampler) = (ctx.pool.clone(), Sampler::new(ctx.clone(), canary));
    let tables = [sync::metrics::METRICS, overview::METRICS];
    Ok(Exporter::bind(addr, "watch-renewer", &tables)?
        .collect(move || std::future::ready(sync::metrics::pool(&pool)))
        .collect(move || {
            let sampler = sampler.clone();
            async move { sampler.sample().await }
        }))
}

fn readiness(ctx: &Context) -> Readiness {
    let (database, schema, keys) = (ctx.clone(), ctx.clone(), ctx.clone());
    Readiness::new()
        .needs("database", move || health::database(database.clone()))
        .needs("schema", move || health::schema(schema.clone()))
        .misses("keys", move || health::keys(keys.clone()))
}
