//! Every SQL statement of Calwire, one file per table, and nothing else.
//!
//! A function takes a connection (the caller owns the transaction) and `now` where time matters, and returns
//! `sqlx::Result`; a lookup returns an `Option`. Functions are called qualified: `watches::begin(…)`. Every statement that
//! a user can reach has the user's id in its `WHERE`.

use common::ids::UserId;
use sqlx::error::BoxDynError;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::{Decode, PgPool, Postgres};

mod connect;

pub mod admin;
pub mod calendars;
pub mod canary;
pub mod connections;
pub mod dead_letters;
pub mod event_versions;
pub mod events;
pub mod health;
pub mod instances;
pub mod intake;
#[cfg(feature = "simulation")]
pub mod mutants;
pub mod oauth_states;
pub mod outbox;
pub mod overview;
pub mod poll;
pub mod pull_log;
pub mod quota;
pub mod reading;
pub mod restored;
pub mod seal;
pub mod sync_state;
pub mod user_stream;
pub mod users;
pub mod watches;
pub mod write_intents;
pub mod zone_data;

pub use connect::{
    connect, connect_for_admin, connect_once, is_read_only_error, is_writable, renew_connections,
};

/// The schema, embedded. `calendar-api migrate` runs it; everything else only checks it.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// A user id as a column. Only valid ones are stored, so a failure means that the row was edited by hand.
pub(crate) struct UserIdColumn(UserId);

impl sqlx::Type<Postgres> for UserIdColumn {
    fn type_info() -> PgTypeInfo {
        <String as sqlx::Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <String as sqlx::Type<Postgres>>::compatible(ty)
    }
}

impl<'r> Decode<'r, Postgres> for UserIdColumn {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(UserId::parse(<&str>::decode(value)?)?))
    }
}

impl From<UserIdColumn> for UserId {
    fn from(column: UserIdColumn) -> Self {
        column.0
    }
}

/// Parses a stored user id, as [`UserIdColumn`] does.
pub(crate) fn user_id(stored: String) -> sqlx::Result<UserId> {
    UserId::parse(stored).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// A transaction in which all statements read from one snapshot.
pub async fn begin_snapshot(pool: &PgPool) -> sqlx::Result<sqlx::Transaction<'static, Postgres>> {
    pool.begin_with("begin isolation level repeatable read").await
}

/// Why a service does not start with a database.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the database has not been migrated to this version: run `calendar-api migrate`")]
    Behind,
    #[error("the database was migrated by a newer, incompatible version of Calwire: upgrade this service")]
    Ahead,
    #[error("migration {0} was applied in another form than this service has")]
    Differs(i64),
    #[error("cannot read the schema version: {0}")]
    Database(#[from] sqlx::Error),
}

/// Rejects a schema that this build is not compatible with. A newer schema is accepted until something that this build
/// needs is removed, so that two versions of a service can run side by side during a deployment.
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

/// Whether the newer schema is still compatible with this build.
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

    /// Adds a migration that this build does not know.
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
    async fn an_older_service_runs_until_the_schema_floor_passes_it(pool: PgPool) {
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
    async fn a_schema_behind_the_service_is_rejected(pool: PgPool) {
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
