//! The service as a library: built, then run until it is stopped.

use actix_web::web;
use anyhow::Context as _;
use common::clock::Clock;
use common::http::Readiness;
use common::service::{Background, Server};
use tokio_util::sync::CancellationToken;

use crate::{Config, NAME, routes};

/// The demo: bound, checked, not yet serving.
pub struct Application {
    server: Server,
    config: Config,
}

impl Application {
    /// Binds the address, then checks that there is a page.
    pub fn build(config: Config) -> anyhow::Result<Self> {
        let server = Server::bind(NAME, config.listen_addr)?;
        let page = config.page_dir.join("index.html");
        page.metadata()
            .with_context(|| format!("PAGE_DIR: {} is missing", page.display()))?;
        Ok(Self { server, config })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Serves until `stop` is cancelled and started requests are finished.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> anyhow::Result<()> {
        let config = self.config;
        let routes = move |service: &mut web::ServiceConfig| routes(&config, &Clock::system(), service);
        self.server
            .run_until_stopped(1, Readiness::new(), Background::new(stop), routes)
            .await?;
        Ok(())
    }
}
