//! A real Centrifugo for tests, with the deployed configuration. It is stopped when dropped.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use common::config::SecretKey;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use url::Url;

use crate::{Client, Tokens};

/// The version that Calwire is tested with.
pub const VERSION: &str = "6.9.6";
const API_KEY: &str = "test-api-key-0123456789abcdef0123456789";
const TOKEN_SECRET: &str = "test-token-key-0123456789abcdef01234567";
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/centrifugo.json");

/// One broker on free ports of this machine, memory engine.
#[derive(Debug)]
pub struct Server {
    child: Option<Child>,
    config: PathBuf,
    port: u16,
    internal_port: u16,
    // Its working directory, so that it reads no `.env` of this repository.
    dir: TempDir,
}

impl Server {
    /// Starts it with the deployed configuration and waits until it responds.
    pub async fn start() -> Self {
        Self::start_with(Path::new(CONFIG)).await
    }

    /// As [`start`](Self::start), with the Centrifugo configuration in `config`.
    pub async fn start_with(config: &Path) -> Self {
        let mut server = Self {
            child: None,
            config: config.canonicalize().expect("the configuration exists"),
            port: free_port(),
            internal_port: free_port(),
            dir: tempfile::tempdir().expect("a temporary directory"),
        };
        server.restart().await;
        server
    }

    /// Kills it: history, positions and versions are lost.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().await;
        }
    }

    /// Starts it again, empty, on the same ports.
    pub async fn restart(&mut self) {
        self.kill().await;
        let child = Command::new(binary())
            .arg("-c")
            .arg(&self.config)
            .current_dir(self.dir.path())
            .env_clear()
            .env("CENTRIFUGO_HTTP_SERVER_ADDRESS", "127.0.0.1")
            .env("CENTRIFUGO_HTTP_SERVER_INTERNAL_ADDRESS", "127.0.0.1")
            .env("CENTRIFUGO_HTTP_SERVER_PORT", self.port.to_string())
            .env(
                "CENTRIFUGO_HTTP_SERVER_INTERNAL_PORT",
                self.internal_port.to_string(),
            )
            .env("CENTRIFUGO_HTTP_API_KEY", API_KEY)
            .env("CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY", TOKEN_SECRET)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the Centrifugo binary starts");
        self.child = Some(child);
        let client = self.client();
        for _ in 0..200 {
            if client.info().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "Centrifugo did not respond within 10 s: {:?}",
            client.info().await
        );
    }

    pub fn client(&self) -> Client {
        Client::new(&self.api_url(), Self::api_key()).expect("a client")
    }

    /// The data of all publications that `channel` keeps, oldest first.
    pub async fn history(&self, channel: &str) -> Vec<serde_json::Value> {
        #[derive(serde::Deserialize)]
        struct History {
            #[serde(default)]
            publications: Vec<Kept>,
        }
        #[derive(serde::Deserialize)]
        struct Kept {
            data: serde_json::Value,
        }
        let command = serde_json::json!({ "channel": channel, "limit": 1000 });
        let history: History = self.client().call("history", &command).await.expect("a history");
        history.publications.into_iter().map(|kept| kept.data).collect()
    }

    pub fn tokens(&self) -> Tokens {
        Tokens::new(&Self::token_secret())
    }

    pub fn api_url(&self) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}/api", self.internal_port)).expect("a URL")
    }

    /// The URL that browsers connect to.
    pub fn websocket_url(&self) -> String {
        format!("ws://127.0.0.1:{}/connection/websocket", self.port)
    }

    pub fn api_key() -> SecretKey {
        SecretKey::parse("CENTRIFUGO_API_KEY", API_KEY).expect("long enough")
    }

    pub fn token_secret() -> SecretKey {
        SecretKey::parse("CENTRIFUGO_TOKEN_SECRET", TOKEN_SECRET).expect("long enough")
    }
}

/// `CENTRIFUGO_BIN`, else `centrifugo` in `PATH`, else where `cargo xtask` keeps it.
///
/// # Panics
/// If there is none, rather than to skip the test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("CENTRIFUGO_BIN") {
        return path.into();
    }
    let in_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .map(|dir| dir.join("centrifugo"));
    let cached = std::env::home_dir()
        .into_iter()
        .map(|home| home.join(format!(".cache/calwire/bin/centrifugo-{VERSION}")));
    in_path.chain(cached).find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("no Centrifugo {VERSION}: run `cargo xtask up` once, put `centrifugo` in PATH, or set CENTRIFUGO_BIN")
    })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
