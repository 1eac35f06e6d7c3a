//! Redis, over which several nodes of the broker share their channels: an installed program, or Debian's.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::owner::Owner;
use crate::process::{find_in_path, stop};
use crate::{apt, faketime, port};

/// As in docker-compose.yml: nothing on disk, and no eviction.
pub const SETTINGS: [&str; 6] = [
    "--save",
    "",
    "--appendonly",
    "no",
    "--maxmemory-policy",
    "noeviction",
];

/// The program acts by the name it is called by. Debian's `redis-tools` has it under this name; `redis-server` is a link to
/// it in another package, together with a server that starts by itself.
const OTHER_NAME: &str = "redis-check-rdb";
const NAME: &str = "redis-server";
/// The owner of the process under root: the first that exists.
const USERS: [&str; 2] = ["redis", "nobody"];

/// `REDIS_SERVER_BIN`, else `redis-server` in `PATH`, by this name or the other.
pub fn find() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("REDIS_SERVER_BIN").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(path));
    }
    [NAME, OTHER_NAME].into_iter().find_map(find_in_path)
}

/// As [`find`]; as root on Debian, installs the package if needed.
pub fn find_or_install(progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let remedy = "install it (Debian: apt-get install redis-server), or set REDIS_SERVER_BIN to a redis-server of 6.2 or newer";
    if !apt::can_install() {
        bail!("Redis is not installed: {remedy}");
    }
    progress("Installing Redis for the tests with several Centrifugo nodes");
    apt::install(&["redis-tools"]).with_context(|| format!("Redis could not be installed: {remedy}"))?;
    find().with_context(|| format!("the package redis-tools brought no {OTHER_NAME}: {remedy}"))
}

/// A running Redis on loopback, empty at its start, stopped when dropped.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
}

impl RedisServer {
    /// Starts it and waits until it answers. Its log goes to `log`.
    pub fn start(binary: &Path, port: u16, log: &Path) -> Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(binary);
        command
            .arg0(NAME)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(SETTINGS)
            // The server's user may not be able to read the caller's directory.
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        // libfaketime and Redis's allocator wait for each other. Redis is asked for durations alone, not for the time.
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(faketime::Clock::sets) {
                command.env_remove(variable);
            }
        }
        let child = Owner::choose(USERS)?
            .run(&mut command)
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let mut server = Self { child };
        port::wait_until_open(port, Duration::from_secs(10), || match server.child.try_wait() {
            Ok(None) => Ok(()),
            _ => bail!("Redis ended at once; its log is {}", log.display()),
        })?;
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As a crash does: its data are lost.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        stop(&mut self.child, Signal::TERM, Duration::from_secs(5));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;
    use crate::process::output;

    /// The answer to one command, as on the wire.
    fn ask(port: u16, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .write_all(format!("{command}\r\nQUIT\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn it_runs_as_nobody_of_importance_and_comes_back_empty() {
        let binary = find_or_install(&mut |_| {}).unwrap();
        let (port, log) = (port::free().unwrap(), tempfile::NamedTempFile::new().unwrap());
        let server = RedisServer::start(&binary, port, log.path()).unwrap();
        let uid = output(Command::new("ps").args(["-o", "uid=", "-p", &server.pid().to_string()])).unwrap();
        assert_ne!(uid.trim(), "0", "it is root's");
        assert!(ask(port, "SET kept no").starts_with("+OK"));
        assert!(ask(port, "GET kept").starts_with("$2\r\nno"));
        server.kill();

        let server = RedisServer::start(&binary, port, log.path()).unwrap();
        assert!(ask(port, "GET kept").starts_with("$-1"));
        drop(server);
        assert!(port::is_free(port));
    }
}
