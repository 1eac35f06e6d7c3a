//! `watch-renewer`: see `--help`.

use std::process::ExitCode;

use clap::Parser;
use common::service::{self, Command};
use common::worker::stop_on_signal;
use watch_renewer::{Application, LISTEN_ADDR, NAME};

/// Renews Google's push channels, polls what push does not cover, and purges old rows.
///
/// Configured by environment variables; .env.example describes each. Without PUBLIC_URL it runs in polling-only mode.
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
