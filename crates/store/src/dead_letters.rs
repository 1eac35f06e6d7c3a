//! Messages that Centrifugo refused for good, for whoever has to find out why. Written by
//! [`outbox::dead_letter`](crate::outbox::dead_letter); they have titles in them, so they are not kept for longer than that takes.

use chrono::{DateTime, Utc};
use common::ids::ConnectionId;
use sqlx::PgConnection;

/// Forgets those that were written before `before`. Returns how many went.
pub async fn purge(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let purged = sqlx::query!("delete from dead_letters where created_at < $1", before)
        .execute(conn)
        .await?;
    Ok(purged.rows_affected())
}

/// Forgets those of a user one of whose accounts is on its way out. All of them: what cannot be read does not say of which
/// account it is.
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
