//! A faithful Google for tests and demos: OAuth 2 and Calendar v3 with push notifications, sync tokens and scripted
//! faults, in memory, written from Google's documentation.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use google_emulator::{Config, Emulator, Fault, Rule, Seed};
//! use serde_json::json;
//!
//! let seed = Seed::demo("2026-11-22".parse()?);
//! let google = Emulator::start(Config { seed, allow_http_callbacks: true, ..Config::default() }).await?;
//! let token = google.mint("alice@example.com", &["https://www.googleapis.com/auth/calendar"])?;
//! // Point a client at `google.calendar_url()` with `token.access_token`, then change things "in Google":
//! let lunch = json!({"summary": "Lunch", "start": {"date": "2026-11-23"}, "end": {"date": "2026-11-24"}});
//! google.insert("alice@example.com", "primary", lunch)?;
//! google.fault(Rule::new("events.list", Fault::Gone { page: 2 }).times(1));
//! # Ok(())
//! # }
//! ```
//!
//! - OAuth: `/o/oauth2/v2/auth`, `/token`, `/revoke`, `/oauth2/v3/userinfo` ([`oauth`]).
//! - Calendar v3: `/calendar/v3/…`, with the trailing slash of [`Emulator::calendar_url`] as base.
//! - Everything a test wants to see or bring about: [`Emulator`] in the same process, `/_emulator/…` over HTTP
//!   ([`admin`] lists it).
//! - A page for people at `/`.

mod accounts;
pub mod admin;
mod calendar_list;
mod calls;
pub mod clock;
mod colors;
mod conference;
mod error;
mod event_list;
mod event_put;
mod event_types;
mod event_view;
mod event_write;
mod faults;
mod fields;
mod free_busy;
mod grants;
mod guests;
mod handle;
pub mod ics;
mod invitations;
mod log;
mod new_id;
pub mod oauth;
mod page;
mod paging;
mod params;
mod push;
mod recurrence;
mod scopes;
pub mod seed;
mod settings;
mod shared;
mod state;
mod store;
mod time;
mod v3;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, PayloadConfig};
use actix_web::{App, HttpServer};
use tokio::task::JoinHandle;

pub use error::ApiError;
pub use faults::{Fault, Rule};
pub use grants::MAX_REFRESH_TOKENS;
pub use handle::Tokens;
pub use log::{Change, Mail, MailKind, Received, Sent};
pub use oauth::Decision;
pub use paging::SyncToken;
pub use push::Diverted;
pub use seed::Seed;
pub use settings::{Quota, Settings};
pub(crate) use shared::Shared;
pub use shared::{Client, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};
pub use state::State;
pub use store::{Resource, Revision};

/// How an emulator starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The accounts, calendars and events at the start and after a reset.
    pub seed: Seed,
    pub client: Client,
    /// Accept `http://` push addresses, which Google refuses.
    pub allow_http_callbacks: bool,
    /// Further settings, applied at the start and after a reset.
    pub settings: Settings,
}

impl Default for Config {
    /// A free port of the own machine and no accounts.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: Seed::default(),
            client: Client::default(),
            allow_http_callbacks: false,
            settings: Settings::default(),
        }
    }
}

/// A running emulator; it stops when this is dropped.
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    server: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
}

impl Emulator {
    /// Binds, loads the seed and serves in the background.
    #[expect(
        clippy::unused_async,
        reason = "it has to be called inside a runtime, and async says so"
    )]
    pub async fn start(config: Config) -> std::io::Result<Self> {
        let listener = TcpListener::bind(config.listen).map_err(|error| {
            std::io::Error::new(
                error.kind(),
                format!("cannot listen on {}: {error}", config.listen),
            )
        })?;
        let mut settings = config.settings;
        settings.allow_http_callbacks |= config.allow_http_callbacks;
        let base_url = format!("http://{}", listener.local_addr()?);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(std::io::Error::other)?;
        let shared = Data::new(Shared {
            state: Mutex::new(State::new(base_url.clone(), settings.clone())),
            runtime: tokio::runtime::Handle::current(),
            client: config.client,
            seed: config.seed,
            base_url,
            settings,
            http,
        });
        shared.reset().map_err(std::io::Error::other)?;
        oauth::prepare_id_tokens();
        let server = serve(listener, shared.clone())?;
        let handle = server.handle();
        Ok(Self {
            shared: shared.into_inner(),
            server: handle,
            task: tokio::spawn(server),
        })
    }

    /// Serves until the process receives a signal to stop.
    pub async fn run_until_stopped(mut self) -> std::io::Result<()> {
        tokio::select! {
            result = &mut self.task => result.map_err(std::io::Error::other)?,
            result = tokio::signal::ctrl_c() => result,
            () = terminated() => Ok(()),
        }
    }

    /// Stops at once; requests being answered are cut.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.shared.state().channels.clear();
        // Creating the future sends the command; it need not be awaited.
        drop(self.server.stop(false));
    }
}

async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

fn serve(listener: TcpListener, shared: Data<Shared>) -> std::io::Result<actix_web::dev::Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .app_data(PayloadConfig::new(16 << 20))
            .wrap(from_fn(calls::intercept))
            .configure(oauth::routes)
            .configure(v3::routes)
            .configure(page::configure)
            .configure(admin::routes)
    })
    .workers(2)
    // As Google's front end: <https://cloud.google.com/load-balancing/docs/https#timeouts_and_retries>.
    .keep_alive(Duration::from_secs(610))
    .disable_signals()
    .shutdown_timeout(1)
    // A second handle on the socket lets a fault close it under the server.
    .on_connect(|io, data| {
        if let Some(stream) = io.downcast_ref::<actix_web::rt::net::TcpStream>()
            && let Ok(twin) = stream.as_fd().try_clone_to_owned()
        {
            data.insert(Arc::new(std::net::TcpStream::from(twin)));
        }
    })
    .listen(listener)?;
    Ok(server.run())
}
