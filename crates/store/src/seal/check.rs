//! Checking at startup that the keys are those that the database was written with.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use sqlx::PgConnection;

use super::{Binding, Keyring};

/// Why the keys do not match this database.
#[derive(Debug, thiserror::Error)]
pub enum KeyCheckError {
    #[error("TOKEN_KEYS: key {0} is not the key {0} that this database was written with")]
    WrongKey(u32),
    #[error("cannot check TOKEN_KEYS: {0}")]
    Database(#[from] sqlx::Error),
}

const CHECK: &str = "calwire key check";

/// Detects a wrong key at startup: a known text is sealed with each key when the key is first seen, and must open with it
/// from then on.
///
/// Returns the ids of missing keys that connections are sealed with. Those accounts cannot be used until the key is
/// configured again.
pub async fn check_keys(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    keyring: &Keyring,
) -> Result<Vec<u32>, KeyCheckError> {
    for id in keyring.key_ids() {
        let row = id.to_be_bytes();
        let binding = Binding {
            table: "key_checks",
            column: "sealed",
            row: &[&row],
        };
        let sealed = keyring.with_primary(id).seal(&binding, &CHECK.into());
        let stored = sqlx::query_scalar!(
            r#"
            insert into key_checks (key_id, sealed, created_at) values ($1, $2, $3)
            on conflict (key_id) do update set sealed = key_checks.sealed
            returning sealed
            "#,
            i64::from(id),
            sealed,
            now,
        )
        .fetch_one(&mut *conn)
        .await?;
        match keyring.open(&binding, &stored) {
            Ok(text) if text.expose_secret() == CHECK => {}
            _ => return Err(KeyCheckError::WrongKey(id)),
        }
    }
    missing_keys(conn, keyring).await.map_err(KeyCheckError::from)
}

/// The ids of keys that accounts are sealed with and that `keyring` lacks.
pub async fn missing_keys(conn: &mut PgConnection, keyring: &Keyring) -> sqlx::Result<Vec<u32>> {
    let used = keys_in_use(conn).await?;
    Ok(used
        .into_iter()
        .filter(|id| !keyring.ciphers.contains_key(id))
        .collect())
}

/// The ids of the keys that connections are sealed with.
pub async fn keys_in_use(conn: &mut PgConnection) -> sqlx::Result<Vec<u32>> {
    let used = sqlx::query_scalar!(
        r#"
        -- Jumps from key to key in the index.
        with recursive used as (
            (select substring(refresh_token from 2 for 4) as key_id from connections where length(refresh_token) >= 5
             order by 1 limit 1)
            union all
            select (select substring(refresh_token from 2 for 4) from connections
                    where length(refresh_token) >= 5 and substring(refresh_token from 2 for 4) > used.key_id
                    order by 1 limit 1)
            from used where used.key_id is not null
        )
        select key_id as "key_id!" from used where key_id is not null
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(used
        .iter()
        .filter_map(|bytes| Some(u32::from_be_bytes(bytes.as_slice().try_into().ok()?)))
        .collect())
}
