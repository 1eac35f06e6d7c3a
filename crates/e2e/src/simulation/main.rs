//! `simulate`: runs simulations. `cargo xtask simulate` builds it and gives it a Postgres.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use clap::Parser;
use e2e::simulation::database::Template;
use e2e::simulation::report::{Campaign, Failed, Tally, runtime};
use e2e::simulation::{Outcome, Regression, known, plan, points, shrink};

/// Simulates Calwire from seeds and checks that its promises hold.
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
#[derive(Debug, Parser)]
struct Args {
    /// Number of seeds.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of operations in a plan.
    #[arg(long, default_value_t = 300)]
    operations: usize,
    /// Kill a process at every named point, one after the other.
    #[arg(long)]
    points: bool,
    /// Activate each mutant, one after the other, and check that it is found.
    #[arg(long)]
    control: bool,
    /// Only this point or this mutant.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Activate this mutant, and run its plans.
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Run the plan of this file instead.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Print the plan of a seed instead of running it.
    #[arg(long)]
    print: bool,
    /// Do not shorten a failing plan.
    #[arg(long)]
    no_shrink: bool,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

impl Args {
    fn plan_of(&self, seed: u64) -> Vec<plan::Operation> {
        match &self.mutant {
            Some(mutant) => plan::of_mutant(mutant, seed, self.operations),
            None => plan::of_seed(seed, self.operations),
        }
    }
}

/// Seeds within which a mutant has to be found, and within which a point has to be reached.
const CONTROL_SEEDS: u64 = 50;
const POINT_SEEDS: u64 = 12;
const POINT_OPERATIONS: usize = 120;

fn main() -> ExitCode {
    let _traces = std::env::var_os("RUST_LOG").map(|_| common::telemetry::init("simulate"));
    match simulate(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(args: &Args) -> Result<()> {
    common::simulation::set_mutant(args.mutant.as_deref());
    if args.print {
        println!("{}", serde_json::to_string_pretty(&args.plan_of(args.seed))?);
        return Ok(());
    }
    let main = runtime()?;
    let template = main.block_on(Template::create())?;
    let result = if let Some(file) = &args.plan {
        replay(&main, &template, file)
    } else if args.control {
        control(args, &template)
    } else if args.points {
        crash_points(args, &template)
    } else {
        seeds(args, &main, &template)
    };
    main.block_on(template.drop_now())?;
    result
}

fn seeds(args: &Args, main: &tokio::runtime::Runtime, template: &Template) -> Result<()> {
    let all = (args.seed..args.seed + args.seeds).collect();
    println!(
        "{} seeds from {}, {} operations each",
        args.seeds, args.seed, args.operations
    );
    let campaign = Campaign {
        template,
        seeds: all,
        threads: args.threads,
        stops_at_first: false,
        plan: &|seed| args.plan_of(seed),
        progress: &|seed, outcome| println!("seed {seed:>6}  {}", say(outcome)),
    };
    let tally = campaign.run()?;
    println!("\n{}", tally.table());
    let Some(first) = tally.failed.first() else {
        return Ok(());
    };
    for failed in &tally.failed {
        println!(
            "\nseed {}, operation {}: {}\nreplay: cargo xtask simulate --seed {} --seeds 1 --operations {}",
            failed.seed, failed.step, failed.violation, failed.seed, args.operations
        );
    }
    if !args.no_shrink {
        shorten(args, main, template, first)?;
    }
    bail!(
        "{} of {} seeds violated an invariant",
        tally.failed.len(),
        tally.seeds
    )
}

fn say(outcome: &Outcome) -> String {
    match &outcome.failure {
        None => format!("ok, {} faults", outcome.ledger.faults.values().sum::<u64>()),
        Some((step, violation)) => format!("BROKEN at operation {step}: {}", violation.invariant),
    }
}

/// Shortens a failing plan and saves it for another run.
fn shorten(args: &Args, main: &tokio::runtime::Runtime, template: &Template, failed: &Failed) -> Result<()> {
    let mut operations = args.plan_of(failed.seed);
    operations.truncate(failed.step + 1);
    println!("\nShortening the plan of seed {}", failed.seed);
    let shrinking = shrink::shrink(template, failed.seed, &operations, failed.violation.invariant);
    let (operations, runs) = main.block_on(shrinking)?;
    let regression = Regression {
        about: failed.violation.to_string(),
        seed: failed.seed,
        operations,
    };
    let json = serde_json::to_string_pretty(&regression)?;
    let file = std::env::temp_dir().join(format!("calwire-simulation-{}.json", failed.seed));
    std::fs::write(&file, &json)?;
    println!(
        "{json}\n{} operations after {runs} runs\nreplay: cargo xtask simulate --plan {}",
        regression.operations.len(),
        file.display()
    );
    Ok(())
}

fn replay(main: &tokio::runtime::Runtime, template: &Template, file: &PathBuf) -> Result<()> {
    let json = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let regression: Regression = serde_json::from_str(&json)?;
    let outcome = main.block_on(e2e::simulation::run(
        template,
        regression.seed,
        &regression.operations,
    ))?;
    println!("{}: {}", regression.about, say(&outcome));
    match outcome.failure {
        None => Ok(()),
        Some((step, violation)) => bail!("operation {step}: {violation}"),
    }
}

/// All `names`, or the one that was asked for.
fn chosen(args: &Args, mut names: Vec<String>) -> Result<Vec<String>> {
    if let Some(only) = &args.only {
        anyhow::ensure!(
            names.contains(only),
            "there is no {only}, but {}",
            names.join(", ")
        );
        names.retain(|name| name == only);
    }
    Ok(names)
}

/// Kills a process at every named point; others take over, and every invariant still holds.
fn crash_points(args: &Args, template: &Template) -> Result<()> {
    let points = chosen(args, points::declared())?;
    println!("{} named points", points.len());
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                if !is_survived(args, template, point)? {
                    wrong
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(point.clone());
                }
            }
            Ok(())
        };
        let workers: Vec<_> = (0..args.threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a simulation panicked")))
    })?;
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !wrong.is_empty() {
        bail!("failed: {}", wrong.join(", "));
    }
    Ok(())
}

