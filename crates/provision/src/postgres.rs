//! Postgres: a private cluster from installed binaries, on loopback only, run by an unprivileged user.
//!
//! Postgres refuses to run as root, so under root the cluster belongs to the user `postgres`, or `nobody`.

mod place;

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::owner::Owner;
use crate::process::{find_in_path, output, signal, stop};
use crate::{apt, faketime, port};

/// The superuser of a private cluster, and the name of its database.
const NAME: &str = "calwire";
/// Tests of the whole stack run ten at a time on two cores: three services or more with eight connections each.
const MAX_CONNECTIONS: u32 = 1000;
/// The owner of the cluster under root: the first that exists.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// The directory that holds `initdb`, `postgres` and `psql`.
#[derive(Debug, Clone)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// In `PATH`, else the newest where packages install them.
    pub fn find() -> Option<Self> {
        if let Some(dir) =
            find_in_path("initdb").and_then(|path| Some(path.canonicalize().ok()?.parent()?.to_owned()))
            && dir.join("postgres").is_file()
        {
            return Some(Self(dir));
        }
        // Debian and Ubuntu, Fedora and RHEL (PGDG), Homebrew on either kind of Mac.
        let places = [
            "/usr/lib/postgresql",
            "/usr",
            "/opt/homebrew/opt",
            "/usr/local/opt",
        ];
        let found = places.into_iter().flat_map(|place| {
            let entries = fs::read_dir(place).into_iter().flatten().flatten();
            entries.map(|entry| entry.path())
        });
        found
            .filter_map(|dir| Some((version_in_name(&dir)?, dir.join("bin"))))
            .filter(|(_, bin)| bin.join("initdb").is_file())
            .max()
            .map(|(_, bin)| Self(bin))
    }

    /// As [`Binaries::find`]; as root on Debian, installs the package if needed.
    pub fn find_or_install(progress: &mut dyn FnMut(&str)) -> Result<Self> {
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        let remedy =
            "install it (Debian: apt-get install postgresql), or set DATABASE_URL to a database of your own";
        if !apt::can_install() {
            bail!("Postgres is not installed: {remedy}");
        }
        progress("Installing the package postgresql");
        apt::install(&["postgresql"])
            .with_context(|| format!("Postgres could not be installed: {remedy}"))?;
        Self::find().with_context(|| format!("the package postgresql brought no initdb: {remedy}"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.0.join(program));
        // The cluster's user may not be able to read the caller's directory.
        command.current_dir("/").env("LC_ALL", "C");
        command
    }

    /// The major version: `15`.
    fn major(&self) -> Result<String> {
        let said = output(self.command("postgres").arg("--version"))?;
        let version = said.split_whitespace().nth(2).unwrap_or_default();
        Ok(version.split('.').next().unwrap_or_default().to_owned())
    }

    /// Another program of Postgres, such as `pg_dump`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Runs SQL text or, with `file`, a file, in one `psql`, stopping at the first error.
    pub fn psql(&self, url: &str, script: Script<'_>) -> Result<String> {
        let mut command = Command::new(self.0.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]);
        match script {
            Script::Text(sql) => command.args(["-c", sql]),
            Script::File(path) => command.arg("-f").arg(path),
        };
        output(&mut command)
    }
}

/// The input of [`Binaries::psql`].
#[derive(Debug, Clone, Copy)]
pub enum Script<'a> {
    Text(&'a str),
    File(&'a Path),
}

/// The number in `15`, `pgsql-15` or `postgresql@15`.
fn version_in_name(dir: &Path) -> Option<u32> {
    let name = dir.file_name()?.to_str()?;
    let number = name
        .strip_prefix("pgsql-")
        .or_else(|| name.strip_prefix("postgresql@"))
        .unwrap_or(name);
    number.parse().ok()
}

/// The settings of a cluster.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The data directory. Under root it moves to `/var/tmp` if other users cannot reach it.
    pub dir: PathBuf,
    pub port: u16,
    /// The superuser's password. None, for tests: every user of this machine may connect.
    pub password: Option<String>,
    /// Off for tests: a crash of the machine may lose everything, and commits are faster.
    pub durable: bool,
    /// Of the server; none: the clock of this process.
    pub clock: Option<faketime::Clock>,
}

/// A running private cluster, stopped when dropped.
#[derive(Debug)]
pub struct Cluster {
    child: Child,
    binaries: Binaries,
    options: ClusterOptions,
    /// The directory of a temporary cluster, removed after the server has stopped: fields drop after `Drop::drop`.
    temporary_dir: Option<TempDir>,
}

