//! libfaketime, which shifts the clock of a process from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::apt;

/// Debian and Ubuntu by architecture, Fedora.
const PLACES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/lib64/faketime",
];
/// The variant for programs with threads.
const LIBRARY: &str = "libfaketimeMT.so.1";

/// Finds the library, or installs it where we are root on Debian. None: clocks cannot be shifted here.
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

/// Removes, until it is dropped, the objects of libfaketime in shared memory that killed processes have left. The names end with a process
/// id: a later process of another user that gets the same id could not start.
#[derive(Debug)]
pub struct Sweeper {
    _stop: Sender<()>,
}

impl Sweeper {
    pub fn start() -> Self {
        let (stop, stopped) = channel();
        thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                sweep();
            }
        });
        Self { _stop: stop }
    }
}

fn sweep() {
    for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = ["sem.faketime_sem_", "faketime_shm_"]
            .into_iter()
            .find_map(|prefix| name.to_str()?.strip_prefix(prefix)?.parse::<u32>().ok());
        if process.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A wall clock that is ahead of the machine's, or behind it, for a process and all that it starts. Waits and timeouts go by
/// the monotonic clock, which is not shifted, and neither are the times of files.
#[derive(Debug, Clone)]
pub struct Clock {
    library: PathBuf,
    seconds: i64,
}

impl Clock {
    /// `library` as [`find_or_install`] returns it.
    pub const fn ahead_by(library: PathBuf, seconds: i64) -> Self {
        Self { library, seconds }
    }

    /// The environment of the process. [`centrifugo::binary_with_clock`](crate::centrifugo::binary_with_clock) reads `FAKETIME`
    /// by itself.
    pub fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("LD_PRELOAD", self.library.to_string_lossy().into_owned()),
            ("FAKETIME", format!("{:+}", self.seconds)),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            // Without this, a wait with a timeout in Chromium never ends.
            ("FAKETIME_FORCE_MONOTONIC_FIX", "0".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }

    /// Whether a variable is one of [`Clock::variables`], for a caller that sets a child's environment.
    pub fn sets(variable: &str) -> bool {
        variable == "LD_PRELOAD" || variable.starts_with("FAKETIME") || variable == "NO_FAKE_STAT"
    }
}
