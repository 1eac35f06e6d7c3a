//! The service as a library: built, then run until it is stopped.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::{HttpResponse, web};
use common::clock::Clock;
use common::http::{ErrorBody, Readiness};
use common::telemetry::metrics::Exporter;
use rpc::Router;
use sync::health;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Origin};
use crate::connect;
use crate::limit::RateLimit;
use crate::on_view::RecentViews;
use crate::procedures;
use crate::state::{Caller, State};

const TRPC: &str = "/trpc";
/// oRPC 1, at its own name and at the one of the system that Calwire replaces.
const ORPC: [&str; 2] = ["/rpc", "/rpc-v1"];
/// How long a request waits for a connection of the pool before it is answered with an error.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Browsers remember the answer to a preflight for so long.
const PREFLIGHT_MAX_AGE_SECONDS: usize = 600;

/// The bound, checked, not yet running service.
pub struct Application {
    listener: TcpListener,
    state: Arc<State>,
    workers: usize,
    metrics: Option<Exporter>,
}

impl Application {
    /// Binds, then checks the database, its keys and the broker. The error says in one line what is wrong.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        Self::build_with_clock(config, Clock::system()).await
    }

    /// As [`Application::build`], with a clock that a test moves.
    pub async fn build_with_clock(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let listener = common::http::bind(config.listen_addr)?;
        let authenticator = config.authenticator().map_err(anyhow::Error::msg)?;
        let broker = centrifugo::Client::new(&config.centrifugo_api_url, config.centrifugo_api_key.clone())?;
        broker.check(centrifugo::NAMESPACE).await?;
        let tokens = centrifugo::Tokens::new(&config.centrifugo_token_secret);
        let browser_url = config.browser_url();
        let metrics_addr = config.sync.metrics_addr;
        let sync = config.sync.context(clock, ACQUIRE_TIMEOUT).await?;
        if sync.settings.webhook_address().is_none() {
            tracing::info!("Polling-only mode, because PUBLIC_URL is not set");
        }
        let tables = [crate::metrics::METRICS, sync::metrics::METRICS];
        let metrics = metrics_addr
            .map(|addr| Exporter::bind(addr, "calendar-api", &tables))
            .transpose()?
            .map(|exporter| {
                let pool = sync.pool.clone();
                exporter.collect(move || std::future::ready(sync::metrics::pool(&pool)))
            });
        let state = State {
            tokens,
            connection_token_life: config.realtime_token_seconds.0,
            rate_limit: RateLimit::per_minute(config.rate_limit_per_minute),
            recent_views: RecentViews::default(),
            browser_url,
            app_origins: config.app_origins,
            sync,
            authenticator,
            broker,
        };
        Ok(Self {
            listener,
            state: Arc::new(state),
            metrics,
            workers: std::thread::available_parallelism().map_or(2, usize::from),
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().map_or(0, |addr| addr.port())
    }

    /// Serves until `stop` is cancelled and what has begun is finished.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> anyhow::Result<()> {
        tracing::info!(port = self.port(), "calendar-api is listening");
        let router = Arc::new(procedures::router());
        let readiness = readiness(&self.state);
        if let Some(metrics) = self.metrics {
            let stop = stop.clone();
            tokio::spawn(async move { metrics.serve(stop).await });
        }
        let state = self.state;
        common::http::serve(self.listener, self.workers, readiness, stop, move |config| {
            routes(config, &state, &router);
        })
        .await?;
        Ok(())
    }
}

/// Ready means that reads can be answered. Without the broker they can.
fn readiness(state: &State) -> Readiness {
    let (database, schema, keys) = (state.sync.clone(), state.sync.clone(), state.sync.clone());
    let broker = state.broker.clone();
    Readiness::new()
        .needs("database", move || health::database(database.clone()))
        .needs("schema", move || health::schema(schema.clone()))
        .misses("broker", move || health::broker(broker.clone()))
        .misses("keys", move || health::keys(keys.clone()))
}

fn routes(config: &mut web::ServiceConfig, state: &Arc<State>, router: &Arc<Router<Caller>>) {
    let scope = web::scope("")
        .wrap(cors(&state.app_origins))
        .app_data(web::Data::from(Arc::clone(state)))
        .configure(|config| {
            let state = Arc::clone(state);
            rpc::actix::mount(config, router, TRPC, &ORPC, move |request, outgoing| {
                Caller::of(Arc::clone(&state), request, outgoing)
            });
        })
        .route(connect::CALLBACK_PATH, web::get().to(connect::callback))
        .default_service(web::to(not_found));
    config.service(scope);
}

/// Pages of our origins may call, with cookies; others may not.
fn cors(origins: &[Origin]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST"])
        .allowed_headers([
            "content-type",
            "authorization",
            "trpc-accept",
            "x-orpc-batch",
            "x-csrf-token",
            "last-event-id",
        ])
        .expose_headers(["retry-after"])
        .supports_credentials()
        .max_age(PREFLIGHT_MAX_AGE_SECONDS);
    origins
        .iter()
        .fold(cors, |cors, origin| cors.allowed_origin(origin.as_str()))
}

async fn not_found() -> HttpResponse {
    HttpResponse::NotFound().json(ErrorBody {
        error: "not_found",
        message: "There is nothing here; procedures are at /trpc and /rpc-v1",
    })
}
