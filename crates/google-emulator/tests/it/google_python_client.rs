//! Runs Google's own Python client against the emulator: `google_python_client.py` says what it checks.
//!
//! Python's packages are pinned by hash in `requirements.txt` and installed once, into the user's cache folder.

use std::path::Path;
use std::process::{Command, Output};

use google_emulator::{Config, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Seed};

#[actix_web::test]
async fn googles_python_client_finds_a_google() {
    let emulator = Emulator::start(config()).await.unwrap();
    let url = emulator.base_url().to_owned();
    let output = tokio::task::spawn_blocking(move || run(&url)).await.unwrap();
    emulator.stop().await;
    assert!(
        output.status.success(),
        "Google's client is not content:\n{}",
        text(&output)
    );
}

fn run(url: &str) -> Output {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let python = provision::python::environment_of("google", &tests.join("requirements.txt"))
        .unwrap_or_else(|err| panic!("{err:#}"));
    let mut client = Command::new(python);
    client
        .arg(tests.join("google_python_client.py"))
        .env("EMULATOR_URL", url);
    client
        .env("CLIENT_ID", DEFAULT_CLIENT_ID)
        .env("CLIENT_SECRET", DEFAULT_CLIENT_SECRET);
    // A proxy is for the world; this stays on the machine.
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        client.env_remove(name).env_remove(name.to_uppercase());
    }
    client
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("the environment's python runs")
}

/// The accounts of the demo, around a day that does not move.
fn config() -> Config {
    let today = "2026-11-22".parse().expect("a date");
    Config {
        seed: Seed::demo(today),
        allow_http_callbacks: true,
        ..Config::default()
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
