//! How a stack differs from the usual one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::broker::workspace_root;

/// How a stack differs from the usual one.
#[derive(Debug, Clone)]
pub struct Options {
    /// False: Calwire only polls.
    pub push: bool,
    pub apis: usize,
    pub ingests: usize,
    pub renewers: usize,
    /// Centrifugo nodes. Several share their channels by a Redis.
    pub brokers: usize,
    /// Puts proxies before the services, through which all requests go.
    pub balanced: bool,
    /// Environment for all services, over the usual one.
    pub env: BTreeMap<String, String>,
    /// Entries of `TUNING`, in seconds.
    pub tuning: BTreeMap<String, u64>,
    /// The Postgres server; by default that of `DATABASE_URL`.
    pub database_server: Option<String>,
    /// The folder of a built page, to be served on one origin with API and sockets.
    pub page: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            push: true,
            apis: 1,
            ingests: 1,
            renewers: 1,
            brokers: 1,
            balanced: false,
            env: BTreeMap::new(),
            // After a crash another worker takes over sooner than in production, so that tests need not wait a minute.
            tuning: [("sync_lease_seconds".to_owned(), 5)].into(),
            database_server: None,
            page: None,
        }
    }
}

impl Options {
    /// As many of each part as in `deploy/scale.env`, with the settings that they share there.
    pub fn scaled() -> Result<Self> {
        let file = workspace_root().join("deploy/scale.env");
        let variables = provision::compose::variables(&std::fs::read_to_string(file)?);
        let value = |name: &str| -> Result<&str> {
            let found = variables.iter().find(|(variable, _)| variable == name);
            Ok(&found
                .with_context(|| format!("deploy/scale.env has no {name}"))?
                .1)
        };
        ensure!(value("CENTRIFUGO_ENGINE_TYPE")? == "redis");
        let copies = value("COPIES")?.parse()?;
        Ok(Self {
            apis: copies,
            ingests: copies,
            renewers: copies,
            brokers: value("CENTRIFUGO_COPIES")?.parse()?,
            balanced: true,
            ..Self::default()
        })
    }

    #[must_use]
    pub fn set(mut self, variable: &str, value: &str) -> Self {
        self.env.insert(variable.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn tune(mut self, name: &str, seconds: u64) -> Self {
        self.tuning.insert(name.to_owned(), seconds);
        self
    }

    /// The value of `TUNING`.
    pub fn tuning(&self) -> String {
        let entries: Vec<_> = self
            .tuning
            .iter()
            .map(|(name, seconds)| format!("{name}={seconds}"))
            .collect();
        entries.join(",")
    }
}
