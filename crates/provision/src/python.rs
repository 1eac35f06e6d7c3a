//! Packages from PyPI: independent implementations that tests compare with, and prebuilt tools.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::process::{find_in_path, output};

/// The `python` of a virtual environment with exactly these packages (`name==version`) and their dependencies. The first
/// call creates it in the cache, under `name` and the packages' versions.
///
/// `PYTHON_BIN`, or `python3` in `PATH`, creates it. pip reads its own configuration and environment.
pub fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let dir = cache::dir()?.join(format!("python-{name}-{}", versions(packages)));
    make(&dir, packages.iter().map(OsStr::new))
}

/// As [`environment`], from a `requirements.txt` that pins every package by hash. A changed file is another environment.
pub fn environment_of(name: &str, requirements: &Path) -> Result<PathBuf> {
    let text =
        std::fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let dir = cache::dir()?.join(format!("python-{name}-{:016x}", fingerprint(&text)));
    make(
        &dir,
        [
            OsStr::new("--require-hashes"),
            OsStr::new("-r"),
            requirements.as_os_str(),
        ],
    )
}

fn make<'a>(dir: &Path, packages: impl IntoIterator<Item = &'a OsStr>) -> Result<PathBuf> {
    let python = dir.join("bin/python");
    // Written last, so that an interrupted installation is repeated.
    let complete = dir.join("complete");
    // Tests in parallel need the same environment: the second waits for the first.
    let lock = File::create(dir.with_added_extension("lock"))?;
    lock.lock()?;
    if complete.is_file() && python.is_file() {
        return Ok(python);
    }
    let maker = std::env::var_os("PYTHON_BIN")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| find_in_path("python3"))
        .context(
            "python3 is not installed: install Python 3.9 or newer with its venv module, or set PYTHON_BIN",
        )?;
    output(Command::new(maker).args(["-m", "venv", "--clear"]).arg(dir))
        .context("python3 cannot make a virtual environment (on Debian: apt-get install python3-venv)")?;
    output(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(packages),
    )
    .context("pip cannot install the packages")?;
    File::create(&complete)?;
    Ok(python)
}

/// FNV-1a.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// `1.2.3_4.5`: another version is another environment.
fn versions(packages: &[&str]) -> String {
    let versions: Vec<&str> = packages
        .iter()
        .map(|package| package.rsplit_once("==").map_or(*package, |(_, version)| version))
        .collect();
    versions.join("_")
}
