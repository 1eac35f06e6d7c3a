//! Prometheus and its promtool, for the checks of alert rules and of the dashboard.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{find_in_path, output};
use crate::{apt, cache};

/// Both programs.
#[derive(Debug, Clone)]
pub struct Prometheus {
    pub server: PathBuf,
    pub promtool: PathBuf,
}

/// Of one folder.
fn within(folder: &Path) -> Option<Prometheus> {
    let found = Prometheus {
        server: folder.join("prometheus"),
        promtool: folder.join("promtool"),
    };
    (found.server.is_file() && found.promtool.is_file()).then_some(found)
}

/// In `PATH`, or from an earlier [`find_or_fetch`].
pub fn find() -> Option<Prometheus> {
    let in_path = || {
        Some(Prometheus {
            server: find_in_path("prometheus")?,
            promtool: find_in_path("promtool")?,
        })
    };
    in_path().or_else(|| within(&cache::dir().ok()?.join("prometheus/usr/bin")))
}

/// As [`find`]; as root on Debian, unpacks the package into the cache if needed. Installing it would start a server.
pub fn find_or_fetch(progress: &mut dyn FnMut(&str)) -> Result<Prometheus> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let remedy =
        "install it (Debian: apt-get install prometheus), so that prometheus and promtool are in PATH";
    if !apt::can_install() {
        bail!("Prometheus is not installed: {remedy}");
    }
    progress("Fetching Prometheus for the checks of alert rules and dashboard");
    let folder = cache::dir()?.join("prometheus");
    fetch(&folder).with_context(|| format!("Prometheus could not be fetched: {remedy}"))?;
    within(&folder.join("usr/bin"))
        .with_context(|| format!("the package prometheus brought no program: {remedy}"))
}

/// Into a folder beside it first, so that an interrupted run leaves nothing that looks complete.
fn fetch(folder: &Path) -> Result<()> {
    let parts = tempfile::tempdir_in(folder.parent().context("the cache is a folder")?)?;
    apt::download("prometheus", parts.path())?;
    let package = std::fs::read_dir(parts.path())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded no package")?;
    let unpacked = parts.path().join("unpacked");
    output(
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(package)
            .arg(&unpacked),
    )?;
    // Another process may have been faster.
    if std::fs::rename(&unpacked, folder).is_err() && within(&folder.join("usr/bin")).is_none() {
        bail!("{} cannot be written", folder.display());
    }
    Ok(())
}
