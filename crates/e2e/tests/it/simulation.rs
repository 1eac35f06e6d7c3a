//! The simulation as a test: a short form of what `cargo xtask simulate` does at length, every plan that once showed a bug,
//! and what the plans themselves promise.

use std::path::Path;
use std::process::Command;

use e2e::simulation::database::Template;
use e2e::simulation::{Regression, outage, plan, points, run};

/// Each file is a plan in which a promise was broken once. None is, any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_once_failed_holds() {
    let template = Template::create().await.unwrap();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/simulation/regressions");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut broken = Vec::new();
    for file in &files {
        let json = std::fs::read_to_string(file).unwrap();
        let regression: Regression = serde_json::from_str(&json).unwrap();
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

/// Otherwise a deadlock would pass for a lock that somebody holds.
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
async fn what_changed_while_google_was_away_for_an_hour_is_caught_up_on_within_the_quota() {
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

/// The command, which shows how far it is.
fn simulate(arguments: &[&str]) {
    // The tests here run beside each other.
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
    let status = command.args(["--threads", "1"]).args(arguments).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "what is broken is said above"
    );
}

#[test]
fn twenty_seeds_keep_every_promise() {
    simulate(&["--seeds", "20", "--operations", "300"]);
}

#[test]
fn a_process_may_die_at_every_point() {
    simulate(&["--points"]);
}

/// A simulation that finds nothing proves something only if it finds what is there.
#[test]
fn every_mutant_is_found() {
    simulate(&["--control"]);
}

#[test]
fn a_seed_is_a_plan() {
    assert_eq!(plan::of_seed(7, 300), plan::of_seed(7, 300));
    assert_ne!(plan::of_seed(7, 300), plan::of_seed(8, 300));
    let json = serde_json::to_string(&plan::of_seed(7, 300)).unwrap();
    let again: Vec<plan::Operation> = serde_json::from_str(&json).unwrap();
    assert_eq!(
        again,
        plan::of_seed(7, 300),
        "a plan that is kept is the same plan"
    );
}

#[test]
fn points_and_bugs_are_named_once_each_in_its_area() {
    let points = points::declared();
    assert!(points.len() >= 24, "{points:?}");
    assert!(
        points.iter().all(|point| point.split('.').count() == 2),
        "{points:?}"
    );
    assert!(points::bugs().len() >= 12, "{:?}", points::bugs());
}
