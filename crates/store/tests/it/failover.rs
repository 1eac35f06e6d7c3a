//! After a failover: sessions that were opened during it stay read-only, although the server no longer is.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, PgPool};

async fn alter_database(pool: &PgPool, change: &str) {
    let mut conn = pool.acquire().await.unwrap();
    let database: String = sqlx::query_scalar("select current_database()")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    for sql in [
        "set default_transaction_read_only = off",
        &format!("alter database {database:?} {change}"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
            .execute(&mut *conn)
            .await
            .unwrap();
    }
}

/// Loops that fail and retry keep their connections from being idle.
#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_busy_read_only_connection_is_replaced(pool: PgPool) {
    alter_database(&pool, "set default_transaction_read_only = on").await;
    let url = pool.connect_options().to_url_lossy();
    let busy = store::connect(url.as_str(), 1, Duration::from_secs(5))
        .await
        .unwrap();
    let write = async || {
        let mut conn = busy.acquire().await?;
        store::zone_data::set_version(&mut conn, "2026e").await
    };
    assert!(store::is_read_only_error(&write().await.unwrap_err()));
    alter_database(&pool, "reset default_transaction_read_only").await;
    let started = Instant::now();
    while let Err(error) = write().await {
        assert!(store::is_read_only_error(&error), "{error}");
        assert!(started.elapsed() < Duration::from_secs(20), "still read-only");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
