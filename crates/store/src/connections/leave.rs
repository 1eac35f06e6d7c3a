//! The end of a connection that its user no longer wants.

use chrono::{DateTime, Utc};
use common::ids::{ConnectionId, UserId};
use secrecy::SecretString;
use sqlx::PgConnection;

use super::open;
use crate::seal::{Keyring, Unsealable};

/// Begins to end a user's connection, or all of them. Returns those that were not on their way out already. Their
/// channels are to be stopped, then [`disconnected`] names them for the rest.
pub async fn disconnect(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    id: Option<ConnectionId>,
) -> sqlx::Result<Vec<ConnectionId>> {
    let ids = sqlx::query_scalar!(
        "update connections set disconnected_at = $3, updated_at = $3
         where user_id = $1 and ($2::uuid is null or id = $2) and disconnected_at is null
         returning id",
        user.as_str(),
        id.map(ConnectionId::as_uuid),
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ConnectionId::from).collect())
}

/// A connection whose channels are stopped, or have been given up waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    pub id: ConnectionId,
    pub user_id: UserId,
    /// Nobody else is connected to this Google account: revoking ends nobody else's tokens.
    pub last_of_account: bool,
}

/// Up to `limit` connections that were disconnected and may go now: no channel of theirs is left at Google, or they have
/// waited since before `patience`.
pub async fn disconnected(
    conn: &mut PgConnection,
    patience: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Leaving>> {
    let rows = sqlx::query!(
        r#"select n.id, n.user_id,
                  not exists (select from connections o where o.google_sub = n.google_sub and o.id <> n.id
                              and o.disconnected_at is null and o.grant_ended_at is null) as "last_of_account!"
           from connections n
           where n.disconnected_at is not null
             and (n.disconnected_at < $1
                  or not exists (select from watches w where w.connection_id = n.id and w.state <> 'stopped'))
           order by n.disconnected_at
           limit $2"#,
        patience,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Leaving {
                id: row.id.into(),
                user_id: crate::user_id(row.user_id)?,
                last_of_account: row.last_of_account,
            })
        })
        .collect()
}

/// The refresh token of a connection that leaves, for its revocation.
pub async fn refresh_token(
    conn: &mut PgConnection,
    keyring: &Keyring,
    id: ConnectionId,
) -> sqlx::Result<Option<Result<SecretString, Unsealable>>> {
    let row = sqlx::query!(
        "select user_id, google_sub, refresh_token from connections where id = $1",
        id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    let Some((row, record)) = row.and_then(|mut row| row.refresh_token.take().map(|record| (row, record)))
    else {
        return Ok(None);
    };
    let user_id = crate::user_id(row.user_id)?;
    Ok(Some(open(
        keyring,
        "refresh_token",
        id,
        &user_id,
        &row.google_sub,
        &record,
    )))
}

/// Deletes a connection that was disconnected, with all that was mirrored of it.
pub async fn purge(conn: &mut PgConnection, id: ConnectionId) -> sqlx::Result<bool> {
    let purged = sqlx::query!(
        "delete from connections where id = $1 and disconnected_at is not null",
        id.as_uuid(),
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected() == 1)
}
