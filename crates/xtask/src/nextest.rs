//! Nextest, which runs the tests in one pool.

use std::process::{Command, Stdio};
use std::thread;

use anyhow::Result;

use crate::{tools, workspace};

/// Most tests of the whole stack wait. `.config/nextest.toml` says which take more slots than one.
const SLOTS_PER_CORE: usize = 5;

/// Nextest for the tests that `filter` selects, in one pool.
pub fn nextest(filter: &str) -> Result<Command> {
    let slots = SLOTS_PER_CORE * thread::available_parallelism()?.get();
    let mut command = Command::new(tools::CARGO_NEXTEST.find_or_install()?);
    command
        .args(["nextest", "run", "--locked", "--workspace", "--color", "never"])
        .args(["--test-threads", &slots.to_string()])
        // Those that take the whole machine are ignored by `cargo test`.
        .args(["--run-ignored", "all"])
        .args(["-E", filter])
        .current_dir(workspace::root())
        .env("SQLX_OFFLINE", "true")
        .stdin(Stdio::null());
    Ok(command)
}
