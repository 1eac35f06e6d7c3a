//! The steps of the page and the client package.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};
use provision::chromium;

use super::counts::counted;
use super::shared::Shared;
use crate::node::Npm;
use crate::{interrupt, page};

/// In the order in which they need each other: lints and types read the built client package.
const SCRIPTS: [&str; 5] = ["lint", "typecheck", "test", "check", "size"];

/// `npm ci` for every package under `web/`, unless it has been done for this lock file.
pub fn node(_: &mut Shared) -> Result<()> {
    let npm = Npm::find()?;
    node_packages()?
        .iter()
        .try_for_each(|package| npm.install(package))
}

pub fn web(shared: &mut Shared) -> Result<()> {
    let npm = Npm::find()?;
    npm.install(&page::web())?;
    page::build(&npm)?;
    let mut failed = Vec::new();
    for script in SCRIPTS {
        let mut command = npm.script(&page::web(), script);
        // Colours would stand in the way of counting.
        if counted(command.env("NO_COLOR", "1"), &mut shared.report.tests).is_err() {
            interrupt::check()?;
            failed.push(script);
        }
    }
    if !failed.is_empty() {
        bail!("npm run {} failed in web/", failed.join(", "));
    }
    Ok(())
}

pub fn browser(_: &mut Shared) -> Result<()> {
    let chromium = chromium::find_or_install(&mut |line| println!("{line}"))?;
    println!("{}", chromium.display());
    Ok(())
}

/// `web` itself, with its workspaces, and the folders in it that have a lock file of their own.
fn node_packages() -> Result<Vec<PathBuf>> {
    let mut packages = vec![page::web()];
    for entry in fs::read_dir(page::web())? {
        packages.push(entry?.path());
    }
    packages.retain(|package| package.join("package-lock.json").is_file());
    packages.sort();
    Ok(packages)
}
