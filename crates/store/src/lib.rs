//! Every SQL statement of Calwire, one file per table, and nothing else.
//!
//! A function takes a connection (the caller owns the transaction), `now` where time matters, and returns
//! `sqlx::Result`; a look-up returns an `Option`. Functions are called qualified: `watches::acquire(…)`. A user's id is
//! in every statement's `WHERE` that a user can reach.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

pub mod admin;
pub mod calendars;
pub mod canary;
pub mod connections;
pub mod dead_letters;
pub mod event_versions;
pub mod events;
pub mod health;
pub mod intake;
#[cfg(feature = "simulation")]
pub mod mutants;
pub mod oauth_states;
pub mod occurrences;
pub mod outbox;
pub mod overview;
pub mod poll;
pub mod pull_log;
pub mod quota;
pub mod restored;
pub mod seal;
pub mod sync_state;
pub mod user_stream;
pub mod users;
pub mod watches;
pub mod write_intents;

/// The schema, embedded. `calendar-api migrate` runs it; everything else only checks it.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Longer than any statement of ours needs; a lock held elsewhere becomes an error instead of a hang.
const STATEMENT_TIMEOUT: &str = "15s";
const LOCK_TIMEOUT: &str = "5s";
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "20s";

/// A user id as it was stored. Only valid ones are, so a failure means that somebody edited the row by hand.
pub(crate) fn user_id(stored: String) -> sqlx::Result<common::ids::UserId> {
    common::ids::UserId::parse(stored).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// A connection that has rested for so long is tested before it is used: Postgres may have been restarted meanwhile.
const TESTED_AFTER: Duration = Duration::from_secs(1);

/// A pool of connections that never wait for ever: for a connection, for a lock or for a statement.
pub async fn connect(
    database_url: &str,
    max_connections: u32,
    acquire_timeout: Duration,
) -> sqlx::Result<PgPool> {
    let options = PgConnectOptions::from_str(database_url)?.options([
        ("statement_timeout", STATEMENT_TIMEOUT),
        ("lock_timeout", LOCK_TIMEOUT),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
    ]);
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(acquire_timeout)
        // Not each time: that is a round trip before every statement that has a connection to itself.
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for >= TESTED_AFTER {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await
}

/// Longer than any statement of a service takes, so that a lock which is waited for is had by then.
const CARE_LOCK_TIMEOUT: &str = "30s";

/// For migrations and the like: a statement may take its time, and waits for a lock as long as services may hold one.
pub async fn connect_for_admin(database_url: &str, acquire_timeout: Duration) -> sqlx::Result<PgPool> {
    let options = PgConnectOptions::from_str(database_url)?.options([("lock_timeout", CARE_LOCK_TIMEOUT)]);
    PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(acquire_timeout)
        .connect_with(options)
        .await
}

/// A transaction in which every statement reads the same moment's data.
pub async fn begin_snapshot(pool: &PgPool) -> sqlx::Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    pool.begin_with("begin isolation level repeatable read").await
}

/// Whether the database answers.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query("select 1").execute(pool).await.map(|_| ())
}

/// Why a service refuses to work with a database.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the database has not been migrated to this version: run `calendar-api migrate`")]
    Behind,
    #[error(
        "the database was migrated by a newer version of Calwire, which this one cannot work with: upgrade this service"
    )]
    Ahead,
    #[error("a migration that ran here differs from the one this service knows (version {0})")]
    Differs(i64),
    #[error("cannot read the schema's version: {0}")]
    Database(#[from] sqlx::Error),
}

/// Refuses a schema that this build cannot work with. A newer one will do as long as nothing that this build needs was taken
/// away: then two versions of a service run side by side while one replaces the other.
pub async fn check_schema(pool: &PgPool) -> Result<(), SchemaError> {
    let applied: Vec<(i64, Vec<u8>)> =
        match sqlx::query_as("select version, checksum from _sqlx_migrations where success order by version")
            .fetch_all(pool)
            .await
        {
            Ok(rows) => rows,
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => {
                return Err(SchemaError::Behind);
            }
            Err(error) => return Err(error.into()),
        };
    let mut ahead = false;
    for (version, checksum) in &applied {
        match MIGRATOR.iter().find(|migration| migration.version == *version) {
            None => ahead = true,
            Some(migration) if *migration.checksum != **checksum => {
                return Err(SchemaError::Differs(*version));
            }
            Some(_) => {}
        }
    }
    let known = applied.iter().map(|(version, _)| *version);
    if MIGRATOR
        .iter()
        .any(|own| !known.clone().any(|version| version == own.version))
    {
        return Err(SchemaError::Behind);
    }
    if ahead && !reads_newer(pool).await? {
        return Err(SchemaError::Ahead);
    }
    Ok(())
}

/// Whether the newer schema has kept what this build knows.
async fn reads_newer(pool: &PgPool) -> sqlx::Result<bool> {
    let newest = MIGRATOR.iter().map(|migration| migration.version).max();
    let floor = sqlx::query_scalar!("select version from schema_floor")
        .fetch_one(pool)
        .await?;
    Ok(newest.is_some_and(|newest| newest >= floor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a newer version leaves it: one migration more than this build knows.
    async fn migrated_further(pool: &PgPool) {
        sqlx::query(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (29991231235959, 'of a newer version', true, 'x', 0)",
        )
        .execute(pool)
        .await
        .unwrap();
    }

    #[sqlx::test(migrator = "MIGRATOR")]
    async fn an_older_service_goes_on_until_what_it_needs_is_taken_away(pool: PgPool) {
        check_schema(&pool).await.unwrap();
        migrated_further(&pool).await;
        check_schema(&pool).await.unwrap();
        sqlx::query("update schema_floor set version = 29991231235959")
            .execute(&pool)
            .await
            .unwrap();
        assert!(matches!(check_schema(&pool).await, Err(SchemaError::Ahead)));
    }

    #[sqlx::test(migrator = "MIGRATOR")]
    async fn a_service_that_is_ahead_of_the_schema_asks_for_the_migration(pool: PgPool) {
        migrated_further(&pool).await;
        sqlx::query(
            "delete from _sqlx_migrations where version = (select min(version) from _sqlx_migrations)",
        )
        .execute(&pool)
        .await
        .unwrap();
        assert!(matches!(check_schema(&pool).await, Err(SchemaError::Behind)));
    }
}
