//! The steps that read code, documents and configuration without running them.

use std::process::Command;

use anyhow::Result;
use provision::{process, prometheus};

use super::shared::Shared;
use crate::cargo::{PRODUCTION, cargo};
use crate::{config, interrupt, prepare, tools, workspace};

pub fn fmt(_: &mut Shared) -> Result<()> {
    interrupt::run(cargo().args(["fmt", "--all", "--check"]))
}

pub fn clippy(_: &mut Shared) -> Result<()> {
    interrupt::run(cargo().args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

/// With private items, and links to them: the readers are those who work on the code.
pub fn doc(_: &mut Shared) -> Result<()> {
    interrupt::run(
        cargo()
            .args([
                "doc",
                "--locked",
                "--no-deps",
                "--document-private-items",
                "--quiet",
            ])
            .args(PRODUCTION)
            .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links"),
    )
}

pub fn sqlx(shared: &mut Shared) -> Result<()> {
    let (binaries, cluster) = shared.postgres()?;
    prepare::check(binaries, cluster)
}

pub fn machete(_: &mut Shared) -> Result<()> {
    let machete = tools::CARGO_MACHETE.find_or_install()?;
    interrupt::run(Command::new(machete).arg("crates").current_dir(workspace::root()))
}

pub fn deny(_: &mut Shared) -> Result<()> {
    let deny = tools::CARGO_DENY.find_or_install()?;
    let check = |graph: &[&str], checks: &[&str]| {
        let mut command = Command::new(&deny);
        command
            .args(["--workspace", "--locked"])
            .args(graph)
            .args(["check", "--hide-inclusion-graph", "--allow", "unused-wrapper"])
            .args(checks)
            .current_dir(workspace::root());
        command
    };
    // The layers are those of production; a crate's tests may reach across.
    interrupt::run(&mut check(&["--exclude-dev"], &["bans"]))?;
    // By its own deny.toml: event-model has no runtime, database or HTTP client anywhere in its tree.
    interrupt::run(
        Command::new(&deny)
            .args([
                "--manifest-path",
                "crates/event-model/Cargo.toml",
                "--exclude-dev",
            ])
            .args(["--locked", "check", "--hide-inclusion-graph", "bans"])
            .current_dir(workspace::root()),
    )?;
    interrupt::run(&mut check(&[], &["licenses", "sources"]))?;
    // The database of advisories is a git repository elsewhere. If it is out of reach, the code is not at fault.
    let fetch = process::output(
        Command::new(&deny)
            .args(["fetch", "db"])
            .current_dir(workspace::root()),
    );
    if let Err(error) = fetch {
        println!(
            "advisories: not checked, cannot fetch their database ({})",
            last_line(&format!("{error:#}"))
        );
        return Ok(());
    }
    interrupt::run(&mut check(&[], &["advisories"]))
}

fn last_line(text: &str) -> &str {
    text.lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim()
}

pub fn config(shared: &mut Shared) -> Result<()> {
    config::check(&shared.centrifugo()?)?;
    alert_rules()
}

/// Prometheus's configuration and alert rules, and the rules' tests.
fn alert_rules() -> Result<()> {
    let promtool = prometheus::find_or_fetch(&mut |line| println!("{line}"))?.promtool;
    for (check, file) in [
        (["check", "config"], "prometheus.yml"),
        (["check", "rules"], "rules.yml"),
        (["test", "rules"], "rules.test.yml"),
    ] {
        let mut command = Command::new(&promtool);
        process::output(
            command
                .args(check)
                .arg(file)
                .current_dir(workspace::root().join("deploy/prometheus")),
        )?;
        println!("deploy/prometheus/{file}: ok");
    }
    Ok(())
}
