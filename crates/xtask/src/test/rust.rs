//! The steps that build and run the tests of Rust. All select the whole workspace, so that nothing is compiled twice.

use anyhow::{Context, Result};
use provision::process;

use super::counts::counted;
use super::shared::Shared;
use crate::cargo::cargo;
use crate::nextest::nextest;
use crate::{interrupt, workspace};

/// For each target, several of which run at a time.
const FUZZ_SECONDS: &str = "5";

/// Checks the lock file of `fuzz/`, too, which is not built here.
pub fn build(_: &mut Shared) -> Result<()> {
    let manifest = workspace::root().join("fuzz/Cargo.toml");
    process::output(
        cargo()
            .args(["metadata", "--locked", "--format-version", "1", "--manifest-path"])
            .arg(manifest),
    )
    .context("fuzz/Cargo.lock is behind: run `cargo update --workspace --manifest-path fuzz/Cargo.toml`")?;
    interrupt::run(cargo().args(["build", "--locked", "--workspace", "--all-targets"]))
}

/// The tests of all `filters`, in one pool. `cargo xtask simulate` looks for bugs that are not known yet, and `cargo xtask
/// chaos` breaks more. Of fuzzing, here run the corpora and for some seconds changed inputs: the instrumented build of
/// `fuzz/` takes longer than a gate has.
pub fn tests(shared: &mut Shared, filters: &[&str]) -> Result<()> {
    let mut command = nextest(&filters.join(" | "))?;
    command
        .env("DATABASE_URL", shared.database_url()?)
        .env("CENTRIFUGO_BIN", shared.centrifugo()?)
        .env("REDIS_SERVER_BIN", shared.redis()?)
        .env("FUZZ_SECONDS", FUZZ_SECONDS);
    counted(&mut command, &mut shared.report.tests)
}

pub fn doctests(shared: &mut Shared) -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--doc", "--locked", "--workspace", "--quiet"]);
    counted(&mut command, &mut shared.report.tests)
}
