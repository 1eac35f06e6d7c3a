//! The processes of the services, started again and again as a supervisor does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use provision::faketime;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::sleep;
use url::Url;

use super::link::{Link, Replica, ServiceKind};
use super::network::Network;
use super::plan::COPIES;
use crate::process::{Process, service_binary};

/// Bound on a start, whatever the faults of its links.
const START_WITHIN: Duration = Duration::from_mins(1);
/// The grace period of Compose and systemd.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Between two attempts to start.
const AGAIN: Duration = Duration::from_millis(300);

pub struct Running {
    pub replica: Replica,
    pub port: u16,
    env: BTreeMap<String, String>,
    log: PathBuf,
    /// The file from which libfaketime reads the clock's offset.
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

    /// Lets its clock be shifted from its next start on; `library` is libfaketime.
    pub fn move_clock_by(&mut self, library: &Path) {
        self.set("LD_PRELOAD", &library.to_string_lossy());
        let clock = self.clock.to_string_lossy().into_owned();
        self.set("FAKETIME_TIMESTAMP_FILE", &clock);
        // Seconds between two reads of the file. Waits use a clock that is not shifted, as when a real clock is set.
        self.set("FAKETIME_CACHE_DURATION", "1");
        self.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }

    pub fn set_clock(&self, seconds: i32) -> Result<()> {
        std::fs::write(&self.clock, format!("{seconds:+}\n")).context("cannot set a clock")
    }

    pub fn set(&mut self, variable: &str, value: &str) {
        self.env.insert(variable.to_owned(), value.to_owned());
    }

    /// Waits until it serves. It is started again if it exits because a dependency is down.
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

    /// Whether a proxy would send it requests.
    pub async fn is_ready(&self) -> bool {
        self.answers("readyz").await
    }

    async fn answers(&self, path: &str) -> bool {
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        let answer = self.http.get(url).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Whether it has ended by itself.
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

    /// Sends SIGTERM. The error describes how it failed to stop.
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

/// Starts all processes at once, each with its own links.
pub async fn start_all(
    network: &Network,
    env: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<BTreeMap<Replica, Mutex<Running>>> {
    let clocks = faketime::find_or_install(&mut |line| println!("{line}"));
    if clocks.is_none() {
        println!("libfaketime is not installed: the plan's clock steps are skipped");
    }
    let mut all = Vec::new();
    for service in ServiceKind::ALL {
        for number in 0..COPIES {
            let replica = Replica { service, number };
            let port = provision::port::free()?;
            let mut env = env.clone();
            lead_through(network, replica, &mut env).await?;
            env.insert("LISTEN_ADDR".to_owned(), format!("127.0.0.1:{port}"));
            let mut running = Running::new(replica, port, env, folder)?;
            if let Some(library) = &clocks {
                running.move_clock_by(library);
            }
            all.push(running);
        }
    }
    futures_util::future::try_join_all(all.iter_mut().map(Running::start)).await?;
    let all = all
        .into_iter()
        .map(|running| (running.replica, Mutex::new(running)));
    Ok(all.collect())
}

/// Replaces the addresses of Postgres, Google and Centrifugo in `env` by those of proxies.
async fn lead_through(network: &Network, replica: Replica, env: &mut BTreeMap<String, String>) -> Result<()> {
    for (link, variable) in [
        (Link::Database { replica }, "DATABASE_URL"),
        (Link::Google { replica }, "GOOGLE_BASE_URL"),
        (Link::Broker { replica }, "CENTRIFUGO_API_URL"),
    ] {
        let value = env.get_mut(variable).context(variable)?;
        let mut url = Url::parse(value)?;
        let port = network.lead(link, port_of(value)?).await?;
        ensure!(url.set_port(Some(port)).is_ok(), "{value} takes no port");
        *value = url.into();
    }
    Ok(())
}

pub fn port_of(url: &str) -> Result<u16> {
    Url::parse(url)?
        .port()
        .with_context(|| format!("{url} has no port"))
}

pub async fn urls(replicas: &BTreeMap<Replica, Mutex<Running>>, service: ServiceKind) -> Vec<String> {
    let mut urls = Vec::new();
    for (replica, running) in replicas {
        if replica.service == service {
            urls.push(format!("http://127.0.0.1:{}", running.lock().await.port));
        }
    }
    urls
}
