//! `words`: counts the patterns of unclear prose that docs/contributing.md asks to avoid.
//!
//! Comments, documentation, string literals and test names of Rust, TypeScript and Markdown files are read. The
//! budget of a pattern is the number of its occurrences in the tree, and only falls.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Result, bail};
use provision::process;
use regex_lite::Regex;

use crate::workspace;

/// The most words in the name of a test. Its promise as a sentence belongs in the doc comment.
const TEST_NAME_WORDS: usize = 10;
/// A string literal with fewer spaces is a key or a name, not prose.
const PROSE_SPACES: usize = 2;
/// These quote the patterns in order to explain them.
const EXCEPT: [&str; 2] = ["docs/contributing.md", "crates/xtask/src/words.rs"];

/// One pattern, and how often the tree may still have it.
struct Pattern {
    name: &'static str,
    regex: &'static str,
    budget: usize,
}

/// Lower a budget when a change makes that possible; never raise one.
const PATTERNS: [Pattern; 8] = [
    Pattern {
        name: "a clause that begins with a bare \"what\"",
        regex: r"(^|[.:;,(] )[Ww]hat [a-z]|(^|[.] )Whatever [a-z]",
        budget: 8,
    },
    Pattern {
        name: "told, tell",
        regex: r"(?i)\b(told|tells?|telling)\b",
        budget: 0,
    },
    Pattern {
        name: "nobody, somebody",
        regex: r"(?i)\b(nobody|somebody)\b",
        budget: 3,
    },
    Pattern {
        name: "\"who …\" as a noun",
        regex: r"\b[Ww]hoever\b|(^|[.:;] )[Ww]ho [a-z]|\b(by|of|to|for|from|with|and|that|but|tells?|told|than) who [a-z]",
        budget: 0,
    },
    Pattern {
        name: "goes on",
        regex: r"(?i)\b(go|goes|going|went) on\b",
        budget: 0,
    },
    Pattern {
        name: "so long, so many, so much",
        regex: r"(?i)\bso (long|many|much)\b",
        budget: 0,
    },
    Pattern {
        name: "anew",
        regex: r"(?i)\banew\b",
        budget: 0,
    },
    Pattern {
        name: "meanwhile",
        regex: r"(?i)\bmeanwhile\b",
        budget: 0,
    },
];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// List each place, by file and line.
    #[arg(long)]
    list: bool,
    /// Only files whose path begins with one of these.
    paths: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let report = WordReport::of_tree(&args.paths)?;
    if args.list {
        for place in &report.places {
            println!("{place}");
        }
    }
    println!("{report}");
    Ok(())
}

/// Fails when a pattern exceeds its budget, or a test's name is too long.
pub fn check() -> Result<()> {
    let report = WordReport::of_tree(&[])?;
    println!("{report}");
    let mut faults: Vec<String> = PATTERNS
        .iter()
        .filter(|pattern| report.found(pattern.name) > pattern.budget)
        .map(|pattern| format!("{} (at most {})", pattern.name, pattern.budget))
        .collect();
    if report.found(LONG_NAME) > 0 {
        faults.push(LONG_NAME.to_owned());
    }
    if !faults.is_empty() {
        bail!(
            "too often: {}; `cargo xtask words --list` shows where, docs/contributing.md what to write instead",
            faults.join("; ")
        );
    }
    Ok(())
}

const LONG_NAME: &str = "a test name of more than ten words";

#[derive(Debug, Default)]
struct WordReport {
    lines: usize,
    counts: BTreeMap<&'static str, usize>,
    /// `path:line: pattern: the text`, in the order of the files.
    places: Vec<String>,
}

impl WordReport {
    fn of_tree(prefixes: &[String]) -> Result<Self> {
        let files = process::output(
            Command::new("git")
                .args(["ls-files", "--cached", "--others", "--exclude-standard"])
                .current_dir(workspace::root()),
        )?;
        let mut report = Self::default();
        for path in files.lines() {
            let chosen =
                prefixes.is_empty() || prefixes.iter().any(|prefix| path.starts_with(prefix.as_str()));
            if chosen && !EXCEPT.contains(&path) && !path.contains("/generated/") {
                // A file that is deleted and not committed yet is still listed.
                if let (Some(language), Ok(text)) = (
                    Language::of(path),
                    std::fs::read_to_string(workspace::root().join(path)),
                ) {
                    report.read(path, language, &text);
                }
            }
        }
        Ok(report)
    }

