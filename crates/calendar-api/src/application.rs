//! The service as a library: built, then run until it is stopped.

use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::{HttpResponse, web};
use anyhow::Context as _;
use common::clock::Clock;
use common::http::{ErrorBody, Readiness};
use common::service::{Background, Server};
use rpc::Router;
use sync::health;
use tokio_util::sync::CancellationToken;

use crate::NAME;
use crate::config::Config;
use crate::connect;
use crate::limit::{CallbackBudget, RateLimit};
use crate::on_view::RecentViews;
use crate::origin::Origin;
use crate::procedures;
use crate::reader::Reader;
use crate::state::{Caller, State};

const TRPC: &str = "/trpc";
/// oRPC 1. `/rpc-v1` is an alias: the path of the system that Calwire replaces.
const ORPC: [&str; 2] = ["/rpc", "/rpc-v1"];
/// A request waits this long for a connection of the pool before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long browsers cache the response to a preflight.
const PREFLIGHT_MAX_AGE_SECONDS: usize = 600;

/// The service: bound, checked, not yet serving.
pub struct Application {
    server: Server,
    state: Arc<State>,
}

impl Application {
    /// Binds the address, then checks the users' authentication, the broker, the database's schema and the keys.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        Self::build_with_clock(config, Clock::system()).await
    }

    /// As [`Application::build`], with a clock that a test moves.
    pub async fn build_with_clock(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let server = Server::bind(NAME, config.listen_addr)?;
        let authenticator = config.authenticator().map_err(anyhow::Error::msg)?;
        let broker = centrifugo::Client::new(&config.centrifugo_api_url, config.centrifugo_api_key.clone())?;
        broker
            .check(centrifugo::NAMESPACE)
            .await
            .context("CENTRIFUGO_API_URL")?;
        let tokens = centrifugo::Tokens::new(&config.centrifugo_token_secret);
        let browser_url = config.browser_url();
        let metrics_addr = config.sync.metrics_addr;
        let sync = config.sync.context(clock, ACQUIRE_TIMEOUT).await?;
        let reader = Reader::new(
            sync.pool.clone(),
            sync.clock.clone(),
            sync.settings.read_cache_bytes,
        );
        let reader = Arc::new(reader);
        let tables = [crate::metrics::METRICS, sync::metrics::METRICS];
        let server = server.export(metrics_addr, &tables, |exporter| {
            let pool = sync.pool.clone();
            let reader = reader.clone();
            exporter
                .collect(move || std::future::ready(sync::metrics::pool(&pool)))
                .collect(move || std::future::ready(reader.samples()))
        })?;
        let state = State {
            tokens,
            rate_limit: RateLimit::per_minute(config.rate_limit_per_minute),
            callbacks: CallbackBudget::new(config.trusted_proxies),
            recent_views: RecentViews::default(),
            reader,
            browser_url,
            app_origins: config.app_origins,
            sync,
            authenticator,
            broker,
        };
        Ok(Self {
            server,
            state: Arc::new(state),
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Serves until `stop` is cancelled and started requests are finished.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mode = match self.state.sync.settings.webhook_address() {
            Some(_) => "push",
            None => "polling only",
        };
        tracing::info!(port = self.port(), mode, "calendar-api is listening");
        let router = Arc::new(procedures::router());
        let readiness = readiness(&self.state);
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let mut background = Background::new(stop);
        self.state.reader.spawn(&mut background);
        let state = self.state;
        let routes = move |config: &mut web::ServiceConfig| routes(config, &state, &router);
        self.server
            .run_until_stopped(workers, readiness, background, routes)
            .await?;
        Ok(())
    }
}

/// Ready means that reads can be answered, which does not need the broker.
fn readiness(state: &State) -> Readiness {
    let (database, schema, keys) = (state.sync.clone(), state.sync.clone(), state.sync.clone());
    let broker = state.broker.clone();
    Readiness::new()
        .required("database", move || health::database(database.clone()))
        .required("schema", move || health::schema(schema.clone()))
        .optional("broker", move || health::broker(broker.clone()))
        .optional("keys", move || health::keys(keys.clone()))
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

/// Pages of the configured origins may call, with cookies; others may not.
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
        message: "No such path; procedures are at /trpc and /rpc",
    })
}
