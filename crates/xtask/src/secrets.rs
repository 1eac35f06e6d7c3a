//! The secrets of this machine's stack: made at the first `up` and kept, so that sealed tokens stay readable.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Every value is random.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Secrets {
    pub postgres_password: String,
    pub centrifugo_api_key: String,
    pub centrifugo_token_secret: String,
    /// In the form of the variable `TOKEN_KEYS`.
    pub token_keys: String,
    pub auth_hs256_secret: String,
}

impl Secrets {
    /// From `secrets.json` in `dir`, which is written when it is not there.
    pub fn load_or_make(dir: &Path) -> Result<Self> {
        let path = dir.join("secrets.json");
        if let Ok(json) = fs::read(&path) {
            return serde_json::from_slice(&json)
                .with_context(|| format!("{} is not what `up` wrote: run `up --fresh`", path.display()));
        }
        let secrets = Self::make()?;
        write_private(&path, &secrets)?;
        Ok(secrets)
    }

    fn make() -> Result<Self> {
        use provision::secret::{bytes, hex};
        Ok(Self {
            postgres_password: hex()?,
            centrifugo_api_key: hex()?,
            centrifugo_token_secret: hex()?,
            token_keys: format!("1:{}", STANDARD.encode(bytes::<32>()?)),
            auth_hs256_secret: hex()?,
        })
    }
}

/// Writes `value` as JSON into a file that only this user may read.
pub fn write_private(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(file, "{json}").with_context(|| format!("cannot write {}", path.display()))
}
