//! Running what has tests in it, and adding up what it says of them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use provision::process;

use crate::interrupt;

/// The sums over what Rust's tests, Vitest and Node's test runner say at their end.
#[derive(Debug, Default)]
pub struct Tests {
    pub passed: u64,
    pub failed: u64,
    pub ignored: u64,
    /// The names of those that failed, to be read without searching.
    pub failures: Vec<String>,
}

impl Tests {
    /// Adds the counts of a line such as `test result: ok. 4 passed; 0 failed; 1 ignored; …` (Rust),
    /// `Tests  1 failed | 4 passed (5)` (Vitest), `# pass 4` (Node, and `ℹ pass 4` in a terminal).
    fn add(&mut self, line: &str) {
        let line = line.trim();
        if let Some(name) = failure(line)
            && !self.failures.iter().any(|known| known == name)
        {
            self.failures.push(name.to_owned());
        }
        if let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        {
            counts.split("; ").for_each(|count| self.add_count(count));
        } else if let Some(counts) = line.strip_prefix("Tests  ") {
            let counts = counts.split(" (").next().unwrap_or_default();
            counts.split(" | ").for_each(|count| self.add_count(count));
        } else if let Some(count) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))
            && let Some((what, number)) = count.split_once(' ')
        {
            self.add_count(&format!("{number} {what}"));
        }
    }

    /// `4 passed`; a word that counts something else adds nothing.
    fn add_count(&mut self, count: &str) {
        let Some((number, what)) = count.trim().split_once(' ') else {
            return;
        };
        let number = number.parse().unwrap_or(0);
        match what {
            "passed" | "pass" => self.passed += number,
            "failed" | "fail" => self.failed += number,
            "ignored" | "skipped" | "todo" => self.ignored += number,
            _ => {}
        }
    }
}

/// The test that a line says to have failed: `test a::b ... FAILED` (Rust), `FAIL  tests/a.test.ts > b` (Vitest),
/// `not ok 3 - a` or `✖ a (12.5ms)` (Node).
fn failure(line: &str) -> Option<&str> {
    let rust = || line.strip_prefix("test ")?.strip_suffix(" ... FAILED");
    let vitest = || line.strip_prefix("FAIL  ");
    let node = || Some(line.strip_prefix("not ok ")?.split_once(" - ")?.1);
    let node_in_words = || Some(line.strip_prefix("✖ ")?.strip_suffix("ms)")?.rsplit_once(" (")?.0);
    rust().or_else(vitest).or_else(node).or_else(node_in_words)
}

/// Runs to the end, shows what it says and adds up the tests in it.
pub fn counted(command: &mut Command, tests: &mut Tests) -> Result<()> {
    each_line(command, |line| {
        println!("{line}");
        tests.add(line);
    })
}

/// Runs to the end and hands over each line that it says.
fn each_line(command: &mut Command, mut take: impl FnMut(&str)) -> Result<()> {
    let shown = process::show(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    let out = child.stdout.take().context("its output is piped")?;
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || read_lines(out, &send));
    // The rest is not waited for after a signal: what the command has started itself may hold its output open.
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

    fn counts(tests: &Tests) -> (u64, u64, u64) {
        (tests.passed, tests.failed, tests.ignored)
    }

    #[test]
    fn results_are_summed() {
        let mut tests = Tests::default();
        tests.add(
            "test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        tests.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        tests.add("test postgres::tests::a_cluster ... ok");
        tests.add("test postgres::tests::a_port ... FAILED");
        assert_eq!(counts(&tests), (6, 3, 1));

        tests.add(" Test Files  2 passed (2)");
        tests.add(" FAIL  tests/reducer.test.ts > a gap");
        tests.add("      Tests  1 failed | 20 passed | 2 skipped (23)");
        assert_eq!(counts(&tests), (26, 4, 3));

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
            tests.add(line);
        }
        assert_eq!(counts(&tests), (33, 5, 4));
        let failures = [
            "postgres::tests::a_port",
            "tests/reducer.test.ts > a gap",
            "two tabs",
            "a drag (light)",
        ];
        assert_eq!(tests.failures, failures);
    }
}
