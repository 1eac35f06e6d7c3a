//! `test`: the gate, the same here and in CI. A failure does not hide the ones of later steps.

mod counts;
mod lints;
mod report;
mod rust;
mod shared;
mod side;
mod web;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::interrupt;
use report::{Finished, Report, human};
use shared::Shared;
use side::Side;

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
    /// Where the gate's second process leaves its report.
    #[arg(long, hide = true)]
    report: Option<PathBuf>,
}

struct Step {
    name: &'static str,
    about: &'static str,
    run: Run,
}

enum Run {
    /// One after the other; each compiles the workspace in its own way.
    Rust(Task),
    /// In a process beside those: they wait for the network, or keep one core busy.
    Side(Task),
    /// Likewise, but the tests need not wait for them.
    Beside(Task),
    /// The tests that this filter of nextest selects, in one pool with those of the other steps of this kind.
    Tests(&'static str),
    /// At the end.
    Last(Task),
}

type Task = fn(&mut Shared) -> Result<()>;

/// In the order in which they run: the quick ones first.
const STEPS: [Step; 18] = [
    Step {
        name: "fmt",
        about: "rustfmt changes nothing",
        run: Run::Rust(lints::fmt),
    },
    Step {
        name: "words",
        about: "plain English: no pattern beyond its budget, no long test name",
        run: Run::Rust(|_| crate::words::check()),
    },
    Step {
        name: "clippy",
        about: "no warning in any target",
        run: Run::Rust(lints::clippy),
    },
    Step {
        name: "sqlx",
        about: "Postgres describes every statement as .sqlx does; libraries compile as in a release",
        run: Run::Rust(lints::sqlx),
    },
    Step {
        name: "doc",
        about: "the documentation builds without warnings",
        run: Run::Rust(lints::doc),
    },
    Step {
        name: "build",
        about: "every program and test",
        run: Run::Rust(rust::build),
    },
    Step {
        name: "node",
        about: "npm ci for the page and for the tests with the real clients",
        run: Run::Side(web::node),
    },
    Step {
        name: "page",
        about: "the client package and the page are built",
        run: Run::Side(web::page),
    },
    Step {
        name: "browser",
        about: "a Chromium for the tests of the page",
        run: Run::Side(web::browser),
    },
    Step {
        name: "deny",
        about: "layers, licences, sources, advisories",
        run: Run::Side(lints::deny),
    },
    Step {
        name: "config",
        about: "configuration of Centrifugo, compose and the proxy; rules of Prometheus",
        run: Run::Side(lints::config),
    },
    Step {
        name: "machete",
        about: "no unused dependency",
        run: Run::Side(lints::machete),
    },
    Step {
        name: "web",
        about: "the client package and the page: lints, types, tests, package, size",
        run: Run::Beside(web::web),
    },
    Step {
        name: "tests",
        about: "every test, with a real Postgres, Centrifugo and Redis",
        run: Run::Tests("not (package(fuzzing) | (package(e2e) & test(/^(simulation|chaos)::/)))"),
    },
    Step {
        name: "simulate",
        about: "twenty seeds, a death at every point, every mutant, and every bug found once",
        run: Run::Tests("package(e2e) & test(/^simulation::/)"),
    },
    Step {
        name: "fuzz",
        about: "everything that reads bytes of strangers, some seconds each",
        run: Run::Tests("package(fuzzing)"),
    },
    Step {
        name: "chaos",
        about: "four plans that break two of each service, Postgres, Centrifugo and every link",
        run: Run::Tests("package(e2e) & test(/^chaos::/)"),
    },
    Step {
        name: "doctests",
        about: "every example in the documentation",
        run: Run::Last(rust::doctests),
    },
];

fn step_name(text: &str) -> Result<&'static str, String> {
    let names = STEPS.map(|step| step.name);
    names
        .into_iter()
        .find(|&name| name == text)
        .ok_or_else(|| format!("the steps are {}", names.join(", ")))
}

