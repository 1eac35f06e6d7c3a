//! The simulation as a test: a short run of `cargo xtask simulate`, every plan that once revealed a bug, and checks of the plans
//! themselves.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::simulation::database::Template;
use e2e::simulation::{Regression, outage, plan, points, run};

/// Each file is a plan that once violated an invariant.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_regression_fails_again() {
    let template = Template::create().await.unwrap();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/simulation/regressions");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let points = points::declared();
    let mut broken = Vec::new();
    for file in &files {
        let json = std::fs::read_to_string(file).unwrap();
        let regression: Regression = serde_json::from_str(&json).unwrap();
        for snare in regression.operations.iter().filter_map(plan::Operation::snare) {
            assert!(
                points.contains(&snare.point),
                "{}: there is no point {}",
                file.display(),
                snare.point
            );
        }
        let outcome = run(&template, regression.seed, &regression.operations)
            .await
            .unwrap();
        if let Some((step, violation)) = outcome.failure {
            broken.push(format!("{}, operation {step}: {violation}", file.display()));
        }
    }
    template.drop_now().await.unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Otherwise a deadlock would look like a held lock.
#[tokio::test]
async fn a_deadlock_is_counted() {
    let template = Template::create().await.unwrap();
    let database = template.copy().await.unwrap();
    let (mut one, mut other) = (
        database.pool.begin().await.unwrap(),
        database.pool.begin().await.unwrap(),
    );
    let lock = "select pg_advisory_xact_lock($1)";
    sqlx::query(lock).bind(1_i64).execute(&mut *one).await.unwrap();
    sqlx::query(lock).bind(2_i64).execute(&mut *other).await.unwrap();
    let (of_one, of_other) = tokio::join!(
        sqlx::query(lock).bind(2_i64).execute(&mut *one),
        sqlx::query(lock).bind(1_i64).execute(&mut *other),
    );
    assert!(of_one.is_err() || of_other.is_err());
    drop((one, other));
    assert_eq!(database.deadlocks().await.unwrap(), 1);
    database.drop_now().await.unwrap();
    template.drop_now().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_outage_is_recovered_within_the_quota() {
    let template = Template::create().await.unwrap();
    let recovery = outage::of_an_hour(&template).await;
    template.drop_now().await.unwrap();
    let recovery = recovery.unwrap();
    println!(
        "{} calendars: all equal {} s after Google was back, with {} calls, {} of them in one minute",
        recovery.calendars,
        recovery.took.num_seconds(),
        recovery.calls,
        recovery.most_calls
    );
    assert!(recovery.most_calls <= outage::CALLS_A_MINUTE, "{recovery:?}");
}

/// How many simulations each of these tests runs at a time. They wait more than they work, and other tests run beside them.
const AT_ONCE: usize = 3;

/// Runs the command, which shows its progress.
fn simulate(arguments: &[&str]) {
    let threads = AT_ONCE.to_string();
    assert!(
        succeeds(&[arguments, &["--threads", &threads]].concat()),
        "the violated invariants are listed above"
    );
}

/// With a low priority: a simulation does not depend on the machine's speed, and tests beside it wait for real clocks.
fn succeeds(arguments: &[&str]) -> bool {
    let mut command = Command::new("nice");
    command.args(["-n", "10", env!("CARGO_BIN_EXE_simulate")]);
    let status = command.args(arguments).status();
    status.is_ok_and(|status| status.success())
}

#[test]
fn twenty_seeds_violate_no_invariant() {
    simulate(&["--seeds", "20", "--operations", "300"]);
}

#[test]
fn a_process_may_die_at_every_point() {
    simulate(&["--points"]);
}

/// That the simulation finds no bug means something only if it finds every mutant.
/// Each in a separate process, where it is active from the start.
#[test]
fn every_mutant_is_found() {
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let mutants = points::mutants();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !succeeds(&["--control", "--only", mutant, "--threads", "1"]) {
                        missed.lock().unwrap().push(mutant);
                    }
                }
            });
        }
    });
    assert_eq!(missed.into_inner().unwrap(), Vec::<&String>::new());
}

#[test]
fn a_seed_determines_the_plan() {
    assert_eq!(plan::of_seed(7, 300), plan::of_seed(7, 300));
    assert_ne!(plan::of_seed(7, 300), plan::of_seed(8, 300));
    let json = serde_json::to_string(&plan::of_seed(7, 300)).unwrap();
    let again: Vec<plan::Operation> = serde_json::from_str(&json).unwrap();
    assert_eq!(again, plan::of_seed(7, 300), "a saved plan is the same plan");
}

/// An operation is trapped only at points of its areas, so a point of no area would never be tested.
#[test]
fn every_point_belongs_to_an_area_of_the_plans() {
    let points = points::declared();
    assert!(points.len() >= 24, "{points:?}");
    assert!(
        points.iter().all(|point| point.split('.').count() == 2),
        "{points:?}"
    );
    let plan = plan::of_seed(1, 2_000);
    let areas: BTreeSet<_> = plan.iter().flat_map(plan::Operation::areas).copied().collect();
    for point in &points {
        let area = point.split('.').next().unwrap_or_default();
        assert!(areas.contains(area), "no operation passes {point}");
    }
    assert!(points::mutants().len() >= 12, "{:?}", points::mutants());
}
