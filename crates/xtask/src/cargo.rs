//! Cargo, as the gate and `up` call it.
//!
//! Debug builds select the whole workspace, also for a single program: Cargo unifies features over the selected packages,
//! so any other selection would compile most dependencies again.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{interrupt, workspace};

/// The whole workspace without the simulation's hooks, which no release has; see the features of `e2e`.
pub const PRODUCTION: [&str; 4] = [
    "--workspace",
    "--no-default-features",
    "--features",
    "e2e/shared-build",
];

/// Cargo in this checkout. SQL is checked against `.sqlx`, so that a build needs no database.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(workspace::root())
        .env("SQLX_OFFLINE", "true")
        .stdin(Stdio::null());
    command
}

#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// How to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Debug,
    /// With optimisations. By package, as in the Dockerfile, so that a program has the features of production.
    Release,
}

/// Builds a program of a package and returns the command that runs it.
pub fn program(package: &str, program: &str) -> Result<Command> {
    let built = build(&[program], &["--package", package], Profile::Debug)?;
    let mut command = Command::new(built.into_iter().next().context("one was asked for")?);
    command.current_dir(workspace::root());
    Ok(command)
}

/// Builds a program of `e2e` and returns the command that runs it.
pub fn e2e(program: &str, profile: Profile) -> Result<Command> {
    let release = ["--package", "e2e", "--no-default-features"];
    let built = build(&[program], &release, profile)?;
    let program = built.into_iter().next().context("one was asked for")?;
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    Ok(command)
}

/// Builds the program of each package and returns the paths in the same order.
pub fn build_binaries(packages: &[&str], profile: Profile) -> Result<Vec<PathBuf>> {
    let release: Vec<_> = packages
        .iter()
        .flat_map(|package| ["--package", package])
        .collect();
    build(packages, &release, profile)
}

/// Builds programs and returns where they are, in the same order; `release` selects packages for a release.
///
/// Cargo itself reports the paths, so that a target directory from its configuration is honoured.
fn build(programs: &[&str], release: &[&str], profile: Profile) -> Result<Vec<PathBuf>> {
    let mut messages = tempfile::NamedTempFile::new()?;
    let mut command = cargo();
    command.args(["build", "--locked", "--message-format=json-render-diagnostics"]);
    match profile {
        Profile::Debug => command.arg("--workspace"),
        Profile::Release => command.arg("--release").args(release),
    };
    for program in programs {
        command.args(["--bin", program]);
    }
    interrupt::run(command.stdout(messages.as_file_mut().try_clone()?))?;
    let messages = std::fs::read_to_string(messages.path())?;
    let built: Vec<_> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect();
    let path = |program: &str| {
        let of_program = built.iter().find(|(name, _)| name == program);
        Some(of_program?.1.clone())
    };
    let paths: Vec<_> = programs.iter().filter_map(|program| path(program)).collect();
    if paths.len() != programs.len() {
        bail!("cargo built no executable for one of {}", programs.join(", "));
    }
    Ok(paths)
}
