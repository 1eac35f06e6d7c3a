//! Servers that steps share, started when the first step needs them, and the report that all of them add to.

use std::path::PathBuf;

use anyhow::{Context, Result};
use provision::postgres::{Binaries, Cluster};
use provision::{centrifugo, redis};

use super::report::Report;

#[derive(Default)]
pub struct Shared {
    centrifugo: Option<PathBuf>,
    redis: Option<PathBuf>,
    postgres: Option<(Binaries, Cluster)>,
    pub report: Report,
}

impl Shared {
    pub fn centrifugo(&mut self) -> Result<PathBuf> {
        if self.centrifugo.is_none() {
            self.centrifugo = Some(centrifugo::binary(&mut |line| println!("{line}"))?);
        }
        self.centrifugo.clone().context("just found")
    }

    pub fn redis(&mut self) -> Result<PathBuf> {
        if self.redis.is_none() {
            self.redis = Some(redis::find_or_install(&mut |line| println!("{line}"))?);
        }
        self.redis.clone().context("just found")
    }

    pub fn postgres(&mut self) -> Result<&(Binaries, Cluster)> {
        if self.postgres.is_none() {
            let binaries = Binaries::find_or_install(&mut |line| println!("{line}"))?;
            let cluster = Cluster::temporary(&binaries, false)?;
            self.postgres = Some((binaries, cluster));
        }
        self.postgres.as_ref().context("just started")
    }

    /// A server on which tests may create databases: `DATABASE_URL`, else a cluster for this run.
    pub fn database_url(&mut self) -> Result<String> {
        match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => Ok(url),
            _ => Ok(self.postgres()?.1.url()),
        }
    }

    /// Stops the servers.
    pub fn into_report(self) -> Report {
        self.report
    }
}
