//! Random secrets.

use std::fmt::Write as _;

use anyhow::{Context, Result};

/// Fresh random bytes from the operating system.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("the operating system gives no random bytes")?;
    Ok(bytes)
}

/// 64 hexadecimal digits, 256 random bits.
pub fn hex() -> Result<String> {
    Ok(bytes::<32>()?.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}
