//! What a service looks at to tell whether it can do its work.

use crate::Context;

/// Whether the database answers.
pub async fn database(ctx: Context) -> Result<(), String> {
    store::ping(&ctx.pool).await.map_err(|error| {
        tracing::warn!(%error, "The database does not answer");
        "it does not answer".to_owned()
    })
}

/// Whether the database has the schema that this build knows.
pub async fn schema(ctx: Context) -> Result<(), String> {
    store::check_schema(&ctx.pool)
        .await
        .map_err(|error| error.to_string())
}

/// Whether every account's tokens can be unsealed.
pub async fn keys(ctx: Context) -> Result<(), String> {
    let missing = async {
        let mut conn = ctx.pool.acquire().await?;
        store::seal::missing_keys(&mut conn, &ctx.keyring).await
    };
    match missing.await {
        Ok(missing) if missing.is_empty() => Ok(()),
        Ok(missing) => Err(format!(
            "TOKEN_KEYS lacks {missing:?}, with which accounts are sealed"
        )),
        Err(_) => Err("the database does not answer".to_owned()),
    }
}

/// Whether the broker takes publications.
pub async fn broker(centrifugo: centrifugo::Client) -> Result<(), String> {
    centrifugo
        .check(centrifugo::NAMESPACE)
        .await
        .map_err(|error| error.to_string())
}
