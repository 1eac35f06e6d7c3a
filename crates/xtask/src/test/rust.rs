//! The steps that build and run the tests of Rust. All select the whole workspace, so that nothing is compiled twice.

use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use provision::process;

use super::counts::counted;
use super::shared::Shared;
use crate::cargo::cargo;
use crate::{interrupt, tools, workspace};

/// For each target, several of which run at a time.
const FUZZ_SECONDS: &str = "5";
/// The tests that have a step of their own.
const APART: &str = "package(fuzzing) | (package(e2e) & test(/^(simulation|chaos)::/))";

pub fn build(_: &mut Shared) -> Result<()> {
    interrupt::run(cargo().args(["build", "--locked", "--workspace", "--all-targets"]))
}

pub fn tests(shared: &mut Shared) -> Result<()> {
    let mut command = nextest(&format!("not ({APART})"))?;
    command.args(slots()?).env("REDIS_SERVER_BIN", shared.redis()?);
    run(command, shared)
}

/// Two slots for each core, because most tests of the whole stack wait. `.config/nextest.toml` lists those that take more.
fn slots() -> Result<[String; 2]> {
    let slots = 2 * thread::available_parallelism()?.get();
    Ok(["--test-threads".to_owned(), slots.to_string()])
}

pub fn doctests(shared: &mut Shared) -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--doc", "--locked", "--workspace", "--quiet"]);
    counted(&mut command, &mut shared.report.tests)
}

/// `cargo xtask simulate` looks for bugs that are not known yet.
pub fn simulate(shared: &mut Shared) -> Result<()> {
    let mut command = nextest("package(e2e) & test(/^simulation::/)")?;
    command.args(slots()?);
    run(command, shared)
}

/// The corpora, and for some seconds changed inputs. The instrumented build of `fuzz/` takes longer than a gate has: only
/// its lock file is checked.
pub fn fuzz(shared: &mut Shared) -> Result<()> {
    let manifest = workspace::root().join("fuzz/Cargo.toml");
    process::output(
        cargo()
            .args(["metadata", "--locked", "--format-version", "1", "--manifest-path"])
            .arg(manifest),
    )
    .context("fuzz/Cargo.lock is behind: run `cargo update --workspace --manifest-path fuzz/Cargo.toml`")?;
    let mut command = nextest("package(fuzzing)")?;
    command.env("FUZZ_SECONDS", FUZZ_SECONDS);
    run(command, shared)
}

/// Alone: it takes all of the machine. `cargo xtask chaos` breaks more.
pub fn chaos(shared: &mut Shared) -> Result<()> {
    let mut command = nextest("package(e2e) & test(/^chaos::/)")?;
    command.args(["--run-ignored", "all"]);
    run(command, shared)
}

/// Nextest for the tests that `filter` selects, with the output of all of them where `filter` selects few.
fn nextest(filter: &str) -> Result<Command> {
    let mut command = Command::new(tools::CARGO_NEXTEST.find_or_install()?);
    command
        .args(["nextest", "run", "--locked", "--workspace", "--color", "never"])
        .args(["-E", filter])
        .current_dir(workspace::root())
        .env("SQLX_OFFLINE", "true");
    Ok(command)
}

fn run(mut command: Command, shared: &mut Shared) -> Result<()> {
    command
        .env("DATABASE_URL", shared.database_url()?)
        .env("CENTRIFUGO_BIN", shared.centrifugo()?);
    counted(&mut command, &mut shared.report.tests)
}
