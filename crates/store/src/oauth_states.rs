//! Connect flows that were started, until they expire.

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
    /// The account to connect again. None: any.
    pub google_sub: Option<String>,
    pub expires_at: DateTime<Utc>,
}

/// A flow that was found, and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowState {
    /// It belongs to the caller now, and to no later one.
    Taken(OauthState),
    /// Another browser has begun it. It stays usable there.
    OtherBrowser,
    /// An earlier callback has taken it, and is processing it or has finished with this outcome.
    Used {
        return_to: String,
        outcome: Option<String>,
    },
}

/// Stores a flow under the sha256 of its `state`.
pub async fn insert(conn: &mut PgConnection, state_sha256: &[u8], flow: &OauthState) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into oauth_states (state_sha256, user_id, browser_sha256, pkce_verifier, return_to, expires_at, google_sub)
         values ($1, $2, $3, $4, $5, $6, $7)",
        state_sha256,
        flow.user.as_str(),
        flow.browser_sha256,
        flow.pkce_verifier,
        flow.return_to,
        flow.expires_at,
        flow.google_sub,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a flow, expired or not: only one caller gets it. Its verifier and account are deleted from the row.
/// `browser_sha256`: the caller's. None: there is no such flow, or it is used and was another browser's.
pub async fn take(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    state_sha256: &[u8],
    browser_sha256: &[u8],
) -> sqlx::Result<Option<FlowState>> {
    let taken = sqlx::query!(
        "with flow as (
             select state_sha256, pkce_verifier, google_sub from oauth_states
             where state_sha256 = $1 and browser_sha256 = $3 and taken_at is null
             for update
         )
         update oauth_states o set taken_at = $2, pkce_verifier = '', google_sub = null
         from flow where o.state_sha256 = flow.state_sha256
         returning user_id, browser_sha256, flow.pkce_verifier, return_to, expires_at, flow.google_sub",
        state_sha256,
        now,
        browser_sha256,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(row) = taken {
        return Ok(Some(FlowState::Taken(OauthState {
            user: crate::user_id(row.user_id)?,
            browser_sha256: row.browser_sha256,
            pkce_verifier: row.pkce_verifier,
            return_to: row.return_to,
            google_sub: row.google_sub,
            expires_at: row.expires_at,
        })));
    }
    let used = sqlx::query_as!(
        UsedRow,
        r#"select return_to, outcome, browser_sha256 is not distinct from $2 as "same_browser!", taken_at is not null as "taken!",
                  expires_at > $3 as "valid!"
           from oauth_states where state_sha256 = $1"#,
        state_sha256,
        browser_sha256,
        now,
    )
    .fetch_optional(conn)
    .await?;
    Ok(used.and_then(|row| match (row.same_browser, row.taken) {
        (true, true) if row.valid => Some(FlowState::Used {
            return_to: row.return_to,
            outcome: row.outcome,
        }),
        (false, false) => Some(FlowState::OtherBrowser),
        _ => None,
    }))
}

struct UsedRow {
    return_to: String,
    outcome: Option<String>,
    same_browser: bool,
    taken: bool,
    valid: bool,
}

/// Stores how a flow ended.
pub async fn finish(conn: &mut PgConnection, state_sha256: &[u8], outcome: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update oauth_states set outcome = $2 where state_sha256 = $1",
        state_sha256,
        outcome,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes flows that can no longer be used. Returns the number of rows deleted.
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
            google_sub: Some("sub".into()),
            expires_at: now + TimeDelta::minutes(1),
        };
        insert(&mut conn, b"a", &flow).await?;
        insert(&mut conn, b"b", &flow).await?;
        let browser = flow.browser_sha256.clone();
        let take = async |state: &'static [u8], browser: &[u8]| {
            take(&mut *pool.acquire().await?, now, state, browser).await
        };
        assert_eq!(take(b"none", &browser).await?, None);
        assert_eq!(take(b"a", &[9; 32]).await?, Some(FlowState::OtherBrowser));
        assert_eq!(take(b"a", &browser).await?, Some(FlowState::Taken(flow.clone())));
        let used = |outcome: Option<&str>| FlowState::Used {
            return_to: flow.return_to.clone(),
            outcome: outcome.map(str::to_owned),
        };
        assert_eq!(take(b"a", &browser).await?, Some(used(None)));
        finish(&mut conn, b"a", "connected").await?;
        assert_eq!(take(b"a", &browser).await?, Some(used(Some("connected"))));
        assert_eq!(take(b"a", &[9; 32]).await?, None);
        assert_eq!(purge_expired(&mut conn, now).await?, 0);
        assert_eq!(purge_expired(&mut conn, now + TimeDelta::seconds(61)).await?, 2);
        Ok(())
    }
}
