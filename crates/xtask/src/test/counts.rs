//! Runs commands that run tests, and adds up what they print about them.

use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use provision::process;
use serde::{Deserialize, Serialize};

use crate::interrupt;

/// The sums over what nextest, rustdoc, Vitest and Node's test runner print at their end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub failures: Vec<String>,
    /// Of nextest's tests: seconds and name.
    durations: Vec<(f64, String)>,
    /// The output of nextest's failed tests.
    outputs: Vec<FailedOutput>,
    /// Whether the summary was read: nextest prints the outputs of tests after it.
    #[serde(skip)]
    is_after_summary: bool,
    /// Whether the lines that follow are the output of the last one of `outputs`.
    #[serde(skip)]
    is_in_output: bool,
}

/// A failed test's panics, and the end of its output, without stack frames. The programs that a test of the whole stack
/// started print their logs after its panic.
#[derive(Debug, Default, Serialize, Deserialize)]
struct FailedOutput {
    test: String,
    panics: Vec<String>,
    end: VecDeque<String>,
    /// How many of the lines that follow belong to a panic.
    #[serde(skip)]
    lines_of_panic: usize,
}

/// How much of a failed test's output is repeated at the end.
const END_LINES: usize = 20;
/// How much of each panic, and of all of them.
const PANIC_LINES: usize = 10;
const PANICS_LINES: usize = 3 * PANIC_LINES;

impl FailedOutput {
    fn add(&mut self, line: &str) {
        if line.contains("panicked at ") {
            self.lines_of_panic = PANIC_LINES;
        }
        if self.lines_of_panic > 0 && self.panics.len() < PANICS_LINES {
            self.lines_of_panic -= 1;
            self.panics.push(line.to_owned());
            return;
        }
        self.end.push_back(line.to_owned());
        if self.end.len() > END_LINES {
            self.end.pop_front();
        }
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.panics.iter().chain(&self.end).map(String::as_str)
    }
}

impl Counts {
    /// Adds the counts of a line such as `Summary [ 9.1s] 5 tests run: 4 passed (1 slow), 1 failed, 7 skipped` (nextest),
    /// `test result: ok. 4 passed; 0 failed; 1 ignored; …` (rustdoc), `Tests  1 failed | 4 passed (5)` (Vitest),
    /// `# pass 4` (Node, and `ℹ pass 4` in a terminal).
    fn add(&mut self, line: &str) {
        self.keep_output(line);
        let line = line.trim();
        if let Some((status, took, name)) = nextest(line) {
            if !self.is_after_summary {
                self.add_test(status, took, name);
            }
        } else if let Some(name) = failure(line)
            && !self.is_of_nextests_test(line)
        {
            self.add_failure(name);
        }
        if let Some((_, counts)) = line
            .strip_prefix("Summary [")
            .and_then(|rest| rest.split_once(" run: "))
        {
            // Tests that nextest skips belong to another step.
            let counts = counts.split(", ").filter(|count| !count.ends_with("skipped"));
            counts.for_each(|count| self.add_count(count.split(" (").next().unwrap_or_default()));
        } else if let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
            .filter(|_| !self.is_of_nextests_test(line))
        {
            counts.split("; ").for_each(|count| self.add_count(count));
        } else if let Some(counts) = line.strip_prefix("Tests  ") {
            let counts = counts.split(" (").next().unwrap_or_default();
            counts.split(" | ").for_each(|count| self.add_count(count));
        } else if let Some(count) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))
            && let Some((word, number)) = count.split_once(' ')
        {
            self.add_count(&format!("{number} {word}"));
        }
    }

    /// Whether a test program that nextest ran reports its one test, which nextest has reported already.
    fn is_of_nextests_test(&self, line: &str) -> bool {
        self.is_after_summary && line.starts_with("test ")
    }

    fn keep_output(&mut self, line: &str) {
        if line.trim_start().starts_with("Summary [") {
            self.is_after_summary = true;
        } else if self.is_after_summary
            && let Some((status, _, name)) = nextest(line.trim())
        {
            self.is_in_output = status != "PASS";
            if self.is_in_output {
                self.outputs.push(FailedOutput {
                    test: name.to_owned(),
                    ..FailedOutput::default()
                });
            }
        } else if self.is_in_output
            && !is_of_stack(line)
            && let Some(output) = self.outputs.last_mut()
        {
            output.add(line);
        }
    }

    /// The panics of a failed test and the last lines that it printed.
    pub fn output(&self, test: &str) -> impl Iterator<Item = &str> {
        let of_test = self.outputs.iter().filter(move |output| output.test == test);
        of_test.flat_map(FailedOutput::lines)
    }

    /// `4 passed`; any other word adds nothing.
    fn add_count(&mut self, count: &str) {
        let Some((number, word)) = count.trim().split_once(' ') else {
            return;
        };
        let number = number.parse().unwrap_or(0);
        match word {
            "passed" | "pass" => self.passed += number,
            "failed" | "fail" | "timed out" | "exec failed" => self.failed += number,
            "ignored" | "skipped" | "todo" => self.skipped += number,
            _ => {}
        }
    }

    fn add_test(&mut self, status: &str, took: f64, name: &str) {
        if status == "PASS" {
            self.durations.push((took, name.to_owned()));
        } else if status != "SLOW" && status != "LEAK" {
            self.add_failure(name);
        }
    }

    fn add_failure(&mut self, name: &str) {
        if !self.failures.iter().any(|known| known == name) {
            self.failures.push(name.to_owned());
        }
    }

    pub fn add_all(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
        self.durations.extend(other.durations);
        self.outputs.extend(other.outputs);
    }

    /// The `count` slowest tests of nextest, the slowest first.
    pub fn slowest(&self, count: usize) -> Vec<(f64, &str)> {
        let mut all: Vec<_> = self
            .durations
            .iter()
            .map(|(took, name)| (*took, name.as_str()))
            .collect();
        all.sort_by(|one, other| other.0.total_cmp(&one.0));
        all.truncate(count);
        all
    }
}

