//! The service as a library: built, then run until it is stopped.

use std::time::Duration;

use centrifugo::Tokens;
use common::clock::Clock;
use common::http::Readiness;
use common::service::{Background, Server};
use common::worker::{Rhythm, repeat};
use sync::metrics::overview::{self, Sampler};
use sync::{Context, canary, connections, health, poll, pull, watch, write, zone_data};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::NAME;
use crate::config::Config;

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A new calendar should be watched while its owner still looks at the page that connected it.
const WATCH_EVERY: Duration = Duration::from_secs(2);
const POLL_EVERY: Duration = Duration::from_secs(5);
const DISCONNECT_EVERY: Duration = Duration::from_secs(2);
/// Viewers wait for a re-expansion after a change of role or time zone; they do not wait for the horizon to advance.
const HORIZON_EVERY: Duration = Duration::from_secs(5);
/// After an upgrade only. Reads expand what is not converted.
const CONVERT_EVERY: Duration = Duration::from_secs(30);
/// How often the canary checks whether its next change is due.
const CANARY_CHECK_EVERY: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_secs(10);
const PURGE_EVERY: Duration = Duration::from_mins(1);

/// The service: bound, checked, not yet working.
pub struct Application {
    server: Server,
    ctx: Context,
    canary: Option<(canary::CanaryConfig, Tokens)>,
}

impl Application {
    /// Binds the address, then checks the canary's settings, the database's schema and the keys. With a newer tz database,
    /// all calendars are marked to be expanded again.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let server = Server::bind(NAME, config.listen_addr)?;
        let metrics_addr = config.sync.metrics_addr;
        let canary = config.canary().map_err(anyhow::Error::msg)?;
        let canary_user = canary.as_ref().map(|(config, _)| config.user.clone());
        let ctx = config.sync.context(Clock::system(), ACQUIRE_TIMEOUT).await?;
        zone_data::adopt(&ctx.pool).await?;
        let tables = [sync::metrics::METRICS, overview::METRICS];
        let server = server.export(metrics_addr, &tables, |exporter| {
            let (pool, sampler) = (ctx.pool.clone(), Sampler::new(ctx.clone(), canary_user));
            exporter
                .collect(move || std::future::ready(sync::metrics::pool(&pool)))
                .collect(move || {
                    let sampler = sampler.clone();
                    async move { sampler.sample().await }
                })
        })?;
        Ok(Self { server, ctx, canary })
    }

    /// The port that health is answered on.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Works until `stop` is cancelled, then finishes the passes that have begun.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> anyhow::Result<()> {
        if let Some(address) = self.ctx.settings.webhook_address() {
            tracing::info!(
                port = self.port(),
                "Push mode: Google pushes changes to {address}; polling covers the rest"
            );
        } else {
            tracing::info!(
                port = self.port(),
                "Polling-only mode, because PUBLIC_URL is not set: a change made in Google takes about a minute"
            );
        }
        let mut background = Background::new(stop);
        spawn_loops(&mut background, &self.ctx);
        spawn_renewal(&mut background, &self.ctx);
        spawn_conversion(&mut background, &self.ctx);
        if let Some((config, tokens)) = self.canary {
            spawn_canary(&mut background, &self.ctx, config, tokens);
        }
        let readiness = readiness(&self.ctx);
        let served = self
            .server
            .run_until_stopped(1, readiness, background, |_| ())
            .await;
        self.ctx.pool.close().await;
        Ok(served?)
    }
}

fn spawn_loops(background: &mut Background, ctx: &Context) {
    macro_rules! spawn {
        ($name:literal, $every:expr, $job:expr) => {
            let (ctx, stop) = (ctx.clone(), background.stop());
            background.spawn(async move {
                let never_woken = Notify::new();
                repeat($name, &stop, &never_woken, Rhythm::every($every), || {
                    $job(&ctx)
                })
                .await;
            });
        };
    }
    spawn!("stop", WATCH_EVERY, watch::stop_once);
    spawn!("poll", POLL_EVERY, poll::run_once);
    spawn!("disconnect", DISCONNECT_EVERY, connections::disconnect_once);
    spawn!("recheck", PURGE_EVERY, connections::recheck_refused_once);
    spawn!("horizon", HORIZON_EVERY, pull::extend_horizon_once);
    spawn!("sweep", SWEEP_EVERY, pull::purge_once);
    spawn!("purge", PURGE_EVERY, poll::purge_once);
    spawn!("forget", PURGE_EVERY, write::purge_once);
}

fn spawn_renewal(background: &mut Background, ctx: &Context) {
    let (renewer, stop) = (watch::Renewer::new(ctx.clone()), background.stop());
    background.spawn(async move {
        let never_woken = Notify::new();
        let pass = || renewer.run_once();
        repeat("watch", &stop, &never_woken, Rhythm::every(WATCH_EVERY), pass).await;
    });
}

fn spawn_conversion(background: &mut Background, ctx: &Context) {
    let (converter, stop) = (pull::Converter::new(ctx.clone()), background.stop());
    background.spawn(async move {
        let never_woken = Notify::new();
        let pass = || converter.run_once();
        repeat("convert", &stop, &never_woken, Rhythm::every(CONVERT_EVERY), pass).await;
    });
}

fn spawn_canary(background: &mut Background, ctx: &Context, config: canary::CanaryConfig, tokens: Tokens) {
    let (ctx, stop) = (ctx.clone(), background.stop());
    background.spawn(async move {
        let pass = || canary::run_once(&ctx, &config, &tokens);
        let never_woken = Notify::new();
        let rhythm = Rhythm::every(CANARY_CHECK_EVERY);
        // A probe waits for its message; a stop does not wait for the probe.
        tokio::select! {
            () = stop.cancelled() => {}
            () = repeat("canary", &stop, &never_woken, rhythm, pass) => {}
        }
    });
}

fn readiness(ctx: &Context) -> Readiness {
    let (database, schema, keys) = (ctx.clone(), ctx.clone(), ctx.clone());
    Readiness::new()
        .required("database", move || health::database(database.clone()))
        .required("schema", move || health::schema(schema.clone()))
        .optional("keys", move || health::keys(keys.clone()))
}
