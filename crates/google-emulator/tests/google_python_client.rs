//! Runs Google's own Python client against the emulator: `google_python_client.py` says what it checks.
//!
//! Python's packages are pinned by hash in `requirements.txt` and installed once, into the user's cache folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use google_emulator::{Config, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, Seed};
use sha2::{Digest, Sha256};

const REQUIREMENTS: &str = include_str!("requirements.txt");

#[actix_web::test]
async fn googles_python_client_finds_a_google() {
    let emulator = Emulator::start(config()).await.unwrap();
    let url = emulator.base_url().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/google_python_client.py");
        let mut python = Command::new(environment());
        python.arg(script).env("EMULATOR_URL", url);
        python
            .env("CLIENT_ID", DEFAULT_CLIENT_ID)
            .env("CLIENT_SECRET", DEFAULT_CLIENT_SECRET);
        // A proxy is for the world; this stays on the machine.
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            python.env_remove(name).env_remove(name.to_uppercase());
        }
        python
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("the environment's python runs")
    })
    .await
    .unwrap();
    emulator.stop().await;
    assert!(
        output.status.success(),
        "Google's client is not content:\n{}",
        text(&output)
    );
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

/// The Python of an environment that has `requirements.txt`, made on first use.
fn environment() -> PathBuf {
    let hash = Sha256::digest(REQUIREMENTS)
        .iter()
        .take(6)
        .fold(0, |hash, byte| hash << 8 | u64::from(*byte));
    let home = cache().join(format!("python-{hash:012x}"));
    let python = home.join("bin/python");
    let complete = home.join("complete");
    if !complete.exists() {
        // Whatever an interrupted run left behind is made anew.
        let _ = std::fs::remove_dir_all(&home);
        run(
            Command::new("python3").args(["-m", "venv"]).arg(&home),
            "This test needs Python 3 with venv (Debian: apt-get install python3 python3-venv)",
        );
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requirements.txt");
        run(
            Command::new(&python)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--require-hashes",
                    "-r",
                ])
                .arg(requirements),
            "This test needs Google's client from the Python package index",
        );
        std::fs::write(complete, "").expect("the cache folder is writable");
    }
    python
}

fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(home, PathBuf::from)
        .join("calwire")
}

fn run(command: &mut Command, need: &str) {
    let output = command
        .output()
        .unwrap_or_else(|err| panic!("{need}: {command:?}: {err}"));
    assert!(
        output.status.success(),
        "{need}: {command:?} failed:\n{}",
        text(&output)
    );
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
