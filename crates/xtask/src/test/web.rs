//! The steps of the page and the client package.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use provision::chromium;

use super::counts::counted;
use super::shared::Shared;
use crate::checked::{Check, add_files};
use crate::node::{self, Npm};
use crate::{interrupt, page};

/// They read files alone, the built client package among them.
const CHECKS: [&str; 4] = ["lint", "typecheck", "check", "size"];
/// Generated folders.
const MADE: [&str; 2] = ["dist", "node_modules"];

/// `npm ci` for every package under `web/`, unless it has been done for this lock file.
pub fn node(_: &mut Shared) -> Result<()> {
    let npm = Npm::find()?;
    node_packages()?
        .iter()
        .try_for_each(|package| npm.install(package))
}

pub fn page(_: &mut Shared) -> Result<()> {
    let npm = Npm::find()?;
    npm.install(&page::web())?;
    page::build(&npm)
}

/// Needs the built page. [`CHECKS`] that have passed with the same files are not repeated.
pub fn web(shared: &mut Shared) -> Result<()> {
    let npm = Npm::find()?;
    // Colours would stand in the way of counting.
    let script = |name| -> Command {
        let mut command = npm.script(&page::web(), name);
        command.env("NO_COLOR", "1");
        command
    };
    let mut files = Vec::new();
    add_files(&page::web(), &MADE, &mut files)?;
    let check = Check::new("web", files, &node::version()?)?;
    let mut failed = Vec::new();
    if check.has_passed() {
        println!("{}: nothing has changed since they passed", CHECKS.join(", "));
    } else {
        for name in CHECKS {
            if interrupt::run(&mut script(name)).is_err() {
                interrupt::check()?;
                failed.push(name);
            }
        }
        if failed.is_empty() {
            check.keep()?;
        }
    }
    if counted(&mut script("test"), &mut shared.report.tests).is_err() {
        interrupt::check()?;
        failed.push("test");
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
