//! `.env.example` cannot rot: each service's configuration is built from it, with nothing replaced but the
//! secrets.

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
