//! The named crash points and mutants, read from the source, so that a new one needs no registration.

use std::path::Path;

/// All names given to `crash_point!`, in order.
pub fn declared() -> Vec<String> {
    names("crash_point!(\"")
}

/// All names given to `mutant!`, in order.
pub fn mutants() -> Vec<String> {
    names("mutant!(\"")
}

fn names(call: &str) -> Vec<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for member in ["calendar-api", "store", "sync", "watch-renewer", "webhook-ingest"] {
        scan(&crates.join(member).join("src"), call, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn scan(dir: &Path, call: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            scan(&path, call, found);
        } else if let Ok(code) = std::fs::read_to_string(&path) {
            let calls = code.split(call).skip(1);
            found.extend(calls.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
}
