//! Where the files of a temporary cluster are.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

const PREFIX: &str = "calwire-postgres-";
/// Linux's file system in memory.
const MEMORY: &str = "/dev/shm";
/// The databases of a run of all tests take some hundred megabytes at a time.
const NEEDED_BYTES: u64 = 4 << 30;

/// In memory if enough of it is free. Tests create and drop databases all the time, and each has hundreds of files: on disk the
/// server works for more than twice as long.
pub fn in_memory() -> io::Result<TempDir> {
    let memory = Path::new(MEMORY);
    if free_bytes(memory).is_some_and(|free| free >= NEEDED_BYTES)
        && let Ok(dir) = temporary_dir(memory)
    {
        return Ok(dir);
    }
    on_disk()
}

pub fn on_disk() -> io::Result<TempDir> {
    temporary_dir(&std::env::temp_dir())
}

fn temporary_dir(parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(PREFIX)
        // The cluster's user must be able to enter it.
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in(parent)
}

fn free_bytes(dir: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(dir).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}