    fn found(&self, name: &str) -> usize {
        self.counts.get(name).copied().unwrap_or(0)
    }

    fn read(&mut self, path: &str, language: Language, text: &str) {
        let prose = prose(language, text);
        self.lines += prose.comment_lines;
        for (line, passage) in &prose.passages {
            for (pattern, regex) in PATTERNS.iter().zip(REGEXES.iter()) {
                for found in regex.find_iter(passage) {
                    let at = passage.get(found.start()..).unwrap_or_default();
                    let shown: String = at
                        .trim_start_matches(['.', ':', ';', ',', '(', ' '])
                        .chars()
                        .take(60)
                        .collect();
                    self.add(pattern.name, format!("{path}:{line}: {}: {shown}", pattern.name));
                }
            }
        }
        for (line, name) in prose.test_names {
            if name.split_whitespace().count() > TEST_NAME_WORDS {
                self.add(LONG_NAME, format!("{path}:{line}: {LONG_NAME}: {name}"));
            }
        }
    }

    fn add(&mut self, name: &'static str, place: String) {
        *self.counts.entry(name).or_default() += 1;
        self.places.push(place);
    }
}

impl std::fmt::Display for WordReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} comment lines", self.lines)?;
        for name in PATTERNS.iter().map(|pattern| pattern.name) {
            let found = self.found(name);
            // Tenths, without floating point.
            let tenths = found * 10_000 / self.lines.max(1);
            write!(
                f,
                "\n{found:6}  {:4}.{} per 1,000  {name}",
                tenths / 10,
                tenths % 10
            )?;
        }
        write!(f, "\n{:6}  {LONG_NAME}", self.found(LONG_NAME))
    }
}

static REGEXES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    PATTERNS
        .iter()
        .map(|pattern| Regex::new(pattern.regex).expect("a test compiles each"))
        .collect()
});

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Rust,
    Script,
    Markdown,
}

impl Language {
    fn of(path: &str) -> Option<Self> {
        match Path::new(path).extension()?.to_str()? {
            "rs" => Some(Self::Rust),
            "ts" | "tsx" | "mjs" => Some(Self::Script),
            "md" => Some(Self::Markdown),
            _ => None,
        }
    }
}

/// The parts of a file that people read as sentences.
#[derive(Debug, Default)]
struct Prose {
    comment_lines: usize,
    /// Paragraphs of comments, string literals and test names, each with the line where it begins.
    passages: Vec<(usize, String)>,
    test_names: Vec<(usize, String)>,
}

impl Prose {
    fn add_string(&mut self, line: usize, text: &str) {
        if text.matches(' ').count() >= PROSE_SPACES {
            self.passages.push((line, text.to_owned()));
        }
    }

    fn add_test(&mut self, line: usize, name: String) {
        self.passages.push((line, name.clone()));
        self.test_names.push((line, name));
    }
}

fn prose(language: Language, text: &str) -> Prose {
    let mut prose = Prose::default();
    let mut paragraph: Option<(usize, String)> = None;
    let mut in_fence = false;
    let mut is_test = false;
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        let comment = comment(language, line, &mut in_fence);
        if let Some(comment) = comment.filter(|comment| !comment.is_empty()) {
            prose.comment_lines += 1;
            let (_, text) = paragraph.get_or_insert_with(|| (number, String::new()));
            text.push_str(comment);
            text.push(' ');
        } else {
            prose.passages.extend(paragraph.take());
        }
        if comment.is_some() || language == Language::Markdown {
            continue;
        }
        let (strings, comment) = strings_and_comment(line);
        for string in strings {
            prose.add_string(number, string);
        }
        if let Some(comment) = comment {
            prose.passages.push((number, comment.to_owned()));
        }
        match language {
            Language::Rust if line.starts_with("#[") && TEST_ATTRIBUTE.is_match(line) => is_test = true,
            Language::Rust if is_test => {
                if let Some(name) = FUNCTION.captures(line).and_then(|found| found.get(1)) {
                    prose.add_test(number, name.as_str().replace('_', " "));
                    is_test = false;
                }
            }
            Language::Script => {
                if let Some(name) = SCRIPT_TEST.captures(line).and_then(|found| found.get(3)) {
                    prose.test_names.push((number, name.as_str().to_owned()));
                }
            }
            Language::Rust | Language::Markdown => {}
        }
    }
    prose.passages.extend(paragraph);
    prose
}

