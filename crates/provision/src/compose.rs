//! `docker-compose.yml` as Docker Compose itself reads it, for which no engine is needed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{find_in_path, output};

/// Loads the file, and what overrides it, with all profiles: checked against Compose's schema, variables put in, and everything that one part
/// names of another looked up. `checker` is the folder of the program that does it (`deploy/compose-check`), which Go builds
/// and keeps.
pub fn load(checker: &Path, files: &[&Path], variables: &[(String, String)]) -> Result<Value> {
    let go = find_in_path("go")
        .context("Go (1.24 or newer) is needed to read docker-compose.yml, and is not there")?;
    let model = output(
        Command::new(go)
            .args(["run", "-C"])
            .arg(checker)
            .arg(".")
            .args(files)
            .envs(variables.iter().map(|(name, value)| (name, value))),
    )?;
    serde_json::from_str(&model).context("compose-check answered what is not JSON")
}

/// The variables in the text of an env file.
pub fn variables(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}
