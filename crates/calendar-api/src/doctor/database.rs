//! Postgres, the schema, a restored backup, and the keys that tokens are sealed with.

use std::time::Duration;

use common::clock::Clock;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use store::restored::Location;
use store::seal::KeyCheckError;
use store::{SchemaError, health};

use super::report::Report;
use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(10);
const POSTGRES_MIN: i32 = 150_000;
/// Connections for admin tools, beside those of the services.
const ADMIN_CONNECTIONS: i64 = 10;

/// Checks the server, and returns a pool if it can be reached.
pub async fn connect(report: &mut Report, config: &Config) -> Option<PgPool> {
    let url = config.sync.database_url.expose_secret();
    let server = reach(report, url).await?;
    let pool = pool(report, url).await?;
    let version = format!("{}.{}", server.version_num / 10_000, server.version_num % 10_000);
    let wanted = i64::from(config.sync.database_max_connections) * 3 + ADMIN_CONNECTIONS;
    if server.version_num < POSTGRES_MIN {
        report.failed(
            "database",
            format!("Postgres {version}"),
            "upgrade it to 15 or newer",
        );
    } else if i64::from(server.max_connections) < wanted {
        report.failed(
            "database",
            format!(
                "Postgres {version} allows {} connections; one replica of each service may use {wanted}",
                server.max_connections
            ),
            "raise max_connections of Postgres, or lower DATABASE_MAX_CONNECTIONS",
        );
    } else {
        let connections = server.max_connections;
        report.ok(
            "database",
            format!("Postgres {version}, {connections} connections"),
        );
    }
    Some(pool)
}

/// None: it cannot be reached, which is reported.
async fn reach(report: &mut Report, url: &str) -> Option<health::Server> {
    // A pool retries, and would report a timeout instead of the cause.
    let once = tokio::time::timeout(TIMEOUT, store::connect_once(url));
    let server = match once.await {
        Ok(Ok(mut conn)) => health::server(&mut conn).await,
        Ok(Err(error)) => Err(error),
        Err(_) => {
            report.failed(
                "database",
                format!("no answer within {} s", TIMEOUT.as_secs()),
                "check host and port in DATABASE_URL, and the firewall",
            );
            return None;
        }
    };
    match server {
        Ok(server) => Some(server),
        Err(error) => {
            report.failed("database", &error, remedy(&error));
            None
        }
    }
}

/// None: a connection does not keep its settings, or the server is gone, which is reported.
async fn pool(report: &mut Report, url: &str) -> Option<PgPool> {
    match store::connect(url, 2, TIMEOUT).await {
        Ok(pool) => Some(pool),
        Err(error) => {
            let remedy = match error {
                sqlx::Error::Configuration(_) => "see \"Behind PgBouncer\" in docs/operations.md",
                _ => remedy(&error),
            };
            report.failed("database", &error, remedy);
            None
        }
    }
}

fn remedy(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(_) => "start Postgres, and check host and port in DATABASE_URL",
        sqlx::Error::Tls(_) => "check sslmode and sslrootcert in DATABASE_URL",
        sqlx::Error::Database(error) => match error.code().as_deref() {
            Some("28P01" | "28000") => "correct user and password in DATABASE_URL",
            Some("3D000") => "create the database, or correct its name in DATABASE_URL",
            Some("53300") => "raise max_connections of Postgres, or lower DATABASE_MAX_CONNECTIONS",
            Some("57P03") => "wait until Postgres has started",
            _ => "correct DATABASE_URL",
        },
        _ => "correct DATABASE_URL: postgres://user:password@host:5432/database",
    }
}

pub async fn examine(report: &mut Report, pool: &PgPool, config: &Config, clock: &Clock) {
    match store::check_schema(pool).await {
        Ok(()) => report.ok("schema", "matches this version"),
        Err(error) => {
            let remedy = match error {
                SchemaError::Behind => "run `calendar-api migrate`",
                SchemaError::Ahead => "run the newer version of Calwire",
                SchemaError::Differs(_) => "run an unmodified release, or restore a backup of this database",
                SchemaError::Database(_) => "check the log of Postgres",
            };
            report.failed("schema", &error, remedy);
            for check in ["backup", "keys", "zone-rules"] {
                report.skipped(check, "not checked without a schema");
            }
            return;
        }
    }
    backup(report, pool).await;
    keys(report, pool, config, clock).await;
    zone_rules(report, pool).await;
}

async fn zone_rules(report: &mut Report, pool: &PgPool) {
    let data = event_model::zone::data();
    let newer = async { sync::zone_data::newer_elsewhere(&mut *pool.acquire().await?).await };
    match newer.await {
        Ok(None) => report.ok("zone-rules", data),
        Ok(Some(newer)) => report.failed(
            "zone-rules",
            format!("{data}, but watch-renewer has {newer}"),
            "give all services the same release and the same tzdata, then restart them",
        ),
        Err(error) => report.failed("zone-rules", &error, "check the log of Postgres"),
    }
}

async fn backup(report: &mut Report, pool: &PgPool) {
    let place = async { store::restored::location(&mut *pool.acquire().await?).await };
    match place.await {
        Ok(Location::Moved) => report.failed(
            "backup",
            "this database was restored from a backup, and browsers may show newer data",
            "run `calendar-api restored`",
        ),
        Ok(Location::Unknown) => report.skipped(
            "backup",
            "Postgres does not show whether the data was restored; after a restore run `calendar-api restored`",
        ),
        Ok(Location::New) => report.ok("backup", "the next `calendar-api migrate` records the identity of this server"),
        Ok(Location::Same) => report.ok("backup", "the data was written by this server"),
        Err(error) => report.failed("backup", &error, "check the log of Postgres"),
    }
}

async fn keys(report: &mut Report, pool: &PgPool, config: &Config, clock: &Clock) {
    let keyring = &config.sync.token_keys;
    let checked = async {
        // Rolled back: a check must not record keys.
        let mut tx = pool.begin().await?;
        let missing = store::seal::check_keys(&mut tx, clock.now(), keyring).await?;
        let old = store::connections::rotate::count_old(&mut tx, keyring).await?;
        tx.rollback().await?;
        Ok::<_, KeyCheckError>((missing, old))
    };
    match checked.await {
        Ok((missing, old)) if missing.is_empty() => {
            let primary = keyring.primary_id();
            let found = match old {
                0 => format!("key {primary} seals all tokens"),
                old => format!("{old} accounts are sealed with an older key than {primary}; `calendar-api rotate-keys` reseals them"),
            };
            report.ok("keys", found);
        }
        Ok((missing, _)) => report.failed(
            "keys",
            format!("accounts are sealed with key {missing:?}, which TOKEN_KEYS lacks"),
            "put that key back into TOKEN_KEYS, after the first one; without it those users have to connect again",
        ),
        Err(error @ KeyCheckError::WrongKey(_)) => report.failed(
            "keys",
            &error,
            "set the key of this database for this number, and give a new key a number of its own",
        ),
        Err(KeyCheckError::Database(error)) => report.failed("keys", &error, "check the log of Postgres"),
    }
}