/// Alone on a line, as CI expects it.
impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
            ..
        } = self;
        write!(f, "tests: {passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Status, seconds and name in `PASS [   0.004s] (  1/812) common::it ids::parse`, nextest's line for a test.
fn nextest(line: &str) -> Option<(&str, f64, &str)> {
    let (status, rest) = line.split_once(" [")?;
    let (took, name) = rest.split_once("s] ")?;
    let is_status = !status.is_empty()
        && status
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || b" +-".contains(&byte));
    // A test that is still running is `SLOW [> 60.000s]`.
    let took = took.trim_start_matches(['>', ' ']).parse().ok()?;
    let name = name.trim_start();
    let name = name
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(") "))
        .map_or(name, |(_, name)| name.trim_start());
    is_status.then_some((status, took, name))
}

/// A line of a stack trace, or an empty one.
fn is_of_stack(line: &str) -> bool {
    let line = line.trim();
    let frame = line.split_once(": ").map(|(number, _)| number);
    line.is_empty()
        || line.starts_with("at /")
        || line.starts_with("at ./")
        || frame.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The test that a line reports as failed: `test a::b ... FAILED` (rustdoc), `FAIL  tests/a.test.ts > b` (Vitest),
/// `not ok 3 - a` or `✖ a (12.5ms)` (Node).
fn failure(line: &str) -> Option<&str> {
    let rust = || line.strip_prefix("test ")?.strip_suffix(" ... FAILED");
    let vitest = || line.strip_prefix("FAIL  ");
    let node = || Some(line.strip_prefix("not ok ")?.split_once(" - ")?.1);
    let node_in_words = || Some(line.strip_prefix("✖ ")?.strip_suffix("ms)")?.rsplit_once(" (")?.0);
    rust().or_else(vitest).or_else(node).or_else(node_in_words)
}

/// Runs to the end, prints its output and adds up the tests in it.
pub fn counted(command: &mut Command, counts: &mut Counts) -> Result<()> {
    counts.is_after_summary = false;
    counts.is_in_output = false;
    each_line(command, |line| {
        println!("{line}");
        counts.add(line);
    })
}

/// Runs to the end and hands over each line of its output, errors included: nextest reports there.
fn each_line(command: &mut Command, mut take: impl FnMut(&str)) -> Result<()> {
    let shown = process::show(command);
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let child = command.spawn();
    // Otherwise this end of the pipe would keep it open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.with_context(|| format!("cannot run {shown}"))?;
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || read_lines(reader, &send));
    // The rest is not waited for after a signal: processes that the command started may hold its output open.
    while !interrupt::asked() {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => take(&line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = interrupt::wait(&mut child)?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(())
}

fn read_lines(out: impl Read, lines: &Sender<String>) {
    for line in BufReader::new(out)
        .split(b'\n')
        .map_while(std::result::Result::ok)
    {
        if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(counts: &Counts) -> (u64, u64, u64) {
        (counts.passed, counts.failed, counts.skipped)
    }

    #[test]
    fn results_are_summed() {
        let mut counts = Counts::default();
        counts.add(
            "test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        counts.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        counts.add("test postgres::tests::a_cluster ... ok");
        counts.add("test postgres::tests::a_port ... FAILED");
        assert_eq!(numbers(&counts), (6, 3, 1));

        counts.add(" Test Files  2 passed (2)");
        counts.add(" FAIL  tests/reducer.test.ts > a gap");
        counts.add("      Tests  1 failed | 20 passed | 2 skipped (23)");
        assert_eq!(numbers(&counts), (26, 4, 3));

        for line in [
            "# tests 9",
            "# suites 2",
            "# pass 7",
            "# fail 1",
            "# cancelled 0",
            "not ok 2 - two tabs",
            "✖ failing tests:",
            "✖ a drag (light) (5102.25ms)",
            "# skipped 1",
        ] {
            counts.add(line);
        }
        assert_eq!(numbers(&counts), (33, 5, 4));
        let failures = [
            "postgres::tests::a_port",
            "tests/reducer.test.ts > a gap",
            "two tabs",
            "a drag (light)",
        ];
        assert_eq!(counts.failures, failures);
    }

    #[test]
    fn nextests_lines_are_read() {
        let mut counts = Counts::default();
        for line in [
            "        PASS [   0.004s] (1/4) common::it ids::parse",
            "        SLOW [> 60.000s] (───) e2e::it browser::page",
            "        FAIL [   1.500s] (2/4) store::it mirror::walk",
            "        PASS [  61.250s] (3/4) e2e::it browser::page",
            "     SIGABRT [   0.200s] (4/4) sync relay::tests::ends",
            "     Summary [  62.1s] 4 tests run: 2 passed (1 slow, 1 leaky), 1 failed, 1 timed out, 40 skipped",
            "        PASS [  61.250s] (3/4) e2e::it browser::page",
            "  stdout ───",
            "    # pass 9",
            "        FAIL [   1.500s] (2/4) store::it mirror::walk",
            "  stdout ───",
            "    running 1 test",
            "    test mirror::walk ... FAILED",
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 40 filtered out; finished in 1.50s",
            "  stderr ───",
            "",
            "    thread 'mirror::walk' panicked at crates/store/tests/it/mirror.rs:9:5:",
            "    not within 30s",
            "       0: __rustc::rust_begin_unwind",
            "                 at /rustc/59807616/library/std/src/panicking.rs:689:5",
        ] {
            counts.add(line);
        }
        for line in 0..100 {
            counts.add(&format!("    line {line} of a log"));
        }
        let output: Vec<_> = counts.output("store::it mirror::walk").collect();
        assert_eq!(output.len(), PANIC_LINES + END_LINES);
        let panic = [
            "    thread 'mirror::walk' panicked at crates/store/tests/it/mirror.rs:9:5:",
            "    not within 30s",
        ];
        assert_eq!(output[..2], panic);
        assert_eq!(output.last(), Some(&"    line 99 of a log"));
        assert_eq!(numbers(&counts), (11, 2, 0));
        assert_eq!(
            counts.failures,
            ["store::it mirror::walk", "sync relay::tests::ends"]
        );
        let slowest = [(61.25, "e2e::it browser::page"), (0.004, "common::it ids::parse")];
        assert_eq!(counts.slowest(2), slowest);
    }
}
