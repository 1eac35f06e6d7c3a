//! The files of the deployment agree with each other. Needs no container engine.

use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in `.env.example`, all of which are assigned, if only nothing.
fn sample_variables() -> Vec<String> {
    read(".env.example")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split_once('=').expect(line).0.to_owned())
        .collect()
}

/// The names in `${NAME}`, `${NAME:-default}` and Caddy's `{$NAME:default}`.
fn used_variables(text: &str) -> BTreeSet<String> {
    text.split("${")
        .skip(1)
        .chain(text.split("{$").skip(1))
        .map(|rest| {
            rest.chars()
                .take_while(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || *it == '_')
                .collect()
        })
        .collect()
}

#[test]
fn every_variable_of_the_deployment_is_in_the_sample() {
    let sample = sample_variables();
    for file in ["docker-compose.yml", "deploy/caddy/Caddyfile"] {
        let used = used_variables(&read(file));
        assert!(
            !used.is_empty(),
            "{file} uses no variable: is this test reading it right?"
        );
        for name in used {
            assert!(
                sample.contains(&name),
                "{file} uses {name}, which .env.example does not name"
            );
        }
    }
}

#[test]
fn the_sample_names_each_variable_once_and_explains_it() {
    let sample = sample_variables();
    let distinct: BTreeSet<_> = sample.iter().collect();
    assert_eq!(distinct.len(), sample.len(), "a name is given twice");
    let text = read(".env.example");
    let lines: Vec<_> = text.lines().collect();
    let explained = lines
        .split(|line| line.trim().is_empty())
        .all(|block| block[0].starts_with('#'));
    assert!(explained, "a block of .env.example begins without a comment");
}

#[test]
fn the_proxy_routes_each_path_to_its_service() {
    let caddyfile = read("deploy/caddy/Caddyfile");
    for (path, upstream) in [
        ("/api/calendar/webhook", "webhook-ingest 8080"),
        ("/robots.txt", "webhook-ingest 8080"),
        ("/trpc/*", "calendar-api 8080"),
        ("/rpc/*", "calendar-api 8080"),
        ("/rpc-v1/*", "calendar-api 8080"),
        ("/oauth/*", "calendar-api 8080"),
        ("/connection/*", "centrifugo 8000"),
    ] {
        let after = caddyfile
            .split_once(path)
            .unwrap_or_else(|| panic!("{path} is not routed"))
            .1;
        let first = after.split_once("dynamic a ").unwrap().1;
        assert!(
            first.starts_with(upstream),
            "{path} goes elsewhere: {}",
            first.lines().next().unwrap()
        );
    }
}

/// `calendar-api` compresses its answers but those with a token. See docs/security.md.
#[test]
fn the_proxy_compresses_only_the_page() {
    let caddyfile = read("deploy/caddy/Caddyfile");
    let (routes, page) = caddyfile.split_once("import {$PAGE:files}.caddy").unwrap();
    let is_encode = |line: &str| line.trim().starts_with("encode ");
    assert!(!routes.lines().chain(page.lines()).any(is_encode));
    for page in ["files", "demo"] {
        let text = read(&format!("deploy/caddy/{page}.caddy"));
        assert!(text.lines().any(is_encode), "{page}");
    }
}

#[test]
fn the_images_compiler_is_new_enough_for_the_workspace() {
    let manifest = read("Cargo.toml");
    let minimum = manifest.split_once("rust-version = \"1.").unwrap().1;
    let minor = |text: &str| -> u32 {
        text.split(|it: char| !it.is_ascii_digit())
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    let dockerfile = read("deploy/Dockerfile");
    let image = dockerfile.split_once("FROM rust:1.").unwrap().1;
    assert!(
        minor(image) >= minor(minimum),
        "the image's Rust is older than the workspace asks for"
    );
}

#[test]
fn every_binary_carries_its_list_of_dependencies() {
    let dockerfile = read("deploy/Dockerfile");
    assert!(dockerfile.contains("cargo install cargo-auditable --locked --version "));
    let builds: Vec<_> = dockerfile
        .lines()
        .filter(|line| line.starts_with("RUN cargo") && line.contains(" build "))
        .collect();
    assert!(!builds.is_empty(), "is this test reading it right?");
    for build in builds {
        assert!(build.starts_with("RUN cargo auditable build "), "{build}");
    }
}
