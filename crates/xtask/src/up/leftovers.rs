//! Processes of an earlier `up` that was killed before it could stop them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use provision::process::{self, signal};
use rustix::process::Signal;

use crate::interrupt;
use crate::services::PACKAGES;
use crate::supervisor::Supervisor;

/// The longest that they may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// Records which processes run, for the next `up`.
pub fn record(state: &Path, running: &Supervisor) -> Result<()> {
    let pids: Vec<_> = running
        .pids()
        .map(|(name, pid)| format!("{pid} {name}"))
        .collect();
    fs::write(state.join("pids"), pids.join("\n")).context("cannot write the list of processes")
}

/// Ends the recorded processes that still run one of our programs: process ids are reused.
pub fn end(state: &Path) {
    let Ok(pids) = fs::read_to_string(state.join("pids")) else {
        return;
    };
    let pids = pids
        .lines()
        .filter_map(|line| line.split(' ').next()?.parse::<u32>().ok());
    let mut left: Vec<_> = pids.filter(|&pid| is_ours(pid)).collect();
    for &pid in &left {
        println!("Ending process {pid}, left behind by an earlier run");
        signal(pid, Signal::TERM);
    }
    let deadline = Instant::now() + STOP_WITHIN;
    while !left.is_empty() && Instant::now() < deadline {
        std::thread::sleep(interrupt::TICK);
        left.retain(|&pid| is_ours(pid));
    }
    for pid in left {
        signal(pid, Signal::KILL);
    }
    // If it stays, the next run finds none of these processes.
    let _ = fs::remove_file(state.join("pids"));
}

/// Whether `pid` runs one of our programs. A process that has ended and is not yet reaped has no arguments.
fn is_ours(pid: u32) -> bool {
    let arguments = process::output(Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]));
    arguments.is_ok_and(|args| {
        let ended = args.contains("<defunct>");
        !ended && (PACKAGES.iter().any(|name| args.contains(name)) || args.contains("deploy/centrifugo.json"))
    })
}