/// Tries one seed after the other until one reaches the point; first the one that did when this was written.
fn is_survived(args: &Args, template: &Template, point: &str) -> Result<bool> {
    for seed in known::first(known::of_point(point), args.seed..args.seed + POINT_SEEDS) {
        let plan = |seed| plan::of_point(point, seed, POINT_OPERATIONS);
        let tally = campaign(1, template, vec![seed], &plan)?;
        let died = tally.died.get(point).copied().unwrap_or_default();
        if let Some(failed) = tally.failed.first() {
            println!("{point:28} BROKEN, seed {seed}: {}", failed.violation);
            return Ok(false);
        }
        if died > 0 {
            println!("{point:28} died {died} times in seed {seed}, ok");
            return Ok(true);
        }
    }
    println!("{point:28} NEVER REACHED in {POINT_SEEDS} seeds");
    Ok(false)
}

fn campaign(
    threads: usize,
    template: &Template,
    seeds: Vec<u64>,
    plan: &(dyn Fn(u64) -> Vec<plan::Operation> + Sync),
) -> Result<Tally> {
    Campaign {
        template,
        seeds,
        threads,
        stops_at_first: true,
        plan,
        progress: &|_, _| (),
    }
    .run()
}

/// That the simulation finds no bug means something only if it finds every mutant.
fn control(args: &Args, template: &Template) -> Result<()> {
    let mutants = chosen(args, points::mutants())?;
    println!(
        "{} mutants, up to {CONTROL_SEEDS} seeds of {} operations each",
        mutants.len(),
        args.operations
    );
    let mut missed = Vec::new();
    for mutant in &mutants {
        common::simulation::set_mutant(Some(mutant));
        let all = args.seed..args.seed + CONTROL_SEEDS;
        let seeds = known::first(known::of_mutant(mutant), all);
        let tally = campaign(args.threads, template, seeds, &|seed| {
            plan::of_mutant(mutant, seed, args.operations)
        })?;
        common::simulation::set_mutant(None);
        let found: BTreeSet<_> = tally
            .failed
            .iter()
            .map(|failed| failed.violation.invariant)
            .collect();
        if let Some(first) = tally.failed.first() {
            let invariants: Vec<_> = found.into_iter().collect();
            let (seed, step) = (first.seed, first.step);
            println!(
                "{mutant:24} found by seed {seed}, operation {step}, as number {}: {}",
                tally.seeds,
                invariants.join(", ")
            );
        } else {
            println!("{mutant:24} NOT FOUND in {} seeds", tally.seeds);
            missed.push(mutant.as_str());
        }
    }
    if !missed.is_empty() {
        bail!("the simulation does not find: {}", missed.join(", "));
    }
    Ok(())
}
