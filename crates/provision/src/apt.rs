//! Packages of Debian and its kin.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process::{find_in_path, is_root, output};

/// Whether packages can be installed without asking anybody.
pub fn can_install() -> bool {
    is_root() && find_in_path("apt-get").is_some()
}

/// Installs `packages` and what they cannot do without. The lists of packages are fetched only where the ones that are
/// there do not do.
pub fn install(packages: &[&str]) -> Result<()> {
    let install = [&["install", "-q", "-y", "--no-install-recommends"], packages].concat();
    if apt_get(&install).is_ok() {
        return Ok(());
    }
    apt_get(&["update", "-q"])?;
    apt_get(&install)
}

/// Puts the package's file into `folder`, without installing anything.
pub fn download(package: &str, folder: &Path) -> Result<()> {
    let download = || {
        let mut command = Command::new("apt-get");
        // As root, for the user that apt would take has no right to write there.
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

fn apt_get(args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    output(&mut command).map(drop)
}
