//! A second process of the gate, for steps that leave cores idle.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use provision::process::stop;
use rustix::process::Signal;
use tempfile::NamedTempFile;

use super::report::Report;
use crate::interrupt;

/// How long it may take to stop the programs that it runs.
const GRACE: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub struct Side {
    child: Child,
    output: NamedTempFile,
    report: NamedTempFile,
}

impl Side {
    pub fn start(steps: &[&str]) -> Result<Self> {
        let (output, report) = (NamedTempFile::new()?, NamedTempFile::new()?);
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["test", "--report"]).arg(report.path());
        for step in steps {
            command.args(["--only", step]);
        }
        let both = output.reopen()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(both.try_clone()?)
            .stderr(both)
            .spawn()
            .context("cannot start the gate's second process")?;
        Ok(Self {
            child,
            output,
            report,
        })
    }

    /// Waits until these steps are through.
    pub fn wait_for(&mut self, steps: &[&str]) -> Result<()> {
        let mut has_said = false;
        loop {
            let report = Report::read(self.report.path())?;
            let missing: Vec<_> = steps.iter().filter(|step| !report.has(step)).copied().collect();
            if missing.is_empty() || self.child.try_wait()?.is_some() {
                return Ok(());
            }
            if !has_said {
                println!("-- waiting for {}", missing.join(", "));
                has_said = true;
            }
            interrupt::check()?;
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits for its end and prints its output.
    pub fn finish(mut self) -> Result<Report> {
        let status = interrupt::wait(&mut self.child)?;
        print!("{}", std::fs::read_to_string(self.output.path())?);
        if !status.success() {
            bail!("the gate's second process failed ({status})");
        }
        Report::read(self.report.path())
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        stop(&mut self.child, Signal::TERM, GRACE);
    }
}
