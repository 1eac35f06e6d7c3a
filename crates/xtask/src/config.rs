//! The gate's step `config`: the files of the deployment, checked by the programs that read them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use provision::{caddy, centrifugo, compose};
use serde_json::Value;

use crate::workspace;

/// The env files that docker-compose.yml is used with: a server's, the demo's, and those of several copies.
const COMPOSE_ENVIRONMENTS: [&[&str]; 3] = [
    &[".env.example"],
    &["deploy/demo.env"],
    &[".env.example", "deploy/scale.env"],
];

pub fn check(centrifugo: &Path) -> Result<()> {
    let root = workspace::root();
    centrifugo::check_config(centrifugo, &root.join("deploy/centrifugo.json"))?;
    println!("deploy/centrifugo.json: ok");
    let known = centrifugo::variables(centrifugo)?;
    for files in COMPOSE_ENVIRONMENTS {
        check_compose(root, files)
            .and_then(|model| check_broker(&model, &known))
            .with_context(|| format!("docker-compose.yml with {}", files.join(", ")))?;
    }
    println!(
        "docker-compose.yml: ok, as Compose reads it, and Centrifugo its variables; nothing was started, for that takes an engine"
    );
    let caddy = caddy::binary(&mut |line| println!("{line}"))?;
    for (page, url) in [
        ("files", "https://calendar.example.com"),
        ("files", "http://localhost"),
        ("demo", "http://localhost"),
    ] {
        let file = root.join("deploy/caddy/Caddyfile");
        caddy::validate(&caddy, &file, &[("PAGE", page), ("PUBLIC_URL", url)])?;
    }
    println!("deploy/caddy: ok");
    Ok(())
}

/// The broker reads all of its variables, those of its engine included: `--strict` checks its file only.
fn check_broker(model: &Value, known: &BTreeSet<String>) -> Result<()> {
    let broker = &model["services"]["centrifugo"];
    let given = broker["environment"]
        .as_object()
        .context("centrifugo has no variables")?;
    // The shell that starts it reads secrets from files, and has variables of its own.
    let start = broker["entrypoint"].to_string();
    let words: BTreeSet<_> = start
        .split(|it: char| !it.is_ascii_alphanumeric() && it != '_')
        .collect();
    let exported = words
        .iter()
        .copied()
        .filter(|word| word.starts_with("CENTRIFUGO_"));
    let unknown: Vec<_> = given
        .keys()
        .map(String::as_str)
        .filter(|name| !words.contains(name))
        .chain(exported)
        .filter(|name| !known.contains(*name))
        .collect();
    ensure!(
        unknown.is_empty(),
        "Centrifugo does not read {}",
        unknown.join(", ")
    );
    Ok(())
}

fn check_compose(root: &Path, files: &[&str]) -> Result<Value> {
    let mut variables = Vec::new();
    for file in files {
        let text = fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))?;
        variables.extend(compose::variables(&text));
    }
    // `.env` exists only on the server.
    if !variables
        .iter()
        .any(|(name, value)| name == "ENV_FILE" && !value.is_empty())
    {
        variables.push(("ENV_FILE".into(), ".env.example".into()));
    }
    compose::load(
        &root.join("deploy/compose-check"),
        &[&root.join("docker-compose.yml")],
        &variables,
    )
}
