//! Child processes that end with the test, and whose last output is shown when the test fails.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use provision::faketime;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

/// Lines of a process's output that are kept.
const KEPT_LINES: usize = 50_000;
/// Lines of it that are shown.
const SHOWN_LINES: usize = 30;
/// Variables that a process inherits, beside those of a shifted clock.
const INHERITED: [&str; 3] = ["PATH", "HOME", "RUST_BACKTRACE"];

/// A running child. Killed when dropped, by its process id. Then its last lines are printed, unless they are in a file: a test
/// that succeeds stops its processes.
pub struct Process {
    pub name: String,
    child: Child,
    lines: Arc<Mutex<VecDeque<String>>>,
    is_shown_when_dropped: bool,
}

impl Process {
    /// Starts `command` with the given environment and [`INHERITED`] alone.
    pub fn start(name: &str, command: Command, env: &[(String, String)]) -> Result<Self> {
        Self::spawn(name, command, env, None)
    }

    /// As [`Process::start`]; its output is appended to the file `log` too.
    pub fn start_logged(name: &str, command: Command, env: &[(String, String)], log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        Self::spawn(name, command, env, Some(Arc::new(file)))
    }

    fn spawn(
        name: &str,
        mut command: Command,
        env: &[(String, String)],
        log: Option<Arc<File>>,
    ) -> Result<Self> {
        command
            .env_clear()
            .envs(
                std::env::vars()
                    .filter(|(name, _)| INHERITED.contains(&name.as_str()) || faketime::Clock::sets(name)),
            )
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let is_shown_when_dropped = log.is_none();
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(keep(stdout, name.to_owned(), lines.clone(), log.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(keep(stderr, name.to_owned(), lines.clone(), log));
        }
        Ok(Self {
            name: name.to_owned(),
            child,
            lines,
            is_shown_when_dropped,
        })
    }

    /// Sends SIGKILL.
    pub async fn kill(mut self) {
        self.is_shown_when_dropped = false;
        let _ = self.child.kill().await;
    }

    /// Sends SIGTERM and returns the exit code. Fails if the process takes longer than `patience`.
    pub async fn terminate(mut self, patience: Duration) -> Result<Option<i32>> {
        self.signal("TERM").await?;
        self.is_shown_when_dropped = false;
        let status = tokio::time::timeout(patience, self.child.wait())
            .await
            .with_context(|| format!("{} did not end within {patience:?}", self.name))??;
        Ok(status.code())
    }

    /// Sends a signal by name (`TERM`, `STOP`, `CONT`).
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let id = self
            .child
            .id()
            .with_context(|| format!("{} has ended", self.name))?;
        let status = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(id.to_string())
            .status()
            .await?;
        if !status.success() {
            bail!("kill -{signal} {id} ({}) failed", self.name);
        }
        Ok(())
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> Result<u64> {
        let id = self
            .child
            .id()
            .with_context(|| format!("{} has ended", self.name))?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .context("no VmRSS")?
            .trim()
            .parse()?;
        Ok(kib * 1024)
    }

    /// As [`processor_time`], of this process.
    pub fn processor_time(&self) -> Result<Duration> {
        let id = self
            .child
            .id()
            .with_context(|| format!("{} has ended", self.name))?;
        processor_time(id)
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The last lines that it printed.
    pub fn output(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_shown_when_dropped {
            let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            for line in lines.iter().skip(lines.len().saturating_sub(SHOWN_LINES)) {
                eprintln!("{}: {line}", self.name);
            }
        }
    }
}

async fn keep(
    stream: impl AsyncRead + Unpin,
    name: String,
    lines: Arc<Mutex<VecDeque<String>>>,
    log: Option<Arc<File>>,
) {
    let echo = std::env::var("E2E_LOG").is_ok();
    let mut reader = BufReader::new(stream).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        if echo {
            eprintln!("{name}: {line}");
        }
        if let Some(mut file) = log.as_deref() {
            // A full disk costs the log, not the test.
            let _ = writeln!(file, "{line}");
        }
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Ticks per second in `/proc`: a constant of Linux.
const TICKS_PER_SECOND: f64 = 100.0;

struct Stat {
    parent: u32,
    own_ticks: u64,
    /// Of children that have ended.
    childrens_ticks: u64,
}

impl Stat {
    fn of(id: u32) -> Result<Self> {
        let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The name before may have any character.
        let (_, fields) = text.rsplit_once(") ").context("no name in /proc")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks = |index: usize| -> Result<u64> {
            Ok(fields.get(index).context("too few fields in /proc")?.parse()?)
        };
        Ok(Self {
            parent: u32::try_from(ticks(1)?)?,
            own_ticks: ticks(11)? + ticks(12)?,
            childrens_ticks: ticks(13)? + ticks(14)?,
        })
    }
}

/// The processor time of a process and of all its children so far, also of those that have ended.
pub fn processor_time(id: u32) -> Result<Duration> {
    let stat = Stat::of(id)?;
    let mut ticks = stat.own_ticks + stat.childrens_ticks;
    for entry in std::fs::read_dir("/proc")? {
        let Some(child) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that ends now is no child any more.
        if let Ok(stat) = Stat::of(child)
            && stat.parent == id
        {
            ticks += stat.own_ticks;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 ticks")]
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}

/// The process that has started this one.
pub fn parent(id: u32) -> Result<u32> {
    Ok(Stat::of(id)?.parent)
}

/// A service's binary, beside the running test's, where cargo puts both.
pub fn service_binary(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let found = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not built: run `cargo build --workspace --bins` first"))?;
    Ok(found)
}
