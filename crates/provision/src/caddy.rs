//! Caddy, the proxy of a deployment, to check its configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::go::Program;
use crate::process::output;

const PROGRAM: Program = Program {
    name: "caddy",
    module: "github.com/caddyserver/caddy/v2",
    // As in the image of deploy/Dockerfile.
    version: "2.10.2",
    package: "./cmd/caddy",
    ldflags: "",
    otherwise: "leave this check to a machine that has it",
};

/// Built once into the cache. One in `PATH` may be too old for the Caddyfile.
pub fn binary(progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    PROGRAM.find_or_build(progress)
}

/// `caddy validate`: reads the file and sets up every module in it, with these variables.
pub fn validate(binary: &Path, caddyfile: &Path, variables: &[(&str, &str)]) -> Result<()> {
    let data = tempfile::tempdir()?;
    let folder = caddyfile.parent().context("a file is in a folder")?;
    output(
        Command::new(binary)
            .args(["validate", "--adapter", "caddyfile", "--config"])
            .arg(caddyfile)
            .current_dir(folder)
            .envs(variables.iter().copied())
            // The folder of certificates.
            .env("XDG_DATA_HOME", data.path())
            .env("XDG_CONFIG_HOME", data.path()),
    )
    .map(drop)
}
