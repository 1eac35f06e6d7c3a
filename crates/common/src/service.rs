//! The mould of every service.
//!
//! A service is a library with a short `main`. Its `Application::build(config)` binds a [`Server`], checks what it depends on
//! and returns; `run_until_stopped(stop)` spawns its [`Background`] tasks and serves until `stop` is cancelled.
//!
//! A service that cannot start prints one line on stderr, `<service>: <error>`, and exits with 1. The error names the variable
//! and what it expects.

mod background;
mod server;

use std::future::Future;
use std::net::SocketAddr;
use std::process::{ExitCode, Termination};

use serde::Deserialize;

pub use background::Background;
pub use server::Server;

use crate::{config, http, optional, telemetry};

/// The subcommands of a service that has no others.
#[derive(Debug, Clone, Copy, Default, clap::Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or Ctrl-C (the default).
    #[default]
    Serve,
    /// Exit with 0 if the service at LISTEN_ADDR is ready, for container health checks.
    Health,
}

/// Runs `work` with logs and traces, and reports its error. For `main`.
pub fn run<T: Termination>(service: &'static str, work: impl Future<Output = anyhow::Result<T>>) -> ExitCode {
    block_on(service, async {
        let _traces = telemetry::init(service);
        work.await
    })
}

/// The subcommand `health`. `default`: where the service listens without `LISTEN_ADDR`.
pub fn health(service: &'static str, default: SocketAddr) -> ExitCode {
    block_on(service, async {
        let Health { listen_addr } = config::from_env()?;
        http::probe(listen_addr.unwrap_or(default))
            .await
            .map_err(anyhow::Error::msg)
    })
}

#[derive(Deserialize)]
struct Health {
    #[serde(default, deserialize_with = "listen_addr")]
    listen_addr: Option<SocketAddr>,
}

optional!(listen_addr: SocketAddr, "LISTEN_ADDR");

fn block_on<T: Termination>(service: &str, work: impl Future<Output = anyhow::Result<T>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(work));
    match result {
        Ok(value) => value.report(),
        Err(error) => {
            // One line for people, whatever LOG_FORMAT is.
            eprintln!("{service}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
