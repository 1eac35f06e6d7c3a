//! Centrifugo, the broker: an installed binary, one built earlier, or one built now with Go.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::process::{find_in_path, output, stop};
use crate::{cache, port};

/// The version that is built when none is found. 6.9.1, which older notes name, cannot be built any more: one of its
/// dependencies is pinned to a pseudo-version that the module proxy refuses.
pub const VERSION: &str = "6.9.6";
const MODULE: &str = "github.com/centrifugal/centrifugo/v6";
/// How often the download is tried: a module proxy has bad minutes, and Go resumes where it was.
const DOWNLOAD_ATTEMPTS: u32 = 3;
/// How much of what Go says is told when it fails.
const LAST_LINES: usize = 20;

/// `CENTRIFUGO_BIN`, else `centrifugo` in `PATH`, else the cache, else built into the cache, which takes a minute or
/// two. `progress` is told about the build, one line a call.
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
    let dir = cache::dir()?.join("bin");
    let path = dir.join(format!("centrifugo-{VERSION}"));
    if !path.is_file() {
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        // Two builds at once (`up` beside `test`) would write the same file: the second waits and finds it done.
        let lock = File::create(dir.join("centrifugo.lock"))?;
        lock.lock()?;
        if !path.is_file() {
            build(&path, progress)?;
        }
    }
    Ok(path)
}

/// Builds from the module's own source directory, with the module's own `go.sum`.
///
/// `go install …@version` would be shorter, but it asks the proxy for the list of versions to look for a deprecation
/// notice, and proxies that serve pinned versions only refuse that.
fn build(path: &Path, progress: &mut dyn FnMut(&str)) -> Result<()> {
    let go = find_in_path("go").with_context(|| {
        format!(
            "Centrifugo is not installed and Go (1.26 or newer) is not there to build it: install either, or set \
             CENTRIFUGO_BIN to a Centrifugo {VERSION} binary"
        )
    })?;
    progress(&format!("Downloading the source of Centrifugo {VERSION}"));
    let source = download(&go, progress)?;
    progress(&format!(
        "Building Centrifugo {VERSION} (once, about two minutes)"
    ));
    // Beside the target and then renamed, so that a build that was interrupted leaves no half a program.
    let partial = path.with_extension("partial");
    let ldflags = format!("-s -w -X {MODULE}/internal/build.Version={VERSION}");
    compile(
        Command::new(&go)
            .args(["build", "-C"])
            .arg(&source)
            .args(["-v", "-ldflags", &ldflags, "-o"])
            .arg(&partial)
            .arg(".")
            .env("CGO_ENABLED", "0"),
        progress,
    )
    .context("Centrifugo did not build")?;
    std::fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Runs a `go build -v`, which names each package it compiles, and tells how many there were every now and then.
fn compile(command: &mut Command, progress: &mut dyn FnMut(&str)) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run go")?;
    let (mut packages, mut told, mut last_lines) = (0, Instant::now(), VecDeque::new());
    for line in child
        .stderr
        .take()
        .into_iter()
        .flat_map(|stderr| BufReader::new(stderr).lines())
    {
        packages += 1;
        if told.elapsed() > Duration::from_secs(10) {
            progress(&format!("  {packages} packages"));
            told = Instant::now();
        }
        if last_lines.len() == LAST_LINES {
            last_lines.pop_front();
        }
        last_lines.push_back(line?);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("go failed ({status}):\n{}", Vec::from(last_lines).join("\n"));
    }
    Ok(())
}

fn download(go: &Path, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let mut attempt = 1;
    let answer = loop {
        let result = output(
            Command::new(go)
                .args(["mod", "download", "-json", &format!("{MODULE}@v{VERSION}")])
                // Outside any module, so that nobody's go.mod has a say.
                .current_dir(std::env::temp_dir()),
        );
        match result {
            Ok(answer) => break answer,
            Err(error) if attempt == DOWNLOAD_ATTEMPTS => {
                return Err(error.context("the source of Centrifugo could not be downloaded"));
            }
            Err(_) => progress(&format!("The download failed, trying again ({attempt})")),
        }
        attempt += 1;
        std::thread::sleep(Duration::from_secs(3));
    };
    source_dir(&answer).context("`go mod download -json` named no directory")
}

/// The value of `"Dir"` in Go's flat JSON answer, one member a line. Paths in a module cache need no unescaping.
fn source_dir(answer: &str) -> Option<PathBuf> {
    let line = answer
        .lines()
        .find_map(|line| line.trim().strip_prefix("\"Dir\": \""))?;
    Some(PathBuf::from(line.trim_end_matches([',', '"'])))
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

/// What a Centrifugo process is started with besides its configuration file.
#[derive(Debug, Clone)]
pub struct Options {
    pub config: PathBuf,
    /// Where browsers connect.
    pub port: u16,
    /// The HTTP API, health and metrics.
    pub internal_port: u16,
    pub api_key: String,
    pub token_secret: String,
    /// Origins of pages that may open a socket.
    pub allowed_origins: Vec<String>,
}

impl Options {
    /// The command that runs Centrifugo with these options; secrets go by environment, never by argument.
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
pub struct Server {
    child: Child,
    pub options: Options,
}

impl Server {
    /// Starts it and waits until both its ports answer. Its log goes to `log`.
    pub fn start(binary: &Path, options: Options, log: &Path) -> Result<Self> {
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

    /// As by a crash: no goodbye to anybody.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        stop(&mut self.child, Signal::TERM, Duration::from_secs(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_directory_is_read_from_gos_answer() {
        let answer = "{\n\t\"Path\": \"x/v6\",\n\t\"Dir\": \"/home/a/go/pkg/mod/x/v6@v6.9.6\",\n\t\"Sum\": \"h1:\"\n}\n";
        assert_eq!(
            source_dir(answer),
            Some(PathBuf::from("/home/a/go/pkg/mod/x/v6@v6.9.6"))
        );
        assert_eq!(source_dir("{}"), None);
    }
}
