//! Toxiproxy, a proxy that adds faults to a network: an installed binary, one built earlier, or one built now
//! with Go.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::go::Program;
use crate::port;
use crate::process::{find_in_path, stop};

const PROGRAM: Program = Program {
    name: "toxiproxy",
    module: "github.com/Shopify/toxiproxy/v2",
    version: "2.12.0",
    package: "./cmd/server",
    ldflags: "-X github.com/Shopify/toxiproxy/v2.Version=2.12.0",
    otherwise: "put its toxiproxy-server into PATH",
};

/// `toxiproxy-server` in `PATH`, else the cache, else built into the cache. `progress` gets lines about the build.
pub fn binary(progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    if let Some(path) = find_in_path("toxiproxy-server") {
        return Ok(path);
    }
    PROGRAM.find_or_build(progress)
}

/// A running Toxiproxy without proxies; stopped when dropped.
#[derive(Debug)]
pub struct ToxiproxyServer {
    child: Child,
    port: u16,
}

impl ToxiproxyServer {
    /// Starts it on a free port and waits until its API answers. Its log goes to `log`.
    pub fn start(binary: &Path, log: &Path) -> Result<Self> {
        let port = port::free()?;
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(binary)
            .args(["-host", "127.0.0.1", "-port", &port.to_string()])
            // Otherwise it logs every connection.
            .env("LOG_LEVEL", "warn")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let mut server = Self { child, port };
        port::wait_until_open(port, Duration::from_secs(10), || match server.child.try_wait() {
            Ok(None) => Ok(()),
            _ => bail!("Toxiproxy ended at once; its log is {}", log.display()),
        })?;
        Ok(server)
    }

    /// Where its API is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for ToxiproxyServer {
    fn drop(&mut self) {
        stop(&mut self.child, Signal::TERM, Duration::from_secs(2));
    }
}
