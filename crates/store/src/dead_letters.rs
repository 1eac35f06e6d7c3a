//! Messages that Centrifugo rejected permanently, kept for diagnosis. Written by
//! [`outbox::dead_letter`](crate::outbox::dead_letter). They contain event titles, so they are deleted after a while.

use chrono::{DateTime, Utc};
use common::ids::ConnectionId;
use sqlx::PgConnection;

/// Deletes those written before `before`. Returns the number of rows deleted.
pub async fn purge(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let purged = sqlx::query!("delete from dead_letters where created_at < $1", before)
        .execute(conn)
        .await?;
    Ok(purged.rows_affected())
}

/// Deletes all dead letters of a user who disconnects an account: their payloads do not reliably name the account.
pub async fn purge_of_disconnecting(conn: &mut PgConnection, id: ConnectionId) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from dead_letters d using connections n
         where n.id = $1 and n.disconnected_at is not null and d.user_id = n.user_id",
        id.as_uuid(),
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected())
}
