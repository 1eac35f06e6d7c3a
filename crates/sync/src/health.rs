//! Health checks.

use crate::Context;

/// The database responds and accepts writes.
pub async fn database(ctx: Context) -> Result<(), String> {
    let writable = async { store::is_writable(&mut *ctx.pool.acquire().await?).await };
    match writable.await {
        Ok(true) => Ok(()),
        Ok(false) => {
            tracing::warn!("The database is read-only; connecting again");
            store::renew_connections();
            Err("it is read-only".to_owned())
        }
        Err(error) => {
            tracing::warn!(%error, "The database does not respond");
            Err("it does not respond".to_owned())
        }
    }
}

/// The database has the schema of this build.
pub async fn schema(ctx: Context) -> Result<(), String> {
    store::check_schema(&ctx.pool)
        .await
        .map_err(|error| error.to_string())
}

/// Every account's tokens can be unsealed.
pub async fn keys(ctx: Context) -> Result<(), String> {
    let missing = async {
        let mut conn = ctx.pool.acquire().await?;
        store::seal::missing_keys(&mut conn, &ctx.keyring).await
    };
    match missing.await {
        Ok(missing) if missing.is_empty() => Ok(()),
        Ok(missing) => Err(format!(
            "TOKEN_KEYS lacks {missing:?}, which accounts are sealed with"
        )),
        Err(_) => Err("the database does not respond".to_owned()),
    }
}

/// The broker accepts publications.
pub async fn broker(centrifugo: centrifugo::Client) -> Result<(), String> {
    centrifugo
        .check(centrifugo::NAMESPACE)
        .await
        .map_err(|error| error.to_string())
}
