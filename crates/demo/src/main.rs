//! The demo's page in a container: see `docker-compose.yml`, profile `demo`.

use std::process::ExitCode;

use clap::Parser;
use common::service::{self, Command};
use common::worker::stop_on_signal;
use demo::{Application, LISTEN_ADDR, NAME};

/// Serves the demo's page, and signs tokens of its users for every caller. For a demo on your own machine only.
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
    Application::build(config)?.run_until_stopped(stop).await
}
