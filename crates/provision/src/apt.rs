//! Packages of Debian and its kin.

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

fn apt_get(args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    output(&mut command).map(drop)
}
