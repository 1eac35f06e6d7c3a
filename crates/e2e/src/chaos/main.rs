//! `chaos`: breaks a whole Calwire. `cargo xtask chaos` builds what it needs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use e2e::broker::workspace_root;
use e2e::chaos::plan::{Plan, Size};
use e2e::chaos::report::Totals;
use e2e::chaos::{self, RunOutcome};
use e2e::database::Private;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;

/// Runs two of each service with Postgres and Centrifugo, breaks them by a plan, and checks that nothing was lost.
///
/// A plan is made for each seed: changes in Google and through Calwire, and faults, each with its time. Processes are killed,
/// stopped and restarted, Postgres and Centrifugo crash, Toxiproxy disturbs every link, Google fails, loses pushes and
/// revokes grants, keys are rotated. At the end Google, the database and every page are compared event by event.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask chaos")]
struct Args {
    /// Number of seeds.
    #[arg(long, default_value_t = 4)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Length of the faulty part of a plan.
    #[arg(long, default_value_t = Size::default().seconds, value_name = "SECONDS")]
    seconds: u64,
    /// Number of faults in a plan, at most.
    #[arg(long, default_value_t = Size::default().faults)]
    faults: usize,
    /// Bound on coming to rest after the last fault.
    #[arg(long, default_value_t = 75, value_name = "SECONDS")]
    rest: u64,
    /// Run the plan of this file instead.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Print the plan of a seed instead of running it.
    #[arg(long)]
    print: bool,
    /// Print each fault.
    #[arg(long, short)]
    verbose: bool,
    /// Keep the logs of successful seeds too.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // Dropping the future stops everything that it started.
    let result = tokio::select! {
        result = break_all(&args) => result,
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn interrupted() {
    let terminate = signal(SignalKind::terminate());
    let Ok(mut terminate) = terminate else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

async fn break_all(args: &Args) -> Result<()> {
    let size = Size {
        seconds: args.seconds,
        faults: args.faults,
    };
    let plans: Vec<Plan> = match &args.plan {
        Some(file) => {
            let json = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            vec![serde_json::from_str(&json)?]
        }
        None => (args.seed..args.seed + args.seeds)
            .map(|seed| Plan::of_seed(seed, size))
            .collect(),
    };
    if args.print {
        println!("{}", serde_json::to_string_pretty(&plans)?);
        return Ok(());
    }
    let (started, mut tally) = (Instant::now(), Totals::default());
    println!("{} plans of {} s each", plans.len(), args.seconds);
    let server = Arc::new(Mutex::new(Private::start().await?));
    for plan in &plans {
        let outcome = one(args, plan, server.clone()).await?;
        tally.add(plan.seed, outcome.counts);
    }
    tally.took = started.elapsed();
    println!("\n{}", tally.table());
    if !tally.failed.is_empty() {
        bail!("{} of {} seeds broke a promise", tally.failed.len(), tally.seeds);
    }
    Ok(())
}

async fn one(args: &Args, plan: &Plan, server: Arc<Mutex<Private>>) -> Result<RunOutcome> {
    let seed = plan.seed;
    let folder = workspace_root().join(format!("target/calwire/chaos/seed-{seed}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let folder = folder.canonicalize()?;
    std::fs::write(folder.join("plan.json"), serde_json::to_string_pretty(plan)?)?;
    let say = |line: &str| {
        if args.verbose {
            println!("seed {seed:>4}  {line}");
        }
    };
    let within = Duration::from_secs(args.rest);
    let outcome = chaos::run(plan, server, &folder, within, &say).await;
    let outcome = outcome.with_context(|| format!("seed {seed}; logs are in {}", folder.display()))?;
    report(args, plan, &outcome, &folder);
    if outcome.counts.violations.is_empty() && !args.keep {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(outcome)
}

fn report(args: &Args, plan: &Plan, outcome: &RunOutcome, folder: &Path) {
    let (seed, counts) = (plan.seed, &outcome.counts);
    let faults: u64 = counts.faults.values().sum();
    let operations = counts.edits + counts.writes;
    let rested = outcome.rested.as_secs_f64();
    println!(
        "seed {seed:>4}  {}: {operations} operations, {faults} faults, at rest after {rested:.1} s",
        if counts.violations.is_empty() {
            "ok"
        } else {
            "BROKEN"
        }
    );
    if counts.violations.is_empty() {
        return;
    }
    for violation in &counts.violations {
        println!("  {violation}");
    }
    let mut replay = vec![format!("cargo xtask chaos --seed {seed} --seeds 1")];
    let usual = Size::default();
    if args.seconds != usual.seconds {
        replay.push(format!("--seconds {}", args.seconds));
    }
    if args.faults != usual.faults {
        replay.push(format!("--faults {}", args.faults));
    }
    println!(
        "  logs and plan: {}\n  replay: {}",
        folder.display(),
        replay.join(" ")
    );
}
