//! `test`: the gate, the same here and in CI. Steps run in order of what is told soonest; the first failure does not
//! hide the others.

mod counted;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use provision::postgres::{Binaries, Cluster};
use provision::{centrifugo, chromium, process, prometheus, redis};

use crate::cargo::{build_binaries, cargo, tool};
use crate::node::Npm;
use crate::services::PACKAGES;
use crate::{config, interrupt, page, prepare, words, workspace};
use counted::{Tests, counted};

const CARGO_DENY: (&str, &str) = ("cargo-deny", "0.20.2");
/// For each target, two of which run at a time on two cores.
const FUZZ_SECONDS: &str = "5";
const CARGO_MACHETE: (&str, &str) = ("cargo-machete", "0.9.2");

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run only this step; may be given several times.
    #[arg(long, value_name = "STEP", value_parser = step_name)]
    only: Vec<&'static str>,
    /// Leave this step out; may be given several times.
    #[arg(long, value_name = "STEP", value_parser = step_name)]
    skip: Vec<&'static str>,
    /// List the steps.
    #[arg(long)]
    list: bool,
}

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&mut Shared) -> Result<()>,
}

/// In the order in which they run: what takes seconds first.
const STEPS: [Step; 16] = [
    Step {
        name: "fmt",
        about: "rustfmt changes nothing",
        run: fmt,
    },
    Step {
        name: "words",
        about: "plain English: no pattern beyond its budget, no long test name",
        run: words,
    },
    Step {
        name: "config",
        about: "Centrifugo's, compose's and the proxy's configuration, Prometheus's rules",
        run: config,
    },
    Step {
        name: "clippy",
        about: "no warning in any target",
        run: clippy,
    },
    Step {
        name: "doc",
        about: "the documentation builds without warnings",
        run: doc,
    },
    Step {
        name: "sqlx",
        about: ".sqlx is what Postgres says about every statement",
        run: sqlx,
    },
    Step {
        name: "machete",
        about: "no unused dependency",
        run: machete,
    },
    Step {
        name: "deny",
        about: "layers, licences, sources, advisories",
        run: deny,
    },
    Step {
        name: "build",
        about: "every binary, for the tests that run them",
        run: build,
    },
    Step {
        name: "node",
        about: "npm ci for the page and for the tests with the real clients",
        run: node,
    },
    Step {
        name: "web",
        about: "the client package and the page: build, lints, types, tests, package, size",
        run: web,
    },
    Step {
        name: "browser",
        about: "a Chromium for the tests of the page",
        run: browser,
    },
    Step {
        name: "tests",
        about: "every test, with a real Postgres, Centrifugo and Redis",
        run: tests,
    },
    Step {
        name: "fuzz",
        about: "what reads bytes of strangers, some seconds each",
        run: fuzz,
    },
    Step {
        name: "chaos",
        about: "four plans that break two of each service, Postgres, Centrifugo and every link",
        run: chaos,
    },
    Step {
        name: "simulate",
        about: "twenty seeds, a death at every point, every mutant, and what was found once",
        run: simulate,
    },
];

fn step_name(text: &str) -> Result<&'static str, String> {
    let names = STEPS.map(|step| step.name);
    names
        .into_iter()
        .find(|&name| name == text)
        .ok_or_else(|| format!("the steps are {}", names.join(", ")))
}

/// What steps share, made when the first one needs it.
#[derive(Default)]
struct Shared {
    centrifugo: Option<PathBuf>,
    postgres: Option<(Binaries, Cluster)>,
    tests: Tests,
}

impl Shared {
    fn centrifugo(&mut self) -> Result<PathBuf> {
        if self.centrifugo.is_none() {
            self.centrifugo = Some(centrifugo::binary(&mut |line| println!("{line}"))?);
        }
        self.centrifugo.clone().context("just found")
    }

    fn postgres(&mut self) -> Result<&(Binaries, Cluster)> {
        if self.postgres.is_none() {
            let binaries = Binaries::find_or_install(&mut |line| println!("{line}"))?;
            let cluster = Cluster::temporary(&binaries, false)?;
            self.postgres = Some((binaries, cluster));
        }
        self.postgres.as_ref().context("just started")
    }

