//! What whoever runs an installation does with it: bring the schema up to date, bring back a backup, change keys, look at how a
//! user is served.

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
pub use show::{Shown, show, text};

/// The part of [`Config`](crate::Config) that these need.
#[derive(Debug, Deserialize)]
pub struct DatabaseConfig {
    pub database_url: SecretString,
}

impl DatabaseConfig {
    /// A connection on which a statement may take its time, though it does not wait for ever for somebody else's lock.
    pub async fn connect(&self) -> anyhow::Result<PgPool> {
        store::connect_for_admin(self.database_url.expose_secret(), Duration::from_secs(30))
            .await
            .context("cannot connect to DATABASE_URL")
    }
}

/// Brings the schema up to date, one process at a time: the others wait for its advisory lock and find it done. Data that
/// has come from a backup is noticed, and begins anew.
pub async fn migrate(pool: &PgPool, clock: &Clock) -> anyhow::Result<()> {
    store::MIGRATOR.run(pool).await.context("cannot migrate")?;
    tracing::info!("The database is up to date");
    if let Some(begun) = sync::restore::restart_if_moved(pool, clock.now()).await? {
        tracing::warn!(
            "This data was written by another server, or before a recovery: a backup was brought back"
        );
        tell(begun);
    }
    Ok(())
}

/// After a backup was brought back.
pub async fn restored(pool: &PgPool, clock: &Clock) -> anyhow::Result<()> {
    tell(sync::restore::restart_all(pool, clock.now()).await?);
    Ok(())
}

fn tell(begun: Restarted) {
    tracing::info!(
        users = begun.users,
        resources = begun.resources,
        "Every stream begins anew: browsers load again, and Google is asked for all that has changed"
    );
}
