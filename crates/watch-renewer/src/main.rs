//! The binary: reads the environment, then works until SIGTERM.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use watch_renewer::{Application, Config, HealthConfig};

/// Renews Google's push channels, polls what push does not cover, and purges what is over.
///
/// Configured by environment variables; .env.example describes each. Without PUBLIC_URL it runs in polling-only mode.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Work until SIGTERM or Ctrl-C (the default).
    Serve,
    /// Ask the running service on LISTEN_ADDR whether it is ready; exit code 0 if it is.
    Health,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        None | Some(Command::Serve) => serve().await,
        Some(Command::Health) => health().await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watch-renewer: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> anyhow::Result<()> {
    let _traces = common::telemetry::init("watch-renewer");
    let config: Config = common::config::from_env()?;
    let stop = common::worker::stop_on_signal();
    Application::build(config).await?.run_until_stopped(stop).await
}

async fn health() -> anyhow::Result<()> {
    let config: HealthConfig = common::config::from_env()?;
    common::http::probe(config.listen_addr)
        .await
        .map_err(anyhow::Error::msg)
}
