//! Node.js and npm, for the page and for the tests in JavaScript.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Result, bail};
use provision::process::{self, find_in_path};

use crate::interrupt;

/// The oldest version that the build tools support, as `engines` in web/package.json.
const OLDEST: (u32, u32) = (20, 19);

/// An npm that is new enough.
pub struct Npm(PathBuf);

impl Npm {
    pub fn find() -> Result<Self> {
        let needed = format!("Node.js {}.{} or newer with npm is needed", OLDEST.0, OLDEST.1);
        let remedy = "install it from https://nodejs.org";
        let (Some(node), Some(npm)) = (find_in_path("node"), find_in_path("npm")) else {
            bail!("{needed}, and it is not in PATH: {remedy}");
        };
        let said = process::output(Command::new(node).arg("--version"))?;
        if major_and_minor(&said).is_none_or(|version| version < OLDEST) {
            bail!("{needed}, and here is {}: {remedy}", said.trim());
        }
        Ok(Self(npm))
    }

    /// Installs the packages of the lock file in `dir` unless that has been done.
    pub fn install(&self, dir: &Path) -> Result<()> {
        if is_installed(dir) {
            return Ok(());
        }
        println!("Installing the packages of {}", dir.display());
        quietly(
            Command::new(&self.0)
                .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
                .current_dir(dir),
        )
    }

    /// `npm run SCRIPT` in `dir`.
    pub fn script(&self, dir: &Path, script: &str) -> Command {
        let mut command = Command::new(&self.0);
        command
            .args(["run", script])
            .current_dir(dir)
            .stdin(Stdio::null());
        command
    }
}

/// Such as `v20.19.4`.
pub fn version() -> Result<String> {
    process::output(Command::new("node").arg("--version")).map(|said| said.trim().to_owned())
}

/// Major and minor in the output of `node --version`.
fn major_and_minor(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.trim().strip_prefix('v')?.split('.');
    let mut number = || numbers.next()?.parse().ok();
    Some((number()?, number()?))
}

/// Whether `npm ci` has run since the lock file was changed. npm writes its own lock file last.
pub fn is_installed(dir: &Path) -> bool {
    let (Some(locked), Some(installed)) = (
        modified(&dir.join("package-lock.json")),
        modified(&dir.join("node_modules/.package-lock.json")),
    ) else {
        return false;
    };
    locked <= installed
}

pub fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|it| it.modified()).ok()
}

/// Runs to the end. Shows the output only if the command fails.
pub fn quietly(command: &mut Command) -> Result<()> {
    let said = tempfile::NamedTempFile::new()?;
    let both = said.reopen()?;
    command
        .stdin(Stdio::null())
        .stdout(both.try_clone()?)
        .stderr(both);
    let status = interrupt::status(command)?;
    if !status.success() {
        let said = std::fs::read_to_string(said.path()).unwrap_or_default();
        bail!("{} failed ({status}):\n{}", process::show(command), said.trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(major_and_minor("v20.19.4\n"), Some((20, 19)));
        assert!(major_and_minor("v9.11.2") < Some(OLDEST));
        assert!(major_and_minor("v22.0.0") > Some(OLDEST));
        assert_eq!(major_and_minor("not node"), None);
    }

    #[test]
    fn output_of_a_failing_command_is_shown() {
        quietly(Command::new("sh").args(["-c", "echo fine"])).unwrap();
        let error = quietly(Command::new("sh").args(["-c", "echo one; echo two >&2; exit 3"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit status: 3") && error.ends_with("one\ntwo"),
            "{error}"
        );
    }

    #[test]
    fn a_changed_lock_file_is_not_installed_yet() {
        let dir = tempfile::tempdir().unwrap();
        let touch = |name: &str| std::fs::write(dir.path().join(name), "").unwrap();
        touch("package-lock.json");
        assert!(!is_installed(dir.path()));
        std::fs::create_dir(dir.path().join("node_modules")).unwrap();
        touch("node_modules/.package-lock.json");
        assert!(is_installed(dir.path()));
        std::thread::sleep(std::time::Duration::from_millis(20));
        touch("package-lock.json");
        assert!(!is_installed(dir.path()));
    }
}
