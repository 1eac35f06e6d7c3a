//! A browser for tests.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::process::find_in_path;

/// The browser, and fonts with letters and emoji for its screenshots.
const PACKAGES: [&str; 3] = ["chromium", "fonts-dejavu-core", "fonts-noto-color-emoji"];

/// `CHROMIUM_BIN`, or the first Chromium or Chrome in `PATH`.
pub fn find() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM_BIN").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(path));
    }
    [
        "chromium",
        "chromium-browser",
        "google-chrome-stable",
        "google-chrome",
    ]
    .into_iter()
    .find_map(find_in_path)
}

/// As [`find`]; as root on Debian, installs the package if needed.
pub fn find_or_install(progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let remedy = "install it (Debian: apt-get install chromium), or set CHROMIUM_BIN to a Chromium or Chrome";
    if !apt::can_install() {
        bail!("Chromium is not installed: {remedy}");
    }
    progress("Installing Chromium and fonts for the tests in a browser");
    apt::install(&PACKAGES).with_context(|| format!("Chromium could not be installed: {remedy}"))?;
    find().with_context(|| format!("the package chromium brought no program: {remedy}"))
}
