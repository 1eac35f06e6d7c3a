//! TCP ports on loopback.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A port that nobody listens on right now. Another process may take it before it is used.
pub fn free() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("loopback has no free port")?;
    Ok(listener.local_addr()?.port())
}

/// Whether `port` can be listened on.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Waits until something accepts connections on `port`. `alive` is asked in between and ends the wait with its error.
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
