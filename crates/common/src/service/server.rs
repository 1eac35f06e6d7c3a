//! The sockets of a service, and how long it may take to stop.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::web;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Background;
use crate::http::{self, Readiness};
use crate::telemetry::metrics::{Exporter, Metric};

/// How long a service may take to stop, the server's last requests included. Compose kills it after 15 s.
const STOP_WITHIN: Duration = Duration::from_secs(9);

/// A service's listener and, if it exports metrics, its exporter. Bound, not yet serving.
pub struct Server {
    service: &'static str,
    listener: TcpListener,
    exporter: Option<Exporter>,
}

impl Server {
    /// Binds `LISTEN_ADDR`. Call it before anything else, so that a taken port is the first error.
    pub fn bind(service: &'static str, listen_addr: SocketAddr) -> std::io::Result<Self> {
        Ok(Self {
            service,
            listener: http::bind("LISTEN_ADDR", listen_addr)?,
            exporter: None,
        })
    }

    /// Binds `METRICS_ADDR`, if it is set, and from here on counts the metrics of `tables`. `collectors` adds the samples that
    /// are taken at each scrape.
    pub fn export(
        mut self,
        metrics_addr: Option<SocketAddr>,
        tables: &[&[Metric]],
        collectors: impl FnOnce(Exporter) -> Exporter,
    ) -> std::io::Result<Self> {
        if let Some(addr) = metrics_addr {
            self.exporter = Some(collectors(Exporter::bind(addr, self.service, tables)?));
        }
        Ok(self)
    }

    /// The port of `LISTEN_ADDR`.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().map_or(0, |addr| addr.port())
    }

    /// Serves `routes` until the stop or a failure of the server, then waits for the background tasks.
    pub async fn run_until_stopped(
        self,
        workers: usize,
        readiness: Readiness,
        background: Background,
        routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> std::io::Result<()> {
        let stop = background.stop();
        let deadline = tokio::spawn(deadline(stop.clone()));
        if let Some(exporter) = self.exporter {
            tokio::spawn(exporter.serve(stop.clone()));
        }
        let served = http::serve(self.listener, workers, readiness, stop.clone(), routes).await;
        // The server ends by itself only when it fails; the tasks have no use without it.
        stop.cancel();
        background
            .drain(deadline.await.map_err(std::io::Error::other)?)
            .await;
        served
    }
}

async fn deadline(stop: CancellationToken) -> Instant {
    stop.cancelled().await;
    Instant::now() + STOP_WITHIN
}
