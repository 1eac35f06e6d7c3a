//! `target/calwire/stack.json`: the stack's URLs and the demo's keys, for scripts, tests and `token`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{secrets, workspace};

/// The users of the demo. The emulator's accounts bear the same names.
pub const USERS: [&str; 3] = ["alice", "bob", "carol"];

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    pub api_url: String,
    pub webhook_url: String,
    pub centrifugo_ws_url: String,
    pub centrifugo_api_url: String,
    /// Absent with real Google.
    pub emulator_url: Option<String>,
    pub database_url: String,
    /// The one origin; the page is at its `/`.
    pub web_url: String,
    pub keys: Keys,
    pub users: Vec<String>,
}

/// The keys of this stack. Random, and used on this machine only.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    pub centrifugo_api_key: String,
    pub centrifugo_token_secret: String,
    pub auth_hs256_secret: String,
    pub auth_issuer: String,
    pub auth_audience: String,
}

impl Stack {
    pub fn path() -> Result<PathBuf> {
        Ok(workspace::state_dir()?.join("stack.json"))
    }

    pub fn write(&self) -> Result<()> {
        secrets::write_private(&Self::path()?, self)
    }

    pub fn read() -> Result<Self> {
        let path = Self::path()?;
        let json =
            std::fs::read(&path).context("no stack has been started here yet: run `cargo xtask up` first")?;
        serde_json::from_slice(&json)
            .with_context(|| format!("{} was not written by this version of `up`", path.display()))
    }
}
