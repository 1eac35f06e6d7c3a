//! Centrifugo, the broker: an installed binary, one built earlier, or one built now with Go.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::go::Program;
use crate::port;
use crate::process::{find_in_path, output, stop};

/// The version that is built when none is found. 6.9.1 cannot be built any more: one of its dependencies is pinned to a
/// pseudo-version that the module proxy refuses.
pub const VERSION: &str = "6.9.6";
const PROGRAM: Program = Program {
    name: "centrifugo",
    module: "github.com/centrifugal/centrifugo/v6",
    version: VERSION,
    package: ".",
    ldflags: "-X github.com/centrifugal/centrifugo/v6/internal/build.Version=6.9.6",
    otherwise: "install it, or set CENTRIFUGO_BIN to its binary",
};

/// `CENTRIFUGO_BIN`, else `centrifugo` in `PATH`, else the cache, else built into the cache, which takes a minute or
/// two. `progress` gets lines about the build.
pub fn binary(progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CENTRIFUGO_BIN").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        if !path.is_file() {
            bail!("CENTRIFUGO_BIN names {}, which is not a file", path.display());
        }
        return Ok(path);
    }
    if let Some(path) = find_in_path("centrifugo") {
        return Ok(path);
    }
    PROGRAM.find_or_build(progress)
}

/// The same version, with a clock that [`faketime::Clock`](crate::faketime::Clock) can shift. Built into the cache with Go.
pub fn binary_with_clock(progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    PROGRAM.find_or_build_with_clock(progress)
}

/// `centrifugo checkconfig --strict`: unknown keys are errors, which a start would only warn about.
pub fn check_config(binary: &Path, config: &Path) -> Result<()> {
    output(
        Command::new(binary)
            .args(["checkconfig", "--strict", "-c"])
            .arg(config),
    )
    .map(drop)
}

/// The names of the environment variables that it reads. At start it would only warn about others.
pub fn variables(binary: &Path) -> Result<BTreeSet<String>> {
    let sample = output(
        Command::new(binary)
            .arg("defaultenv")
            .current_dir(std::env::temp_dir()),
    )?;
    let lines = sample.lines().filter_map(|line| line.split_once('='));
    Ok(lines.map(|(name, _)| name.to_owned()).collect())
}

/// The settings of a Centrifugo process besides its configuration file.
#[derive(Debug, Clone)]
pub struct CentrifugoOptions {
    pub config: PathBuf,
    /// The port for browsers.
    pub port: u16,
    /// The HTTP API, health and metrics.
    pub internal_port: u16,
    pub api_key: String,
    pub token_secret: String,
    /// Origins of pages that may open a socket.
    pub allowed_origins: Vec<String>,
    /// The Redis over which several nodes share their channels. None: this node keeps them in memory.
    pub redis: Option<String>,
}

impl CentrifugoOptions {
    /// The command that runs Centrifugo with these options; secrets are in the environment, never in arguments.
    pub fn command(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        command
            .arg("-c")
            .arg(&self.config)
            // Centrifugo reads a `.env` in its working directory; ours is for the services.
            .current_dir(std::env::temp_dir())
            .env("CENTRIFUGO_HTTP_SERVER_ADDRESS", "127.0.0.1")
            .env("CENTRIFUGO_HTTP_SERVER_INTERNAL_ADDRESS", "127.0.0.1")
            .env("CENTRIFUGO_HTTP_SERVER_PORT", self.port.to_string())
            .env(
                "CENTRIFUGO_HTTP_SERVER_INTERNAL_PORT",
                self.internal_port.to_string(),
            )
            .env("CENTRIFUGO_HTTP_API_KEY", &self.api_key)
            .env("CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY", &self.token_secret)
            .env(
                "CENTRIFUGO_CLIENT_ALLOWED_ORIGINS",
                self.allowed_origins.join(" "),
            );
        if let Some(redis) = &self.redis {
            command
                .env("CENTRIFUGO_ENGINE_TYPE", "redis")
                .env("CENTRIFUGO_ENGINE_REDIS_ADDRESS", redis);
        }
        command
    }

    pub fn ws_url(&self) -> String {
        format!("ws://localhost:{}/connection/websocket", self.port)
    }

    pub fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}/api", self.internal_port)
    }
}

/// A running Centrifugo, stopped when dropped.
#[derive(Debug)]
pub struct CentrifugoServer {
    child: Child,
    pub options: CentrifugoOptions,
}

impl CentrifugoServer {
    /// Starts it and waits until both its ports answer. Its log goes to `log`.
    pub fn start(binary: &Path, options: CentrifugoOptions, log: &Path) -> Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let child = options
            .command(binary)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let mut server = Self { child, options };
        for port in [server.options.port, server.options.internal_port] {
            port::wait_until_open(port, Duration::from_secs(10), || match server.child.try_wait() {
                Ok(None) => Ok(()),
                _ => bail!("Centrifugo ended at once; its log is {}", log.display()),
            })?;
        }
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As a crash does, without closing connections.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for CentrifugoServer {
    fn drop(&mut self) {
        stop(&mut self.child, Signal::TERM, Duration::from_secs(5));
    }
}
