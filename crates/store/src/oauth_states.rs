//! Connect flows that were started and not finished yet.

use chrono::{DateTime, Utc};
use common::ids::UserId;
use sqlx::PgConnection;

/// A flow that a user started in a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthState {
    pub user: UserId,
    /// sha256 of the browser's cookie.
    pub browser_sha256: Vec<u8>,
    /// Sealed, bound to `oauth_states.pkce_verifier` and the row's `state_sha256`.
    pub pkce_verifier: Vec<u8>,
    /// An absolute URL.
    pub return_to: String,
    pub expires_at: DateTime<Utc>,
}

/// Stores a flow under the sha256 of its `state`.
pub async fn insert(conn: &mut PgConnection, state_sha256: &[u8], flow: &OauthState) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into oauth_states (state_sha256, user_id, browser_sha256, pkce_verifier, return_to, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
        state_sha256,
        flow.user.as_str(),
        flow.browser_sha256,
        flow.pkce_verifier,
        flow.return_to,
        flow.expires_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes and returns a flow, expired or not: a `state` is valid for one lookup.
pub async fn take(conn: &mut PgConnection, state_sha256: &[u8]) -> sqlx::Result<Option<OauthState>> {
    let row = sqlx::query!(
        "delete from oauth_states where state_sha256 = $1
         returning user_id, browser_sha256, pkce_verifier, return_to, expires_at",
        state_sha256,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(OauthState {
            user: crate::user_id(row.user_id)?,
            browser_sha256: row.browser_sha256,
            pkce_verifier: row.pkce_verifier,
            return_to: row.return_to,
            expires_at: row.expires_at,
        })
    })
    .transpose()
}

/// Deletes flows that were never finished. Returns the number of rows deleted.
pub async fn purge_expired(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<u64> {
    let purged = sqlx::query!("delete from oauth_states where expires_at < $1", now)
        .execute(conn)
        .await?;
    Ok(purged.rows_affected())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use sqlx::PgPool;

    use super::*;

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_state_is_valid_for_one_lookup(pool: PgPool) -> sqlx::Result<()> {
        let mut conn = pool.acquire().await?;
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let flow = OauthState {
            user: UserId::parse("alice").expect("a user"),
            browser_sha256: vec![1; 32],
            pkce_verifier: vec![2; 40],
            return_to: "https://app.example/".into(),
            expires_at: now,
        };
        insert(&mut conn, b"a", &flow).await?;
        insert(&mut conn, b"b", &flow).await?;
        assert_eq!(take(&mut conn, b"none").await?, None);
        assert_eq!(take(&mut conn, b"a").await?, Some(flow));
        assert_eq!(take(&mut conn, b"a").await?, None);
        assert_eq!(purge_expired(&mut conn, now).await?, 0);
        assert_eq!(purge_expired(&mut conn, now + TimeDelta::seconds(1)).await?, 1);
        Ok(())
    }
}
