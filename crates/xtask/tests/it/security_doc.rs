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
    in_rust
        || ["test(`", "it('", "])('"]
            .iter()
            .any(|before| source.contains(&format!("{before}{name}")))
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

/// Rust sources below a folder, with their paths relative to `crates`.
fn sources_below(folder: &Path, crates: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources_below(&path, crates, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(crates).expect("below crates");
            let source = std::fs::read_to_string(&path).expect("UTF-8");
            found.push((name.display().to_string(), source));
        }
    }
}

/// The table of mutants has each one with the file that it is in.
#[test]
fn the_table_of_mutants_names_each_with_its_file() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = Vec::new();
    for krate in std::fs::read_dir(&crates).expect("crates") {
        let folder = krate.expect("a crate").path().join("src");
        sources_below(&folder, &crates, &mut sources);
    }
    let mut switches: Vec<(String, String)> = sources
        .iter()
        .filter(|(file, _)| !file.starts_with("common/"))
        .flat_map(|(file, source)| {
            let names = source
                .split("mutant!(\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next());
            names.map(|name| (name.to_owned(), file.clone()))
        })
        .collect();
    switches.sort();
    let document = read("docs/security.md");
    let table = document
        .split("| mutant | in | without |")
        .nth(1)
        .expect("the table of mutants");
    let rows: Vec<(String, String)> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let spans = code_spans(line);
            (spans[0].to_owned(), spans[1].to_owned())
        })
        .collect();
    assert_eq!(rows, switches);
}
