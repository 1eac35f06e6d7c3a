//! The real Centrifugo, with the configuration that ships.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use provision::centrifugo::{Options, Server, binary};

/// Keys of one test stack; in production they come from the deployment's secrets.
pub const API_KEY: &str = "e2e-centrifugo-api-key-0123456789abcdef";
pub const TOKEN_SECRET: &str = "e2e-centrifugo-token-secret-0123456789abcdef";

/// A Centrifugo that can be killed and started again, empty, on the same ports.
pub struct Broker {
    server: Option<Server>,
    options: Options,
    log: tempfile::NamedTempFile,
}

impl Broker {
    /// Pages of `origin` may open a socket.
    pub fn start(origin: &str) -> Result<Self> {
        let options = Options {
            config: workspace_root().join("deploy/centrifugo.json"),
            port: provision::port::free()?,
            internal_port: provision::port::free()?,
            api_key: API_KEY.to_owned(),
            token_secret: TOKEN_SECRET.to_owned(),
            allowed_origins: vec![origin.to_owned()],
        };
        let mut broker = Self {
            server: None,
            options,
            log: tempfile::NamedTempFile::new()?,
        };
        broker.start_again()?;
        Ok(broker)
    }

    /// As by a crash. The memory engine forgets everything: history, epoch, idempotency keys.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Server::pid)
    }

    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.server.is_none(), "Centrifugo is running");
        let binary = binary(&mut |line| eprintln!("{line}"))?;
        let server = Server::start(&binary, self.options.clone(), self.log.path());
        self.server =
            Some(server.with_context(|| std::fs::read_to_string(self.log.path()).unwrap_or_default())?);
        Ok(())
    }

    /// All that it has said.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.log.path())?)
    }

    pub fn api_url(&self) -> String {
        self.options.api_url()
    }

    /// Where browsers connect.
    pub fn port(&self) -> u16 {
        self.options.port
    }

    pub fn ws_url(&self) -> String {
        self.options.ws_url()
    }
}

/// The root of the workspace, where `deploy/` and `web/` are.
pub fn workspace_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
