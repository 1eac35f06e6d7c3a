//! `docs/api.md` is the table of procedures: written from it, and compared with it in every run.

#![expect(
    clippy::unwrap_used,
    reason = "clippy exempts tests, not the functions that they share"
)]

mod guide;
mod render;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use calendar_api::procedures;
use guide::{EVERYWHERE, GUIDE};

/// Set by `cargo xtask types`: write the file instead of comparing with it.
const WRITE: &str = "CALWIRE_WRITE_TYPES";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn docs_api_md_is_what_the_table_of_procedures_says() {
    let path = root().join("docs/api.md");
    let page = render::page(&procedures::router());
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, page).unwrap();
    } else {
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page,
            "docs/api.md is not up to date: run `cargo xtask types` and commit it"
        );
    }
}

#[test]
fn every_procedure_is_told_of_and_no_other() {
    let table: BTreeSet<_> = procedures::router()
        .procedures()
        .map(|procedure| procedure.path)
        .collect();
    let told: BTreeSet<_> = GUIDE.iter().map(|entry| entry.path).collect();
    assert_eq!(
        told, table,
        "tests/it/reference/guide.rs and procedures.rs differ: tell in the guide what a procedure does"
    );
    assert_eq!(told.len(), GUIDE.len(), "a procedure is told of twice");
}

/// Where words for `data.reason` are written down.
const SOURCES: [&str; 3] = [
    "crates/calendar-api/src",
    "crates/sync/src/write/end.rs",
    "crates/event-model/src/permissions.rs",
];

#[test]
fn every_reason_of_an_error_is_told_of_and_no_other() {
    let mut given = BTreeSet::new();
    for source in SOURCES {
        reasons(&root().join(source), &mut given);
    }
    assert!(
        given.len() > 20,
        "is this test reading the sources right? {given:?}"
    );
    let told: BTreeSet<_> = GUIDE
        .iter()
        .flat_map(|entry| entry.errors.iter().copied().flatten())
        .chain(EVERYWHERE)
        .filter_map(|error| Some(error.reason?.to_owned()))
        .collect();
    assert_eq!(
        told, given,
        "tests/it/reference/guide.rs and the sources differ: tell in the guide when an error comes"
    );
}

/// The words in `with_reason("WORD")` and `=> "WORD"`.
fn reasons(path: &Path, found: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            reasons(&entry.unwrap().path(), found);
        }
        return;
    }
    let source = fs::read_to_string(path).unwrap();
    for start in ["with_reason(\"", "=> \""] {
        let words = source
            .split(start)
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let is_reason = |word: &&str| {
            word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        };
        found.extend(words.filter(is_reason).map(str::to_owned));
    }
}
