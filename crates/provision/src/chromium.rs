//! A browser for tests.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::process::find_in_path;

/// Chromium without its windows, which Playwright uses for headless runs too. A page takes a third of the processor time
/// that it takes in the whole browser.
const SHELL: &str = "chromium-headless-shell";

/// The program of Debian's package. Its command in `PATH` is a script that waits for it, and that leaves it running when it
/// is killed.
const DEBIAN_SHELL: &str = "/usr/lib/chromium/chromium-headless-shell";

/// The whole browser.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

/// Fonts with letters and emoji, for screenshots.
const FONTS: [&str; 2] = ["fonts-dejavu-core", "fonts-noto-color-emoji"];

/// `CHROMIUM_BIN`, or the headless shell, or the first Chromium or Chrome in `PATH`.
pub fn find() -> Option<PathBuf> {
    find_shell().or_else(|| BROWSERS.into_iter().find_map(find_in_path))
}

fn find_shell() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM_BIN").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(path));
    }
    let debian = Path::new(DEBIAN_SHELL);
    if debian.exists() {
        return Some(debian.to_owned());
    }
    find_in_path(SHELL)
}

/// As [`find`]; as root on Debian, installs the headless shell if needed, or Chromium where there is no such package.
pub fn find_or_install(progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    if let Some(found) = find_shell() {
        return Ok(found);
    }
    if apt::can_install() {
        progress("Installing Chromium's headless shell and fonts for the tests in a browser");
        if apt::install(&[&[SHELL], &FONTS[..]].concat()).is_ok() {
            return find().context("the package brought no program");
        }
    }
    if let Some(found) = find() {
        return Ok(found);
    }
    let remedy = "install it (Debian: apt-get install chromium), or set CHROMIUM_BIN to a Chromium or Chrome";
    if !apt::can_install() {
        bail!("Chromium is not installed: {remedy}");
    }
    apt::install(&[&["chromium"], &FONTS[..]].concat())
        .with_context(|| format!("Chromium could not be installed: {remedy}"))?;
    find().with_context(|| format!("the package chromium brought no program: {remedy}"))
}
