//! TCP ports on loopback.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Below the ports of outgoing connections (32768 and up on Linux), so that none of those takes the port of a service
/// between its stop and its restart.
const PORTS: Range<u16> = 12_000..32_000;

/// A free port that this process did not get before. Another process may take it before it is used; each starts at
/// another number, so that this is rare.
pub fn free() -> Result<u16> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    for _ in 0..count {
        let place = std::process::id()
            .wrapping_mul(97)
            .wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed))
            % count;
        let port = PORTS.start + u16::try_from(place)?;
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!("loopback has no free port from {} to {}", PORTS.start, PORTS.end)
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
