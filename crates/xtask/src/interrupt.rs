//! Ctrl-C and SIGTERM end what was started, in order, instead of ending this process on the spot.

use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use provision::process::{show, stop};
use rustix::process::Signal;

static ASKED: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<()> = OnceLock::new();

/// How often waits look up.
pub const TICK: Duration = Duration::from_millis(50);

/// From here on a signal is noted instead of ending the process.
pub fn install() -> Result<()> {
    if INSTALLED.set(()).is_ok() {
        ctrlc::set_handler(|| ASKED.store(true, Ordering::Relaxed)).context("cannot handle signals")?;
    }
    Ok(())
}

pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// An error once a signal has come, to leave a long job by `?`.
pub fn check() -> Result<()> {
    if asked() {
        bail!("interrupted");
    }
    Ok(())
}

/// Runs to the end, or ends it when a signal comes.
pub fn status(command: &mut Command) -> Result<ExitStatus> {
    let shown = show(command);
    let mut child = command.spawn().with_context(|| format!("cannot run {shown}"))?;
    wait(&mut child)
}

/// Waits for the end of `child`, or ends it when a signal comes.
pub fn wait(child: &mut Child) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            check()?;
            return Ok(status);
        }
        if asked() {
            stop(child, Signal::TERM, Duration::from_secs(10));
            check()?;
        }
        std::thread::sleep(TICK);
    }
}

/// As [`status`], where only success will do.
pub fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("{} failed ({status})", show(command));
    }
    Ok(())
}
