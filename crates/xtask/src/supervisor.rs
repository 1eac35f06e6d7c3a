//! The processes of the stack: their logs side by side, and all stop when one ends.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use provision::process::{signal, stop};
use rustix::process::Signal;

/// How many log lines of a process are shown again when it ends on its own.
const LAST_LINES: usize = 15;
/// How long a service may drain before it is killed, as in docker-compose.yml.
const GRACE: Duration = Duration::from_secs(15);
/// The width of the names before log lines.
const NAME_WIDTH: usize = 10;

type LastLines = Arc<Mutex<VecDeque<String>>>;

struct Process {
    name: &'static str,
    child: Child,
    last_lines: LastLines,
    readers: Vec<JoinHandle<()>>,
}

/// Processes in the order they were started. Dropping it stops them in the opposite order.
#[derive(Default)]
pub struct Supervisor(Vec<Process>);

impl Supervisor {
    /// Starts `command` and shows each line it prints under `name`.
    pub fn start(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        if !std::io::stdout().is_terminal() {
            // No colours in a file.
            command.env("NO_COLOR", "1");
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // In its own group, so that Ctrl-C in the terminal reaches only this process, which stops all in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let last_lines = LastLines::default();
        let mut readers = Vec::new();
        let colour = self.0.len();
        if let Some(out) = child.stdout.take() {
            readers.push(show_lines(name, colour, out, last_lines.clone()));
        }
        if let Some(err) = child.stderr.take() {
            readers.push(show_lines(name, colour, err, last_lines.clone()));
        }
        self.0.push(Process {
            name,
            child,
            last_lines,
            readers,
        });
        Ok(())
    }

    /// Fails when a process has ended, with its last lines.
    pub fn check(&mut self) -> Result<()> {
        for process in &mut self.0 {
            let Some(status) = process.child.try_wait()? else {
                continue;
            };
            // The log may hold more than has been read so far.
            for reader in process.readers.drain(..) {
                let _ = reader.join();
            }
            let lines = process.last_lines.lock().unwrap_or_else(PoisonError::into_inner);
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            bail!(
                "{} has ended ({status}). Its last lines:\n    {}",
                process.name,
                lines.join("\n    ")
            );
        }
        Ok(())
    }

    /// The process ids by name.
    pub fn pids(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.0.iter().map(|process| (process.name, process.child.id()))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // All are signalled at once, so that a stop takes as long as the slowest; then each is waited for, the last
        // started first.
        for process in self.0.iter().rev() {
            signal(process.child.id(), Signal::TERM);
        }
        for process in self.0.iter_mut().rev() {
            stop(&mut process.child, Signal::TERM, GRACE);
            for reader in process.readers.drain(..) {
                let _ = reader.join();
            }
        }
    }
}

fn show_lines(
    name: &'static str,
    colour: usize,
    stream: impl Read + Send + 'static,
    last_lines: LastLines,
) -> JoinHandle<()> {
    let prefix = prefix(name, colour);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            println!("{prefix} {line}");
            let mut last = last_lines.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line);
        }
    })
}

fn prefix(name: &str, colour: usize) -> String {
    if std::io::stdout().is_terminal() {
        // Cyan, yellow, green, magenta, blue: readable on light and dark.
        let colour = [36, 33, 32, 35, 34][colour % 5];
        format!("\x1b[{colour}m{name:NAME_WIDTH$}|\x1b[0m")
    } else {
        format!("{name:NAME_WIDTH$}|")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ends_is_named_with_its_last_lines() {
        let mut all = Supervisor::default();
        all.start("steady", Command::new("sleep").arg("60")).unwrap();
        all.start(
            "broken",
            Command::new("sh").args(["-c", "echo one; echo two >&2; exit 3"]),
        )
        .unwrap();
        let error = loop {
            match all.check() {
                Ok(()) => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.starts_with("broken has ended (exit status: 3)"), "{error}");
        assert!(
            error.contains("\n    one") && error.contains("\n    two"),
            "{error}"
        );

        let steady = all.pids().next().unwrap().1;
        drop(all);
        assert!(!std::path::Path::new(&format!("/proc/{steady}")).exists());
    }
}
