//! Paths in this checkout.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the checkout.
pub fn root() -> &'static Path {
    // Two up from crates/xtask, which always exist.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
}

/// The folder of the database, logs, secrets and `stack.json`: `CALWIRE_STATE_DIR`, else `target/calwire`. Created if
/// missing.
pub fn state_dir() -> Result<PathBuf> {
    let dir = std::env::var_os("CALWIRE_STATE_DIR")
        .filter(|dir| !dir.is_empty())
        .map_or_else(|| root().join("target/calwire"), PathBuf::from);
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}
