//! One process of a service, started again and again as a supervisor does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::time::sleep;

use super::fault::Replica;
use crate::process::{Process, service_binary};

/// A start has succeeded by then, whatever its links suffer.
const START_WITHIN: Duration = Duration::from_mins(1);
/// As Compose and systemd wait.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Between two starts of a process that does not come up.
const AGAIN: Duration = Duration::from_millis(300);

pub struct Running {
    pub replica: Replica,
    pub port: u16,
    env: BTreeMap<String, String>,
    log: PathBuf,
    /// By how much its clock is off, for libfaketime to read.
    clock: PathBuf,
    process: Option<Process>,
    http: reqwest::Client,
}

impl Running {
    /// Not running yet.
    pub fn new(replica: Replica, port: u16, env: BTreeMap<String, String>, folder: &Path) -> Result<Self> {
        let running = Self {
            replica,
            port,
            env,
            log: folder.join(format!("{}.log", replica.name())),
            clock: folder.join(format!("{}.clock", replica.name())),
            process: None,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(1))
                .build()?,
        };
        running.set_clock(0)?;
        Ok(running)
    }

    /// From now on its clock can be moved; `library` is libfaketime.
    pub fn move_clock_by(&mut self, library: &Path) {
        self.set("LD_PRELOAD", &library.to_string_lossy());
        let clock = self.clock.to_string_lossy().into_owned();
        self.set("FAKETIME_TIMESTAMP_FILE", &clock);
        // Seconds until it looks again. Waits go by a clock that nobody moves, as they do where a real one is set.
        self.set("FAKETIME_CACHE_DURATION", "1");
        self.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }

    pub fn set_clock(&self, seconds: i32) -> Result<()> {
        std::fs::write(&self.clock, format!("{seconds:+}\n")).context("cannot set a clock")
    }

    pub fn set(&mut self, variable: &str, value: &str) {
        self.env.insert(variable.to_owned(), value.to_owned());
    }

    /// Until it serves. One that ends at its start, because what it needs is away, is started again.
    pub async fn start(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_WITHIN {
            let mut command = Command::new(service_binary(self.replica.service.name())?);
            command.arg("serve");
            let env: Vec<_> = self.env.clone().into_iter().collect();
            let mut process = Process::start_logged(&self.replica.name(), command, &env, &self.log)?;
            loop {
                if self.answers("healthz").await {
                    self.process = Some(process);
                    return Ok(());
                }
                if process.has_ended() || started.elapsed() > START_WITHIN {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
            drop(process);
            sleep(AGAIN).await;
        }
        bail!(
            "{} does not start; its log is {}",
            self.replica.name(),
            self.log.display()
        )
    }

    /// Whether it would be sent requests.
    pub async fn is_ready(&self) -> bool {
        self.answers("readyz").await
    }

    async fn answers(&self, path: &str) -> bool {
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        let answer = self.http.get(url).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Whether it has ended without having been asked to.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::has_ended)
    }

    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    pub async fn signal(&self, signal: &str) -> Result<()> {
        let process = self.process.as_ref();
        process
            .with_context(|| format!("{} is not running", self.replica.name()))?
            .signal(signal)
            .await
    }

    /// SIGTERM. What was wrong with how it ended.
    pub async fn stop(&mut self) -> Result<(), String> {
        let Some(process) = self.process.take() else {
            return Ok(());
        };
        match process.terminate(STOP_WITHIN).await {
            Ok(Some(0)) => Ok(()),
            Ok(code) => Err(format!("{} ended with {code:?}", self.replica.name())),
            Err(error) => Err(format!("{error:#}")),
        }
    }
}
