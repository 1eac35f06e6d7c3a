//! `docs/api.md` is generated from the table of procedures and compared with it in every run.

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
use event_model::permissions::Restriction;
use strum::VariantNames as _;
use sync::write::Reason;

use guide::{EVERYWHERE, GUIDE};

/// Set by `cargo xtask types`: write the file instead of comparing with it.
const WRITE: &str = "CALWIRE_WRITE_TYPES";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn docs_api_md_is_up_to_date() {
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
fn the_guide_has_every_procedure() {
    let table: BTreeSet<_> = procedures::router()
        .procedures()
        .map(|procedure| procedure.path)
        .collect();
    let described: BTreeSet<_> = GUIDE.iter().map(|entry| entry.path).collect();
    assert_eq!(
        described, table,
        "tests/it/reference/guide.rs and procedures.rs differ: describe each procedure in the guide"
    );
    assert_eq!(described.len(), GUIDE.len(), "a procedure is described twice");
}

/// Where this service names its own values of `data.reason`. Those of writes are the names of two enums.
const SOURCES: &str = "crates/calendar-api/src";

#[test]
fn the_guide_has_every_error_reason() {
    let of_writes = Reason::VARIANTS.iter().chain(Restriction::VARIANTS);
    let mut given: BTreeSet<String> = of_writes.map(|&name| name.to_owned()).collect();
    reasons(&root().join(SOURCES), &mut given);
    assert!(
        given.len() > 20,
        "too few reasons found in the sources: {given:?}"
    );
    let described: BTreeSet<_> = GUIDE
        .iter()
        .flat_map(|entry| entry.errors.iter().copied().flatten())
        .chain(EVERYWHERE)
        .filter_map(|error| Some(error.reason?.to_owned()))
        .collect();
    assert_eq!(
        described, given,
        "tests/it/reference/guide.rs and the sources differ: describe each error in the guide"
    );
}

/// The reasons in `with_reason("REASON")` and `=> "REASON"`.
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
