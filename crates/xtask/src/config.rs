//! The gate's step `config`: the files of the deployment, by the programs that will read them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use provision::{caddy, centrifugo, compose};

use crate::workspace;

/// With what docker-compose.yml is used: a server's settings, the demo's, and those of many copies.
const COMPOSE_ENVIRONMENTS: [&[&str]; 3] = [
    &[".env.example"],
    &["deploy/demo.env"],
    &[".env.example", "deploy/scale.env"],
];

pub fn check(centrifugo: &Path) -> Result<()> {
    let root = workspace::root();
    centrifugo::check_config(centrifugo, &root.join("deploy/centrifugo.json"))?;
    println!("deploy/centrifugo.json: ok");
    for files in COMPOSE_ENVIRONMENTS {
        check_compose(root, files)
            .with_context(|| format!("docker-compose.yml with {}", files.join(", ")))?;
    }
    println!("docker-compose.yml: ok, as Compose reads it; nothing was started, for that takes an engine");
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

fn check_compose(root: &Path, files: &[&str]) -> Result<()> {
    let mut variables = Vec::new();
    for file in files {
        let text = fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))?;
        variables.extend(compose::variables(&text));
    }
    // `.env` itself is on no machine but the server.
    if !variables
        .iter()
        .any(|(name, value)| name == "ENV_FILE" && !value.is_empty())
    {
        variables.push(("ENV_FILE".into(), ".env.example".into()));
    }
    compose::load(
        &root.join("deploy/compose-check"),
        &root.join("docker-compose.yml"),
        &variables,
    )
    .map(drop)
}