pub fn run(args: &Args) -> Result<()> {
    if args.list {
        for step in &STEPS {
            println!("{:10}{}", step.name, step.about);
        }
        return Ok(());
    }
    interrupt::install()?;
    let start = Instant::now();
    let chosen: Vec<_> = STEPS
        .iter()
        .filter(|step| {
            (args.only.is_empty() || args.only.contains(&step.name)) && !args.skip.contains(&step.name)
        })
        .collect();
    let mut report = run_steps(&chosen, args.report.as_deref())?;
    if args.report.is_some() {
        return Ok(());
    }
    report.sort();
    println!("\n{report}");
    let failed = report.failed();
    let steps = report.steps.len() - failed.len();
    println!(
        "gate: {steps} steps passed, {} failed; {}",
        failed.len(),
        human(start.elapsed())
    );
    // CI reads this line: a run in which no test passed is a failure there.
    println!("{}", report.tests);
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Runs the side's steps in a process of their own if there are others to run beside them.
fn run_steps(chosen: &[&Step], report: Option<&Path>) -> Result<Report> {
    let mut shared = Shared::default();
    let [mut rust, mut side, mut beside, mut last] = [const { Vec::new() }; 4];
    let mut tests = Vec::new();
    for step in chosen {
        match step.run {
            Run::Rust(task) => rust.push((step, task)),
            Run::Side(task) => side.push((step, task)),
            Run::Beside(task) => beside.push((step, task)),
            Run::Tests(filter) => tests.push((step, filter)),
            Run::Last(task) => last.push((step, task)),
        }
    }
    let names = |steps: &[(&&Step, Task)]| -> Vec<_> { steps.iter().map(|(step, _)| step.name).collect() };
    let (needed, others) = (names(&side), names(&beside));
    let aside = [side, beside].concat();
    let mut running = None;
    if rust.is_empty() && tests.is_empty() {
        run_each(&aside, &mut shared, report)?;
    } else if !aside.is_empty() {
        let all = [needed.clone(), others].concat();
        println!(
            "-- beside the others, printed when they are through: {}",
            all.join(", ")
        );
        running = Some(Side::start(&all)?);
    }
    run_each(&rust, &mut shared, report)?;
    if let Some(side) = &mut running {
        side.wait_for(&needed)?;
    }
    if !tests.is_empty() {
        let (names, filters): (Vec<_>, Vec<_>) =
            tests.iter().map(|(step, filter)| (step.name, *filter)).unzip();
        let about = tests
            .iter()
            .map(|(step, _)| step.about)
            .collect::<Vec<_>>()
            .join("; ");
        run_step(&names.join("+"), &about, &mut shared, |shared| {
            rust::tests(shared, &filters)
        })?;
    }
    run_each(&last, &mut shared, report)?;
    if let Some(side) = running {
        shared.report.add(side.finish()?);
    }
    Ok(shared.into_report())
}

/// Writes the report after each step.
fn run_each(steps: &[(&&Step, Task)], shared: &mut Shared, report: Option<&Path>) -> Result<()> {
    for (step, task) in steps {
        run_step(step.name, step.about, shared, task)?;
        if let Some(path) = report {
            shared.report.write(path)?;
        }
    }
    Ok(())
}

fn run_step(
    name: &str,
    about: &str,
    shared: &mut Shared,
    task: impl FnOnce(&mut Shared) -> Result<()>,
) -> Result<()> {
    println!("\n-- {name}: {about}");
    let start = Instant::now();
    let result = task(shared);
    interrupt::check()?;
    let took = start.elapsed();
    match &result {
        Ok(()) => println!("-- {name}: ok, {}", human(took)),
        Err(error) => println!("-- {name}: FAILED after {}: {error:#}", human(took)),
    }
    shared.report.steps.push(Finished {
        name: name.to_owned(),
        took,
        passed: result.is_ok(),
    });
    Ok(())
}
