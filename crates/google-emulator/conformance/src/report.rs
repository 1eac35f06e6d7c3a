//! The report of a run: Markdown that a person can send, without addresses and tokens.

use std::fmt::Write;
use std::sync::LazyLock;

use regex_lite::{Captures, NoExpand, Regex};

use crate::case::{Case, Need, Verified};
use crate::runner::Difference;
use crate::target::Target;

/// A longer value is cut: the report is for reading.
const VALUE_MAX_CHARS: usize = 800;

#[expect(clippy::expect_used, reason = "a constant pattern")]
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    let tokens = r"(ya29\.|1//0|4/0A|GOCSPX-|eyJ)[A-Za-z0-9._-]+";
    Regex::new(tokens).expect("a constant pattern")
});
/// In URLs the at sign is encoded.
#[expect(clippy::expect_used, reason = "a constant pattern")]
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let address = r"[A-Za-z0-9._%+-]+(@|%40)[A-Za-z0-9.-]+\.[A-Za-z]+";
    Regex::new(address).expect("a constant pattern")
});

#[derive(Debug, Clone)]
pub enum Outcome {
    Holds,
    Differs(Difference),
    /// The target lacks these.
    Skipped(Vec<Need>),
    /// The run was interrupted before.
    NotRun,
}

#[derive(Debug, Default)]
pub struct Report {
    pub results: Vec<(Case, Outcome)>,
    /// Calendars and events that the clean-up could not delete.
    pub left: Vec<String>,
}

impl Report {
    pub fn count(&self, is_counted: impl Fn(&Outcome) -> bool) -> usize {
        self.results
            .iter()
            .filter(|(_, outcome)| is_counted(outcome))
            .count()
    }

    pub fn differences(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Differs(_)))
    }

    /// One line with the counts.
    pub fn summary(&self) -> String {
        format!(
            "{} cases: {} hold, {} differ, {} need what was not given, {} were not run",
            self.results.len(),
            self.count(|outcome| matches!(outcome, Outcome::Holds)),
            self.differences(),
            self.count(|outcome| matches!(outcome, Outcome::Skipped(_))),
            self.count(|outcome| matches!(outcome, Outcome::NotRun)),
        )
    }

    /// The whole as Markdown. `google`: the name of the target.
    pub fn markdown(&self, target: &Target, google: &str) -> String {
        let mut text = format!("# Conformance of {google}\n\n{}.\n", self.summary());
        if !self.left.is_empty() {
            text.push_str("\n## Left behind\n\nThese could not be deleted. Run google-check again, or delete them in Google Calendar.\n\n");
            // Writing to a string does not fail.
            let _ = self.left.iter().try_for_each(|left| writeln!(text, "- {left}"));
        }
        text.push_str("\n## Differences\n");
        for (case, outcome) in &self.results {
            if let Outcome::Differs(difference) = outcome {
                text.push_str(&describe(case, difference, target));
            }
        }
        section(&mut text, "Unverified cases that hold", self, |case, outcome| {
            let is_answered = case.verified == Verified::Unverified && matches!(outcome, Outcome::Holds);
            is_answered.then(|| case.title.clone())
        });
        section(&mut text, "Not run", self, |_, outcome| match outcome {
            Outcome::Skipped(needs) => {
                let needs: Vec<_> = needs.iter().map(|need| need.describe()).collect();
                Some(format!("needs {}", needs.join(" and ")))
            }
            Outcome::NotRun => Some("interrupted".to_owned()),
            Outcome::Holds | Outcome::Differs(_) => None,
        });
        masked(&text, target)
    }
}

fn describe(case: &Case, difference: &Difference, target: &Target) -> String {
    let mut text = format!("\n### {}: {}\n\n", case.id, case.title);
    for source in &case.sources {
        let _ = writeln!(text, "- {:?}: {} (<{}>)", case.verified, source.says, source.url);
    }
    let mismatch = &difference.mismatch;
    // Masked first: half an address is not recognised.
    let shown = |value: &str| cut(&masked(value, target));
    let _ = write!(
        text,
        "\n```\nstep {}   {}\nat       {}\nexpected {}\nactual   {}\n```\n",
        difference.step,
        difference.call,
        mismatch.at,
        shown(&mismatch.expected),
        shown(&mismatch.actual)
    );
    text
}

fn section(
    text: &mut String,
    title: &str,
    report: &Report,
    line: impl Fn(&Case, &Outcome) -> Option<String>,
) {
    let _ = write!(text, "\n## {title}\n\n");
    for (case, outcome) in &report.results {
        if let Some(line) = line(case, outcome) {
            let _ = writeln!(text, "- `{}`: {line}", case.id);
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_MAX_CHARS) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// The text without addresses, ids and tokens of the run.
fn masked(text: &str, target: &Target) -> String {
    let mut text = text.to_owned();
    let private = target.private();
    for (value, instead) in private.iter().filter(|(value, _)| !value.contains('@')) {
        text = text.replace(value, instead);
    }
    // Whole addresses are compared: one may be the end of another.
    let address = |found: &Captures<'_>| {
        let found = found[0].replace("%40", "@");
        let known = private
            .iter()
            .find(|(value, _)| value.eq_ignore_ascii_case(&found));
        known.map_or("<address>", |(_, instead)| instead).to_owned()
    };
    let text = ADDRESS.replace_all(&text, address);
    TOKEN.replace_all(&text, NoExpand("<token>")).into_owned()
}
