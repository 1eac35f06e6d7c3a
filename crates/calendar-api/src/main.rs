//! `calendar-api serve | migrate | health`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use calendar_api::{Application, Config, HealthConfig};
use clap::{Parser, Subcommand};
use common::worker::stop_on_signal;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Calwire's API for browsers: tRPC at /trpc, oRPC at /rpc-v1, the Google connect flow. Configured by environment
/// variables; .env.example lists them.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C (the default).
    Serve,
    /// Bring the database's schema up to date, then end. Needs DATABASE_URL only. Safe to run twice at once.
    Migrate,
    /// End with 0 if the service at LISTEN_ADDR is ready, for container health checks.
    Health,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let _traces = common::telemetry::init("calendar-api");
    let result = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => actix_web::rt::System::new().block_on(serve()),
        Command::Migrate => actix_web::rt::System::new().block_on(migrate()),
        Command::Health => actix_web::rt::System::new().block_on(health()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line for people, whatever LOG_FORMAT is.
            eprintln!("calendar-api: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> anyhow::Result<()> {
    let config: Config = common::config::from_env()?;
    let stop = stop_on_signal();
    Application::build(config).await?.run_until_stopped(stop).await
}

#[derive(Deserialize)]
struct DatabaseConfig {
    database_url: SecretString,
}

async fn migrate() -> anyhow::Result<()> {
    let config: DatabaseConfig = common::config::from_env()?;
    let pool = store::connect(config.database_url.expose_secret(), 1, Duration::from_secs(30))
        .await
        .context("cannot connect to DATABASE_URL")?;
    store::MIGRATOR.run(&pool).await.context("cannot migrate")?;
    tracing::info!("The database is up to date");
    Ok(())
}

async fn health() -> anyhow::Result<()> {
    let config: HealthConfig = common::config::from_env()?;
    common::http::probe(config.listen_addr)
        .await
        .map_err(anyhow::Error::msg)
}
