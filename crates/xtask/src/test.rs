//! `test`: the gate, the same here and in CI. A failure does not hide the ones of later steps.

mod counts;
mod lints;
mod report;
mod rust;
mod shared;
mod side;
mod web;

use std::path::PathBuf;
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
    order: Order,
    run: fn(&mut Shared) -> Result<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// One after the other; each compiles the workspace in its own way.
    Rust,
    /// In a process beside those: they wait for the network, or keep one core busy.
    Side,
    /// Once all of those are through.
    Last,
}

/// In the order in which they run: the quick ones first.
const STEPS: [Step; 17] = [
    Step {
        name: "fmt",
        about: "rustfmt changes nothing",
        order: Order::Rust,
        run: lints::fmt,
    },
    Step {
        name: "words",
        about: "plain English: no pattern beyond its budget, no long test name",
        order: Order::Rust,
        run: |_| crate::words::check(),
    },
    Step {
        name: "clippy",
        about: "no warning in any target",
        order: Order::Rust,
        run: lints::clippy,
    },
    Step {
        name: "sqlx",
        about: "Postgres describes every statement as .sqlx does; libraries compile as in a release",
        order: Order::Rust,
        run: lints::sqlx,
    },
    Step {
        name: "doc",
        about: "the documentation builds without warnings",
        order: Order::Rust,
        run: lints::doc,
    },
    Step {
        name: "build",
        about: "every program and test",
        order: Order::Rust,
        run: rust::build,
    },
    Step {
        name: "node",
        about: "npm ci for the page and for the tests with the real clients",
        order: Order::Side,
        run: web::node,
    },
    Step {
        name: "web",
        about: "the client package and the page: build, lints, types, tests, package, size",
        order: Order::Side,
        run: web::web,
    },
    Step {
        name: "browser",
        about: "a Chromium for the tests of the page",
        order: Order::Side,
        run: web::browser,
    },
    Step {
        name: "deny",
        about: "layers, licences, sources, advisories",
        order: Order::Side,
        run: lints::deny,
    },
    Step {
        name: "config",
        about: "configuration of Centrifugo, compose and the proxy; rules of Prometheus",
        order: Order::Side,
        run: lints::config,
    },
    Step {
        name: "machete",
        about: "no unused dependency",
        order: Order::Side,
        run: lints::machete,
    },
    Step {
        name: "tests",
        about: "every test, with a real Postgres, Centrifugo and Redis",
        order: Order::Last,
        run: rust::tests,
    },
    Step {
        name: "doctests",
        about: "every example in the documentation",
        order: Order::Last,
        run: rust::doctests,
    },
    Step {
        name: "simulate",
        about: "twenty seeds, a death at every point, every mutant, and every bug found once",
        order: Order::Last,
        run: rust::simulate,
    },
    Step {
        name: "fuzz",
        about: "everything that reads bytes of strangers, some seconds each",
        order: Order::Last,
        run: rust::fuzz,
    },
    Step {
        name: "chaos",
        about: "four plans that break two of each service, Postgres, Centrifugo and every link",
        order: Order::Last,
        run: rust::chaos,
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
    let mut report = run_steps(&chosen)?;
    if let Some(path) = &args.report {
        std::fs::write(path, serde_json::to_vec(&report)?)?;
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
fn run_steps(chosen: &[&Step]) -> Result<Report> {
    let of = |order: Order| -> Vec<&Step> {
        let steps = chosen.iter().filter(|step| step.order == order);
        steps.copied().collect()
    };
    let mut shared = Shared::default();
    let (rust, side) = (of(Order::Rust), of(Order::Side));
    if rust.is_empty() || side.is_empty() {
        run_each(&[rust, side].concat(), &mut shared)?;
    } else {
        let names: Vec<_> = side.iter().map(|step| step.name).collect();
        println!(
            "-- beside the others, printed when they are through: {}",
            names.join(", ")
        );
        let beside = Side::start(&names)?;
        run_each(&rust, &mut shared)?;
        let report = beside.finish()?;
        shared.report.add(report);
    }
    run_each(&of(Order::Last), &mut shared)?;
    Ok(shared.into_report())
}

fn run_each(steps: &[&Step], shared: &mut Shared) -> Result<()> {
    for step in steps {
        println!("\n-- {}: {}", step.name, step.about);
        let start = Instant::now();
        let result = (step.run)(shared);
        interrupt::check()?;
        let took = start.elapsed();
        match &result {
            Ok(()) => println!("-- {}: ok, {}", step.name, human(took)),
            Err(error) => println!("-- {}: FAILED after {}: {error:#}", step.name, human(took)),
        }
        shared.report.steps.push(Finished {
            name: step.name.to_owned(),
            took,
            passed: result.is_ok(),
        });
    }
    Ok(())
}
