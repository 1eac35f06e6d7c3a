//! TCP ports on loopback.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Below the ports of outgoing connections (32768 and up on Linux), so that none of those takes the port of a service
/// between its stop and its restart.
const PORTS: Range<u16> = 12_000..32_000;

/// A free port, reserved for this process until it ends: a service that is stopped and started again finds its port free, even
/// while other processes look for theirs.
pub fn free() -> Result<u16> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    static RESERVED: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let count = u32::from(PORTS.end - PORTS.start);
    for _ in 0..count {
        // Each process starts at another number.
        let place = std::process::id()
            .wrapping_mul(97)
            .wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed))
            % count;
        let port = PORTS.start + u16::try_from(place)?;
        if let Some(lock) = reserve(port)
            && is_free(port)
        {
            RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
            return Ok(port);
        }
    }
    bail!("loopback has no free port from {} to {}", PORTS.start, PORTS.end)
}

/// A locked file of that name. None: another process has it.
fn reserve(port: u16) -> Option<File> {
    let dir = std::env::temp_dir().join("calwire-ports");
    fs::create_dir_all(&dir).ok()?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join(port.to_string()))
        .ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// Whether `port` can be listened on.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Waits until something accepts connections on `port`. An error of `alive`, called in between, ends the wait.
pub fn wait_until_open(port: u16, within: Duration, mut alive: impl FnMut() -> Result<()>) -> Result<()> {
    let deadline = Instant::now() + within;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        alive()?;
        if Instant::now() > deadline {
            bail!("nothing answers on port {port} after {} s", within.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_port_is_reserved() {
        let port = free().unwrap();
        assert!(is_free(port) && reserve(port).is_none());
        assert_ne!(free().unwrap(), port);
    }
}
