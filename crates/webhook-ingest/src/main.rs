//! `webhook-ingest`: see `--help`.

use std::process::ExitCode;

use clap::Parser;
use common::service::{self, Command};
use common::worker::stop_on_signal;
use webhook_ingest::{Application, LISTEN_ADDR, NAME};

/// Accepts Google Calendar's push notifications at POST /api/calendar/webhook, pulls what changed, and publishes it.
///
/// Configured by environment variables; .env.example describes each.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

fn main() -> ExitCode {
    match Cli::parse().command.unwrap_or_default() {
        Command::Serve => service::run(NAME, serve()),
        Command::Health => service::health(NAME, LISTEN_ADDR),
    }
}

async fn serve() -> anyhow::Result<()> {
    let config = common::config::from_env()?;
    let stop = stop_on_signal();
    Application::build(config).await?.run_until_stopped(stop).await
}
