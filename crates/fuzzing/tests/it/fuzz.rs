//! Runs each target for some seconds: first on the corpus, then on inputs mutated from it. The same seed gives the same
//! inputs, and a failure is shrunk.
//!
//! `FUZZ_SECONDS`: how long each target runs (0, the default: on the corpus alone). `FUZZ_SEED`: the seed.

#![expect(
    clippy::unwrap_used,
    reason = "clippy exempts tests, not the functions that they share"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use fuzzing::{TARGETS, Target};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The most time of a processor that an input may take, in a build without optimizations.
const WORK_MAX: Duration = Duration::from_secs(1);
const INPUT_MAX_LEN: usize = 16 * 1024;

fn fuzz_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn number(variable: &str) -> u64 {
    std::env::var(variable).map_or(0, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} must be a whole number"))
    })
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = fuzz_folder().join("corpus").join(target.name);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(
        files.len() >= 5,
        "the corpus of {} has only {} files",
        target.name,
        files.len()
    );
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn run(target: &Target, input: &[u8]) {
    let started = ThreadTime::now();
    (target.run)(input);
    let work = started.elapsed();
    assert!(work < WORK_MAX, "{} took {work:?}", target.name);
}

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Bit(usize),
    Byte(usize, u8),
    Cut(usize, usize),
    Double(usize, usize),
    Word(usize, usize),
    /// The tail of another input.
    Splice(usize, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let number = any::<usize>;
    prop_oneof![
        1 => number().prop_map(Change::Bit),
        1 => (number(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => (number(), number()).prop_map(|(at, len)| Change::Cut(at, len)),
        1 => (number(), number()).prop_map(|(at, len)| Change::Double(at, len)),
        4 => (number(), number()).prop_map(|(at, word)| Change::Word(at, word)),
        2 => (number(), number(), number()).prop_map(|(at, other, from)| Change::Splice(at, other, from)),
    ]
}

fn changed(mut input: Vec<u8>, change: &Change, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let len = input.len();
    let span = |at: usize, by: usize| {
        let start = at % (len + 1);
        start..(start + by % 64).min(len)
    };
    match *change {
        Change::Bit(bit) if len > 0 => input[bit / 8 % len] ^= 1 << (bit % 8),
        Change::Byte(at, byte) => input.insert(at % (len + 1), byte),
        Change::Cut(at, by) => drop(input.drain(span(at, by))),
        Change::Double(at, by) => {
            let part = input[span(at, by)].to_vec();
            let at = at % (len + 1);
            input.splice(at..at, part);
        }
        Change::Word(at, word) => {
            let at = at % (len + 1);
            input.splice(at..at, words[word % words.len()].bytes());
        }
        Change::Splice(at, other, from) => {
            let other = &corpus[other % corpus.len()];
            input.truncate(at % (len + 1));
            input.extend_from_slice(&other[from % (other.len() + 1)..]);
        }
        Change::Bit(_) => {}
    }
    input.truncate(INPUT_MAX_LEN);
    input
}

fn fuzz(target: &Target) {
    let corpus = corpus(target);
    for input in &corpus {
        run(target, input);
    }
    run(target, b"");
    let bound = Duration::from_secs(number("FUZZ_SECONDS"));
    if bound.is_zero() {
        return;
    }
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("FUZZ_SEED").to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let config = Config {
        cases: u32::MAX,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let inputs = (any::<usize>(), proptest::collection::vec(change(), 1..12));
    let started = Instant::now();
    let mut tried = 0_u64;
    while started.elapsed() < bound {
        let made = inputs.new_tree(&mut runner).unwrap();
        let input_of = |(first, changes): (usize, Vec<Change>)| {
            let start = corpus[first % corpus.len()].clone();
            changes.iter().fold(start, |input, change| {
                changed(input, change, &corpus, target.words)
            })
        };
        let outcome = runner.run_one(made, |made| {
            run(target, &input_of(made));
            Ok(())
        });
        if let Err(failure) = outcome {
            report(target, &failure, input_of);
        }
        tried += 1;
    }
    println!("{}: {tried} inputs in {:?}", target.name, started.elapsed());
}

type Made = (usize, Vec<Change>);

/// Writes the smallest failing input to the folder that cargo-fuzz uses.
fn report(
    target: &Target,
    failure: &proptest::test_runner::TestError<Made>,
    input_of: impl Fn(Made) -> Vec<u8>,
) -> ! {
    let proptest::test_runner::TestError::Fail(reason, made) = failure else {
        panic!("{}: {failure}", target.name);
    };
    let folder = fuzz_folder().join("artifacts").join(target.name);
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("smallest");
    fs::write(&file, input_of(made.clone())).unwrap();
    panic!(
        "{} fails: {reason}\nThe input is in {}; once fixed, add it to fuzz/corpus/{}",
        target.name,
        file.display(),
        target.name
    );
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let name = stringify!($name);
                fuzz(TARGETS.iter().find(|target| target.name == name).unwrap());
            }
        )*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! { push_headers event_json recurrence zones_and_dates rpc jwt oauth_callback return_to ciphertext centrifugo_reply }

/// Requests of the largest size that the service reads, each with as much of one thing as it can have.
#[test]
fn the_largest_requests_are_little_work() {
    let rpc = TARGETS.iter().find(|target| target.name == "rpc").unwrap();
    let list = |many: usize, entry: fn(usize) -> String| (0..many).map(entry).collect::<Vec<_>>().join(",");
    let fields = list(16_000, |n| format!("\"f{n}\":null"));
    for input in [
        format!(
            "POST /x\n{{\"json\":{{{}}},\"meta\":[{}]}}",
            list(12_400, |n| format!("\"{n}\":null")),
            list(12_400, |n| format!("[3,\"{n}\"]"))
        ),
        format!("POST /realtime/getState\n{{\"json\":{{{fields}}}}}"),
        format!(
            "POST /__batch__\n[{}]",
            list(7_000, |_| "{\"url\":\"http://x/rpc-v1/x\"}".to_owned())
        ),
        format!("GET /{}?batch=1", "a,".repeat(60_000)),
        format!("POST /a,b?batch=1\n{{{fields}}}"),
    ] {
        run(rpc, input.as_bytes());
    }
}

/// The targets of this test and of `fuzz/` are the same.
#[test]
fn every_target_runs_here_and_in_cargo_fuzz() {
    let all: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(all, TESTED.iter().map(|&name| name.to_owned()).collect());
    let files: BTreeSet<String> = fs::read_dir(fuzz_folder().join("fuzz_targets"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(all, files);
    let manifest = fs::read_to_string(fuzz_folder().join("Cargo.toml")).unwrap();
    for name in all {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "fuzz/Cargo.toml has no [[bin]] {name}"
        );
    }
}
