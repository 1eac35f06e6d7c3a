//! libfaketime, by which the clock of one process is moved from outside.

use std::path::PathBuf;

use crate::apt;

/// Debian and Ubuntu by architecture, Fedora.
const PLACES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/lib64/faketime",
];
/// For programs with threads.
const LIBRARY: &str = "libfaketimeMT.so.1";

/// Where it is; installed where we are root on Debian. None: clocks cannot be moved here.
pub fn find_or_install(progress: &mut dyn FnMut(&str)) -> Option<PathBuf> {
    if find().is_none() && apt::can_install() {
        progress("Installing the package libfaketime");
        if let Err(error) = apt::install(&["libfaketime"]) {
            progress(&format!("libfaketime could not be installed: {error:#}"));
        }
    }
    find()
}

fn find() -> Option<PathBuf> {
    let all = PLACES.iter().map(|place| PathBuf::from(place).join(LIBRARY));
    all.into_iter().find(|path| path.is_file())
}
