//! One process of a service.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::metrics::Scrape;
use crate::process::{Process, service_binary};
use crate::wait;

/// A service process that can be killed and started again on the same port.
pub struct Service {
    name: &'static str,
    port: u16,
    metrics_port: u16,
    process: Option<Process>,
    env: Vec<(String, String)>,
}

impl Service {
    pub(crate) async fn start(name: &'static str, port: u16, mut env: Vec<(String, String)>) -> Result<Self> {
        let metrics_port = provision::port::free()?;
        env.push(("LISTEN_ADDR".to_owned(), format!("127.0.0.1:{port}")));
        env.push(("METRICS_ADDR".to_owned(), format!("127.0.0.1:{metrics_port}")));
        let mut service = Self {
            name,
            port,
            metrics_port,
            process: None,
            env,
        };
        service.start_again().await?;
        Ok(service)
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    pub async fn start_again(&mut self) -> Result<()> {
        self.start_with(BTreeMap::new()).await
    }

    /// As [`Service::start_again`], with more environment for this start alone.
    pub async fn start_with(&mut self, env: BTreeMap<String, String>) -> Result<()> {
        ensure!(self.process.is_none(), "{} is running", self.name);
        let mut command = Command::new(service_binary(self.name)?);
        command.arg("serve");
        let env: Vec<_> = self.env.iter().cloned().chain(env).collect();
        let mut process = Process::start(self.name, command, &env)?;
        let health = format!("{}/healthz", self.url());
        let answered = wait::until(&format!("{} answers", self.name), async || {
            let answers = reqwest::get(&health)
                .await
                .is_ok_and(|response| response.status().is_success());
            (answers || process.has_ended()).then_some(answers)
        })
        .await;
        ensure!(answered, "{} ended at start:\n{}", self.name, process.output());
        self.process = Some(process);
        Ok(())
    }

    /// Sends SIGTERM and returns the exit code.
    pub async fn terminate(&mut self) -> Result<Option<i32>> {
        let process = self.process.take().context("not running")?;
        process.terminate(Duration::from_secs(10)).await
    }

    pub fn process(&self) -> Result<&Process> {
        self.process
            .as_ref()
            .with_context(|| format!("{} is not running", self.name))
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The address that Prometheus reads.
    pub fn metrics_addr(&self) -> String {
        format!("127.0.0.1:{}", self.metrics_port)
    }

    /// Its current metrics.
    pub async fn scrape(&self) -> Result<Scrape> {
        Scrape::of(&format!("http://{}/metrics", self.metrics_addr())).await
    }
}