impl Cluster {
    /// A cluster for one test run, on a free port, without a password, that is removed when dropped.
    /// `durable` as in [`ClusterOptions`].
    pub fn temporary(binaries: &Binaries, durable: bool) -> Result<Self> {
        Self::temporary_at(binaries, durable, None)
    }

    /// As [`Cluster::temporary`], with a server whose clock is shifted.
    pub fn temporary_at(binaries: &Binaries, durable: bool, clock: Option<faketime::Clock>) -> Result<Self> {
        let dir = if durable {
            place::on_disk()
        } else {
            place::in_memory()
        };
        let dir = dir.context("cannot make a temporary directory")?;
        let options = ClusterOptions {
            dir: dir.path().join("cluster"),
            port: port::free()?,
            password: None,
            durable,
            clock,
        };
        let mut cluster = Self::start(binaries, options)?;
        cluster.temporary_dir = Some(dir);
        Ok(cluster)
    }

    /// Creates the cluster if missing, starts it, and waits until it accepts connections.
    pub fn start(binaries: &Binaries, mut options: ClusterOptions) -> Result<Self> {
        let owner = Owner::choose(USERS)?;
        options.dir = reachable(owner, options.dir);
        if options.dir.join("PG_VERSION").exists() {
            end_leftover(&options.dir);
        } else {
            init(binaries, &options, owner)?;
        }
        let (made_by, major) = (
            fs::read_to_string(options.dir.join("PG_VERSION"))?,
            binaries.major()?,
        );
        if made_by.trim() != major {
            bail!(
                "the database in {} was made by Postgres {}, and this is Postgres {major}: start fresh, or install the \
                 older one",
                options.dir.display(),
                made_by.trim()
            );
        }
        if !port::is_free(options.port) {
            bail!("port {} is taken by another program", options.port);
        }
        let child = spawn(binaries, &options, owner)?;
        let mut cluster = Self {
            child,
            binaries: binaries.clone(),
            options,
            temporary_dir: None,
        };
        cluster.wait_until_ready()?;
        cluster.create_database(NAME)?;
        Ok(cluster)
    }

    /// The URL of Calwire's database in this cluster.
    pub fn url(&self) -> String {
        self.url_of(NAME)
    }

    /// The URL of another database in this cluster.
    pub fn url_of(&self, database: &str) -> String {
        let password = self
            .options
            .password
            .as_ref()
            .map(|it| format!(":{it}"))
            .unwrap_or_default();
        format!(
            "postgres://{NAME}{password}@127.0.0.1:{}/{database}",
            self.options.port
        )
    }

    /// The major version of its server: `15`.
    pub fn version(&self) -> Result<String> {
        self.binaries.major()
    }

