//! `.env.example` cannot rot: each service's configuration is built from it, with nothing replaced but the secrets, and
//! it names what they read and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use common::config::from_vars;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn sample() -> Vec<(String, String)> {
    let text = read(".env.example");
    let assignments = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    assignments
        .map(|line| line.split_once('=').expect(line))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Required variables that the sample leaves empty.
const LEFT_OPEN: [&str; 7] = [
    "DATABASE_URL",
    "GOOGLE_CLIENT_ID",
    "GOOGLE_CLIENT_SECRET",
    "CENTRIFUGO_API_KEY",
    "CENTRIFUGO_TOKEN_SECRET",
    "TOKEN_KEYS",
    "AUTH_HS256_SECRET",
];

/// The sample with those filled in, each by another value.
fn filled_in() -> Vec<(String, String)> {
    let mut vars = sample();
    for (index, (name, value)) in vars.iter_mut().enumerate() {
        if name == "TOKEN_KEYS" {
            "1:7nlf4AbHbXY6c0JqTmqvwHcq0d8wFzC4l2yS3mVn9sE=".clone_into(value);
        } else if LEFT_OPEN.contains(&name.as_str()) {
            *value = format!("{index:064x}");
        }
    }
    vars
}

#[test]
fn every_service_starts_with_the_completed_sample() {
    let api: calendar_api::Config = from_vars(filled_in()).unwrap();
    assert!(api.authenticator().is_ok());
    let _: webhook_ingest::Config = from_vars(filled_in()).unwrap();
    let renewer: watch_renewer::Config = from_vars(filled_in()).unwrap();
    assert_eq!(renewer.sync.public_url, None);
}

#[test]
fn no_service_starts_with_the_sample_as_it_is() {
    let refusals = [
        from_vars::<calendar_api::Config>(sample()).unwrap_err(),
        from_vars::<webhook_ingest::Config>(sample()).unwrap_err(),
        from_vars::<watch_renewer::Config>(sample()).unwrap_err(),
    ];
    for refusal in refusals.map(|error| error.to_string()) {
        let variable = refusal.split([' ', ':']).next().unwrap();
        assert!(LEFT_OPEN.contains(&variable), "{refusal}");
    }
}

#[test]
fn the_sample_holds_no_secret() {
    for (name, value) in sample() {
        let secret = common::config::SECRETS.contains(&name.as_str());
        assert!(
            !secret || value.is_empty(),
            "{name} has a value that people would keep"
        );
    }
}

/// Where the services' variables are declared.
const CONFIGS: [&str; 4] = [
    "crates/sync/src/config.rs",
    "crates/calendar-api/src/config.rs",
    "crates/webhook-ingest/src/config.rs",
    "crates/watch-renewer/src/config.rs",
];
/// Variables of logs and traces.
const ELSEWHERE: [&str; 3] = ["RUST_LOG", "LOG_FORMAT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// The names in `${NAME}` and `${NAME:-default}`; `$${` is for a shell in a container.
fn variables_of_compose() -> Vec<String> {
    read("docker-compose.yml")
        .split("${")
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || *it == '_')
                .collect()
        })
        .collect()
}

#[test]
fn the_sample_has_what_is_read_and_nothing_else() {
    let sample: BTreeSet<_> = sample().into_iter().map(|(name, _)| name).collect();
    let mut read: BTreeSet<_> = CONFIGS.iter().flat_map(|path| variables(&read(path))).collect();
    read.extend(ELSEWHERE.map(String::from));
    read.extend(variables_of_compose());
    let missing: Vec<_> = read.difference(&sample).collect();
    assert!(missing.is_empty(), "not in .env.example: {missing:?}");
    let unread: Vec<_> = sample.difference(&read).collect();
    assert!(
        unread.is_empty(),
        "in .env.example, and read by no service: {unread:?}"
    );
}

/// The names of the variables in the source of a configuration.
fn variables(source: &str) -> Vec<String> {
    let mut renamed = None;
    let mut names = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some((_, rest)) = line.split_once("rename = \"") {
            renamed = rest.split('"').next();
        } else if let Some((field, kind)) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": "))
            && field.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
            // A flattened struct has variables and is none.
            && !kind.ends_with("Config,")
        {
            names.push(renamed.take().unwrap_or(field).to_uppercase());
        }
    }
    names
}
