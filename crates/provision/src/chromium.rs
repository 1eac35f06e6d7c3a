//! A browser for tests.

use std::path::PathBuf;

use crate::process::find_in_path;

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
