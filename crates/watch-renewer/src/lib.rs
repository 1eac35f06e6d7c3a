//! Keeps every calendar current by the clock: push channels, polls, the horizon of series, and what has to go.
//!
//! Nothing here is asked by anybody. Each loop repeats one job of `sync` that takes its work by lease or by a row that
//! only one can write, so any number of renewers may run. A loop that fails says so once and tries again later; the
//! others go on.

use std::net::TcpListener;
use std::time::Duration;

use common::clock::Clock;
use common::http::Readiness;
use common::worker::{Rhythm, repeat};
use sqlx::PgPool;
use sync::{Context, connections, poll, pull, watch, write};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

mod config;

pub use config::{Config, HealthConfig};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const READY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the loops may take to finish a pass that has begun; what is cut off then is taken over by its lease.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A new calendar should be watched while its owner still looks at the page that connected it.
const WATCH_EVERY: Duration = Duration::from_secs(2);
const POLL_EVERY: Duration = Duration::from_secs(5);
const DISCONNECT_EVERY: Duration = Duration::from_secs(2);
const HORIZON_EVERY: Duration = Duration::from_mins(1);
const SWEEP_EVERY: Duration = Duration::from_secs(10);
const PURGE_EVERY: Duration = Duration::from_mins(1);

/// A renewer that is bound and checked, and not yet at work.
pub struct Application {
    listener: TcpListener,
    port: u16,
    ctx: Context,
}

impl Application {
    /// Binds, connects and checks. An error is one line that says what to do.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let listener = common::http::bind(config.listen_addr)?;
        let port = listener.local_addr()?.port();
        let ctx = config.sync.context(Clock::system(), ACQUIRE_TIMEOUT).await?;
        Ok(Self { listener, port, ctx })
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
        let mut loops = start_loops(&self.ctx, &stop);
        let readiness = readiness(self.ctx.pool.clone());
        let served = common::http::serve(self.listener, 1, readiness, stop.clone(), |_| ()).await;
        // The server ends by itself only when it fails; the loops have no use without it.
        stop.cancel();
        let drained = tokio::time::timeout(DRAIN_TIMEOUT, async {
            while loops.join_next().await.is_some() {}
        });
        if drained.await.is_err() {
            tracing::warn!("Some work did not end in time and is cut off; its lease lets others take over");
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
    start!("disconnect", DISCONNECT_EVERY, connections::leave_once);
    start!("horizon", HORIZON_EVERY, pull::extend_horizon_once);
    start!("sweep", SWEEP_EVERY, pull::purge_once);
    start!("purge", PURGE_EVERY, poll::purge_once);
    start!("forget", PURGE_EVERY, write::purge_once);
    loops
}

fn readiness(pool: PgPool) -> Readiness {
    Readiness::new(move || {
        let pool = pool.clone();
        async move {
            match tokio::time::timeout(READY_TIMEOUT, store::check_schema(&pool)).await {
                Ok(checked) => checked.map_err(|error| error.to_string()),
                Err(_) => Err("the database does not answer".to_owned()),
            }
        }
    })
}
