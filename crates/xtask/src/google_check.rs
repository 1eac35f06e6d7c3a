//! `google-check`: Google's behaviour as Calwire expects it, checked against a real account.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::passed_on::Args;
use crate::{cargo, interrupt};

/// After Ctrl-C it deletes what it has created, a few calls with pauses and back-off.
const CLEAN_UP: Duration = Duration::from_mins(3);

pub fn run(args: &Args) -> Result<()> {
    interrupt::install()?;
    let mut command = cargo::program("google-conformance", "google-check")?;
    let mut child = command
        .args(&args.arguments)
        .spawn()
        .context("cannot run google-check")?;
    let status = interrupt::wait_or_stop(&mut child, CLEAN_UP)?;
    if !status.success() {
        bail!("google-check failed ({status})");
    }
    Ok(())
}
