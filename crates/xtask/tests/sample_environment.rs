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

/// The sample with its secrets replaced, as its first lines ask, each by another value.
fn filled_in() -> Vec<(String, String)> {
    let mut vars = sample();
    for (index, (name, value)) in vars.iter_mut().enumerate() {
        if name == "TOKEN_KEYS" {
            "1:7nlf4AbHbXY6c0JqTmqvwHcq0d8wFzC4l2yS3mVn9sE=".clone_into(value);
        } else if value.contains("change-me") {
            *value = format!("{index:064x}");
        }
    }
    vars
}

#[test]
fn every_service_starts_with_the_sample_once_its_secrets_are_replaced() {
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
        let value = sample().into_iter().find(|(name, _)| name == variable).unwrap().1;
        assert!(value.contains("change-me"), "{refusal}");
    }
}

/// Where the services' variables are declared.
const CONFIGS: [&str; 4] = [
    "crates/sync/src/config.rs",
    "crates/calendar-api/src/config.rs",
    "crates/webhook-ingest/src/config.rs",
    "crates/watch-renewer/src/config.rs",
];
/// What is read elsewhere: by the set-up of logs and traces, and by docker-compose.yml.
const ELSEWHERE: [&str; 5] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "RUST_LOG",
    "LOG_FORMAT",
    "POSTGRES_PASSWORD",
    "CENTRIFUGO_ALLOWED_ORIGINS",
];

#[test]
fn the_sample_has_what_is_read_and_nothing_else() {
    let sample: BTreeSet<_> = sample().into_iter().map(|(name, _)| name).collect();
    let mut read: BTreeSet<_> = CONFIGS.iter().flat_map(|path| variables(&read(path))).collect();
    read.extend(ELSEWHERE.map(String::from));
    let missing: Vec<_> = read.difference(&sample).collect();
    assert!(missing.is_empty(), "not in .env.example: {missing:?}");
    let unread: Vec<_> = sample.difference(&read).collect();
    assert!(
        unread.is_empty(),
        "in .env.example, and read by nobody: {unread:?}"
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
