//! Ctrl-C and SIGTERM stop the started processes in order, instead of ending this process at once.

use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use provision::process::{show, stop};
use rustix::process::Signal;

static ASKED: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<()> = OnceLock::new();

/// How often waits check for a signal.
pub const TICK: Duration = Duration::from_millis(50);

/// From now on a signal is recorded instead of ending the process.
pub fn install() -> Result<()> {
    if INSTALLED.set(()).is_ok() {
        ctrlc::set_handler(|| ASKED.store(true, Ordering::Relaxed)).context("cannot handle signals")?;
    }
    Ok(())
}

pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Fails after a signal, to leave a long job by `?`.
pub fn check() -> Result<()> {
    if asked() {
        bail!("interrupted");
    }
    Ok(())
}

/// Runs to the end, or stops the command after a signal.
pub fn status(command: &mut Command) -> Result<ExitStatus> {
    let shown = show(command);
    let mut child = command.spawn().with_context(|| format!("cannot run {shown}"))?;
    wait(&mut child)
}

/// Waits for the end of `child`, or stops it after a signal.
pub fn wait(child: &mut Child) -> Result<ExitStatus> {
    wait_or_stop(child, Duration::from_secs(10))
}

/// As [`wait`]; after a signal the child has `grace` to finish.
pub fn wait_or_stop(child: &mut Child, grace: Duration) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            check()?;
            return Ok(status);
        }
        if asked() {
            stop(child, Signal::TERM, grace);
            check()?;
        }
        std::thread::sleep(TICK);
    }
}

/// As [`status`]; fails unless the command succeeds.
pub fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("{} failed ({status})", show(command));
    }
    Ok(())
}
