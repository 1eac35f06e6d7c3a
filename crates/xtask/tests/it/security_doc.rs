//! Each line of the threat model names a test, and each test that it names is there.

use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The text between backticks, in order.
fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn is_file(span: &str) -> bool {
    span.contains('/') && Path::new(span).extension().is_some()
}

/// The file of tests and the names of a line's last column, as `file`: `test`, `test`; `file`: `test`.
fn proofs(column: &str) -> Vec<(String, String)> {
    let mut file = None;
    let mut proofs = Vec::new();
    for span in code_spans(column) {
        if is_file(span) {
            file = Some(span);
        } else {
            let file = file.unwrap_or_else(|| panic!("{span} has no file before it"));
            proofs.push((file.to_owned(), span.to_owned()));
        }
    }
    proofs
}

fn is_test(source: &str, name: &str) -> bool {
    let in_rust = source.match_indices(&format!("fn {name}(")).any(|(at, _)| {
        let before = source[..at].rsplit_once("\n\n").map_or("", |(_, before)| before);
        // `test`, `tokio::test`, `sqlx::test(…)` and their like.
        before.lines().map(str::trim).any(|line| {
            let attribute = line.strip_prefix("#[").unwrap_or_default();
            attribute
                .split(['(', ']'])
                .next()
                .is_some_and(|name| name.ends_with("test"))
        })
    });
    in_rust || source.contains(&format!("test(`{name}"))
}

#[test]
fn every_line_of_the_threat_model_names_tests_that_exist() {
    let document = read("docs/security.md");
    let mut lines = 0;
    for section in document
        .split("\n## ")
        .filter(|section| section.contains("| defence | test |"))
    {
        for line in section.lines().filter(|line| line.starts_with('|')).skip(2) {
            let column = line.trim_end_matches('|').rsplit_once('|').expect("a table").1;
            let proofs = proofs(column);
            assert!(!proofs.is_empty(), "no test proves this: {line}");
            for (file, name) in proofs {
                assert!(is_test(&read(&file), &name), "{file} has no test {name}");
            }
            lines += 1;
        }
    }
    assert!(
        lines >= 35,
        "{lines} lines: is this test reading the document right?"
    );
}