    /// Where the tests may create databases: `DATABASE_URL`, else a cluster for this run.
    fn database_url(&mut self) -> Result<String> {
        match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => Ok(url),
            _ => Ok(self.postgres()?.1.url()),
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    if args.list {
        for step in STEPS {
            println!("{:10}{}", step.name, step.about);
        }
        return Ok(());
    }
    interrupt::install()?;
    let start = Instant::now();
    let mut shared = Shared::default();
    let mut failed = Vec::new();
    let chosen = STEPS.iter().filter(|step| {
        (args.only.is_empty() || args.only.contains(&step.name)) && !args.skip.contains(&step.name)
    });
    let mut passed = 0;
    for step in chosen {
        println!("\n-- {}: {}", step.name, step.about);
        let step_start = Instant::now();
        let result = (step.run)(&mut shared);
        interrupt::check()?;
        let took = human(step_start.elapsed());
        if let Err(error) = result {
            println!("-- {}: FAILED after {took}: {error:#}", step.name);
            failed.push(step.name);
        } else {
            println!("-- {}: ok, {took}", step.name);
            passed += 1;
        }
    }
    drop(shared.postgres.take());

    let Tests {
        passed: tests,
        failed: broken,
        ignored,
        failures,
    } = shared.tests;
    let steps = format!("{passed} steps passed, {} failed", failed.len());
    let counts = format!("{tests} tests passed, {broken} failed, {ignored} ignored");
    if !failures.is_empty() {
        println!(
            "\nfailed, each with its reason above:\n  {}",
            failures.join("\n  ")
        );
    }
    println!("\ngate: {steps}; {counts}; {}", human(start.elapsed()));
    if !failed.is_empty() {
        bail!("the gate is closed by: {}", failed.join(", "));
    }
    Ok(())
}

/// `7 s`, `12 min 3 s`.
fn human(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

fn fmt(_: &mut Shared) -> Result<()> {
    interrupt::run(cargo().args(["fmt", "--all", "--check"]))
}

fn words(_: &mut Shared) -> Result<()> {
    words::check()
}

fn clippy(_: &mut Shared) -> Result<()> {
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
fn doc(_: &mut Shared) -> Result<()> {
    interrupt::run(
        cargo()
            .args([
                "doc",
                "--locked",
                "--workspace",
                "--no-deps",
                "--document-private-items",
                "--quiet",
            ])
            .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links"),
    )
}

fn sqlx(shared: &mut Shared) -> Result<()> {
    let (binaries, cluster) = shared.postgres()?;
    prepare::check(binaries, cluster)
}

fn machete(_: &mut Shared) -> Result<()> {
    let machete = tool(CARGO_MACHETE.0, CARGO_MACHETE.1)?;
    interrupt::run(Command::new(machete).arg("crates").current_dir(workspace::root()))
}

fn deny(_: &mut Shared) -> Result<()> {
    let deny = tool(CARGO_DENY.0, CARGO_DENY.1)?;
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
    // The layers are of what is shipped; a crate's tests may reach across.
    interrupt::run(&mut check(&["--exclude-dev"], &["bans"]))?;
    // By its own deny.toml: event-model has no runtime, database or HTTP client anywhere in its tree.
    interrupt::run(
        Command::new(&deny)
            .args(["--manifest-path", "crates/event-model/Cargo.toml"])
            .args([
                "--exclude-dev",
                "--locked",
                "check",
                "--hide-inclusion-graph",
                "bans",
            ])
            .current_dir(workspace::root()),
    )?;
    interrupt::run(&mut check(&[], &["licenses", "sources"]))?;
    // The database of advisories is a git repository elsewhere. Where it cannot be had, that is no fault of the code.
    let fetch = process::output(
        Command::new(&deny)
            .args(["fetch", "db"])
            .current_dir(workspace::root()),
    );
    if let Err(error) = fetch {
        let why = format!("{error:#}");
        println!(
            "advisories: not checked, their database cannot be had ({})",
            last_line(&why)
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

fn config(shared: &mut Shared) -> Result<()> {
    config::check(&shared.centrifugo()?)?;
    alert_rules()
}

/// Prometheus's configuration and the alert rules, and what the rules make of a good day and of a bad one.
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

/// As `up` builds them, so that the test of `up` finds nothing left to do.
fn build(_: &mut Shared) -> Result<()> {
    build_binaries(&PACKAGES, false).map(drop)
}

/// `npm ci` for every package under `web/`, unless it has been done for this lock file.
fn node(_: &mut Shared) -> Result<()> {
    let npm = Npm::find()?;
    node_packages()?
        .iter()
        .try_for_each(|package| npm.install(package))
}

/// In the order in which they need each other: lints and types read what the build made of the client package.
const WEB_SCRIPTS: [&str; 5] = ["lint", "typecheck", "test", "check", "size"];

fn web(shared: &mut Shared) -> Result<()> {
    let npm = Npm::find()?;
    npm.install(&page::web())?;
    page::build(&npm)?;
    let mut failed = Vec::new();
    for script in WEB_SCRIPTS {
        let mut command = npm.script(&page::web(), script);
        // Colours would stand in the way of counting.
        if counted(command.env("NO_COLOR", "1"), &mut shared.tests).is_err() {
            interrupt::check()?;
            failed.push(script);
        }
    }
    if !failed.is_empty() {
        bail!("npm run {} failed in web/", failed.join(", "));
    }
    Ok(())
}

fn browser(_: &mut Shared) -> Result<()> {
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

fn tests(shared: &mut Shared) -> Result<()> {
    let redis = redis::find_or_install(&mut |line| println!("{line}"))?;
    let mut command = cargo();
    command
        .args([
            "test",
            "--locked",
            "--workspace",
            "--no-fail-fast",
            "--",
            "--skip",
            "simulation::",
        ])
        .env("DATABASE_URL", shared.database_url()?)
        .env("CENTRIFUGO_BIN", shared.centrifugo()?)
        .env("REDIS_SERVER_BIN", redis);
    counted(&mut command, &mut shared.tests)
}

/// The corpus alone was among the tests; here it is changed for a while. The instrumented build of `fuzz/` takes longer
/// than a gate has: that its lock file fits is checked.
fn fuzz(shared: &mut Shared) -> Result<()> {
    let manifest = workspace::root().join("fuzz/Cargo.toml");
    process::output(
        cargo()
            .args(["metadata", "--locked", "--format-version", "1", "--manifest-path"])
            .arg(manifest),
    )
    .context("fuzz/Cargo.lock is behind: run `cargo update --workspace --manifest-path fuzz/Cargo.toml`")?;
    let mut command = test_alone("fuzz::", &[]);
    command.env("FUZZ_SECONDS", FUZZ_SECONDS);
    counted(&mut command, &mut shared.tests)
}

/// Alone: it takes all of the machine, and of the tests' own time. `cargo xtask chaos` breaks more.
fn chaos(shared: &mut Shared) -> Result<()> {
    let mut command = test_alone("chaos::", &["--ignored"]);
    command.env("CENTRIFUGO_BIN", shared.centrifugo()?);
    counted(&mut command, &mut shared.tests)
}

/// The tests of one module, showing what they print. Built with the whole workspace, so nothing is compiled for it alone.
fn test_alone(module: &str, arguments: &[&str]) -> Command {
    let mut command = cargo();
    command
        .args(["test", "--locked", "--workspace", "--test", "it", "--"])
        .args([module, "--nocapture"])
        .args(arguments);
    command
}

/// Lints and tests of what only the simulation's builds have. `cargo xtask simulate` looks for what is not known yet.
fn simulate(shared: &mut Shared) -> Result<()> {
    let mut kept = test_alone("simulation::", &[]);
    kept.env("DATABASE_URL", shared.database_url()?);
    counted(&mut kept, &mut shared.tests)
}
