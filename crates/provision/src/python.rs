//! Python with packages from PyPI, for tests that compare with an independent implementation.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::process::{find_in_path, output};

/// The `python` of a virtual environment that has exactly these packages (`name==version`) and what they need. It is made
/// at the first call, in the cache under `name` and the packages' versions, and kept.
///
/// `PYTHON_BIN`, or `python3` in `PATH`, makes it; pip reads its own configuration and environment, so a mirror of PyPI
/// is used where the machine is set to one.
pub fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let dir = cache::dir()?.join(format!("python-{name}-{}", versions(packages)));
    make(&dir, packages.iter().map(OsStr::new))
}

/// The same from a `requirements.txt` that pins every package by hash; another content is another environment.
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
    // Written last, so that an environment whose making was interrupted is made anew.
    let complete = dir.join("complete");
    // Two tests at once would make the same environment: the second waits and finds it done.
    let lock = File::create(dir.with_added_extension("lock"))?;
    lock.lock()?;
    if complete.is_file() && python.is_file() {
        return Ok(python);
    }
    let maker = std::env::var_os("PYTHON_BIN")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| find_in_path("python3"))
        .context("this test compares with a Python package, and python3 is not installed: install Python 3.9 or newer with its venv module, or set PYTHON_BIN")?;
    output(Command::new(maker).args(["-m", "venv", "--clear"]).arg(dir))
        .context("python3 cannot make a virtual environment (on Debian: apt-get install python3-venv)")?;
    output(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(packages),
    )
    .context("pip cannot install the packages this test compares with")?;
    File::create(&complete)?;
    Ok(python)
}

/// FNV-1a: it only has to differ when a file was edited.
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
