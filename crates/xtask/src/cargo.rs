//! Cargo, as the gate and `up` call it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{interrupt, workspace};

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

/// `cargo run` of one of `e2e`'s binaries; what it is given comes after `--`.
pub fn run_e2e(bin: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked", "--package", "e2e", "--bin", bin]);
    command
}

/// Builds the binaries of `packages` and returns where each is, in the order asked for.
///
/// Cargo itself tells the paths, so that a target directory from its configuration is honoured.
pub fn build_binaries(packages: &[&str], release: bool) -> Result<Vec<PathBuf>> {
    let mut messages = tempfile::NamedTempFile::new()?;
    let mut command = cargo();
    command.args([
        "build",
        "--locked",
        "--bins",
        "--message-format=json-render-diagnostics",
    ]);
    if release {
        command.arg("--release");
    }
    for package in packages {
        command.args(["--package", package]);
    }
    interrupt::run(command.stdout(messages.as_file_mut().try_clone()?))?;
    let messages = std::fs::read_to_string(messages.path())?;
    let built: Vec<_> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect();
    packages
        .iter()
        .map(|&package| {
            let of_package = built.iter().find(|(name, _)| name == package);
            Ok(of_package
                .with_context(|| format!("the package {package} has no binary of its name"))?
                .1
                .clone())
        })
        .collect()
}

/// A Cargo subcommand from its own package: `PATH` or the cache, else installed into the cache.
pub fn tool(name: &str, version: &str) -> Result<PathBuf> {
    let root = provision::cache::dir()?.join(format!("{name}-{version}"));
    let binary = root.join("bin").join(name);
    if binary.is_file() {
        return Ok(binary);
    }
    if let Some(path) = provision::process::find_in_path(name) {
        return Ok(path);
    }
    println!("Installing {name} {version} into the cache (once)");
    let status = interrupt::status(
        cargo()
            .args(["install", "--quiet", "--locked", "--root"])
            .arg(&root)
            .arg(format!("{name}@{version}"))
            // These tools run for a second or two: what counts is how soon they are built.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("CARGO_TARGET_DIR", root.join("target")),
    )?;
    // Some 1 GB of intermediate files; the program alone is kept.
    let _ = std::fs::remove_dir_all(root.join("target"));
    if !status.success() {
        bail!("{name} {version} could not be installed ({status})");
    }
    Ok(binary)
}
