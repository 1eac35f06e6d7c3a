//! Takes Google's push notifications, and runs the sync and relay loops.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use common::{config, http, telemetry, worker};
use webhook_ingest::{Application, Config, HealthConfig, StartError};

/// Takes Google Calendar's push notifications at POST /api/calendar/webhook, pulls what changed, and publishes it.
///
/// Configured by environment variables; .env.example describes each of them.
#[derive(Debug, Parser)]
#[command(name = "webhook-ingest", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C (the default)
    Serve,
    /// Ask the service that listens on LISTEN_ADDR whether it is ready; exit 0 when it is
    Health,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Serve);
    let outcome = match command {
        Command::Serve => serve().await,
        Command::Health => health().await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("webhook-ingest: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let _traces = telemetry::init("webhook-ingest");
    let config: Config = config::from_env().map_err(|error| error.to_string())?;
    let stop = worker::stop_on_signal();
    let application = Application::build(config)
        .await
        .map_err(|error: StartError| error.to_string())?;
    application
        .run_until_stopped(stop)
        .await
        .map_err(|error| error.to_string())
}

async fn health() -> Result<(), String> {
    let config: HealthConfig = config::from_env().map_err(|error| error.to_string())?;
    http::probe(config.listen_addr).await
}
