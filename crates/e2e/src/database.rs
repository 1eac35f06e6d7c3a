//! Each stack's own database, on the server of `DATABASE_URL`.

use anyhow::{Context, Result};
use provision::postgres::{Binaries, Cluster};
use sqlx::{Connection, Executor, PgConnection, PgPool};
use url::Url;
use uuid::Uuid;

/// A newly migrated database, dropped by [`Database::drop_now`]. After a failed test it stays, for a look.
pub struct Database {
    pub url: String,
    pub pool: PgPool,
    server: String,
    name: String,
}

impl Database {
    pub async fn create() -> Result<Self> {
        let server =
            std::env::var("DATABASE_URL").context("DATABASE_URL is not set: run `cargo xtask test`")?;
        Self::create_on(server).await
    }

    /// As [`Database::create`], on another server.
    pub async fn create_on(server: String) -> Result<Self> {
        let name = format!("calwire_e2e_{}", Uuid::new_v4().simple());
        let mut admin = PgConnection::connect(&server)
            .await
            .context("cannot reach Postgres")?;
        admin
            .execute(sqlx::AssertSqlSafe(format!("create database {name}")))
            .await?;
        let mut url = Url::parse(&server)?;
        url.set_path(&name);
        let pool = PgPool::connect(url.as_str()).await?;
        Ok(Self {
            url: url.into(),
            pool,
            server,
            name,
        })
    }

    pub async fn drop_now(self) -> Result<()> {
        self.pool.close().await;
        let mut admin = PgConnection::connect(&self.server).await?;
        admin
            .execute(sqlx::AssertSqlSafe(format!(
                "drop database if exists {} with (force)",
                self.name
            )))
            .await?;
        Ok(())
    }
}

/// A test's own Postgres, which it may stop and crash. Durable, as in production.
pub struct Private(Option<Cluster>);

impl Private {
    pub async fn start() -> Result<Self> {
        let cluster = blocking(|| {
            let binaries = Binaries::find_or_install(&mut |line| eprintln!("{line}"))?;
            Cluster::temporary(&binaries, true)
        })
        .await?;
        Ok(Self(Some(cluster)))
    }

    pub fn url(&self) -> String {
        self.0.as_ref().map(Cluster::url).unwrap_or_default()
    }

    /// Shuts it down; [`Private::resume`] starts it again.
    pub async fn pause(&mut self) -> Result<()> {
        self.with(|cluster| {
            cluster.pause();
            Ok(())
        })
        .await
    }

    pub async fn resume(&mut self) -> Result<()> {
        self.with(Cluster::resume).await
    }

    /// Ends it as a crash does; after [`Private::resume`] it recovers from its log.
    pub async fn crash(&mut self) -> Result<()> {
        self.with(|cluster| {
            cluster.crash();
            Ok(())
        })
        .await
    }

    /// Ends every session; it recovers from its log.
    pub async fn crash_and_restart(&mut self) -> Result<()> {
        self.with(Cluster::crash_and_restart).await
    }

    async fn with(&mut self, act: impl FnOnce(&mut Cluster) -> Result<()> + Send + 'static) -> Result<()> {
        let mut cluster = self.0.take().context("the cluster is busy")?;
        let (cluster, result) = blocking(move || {
            let result = act(&mut cluster);
            Ok((cluster, result))
        })
        .await?;
        self.0 = Some(cluster);
        result
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}
