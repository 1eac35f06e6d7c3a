//! `bench`: the benchmarks of the workspace, built with optimisations, against a fresh Postgres and Centrifugo.

use anyhow::{Result, bail};
use provision::postgres::{Binaries, Cluster};
use provision::{centrifugo, chromium};

use crate::cargo::{Profile, build_binaries, e2e};
use crate::node::Npm;
use crate::services::PACKAGES;
use crate::{interrupt, page, workspace};

/// They need the page and a Chromium to show it.
const IN_A_BROWSER: [&str; 2] = ["bench_dom", "bench_write"];

/// It compares with a program in Node.js.
const BESIDE_NODE: &str = "bench_read";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run only the benchmarks whose name contains this.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// List the benchmarks.
    #[arg(long)]
    list: bool,
}

pub fn run(args: &Args) -> Result<()> {
    interrupt::install()?;
    let wanted = args.name.as_deref().unwrap_or_default();
    let names: Vec<_> = names()?
        .into_iter()
        .filter(|name| name.contains(wanted))
        .collect();
    if args.list {
        println!("{}", names.join("\n"));
        return Ok(());
    }
    if names.is_empty() {
        bail!("there is no benchmark {wanted:?}; `cargo xtask bench --list` names them");
    }

    println!("Building the services with optimisations");
    build_binaries(&PACKAGES, Profile::Release)?;
    let mut say = |line: &str| println!("{line}");
    if names.iter().any(|name| IN_A_BROWSER.contains(&name.as_str())) {
        page::build_if_stale()?;
        chromium::find_or_install(&mut say)?;
    }
    if names.iter().any(|name| name == BESIDE_NODE) {
        Npm::find()?.install(&page::web().join("reference"))?;
    }
    let centrifugo = centrifugo::binary(&mut say)?;
    let binaries = Binaries::find_or_install(&mut say)?;
    // Durable: the time of a commit is part of what is measured.
    let cluster = Cluster::temporary(&binaries, true)?;
    for name in names {
        println!("\n== {name}");
        interrupt::run(
            e2e(&name, Profile::Release)?
                .env("DATABASE_URL", cluster.url())
                .env("CENTRIFUGO_BIN", &centrifugo),
        )?;
    }
    Ok(())
}

/// The benchmarks are the binaries of `e2e`.
fn names() -> Result<Vec<String>> {
    let dir = workspace::root().join("crates/e2e/src/bin");
    let mut names: Vec<_> = std::fs::read_dir(dir)?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}