    pub fn log_path(&self) -> PathBuf {
        log_path(&self.options.dir)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the server process runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Creates `database` unless it exists.
    pub fn create_database(&self, database: &str) -> Result<()> {
        let exists = format!("select 1 from pg_database where datname = '{database}'");
        if self.psql_admin(&exists)?.trim().is_empty() {
            self.psql_admin(&format!("create database \"{database}\""))?;
        }
        Ok(())
    }

    /// Replaces `database` by an empty one.
    pub fn recreate_database(&self, database: &str) -> Result<()> {
        self.psql_admin(&format!("drop database if exists \"{database}\" with (force)"))?;
        self.create_database(database)
    }

    /// Ends every process of the cluster at once, as a crash does, and starts it again: it recovers from its log.
    pub fn crash_and_restart(&mut self) -> Result<()> {
        self.crash();
        self.resume()
    }

    /// As [`Cluster::crash_and_restart`], and leaves it down until [`Cluster::resume`].
    pub fn crash(&mut self) {
        // SIGQUIT is Postgres's "immediate" mode: no checkpoint, and no orphaned backend that SIGKILL would leave.
        stop(&mut self.child, Signal::QUIT, Duration::from_secs(5));
    }

    /// Stops it and leaves it stopped until [`Cluster::resume`].
    pub fn pause(&mut self) {
        stop(&mut self.child, Signal::INT, Duration::from_secs(10));
    }

    pub fn resume(&mut self) -> Result<()> {
        self.child = spawn(&self.binaries, &self.options, Owner::choose(USERS)?)?;
        self.wait_until_ready()
    }

    fn psql_admin(&self, sql: &str) -> Result<String> {
        self.binaries.psql(&self.url_of("postgres"), Script::Text(sql))
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let log = self.log_path();
        loop {
            let Err(error) = self.psql_admin("select 1") else {
                return Ok(());
            };
            if !self.is_running() {
                let log = fs::read_to_string(&log).unwrap_or_default();
                let last = log.lines().rev().take(5).collect::<Vec<_>>();
                let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
                bail!("Postgres ended at once:\n{last}");
            }
            if Instant::now() > deadline {
                return Err(error.context("Postgres does not answer after 30 s"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is "fast": sessions are ended and a checkpoint is written.
        stop(&mut self.child, Signal::INT, Duration::from_secs(10));
    }
}

/// Removes a cluster's files, if there are any.
pub fn wipe(dir: &Path) -> Result<()> {
    let dir = reachable(Owner::choose(USERS)?, dir.to_owned());
    if !dir.exists() {
        return Ok(());
    }
    end_leftover(&dir);
    fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))
}

/// `dir`, or its counterpart in `/var/tmp` if `owner` cannot enter a directory above it, as `/root`.
fn reachable(owner: Owner, dir: PathBuf) -> PathBuf {
    let existing = dir.ancestors().skip(1).filter(|dir| dir.exists());
    if existing.into_iter().all(|dir| owner.passes(dir)) {
        return dir;
    }
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    PathBuf::from(format!("/var/tmp/calwire-postgres-{:016x}", hasher.finish()))
}

fn init(binaries: &Binaries, options: &ClusterOptions, owner: Owner) -> Result<()> {
    let dir = &options.dir;
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    owner.own(dir)?;
    let mut command = binaries.command("initdb");
    command
        .arg("-D")
        .arg(dir)
        .args(["-U", NAME, "--encoding=UTF8", "--locale=C", "--no-sync"]);
    let password_file = dir.with_extension("password");
    if let Some(password) = &options.password {
        fs::write(&password_file, password)?;
        fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600))?;
        owner.own(&password_file)?;
        command
            .arg("--auth=scram-sha-256")
            .arg("--pwfile")
            .arg(&password_file);
    } else {
        command.arg("--auth=trust");
    }
    let result = output(owner.run(&mut command)).context("initdb could not make a cluster");
    if options.password.is_some() {
        fs::remove_file(&password_file)?;
    }
    result.map(drop)
}

fn spawn(binaries: &Binaries, options: &ClusterOptions, owner: Owner) -> Result<Child> {
    let log = log_path(&options.dir);
    let file = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = binaries.command("postgres");
    command
        .arg("-D")
        .arg(&options.dir)
        .args(["-p", &options.port.to_string()])
        .args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
        ])
        .args(["-c", &format!("max_connections={MAX_CONNECTIONS}")]);
    if !options.durable {
        command.args([
            "-c",
            "fsync=off",
            "-c",
            "synchronous_commit=off",
            "-c",
            "full_page_writes=off",
        ]);
    }
    command
        .envs(options.clock.iter().flat_map(faketime::Clock::variables))
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        // In its own group, so that Ctrl-C in the terminal reaches only this process, which stops the services first.
        .process_group(0);
    owner
        .run(&mut command)
        .spawn()
        .with_context(|| format!("cannot run {}", binaries.0.join("postgres").display()))
}

/// Beside the cluster, with the logs of the services.
fn log_path(dir: &Path) -> PathBuf {
    dir.with_extension("log")
}

/// Stops the server in `dir` of an earlier run that was killed.
pub fn stop_leftover(dir: &Path) -> Result<()> {
    let dir = reachable(Owner::choose(USERS)?, dir.to_owned());
    end_leftover(&dir);
    Ok(())
}

fn end_leftover(dir: &Path) {
    let pid_file = dir.join("postmaster.pid");
    let pid = fs::read_to_string(&pid_file)
        .ok()
        .and_then(|text| text.lines().next()?.trim().parse::<u32>().ok());
    let Some(pid) = pid.filter(|&pid| is_postgres_of(pid, dir)) else {
        return;
    };
    signal(pid, Signal::INT);
    let deadline = Instant::now() + Duration::from_secs(10);
    while pid_file.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether `pid` is a Postgres on this directory, and not a later process with the same id.
fn is_postgres_of(pid: u32, dir: &Path) -> bool {
    let arguments = output(Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]));
    arguments.is_ok_and(|args| args.contains("postgres") && args.contains(&*dir.to_string_lossy()))
}

#[cfg(test)]
mod tests;