static TEST_ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^#\[(\w+::)?test\b").expect("a valid expression"));
static FUNCTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bfn (\w+)").expect("a valid expression"));
static SCRIPT_TEST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^(test|it)(\.\w+)?\(\s*['"`](.+?)['"`],"#).expect("a valid expression"));

/// The text of a line that is a comment, or prose in Markdown; empty between paragraphs.
fn comment<'a>(language: Language, line: &'a str, in_fence: &mut bool) -> Option<&'a str> {
    match language {
        Language::Markdown => {
            if line.starts_with("```") {
                *in_fence = !*in_fence;
                return Some("");
            }
            // A row of a table is a paragraph of its own only to a reader; joined rows begin with a bar each.
            (!*in_fence).then(|| line.trim_start_matches(['#', '>', '*', '-', ' ']))
        }
        Language::Rust => line
            .starts_with("//")
            .then(|| line.trim_start_matches(['/', '!', ' '])),
        Language::Script => {
            (line.starts_with("//") || line.starts_with("/*") || line.starts_with('*')).then(|| {
                line.trim_start_matches(['/', '*', ' '])
                    .trim_end_matches("*/")
                    .trim_end()
            })
        }
    }
}

/// The string literals that begin and end in this line, and the comment behind its code.
fn strings_and_comment(line: &str) -> (Vec<&str>, Option<&str>) {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(['"', '`', '\'', '/']) {
        let quote = &rest[start..=start];
        let after = &rest[start + 1..];
        if quote == "/" {
            if let Some(comment) = after.strip_prefix('/').filter(|_| !rest[..start].ends_with(':')) {
                return (found, Some(comment.trim()));
            }
            rest = after;
            continue;
        }
        let Some(end) = closing(after, quote) else {
            // A lifetime, an apostrophe, or a literal of several lines.
            rest = after;
            continue;
        };
        found.push(&after[..end]);
        rest = &after[end + 1..];
    }
    (found, None)
}

/// Where the quote ends that is not escaped.
fn closing(text: &str, quote: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(quote)?;
        let backslashes = text[..at].len() - text[..at].trim_end_matches('\\').len();
        if backslashes.is_multiple_of(2) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No budget may allow more occurrences in 1,000 comment lines.
    const PER_THOUSAND: usize = 5;

    fn found(path: &str, text: &str) -> Vec<String> {
        let mut report = WordReport::default();
        report.read(path, Language::of(path).unwrap(), text);
        report.places
    }

    #[test]
    fn no_budget_allows_more_than_the_bound() {
        let report = WordReport::of_tree(&[]).unwrap();
        for pattern in &PATTERNS {
            assert!(
                pattern.budget * 1000 <= PER_THOUSAND * report.lines,
                "the budget of {} is more than {PER_THOUSAND} in 1,000 of {} lines",
                pattern.name,
                report.lines
            );
        }
    }

    #[test]
    fn comments_are_read_as_paragraphs() {
        let text = "/// The relay publishes\n/// what the outbox has.\nfn f() {}\n// Nobody waits. What is sent goes on.";
        assert_eq!(
            found("a.rs", text),
            [
                "a.rs:4: a clause that begins with a bare \"what\": What is sent goes on. ",
                "a.rs:4: nobody, somebody: Nobody waits. What is sent goes on. ",
                "a.rs:4: goes on: goes on. ",
            ]
        );
    }

    #[test]
    fn strings_and_test_names_are_read() {
        let rust = "#[tokio::test]\nasync fn what_is_told_holds() {\n    bail!(\"the user is told \\\"so\\\"\");\n    let x = 1; // Done anew.\n}";
        let places = found("a.rs", rust);
        assert_eq!(places.len(), 4, "{places:?}");
        let script = "test('one two three four five six seven eight nine ten eleven', () => {});\nconst url = 'http://meanwhile';";
        let places = found("a.ts", script);
        assert_eq!(places.len(), 1, "{places:?}");
        assert!(places[0].contains(LONG_NAME), "{places:?}");
    }

    #[test]
    fn code_in_markdown_is_no_prose() {
        let text = "# What it is\n\n```sh\necho tell them anew\n```\n\nThe page tells.\n";
        let places = found("a.md", text);
        assert_eq!(places.len(), 2, "{places:?}");
    }
}
