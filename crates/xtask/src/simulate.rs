//! `simulate`: all services in one process, from a seed, against a Postgres of its own.

use anyhow::Result;
use provision::postgres::{Binaries, Cluster};

use crate::cargo::{Profile, e2e};
use crate::interrupt;
use crate::passed_on::Args;

pub fn run(args: &Args) -> Result<()> {
    interrupt::install()?;
    match std::env::var("DATABASE_URL") {
        Ok(url) if !url.is_empty() => simulate(&args.arguments, &url),
        _ => {
            let binaries = Binaries::find_or_install(&mut |line| println!("{line}"))?;
            let cluster = Cluster::temporary(&binaries, false)?;
            simulate(&args.arguments, &cluster.url())
        }
    }
}

/// Builds the simulation and runs it on this server.
fn simulate(arguments: &[impl AsRef<std::ffi::OsStr>], database_url: &str) -> Result<()> {
    interrupt::run(
        e2e("simulate", Profile::Debug)?
            .args(arguments)
            .env("DATABASE_URL", database_url),
    )
}
