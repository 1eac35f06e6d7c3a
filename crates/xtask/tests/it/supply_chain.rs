//! Files that restrict dependencies, and that a careless change could open.

use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines of a TOML array of tables that are on one line each.
fn entries<'a>(text: &'a str, array: &str) -> Vec<&'a str> {
    let (_, rest) = text
        .split_once(&format!("\n{array} = ["))
        .unwrap_or_else(|| panic!("deny.toml has no {array}"));
    let inside = rest.split_once("\n]").expect("it ends").0;
    inside
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with('{'))
        .collect()
}

#[test]
fn the_fence_is_closed() {
    let deny = read("deny.toml");
    for line in [
        "multiple-versions = \"deny\"",
        "wildcards = \"deny\"",
        "unknown-registry = \"deny\"",
        "unknown-git = \"deny\"",
        "yanked = \"deny\"",
    ] {
        assert!(deny.lines().any(|it| it == line), "deny.toml says {line}");
    }
    for array in ["skip", "deny"] {
        for entry in entries(&deny, array) {
            assert!(entry.contains("reason = \""), "{entry} has a reason");
        }
    }
    let banned = entries(&deny, "deny").join("\n");
    for krate in ["openssl-sys", "native-tls", "jsonwebtoken@<10.3"] {
        assert!(
            banned.contains(&format!("crate = \"{krate}\"")),
            "{krate} is kept out"
        );
    }
}

/// From the registry by its checksum, or from this repository: nothing else is compiled.
#[test]
fn every_dependency_is_locked_by_its_checksum() {
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let text = read(lock);
        let packages: Vec<&str> = text.split("[[package]]").skip(1).collect();
        assert!(packages.len() > 100, "{lock}");
        for package in packages {
            let from_outside = package.contains("\nsource = ");
            let registry =
                package.contains("\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"");
            assert_eq!(
                from_outside,
                registry && package.contains("\nchecksum = \""),
                "{lock}: {package}"
            );
        }
    }
}
