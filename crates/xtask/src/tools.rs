//! Subcommands of Cargo that the gate runs, at fixed versions.

use std::path::PathBuf;

use anyhow::{Result, bail};
use provision::{cache, process, python};

use crate::cargo::cargo;
use crate::{interrupt, workspace};

pub const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    prebuilt: true,
};
pub const CARGO_MACHETE: Tool = Tool {
    name: "cargo-machete",
    version: "0.9.2",
    prebuilt: false,
};
pub const CARGO_NEXTEST: Tool = Tool {
    name: "cargo-nextest",
    version: "0.9.148",
    prebuilt: true,
};

pub struct Tool {
    name: &'static str,
    version: &'static str,
    /// Whether `crates/xtask/tools/requirements.txt` has it.
    prebuilt: bool,
}

impl Tool {
    /// From the cache or `PATH`, else fetched or compiled into the cache.
    pub fn find_or_install(&self) -> Result<PathBuf> {
        let compiled = cache::dir()?
            .join(format!("{}-{}", self.name, self.version))
            .join("bin")
            .join(self.name);
        if compiled.is_file() {
            return Ok(compiled);
        }
        if let Some(path) = process::find_in_path(self.name) {
            return Ok(path);
        }
        if self.prebuilt {
            match self.fetch() {
                Ok(binary) => return Ok(binary),
                Err(error) => println!("{} cannot be fetched, so it is compiled: {error:#}", self.name),
            }
        }
        self.compile()?;
        Ok(compiled)
    }

    /// From PyPI, by hash: seconds instead of minutes.
    fn fetch(&self) -> Result<PathBuf> {
        let requirements = workspace::root().join("crates/xtask/tools/requirements.txt");
        let binary = python::environment_of("tools", &requirements)?.with_file_name(self.name);
        if !binary.is_file() {
            bail!("{} has no {}", requirements.display(), self.name);
        }
        Ok(binary)
    }

    fn compile(&self) -> Result<()> {
        let (name, version) = (self.name, self.version);
        let root = cache::dir()?.join(format!("{name}-{version}"));
        println!("Compiling {name} {version} into the cache (once)");
        let status = interrupt::status(
            cargo()
                .args(["install", "--quiet", "--locked", "--root"])
                .arg(&root)
                .arg(format!("{name}@{version}"))
                // It runs for a second or two: the time to build it counts.
                .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
                .env("CARGO_PROFILE_RELEASE_LTO", "off")
                .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
                .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
                .env("CARGO_TARGET_DIR", root.join("target")),
        )?;
        // Up to 1 GB of intermediate files.
        let _ = std::fs::remove_dir_all(root.join("target"));
        if !status.success() {
            bail!("cannot install {name} {version} ({status})");
        }
        Ok(())
    }
}
