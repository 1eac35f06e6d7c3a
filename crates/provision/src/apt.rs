//! Packages of Debian and its derivatives.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::cache;
use crate::process::{find_in_path, is_root, output};

/// Whether packages can be installed without a password.
pub fn can_install() -> bool {
    is_root() && find_in_path("apt-get").is_some()
}

/// Installs `packages` and their dependencies. Fetches the lists of packages only if the present ones do not suffice.
pub fn install(packages: &[&str]) -> Result<()> {
    let _lock = lock()?;
    let install = [&["install", "-q", "-y", "--no-install-recommends"], packages].concat();
    if apt_get(&install).is_ok() {
        return Ok(());
    }
    apt_get(&["update", "-q"])?;
    apt_get(&install)
}

/// Puts the package's file into `folder`, without installing anything.
pub fn download(package: &str, folder: &Path) -> Result<()> {
    let _lock = lock()?;
    let download = || {
        let mut command = Command::new("apt-get");
        // As root: apt's own user may not write there.
        command
            .args(["download", "-q", "-o", "APT::Sandbox::User=root", package])
            .current_dir(folder);
        output(&mut command).map(drop)
    };
    if download().is_ok() {
        return Ok(());
    }
    apt_get(&["update", "-q"])?;
    download()
}

/// apt does not wait for another apt that updates the lists.
fn lock() -> Result<File> {
    let file = File::create(cache::dir()?.join("apt.lock"))?;
    file.lock()?;
    Ok(file)
}

fn apt_get(args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    output(&mut command).map(drop)
}
