//! The demo's page in a container: see `docker-compose.yml`, profile `demo`.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use common::clock::Clock;
use common::http::Readiness;
use demo::Config;

/// Serves the demo's page, and signs tokens of its users for whoever asks. For a demo on your own machine only.
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
    /// End with 0 if the service at LISTEN_ADDR is ready, for container health checks.
    Health,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = Cli::parse().command;
    let config: Config = common::config::from_env()?;
    if matches!(command, Some(Command::Health)) {
        return common::http::probe(config.listen_addr)
            .await
            .map_err(anyhow::Error::msg);
    }
    let _traces = common::telemetry::init("demo");
    let listener = common::http::bind(config.listen_addr)?;
    let page = config.page_dir.join("index.html");
    page.metadata()
        .with_context(|| format!("PAGE_DIR has no page: {}", page.display()))?;
    let readiness = Readiness::new();
    let stop = common::worker::stop_on_signal();
    common::http::serve(listener, 1, readiness, stop, move |service| {
        demo::routes(&config, &Clock::system(), service);
    })
    .await?;
    Ok(())
}
