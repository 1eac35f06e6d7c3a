//! Connections to Postgres: their timeouts, and their replacement after a failover.
//!
//! Nothing is sent in the startup packet that a connection pooler may refuse. PgBouncer accepts only parameters that it
//! tracks: <https://www.pgbouncer.org/config.html#ignore_startup_parameters>. So timeouts are set by a first statement, and
//! a second one checks that the session kept them, which it does not where a pooler changes the session between
//! statements (`pool_mode = transaction`).

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

/// Longer than any statement here takes. A lock held elsewhere becomes an error instead of a hang.
const TIMEOUTS: Timeouts = Timeouts {
    statement: "15s",
    lock: "5s",
    idle_in_transaction: "20s",
};

/// For admin commands: no statement timeout, and a lock timeout that outlasts the services' statements.
const ADMIN_TIMEOUTS: Timeouts = Timeouts {
    statement: "0",
    lock: "30s",
    idle_in_transaction: "0",
};

/// A connection that was idle for this long is tested before use: Postgres may have restarted, or stopped being the
/// primary. A process whose connections are never idle tests the next one after this long.
const TESTED_AFTER: Duration = Duration::from_secs(1);

/// After a read-only session was found, every connection is tested before use for this long.
const FAILOVER: Duration = Duration::from_mins(1);

/// The timeouts of a session, in Postgres's notation and canonical form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub statement: &'static str,
    pub lock: &'static str,
    pub idle_in_transaction: &'static str,
}

/// A pool with a timeout on everything: acquiring a connection, waiting for a lock, running a statement.
pub async fn connect(
    database_url: &str,
    max_connections: u32,
    acquire_timeout: Duration,
) -> sqlx::Result<PgPool> {
    let options = options(database_url)?;
    let connecting = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(acquire_timeout)
        // Not at every acquire: that would be a round trip before every single statement.
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if is_outdated(meta.age) {
                    return Ok(false);
                }
                if meta.idle_for >= TESTED_AFTER || is_failing_over() || is_test_due() {
                    return check(conn).await;
                }
                Ok(true)
            })
        })
        .after_connect(|conn, _| Box::pin(set_timeouts(conn, TIMEOUTS)))
        .connect_with(options.clone());
    explain_timeout(connecting.await, &options, TIMEOUTS, acquire_timeout).await
}

/// For migrations and other admin commands.
pub async fn connect_for_admin(database_url: &str, acquire_timeout: Duration) -> sqlx::Result<PgPool> {
    let options = options(database_url)?;
    let connecting = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(acquire_timeout)
        .after_connect(|conn, _| Box::pin(set_timeouts(conn, ADMIN_TIMEOUTS)))
        .connect_with(options.clone());
    explain_timeout(connecting.await, &options, ADMIN_TIMEOUTS, acquire_timeout).await
}

/// A pool that retries in vain returns a timeout, whatever the cause is. One more attempt returns the cause.
async fn explain_timeout(
    connected: sqlx::Result<PgPool>,
    options: &PgConnectOptions,
    timeouts: Timeouts,
    within: Duration,
) -> sqlx::Result<PgPool> {
    if !matches!(connected, Err(sqlx::Error::PoolTimedOut)) {
        return connected;
    }
    let attempt = async {
        let mut conn = PgConnection::connect_with(options).await?;
        set_timeouts(&mut conn, timeouts).await?;
        conn.close().await
    };
    match tokio::time::timeout(within, attempt).await {
        Ok(Err(cause)) => Err(cause),
        Ok(Ok(())) | Err(_) => connected,
    }
}

/// One connection, without timeouts and without a pool's retries.
pub async fn connect_once(database_url: &str) -> sqlx::Result<PgConnection> {
    PgConnection::connect_with(&options(database_url)?).await
}

pub(crate) fn options(database_url: &str) -> sqlx::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(database_url)?.extra_float_digits(None))
}

/// Sets the timeouts of a session, and checks that it kept them. Statements are not compiled: whether Postgres does so depends
/// on its estimate, which grows with the tables, and takes longer than any statement here.
pub(crate) async fn set_timeouts(conn: &mut PgConnection, timeouts: Timeouts) -> sqlx::Result<()> {
    let wanted = [timeouts.statement, timeouts.lock, timeouts.idle_in_transaction];
    sqlx::query(
        "select set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),
                set_config('idle_in_transaction_session_timeout', $3, false), set_config('jit', 'off', false)",
    )
    .bind(wanted[0])
    .bind(wanted[1])
    .bind(wanted[2])
    .execute(&mut *conn)
    .await?;
    let kept: (String, String, String) = sqlx::query_as(
        "select current_setting('statement_timeout'), current_setting('lock_timeout'),
                current_setting('idle_in_transaction_session_timeout')",
    )
    .fetch_one(conn)
    .await?;
    if [&*kept.0, &*kept.1, &*kept.2] == wanted {
        Ok(())
    } else {
        Err(sqlx::Error::Configuration(
            "the connection does not keep its timeouts; use the pooler in session mode (PgBouncer: pool_mode = session)".into(),
        ))
    }
}

/// Whether a connection may be used. A read-only one means that all others are probably read-only, too.
async fn check(conn: &mut PgConnection) -> sqlx::Result<bool> {
    *TESTED_AT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    let is_writable = is_writable(conn).await?;
    if !is_writable {
        renew_connections();
    }
    Ok(is_writable)
}

/// Whether the database accepts writes. A standby does not, nor a primary that was demoted.
pub async fn is_writable(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("select current_setting('transaction_read_only') = 'off'")
        .fetch_one(conn)
        .await
}

/// Whether a statement failed because its session is read-only: SQLSTATE 25006.
pub fn is_read_only_error(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("25006")
}

/// Connections of this process that are older than this are closed before their next use.
static OUTDATED_SINCE: Mutex<Option<Instant>> = Mutex::new(None);

/// When this process last tested a connection.
static TESTED_AT: Mutex<Option<Instant>> = Mutex::new(None);

fn is_test_due() -> bool {
    let last = *TESTED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    last.is_none_or(|last| last.elapsed() >= TESTED_AFTER)
}

/// Closes all connections that exist now, each before its next use. After a failover they lead to the wrong server.
pub fn renew_connections() {
    *OUTDATED_SINCE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Whether the database was read-only within [`FAILOVER`]: a connection that was opened since may be, too.
fn is_failing_over() -> bool {
    let since = *OUTDATED_SINCE.lock().unwrap_or_else(PoisonError::into_inner);
    since.is_some_and(|since| since.elapsed() < FAILOVER)
}

fn is_outdated(age: Duration) -> bool {
    let since = *OUTDATED_SINCE.lock().unwrap_or_else(PoisonError::into_inner);
    since.is_some_and(|since| age > since.elapsed())
}
