//! The admin commands: migrate, restore a backup, rotate keys, inspect a user.

mod rotate;
mod show;

use std::time::Duration;

use anyhow::Context as _;
use common::clock::Clock;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::PgPool;
use sync::restore::Restarted;

pub use rotate::{Rotated, rotate_keys};
pub use show::{Record, show, text};

/// The part of [`Config`](crate::Config) that the admin commands need.
#[derive(Debug, Deserialize)]
pub struct DatabaseConfig {
    pub database_url: SecretString,
}

impl DatabaseConfig {
    /// A pool whose statements may take long, but do not wait forever for a lock.
    pub async fn connect(&self) -> anyhow::Result<PgPool> {
        store::connect_for_admin(self.database_url.expose_secret(), Duration::from_secs(30))
            .await
            .context("cannot connect to DATABASE_URL")
    }
}

/// Migrates the schema, one process at a time: others wait for its advisory lock. Detects data that was restored from a backup,
/// and restarts all streams then.
pub async fn migrate(pool: &PgPool, clock: &Clock) -> anyhow::Result<()> {
    store::MIGRATOR.run(pool).await.context("cannot migrate")?;
    tracing::info!("Database schema is up to date");
    if let Some(restarted) = sync::restore::restart_if_moved(pool, clock.now()).await? {
        tracing::warn!(
            "This data was written by another server or before a recovery: it was restored from a backup"
        );
        log(restarted);
    }
    Ok(())
}

/// Restarts all streams after a backup was restored.
pub async fn restored(pool: &PgPool, clock: &Clock) -> anyhow::Result<()> {
    log(sync::restore::restart_all(pool, clock.now()).await?);
    Ok(())
}

fn log(restarted: Restarted) {
    tracing::info!(
        users = restarted.users,
        resources = restarted.resources,
        "Restarted every stream: browsers reload, and every calendar is pulled"
    );
}
