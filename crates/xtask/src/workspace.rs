//! Where things are in this checkout.

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

/// What a run leaves behind: the database, logs, secrets, `stack.json`. Created when it is not there.
pub fn state_dir() -> Result<PathBuf> {
    let dir = root().join("target/calwire");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}
