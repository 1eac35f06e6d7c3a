//! Each simulation's own database, whose clock is a row.
//!
//! In production leases and waits use Postgres's clock. Here a schema that is searched before Postgres's own has functions of
//! the same names, which read a row that only the simulation changes. The statements stay the same.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use url::Url;
use uuid::Uuid;

const CLOCKWORK: &str = "
    create schema clockwork;
    create table clockwork.hand (at timestamptz not null);
    insert into clockwork.hand values ('2026-11-24T09:00:00Z');
    create function clockwork.now() returns timestamptz language sql stable
        as 'select at from clockwork.hand';
    create function clockwork.clock_timestamp() returns timestamptz language sql stable
        as 'select at from clockwork.hand';
    create function clockwork.random() returns double precision language sql volatile
        as 'select 0.5::double precision';
";

/// Work held at a point keeps its locks, so waiting longer for one is useless.
const LOCK_TIMEOUT: &str = "120ms";
/// Shorter than the lock timeout, so that a deadlock is distinguished from a held lock.
const DEADLOCK_TIMEOUT: &str = "40ms";

/// How often to check whether sessions have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A migrated database that is copied for each simulation.
pub struct Template {
    server: String,
    name: String,
}

pub struct SimulatedDatabase {
    pub url: String,
    pub pool: PgPool,
    server: String,
    name: String,
}

impl Template {
    pub async fn create() -> Result<Self> {
        let server =
            std::env::var("DATABASE_URL").context("DATABASE_URL is not set: run `cargo xtask simulate`")?;
        let name = format!("calwire_sim_{}", Uuid::new_v4().simple());
        admin(&server, &format!("create database {name} template template0")).await?;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .connect(&at(&server, &name)?)
            .await?;
        store::MIGRATOR.run(&pool).await.context("migrating")?;
        pool.execute(CLOCKWORK).await?;
        pool.close().await;
        Ok(Self { server, name })
    }

    pub async fn copy(&self) -> Result<SimulatedDatabase> {
        let name = format!(
            "{}_{}",
            self.name,
            Uuid::new_v4().simple().to_string().split_at(8).0
        );
        let path = "clockwork, pg_catalog, public";
        admin(
            &self.server,
            &format!("create database {name} template {}", self.name),
        )
        .await?;
        admin(
            &self.server,
            &format!("alter database {name} set search_path = {path}"),
        )
        .await?;
        admin(
            &self.server,
            &format!("alter database {name} set deadlock_timeout = '{DEADLOCK_TIMEOUT}'"),
        )
        .await
        .context(
            "DATABASE_URL's role has to be a superuser, or needs `grant set on parameter deadlock_timeout`",
        )?;
        let url = at(&self.server, &name)?;
        let options = PgConnectOptions::from_str(&url)?.options([("lock_timeout", LOCK_TIMEOUT)]);
        let pool = PgPoolOptions::new()
            .max_connections(3)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        Ok(SimulatedDatabase {
            url,
            pool,
            server: self.server.clone(),
            name,
        })
    }

    pub async fn drop_now(self) -> Result<()> {
        admin(
            &self.server,
            &format!("drop database if exists {} with (force)", self.name),
        )
        .await
    }
}

impl SimulatedDatabase {
    /// For a process of that name.
    pub fn options(&self, process: &str) -> Result<PgConnectOptions> {
        let options = PgConnectOptions::from_str(&self.url)?;
        Ok(options
            .application_name(process)
            .options([("lock_timeout", LOCK_TIMEOUT), ("statement_timeout", "20s")]))
    }

    pub async fn set_clock(&self, now: DateTime<Utc>) -> sqlx::Result<()> {
        sqlx::query("update clockwork.hand set at = $1")
            .bind(now)
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Waits until Postgres has noticed that a process is gone and has rolled back its transactions.
    pub async fn until_gone(&self, process: &str) -> Result<()> {
        for _ in 0..2_000 {
            let there: bool = sqlx::query_scalar(
                "select exists (select from pg_stat_activity where datname = current_database() and application_name = $1)",
            )
            .bind(process)
            .fetch_one(&self.pool)
            .await?;
            if !there {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        anyhow::bail!("the sessions of {process} outlive it")
    }

    /// How many deadlocks Postgres has broken. Ends every other session, because they are counted only then.
    pub async fn deadlocks(&self) -> Result<i64> {
        let mut conn = self.pool.acquire().await?;
        // Waiting for each in Postgres takes a tenth of a second a session.
        let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                   where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()";
        while sqlx::query_scalar::<_, i64>(end).fetch_one(&mut *conn).await? > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let count =
            sqlx::query_scalar("select deadlocks from pg_stat_database where datname = current_database()");
        Ok(count.fetch_one(&mut *conn).await?)
    }

    pub async fn drop_now(self) -> Result<()> {
        self.pool.close().await;
        admin(
            &self.server,
            &format!("drop database if exists {} with (force)", self.name),
        )
        .await
    }
}

fn at(server: &str, name: &str) -> Result<String> {
    let mut url = Url::parse(server)?;
    url.set_path(name);
    Ok(url.into())
}

async fn admin(server: &str, sql: &str) -> Result<()> {
    let mut conn = PgConnection::connect(server)
        .await
        .context("cannot reach Postgres")?;
    conn.execute(AssertSqlSafe(sql.to_owned())).await?;
    conn.close().await?;
    Ok(())
}
