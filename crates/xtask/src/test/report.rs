//! The outcome of a run: the table of its steps, its slowest tests, and how many tests passed.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::counts::Counts;

/// How many of the slowest tests are shown.
const SLOWEST: usize = 15;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub steps: Vec<Finished>,
    pub tests: Counts,
}

/// A step that ran.
#[derive(Debug, Serialize, Deserialize)]
pub struct Finished {
    pub name: String,
    pub took: Duration,
    pub passed: bool,
}

impl Report {
    pub fn add(&mut self, other: Self) {
        self.steps.extend(other.steps);
        self.tests.add_all(other.tests);
    }

    /// Replaces the file at once, so that a reader never meets half of it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let half = path.with_extension("half");
        fs::write(&half, serde_json::to_vec(self)?)?;
        fs::rename(half, path).context("cannot write the report")
    }

    /// An empty report if none has been written.
    pub fn read(path: &Path) -> Result<Self> {
        let report = fs::read(path)?;
        if report.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(&report).context("the report cannot be read")
    }

    pub fn has(&self, step: &str) -> bool {
        self.steps.iter().any(|finished| finished.name == step)
    }

    /// The slowest step first.
    pub fn sort(&mut self) {
        self.steps.sort_by_key(|step| std::cmp::Reverse(step.took));
    }

    pub fn failed(&self) -> Vec<&str> {
        let failed = self.steps.iter().filter(|step| !step.passed);
        failed.map(|step| step.name.as_str()).collect()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "steps:")?;
        for step in &self.steps {
            let result = if step.passed { "ok" } else { "FAILED" };
            writeln!(f, "  {:10} {:8} {:>12}", step.name, result, human(step.took))?;
        }
        let slowest = self.tests.slowest(SLOWEST);
        if !slowest.is_empty() {
            writeln!(f, "slowest tests:")?;
        }
        for (took, name) in slowest {
            writeln!(f, "  {took:7.1} s  {name}")?;
        }
        if !self.tests.failures.is_empty() {
            writeln!(f, "failed tests, with all of their output above:")?;
        }
        for name in &self.tests.failures {
            writeln!(f, "  {name}")?;
            for line in self.tests.output(name) {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

/// `7 s`, `12 min 3 s`.
pub fn human(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}
