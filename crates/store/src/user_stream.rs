//! Each user's stream: the total order of the messages to the user's browsers.

use common::ids::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

/// A position in a user's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The stream's identity. With another epoch, a lower `seq` is not older.
    pub epoch: Uuid,
    /// The last seq assigned. Everything up to it is committed or about to be.
    pub seq: i64,
}

/// Assigns the user's next seq, from 1. The row stays locked until the caller commits, so commit order is seq order. Call
/// it late in a transaction, and only if there is a message to write.
///
/// Locks are taken in the order connections, calendars, events, watches, user_stream, sync_state, and several rows of
/// sync_state in the order of their ids (see [`lock`](crate::sync_state::lock)), so that transactions do
/// not deadlock.
pub async fn next_seq(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        "insert into user_stream (user_id, epoch, seq) values ($1, gen_random_uuid(), 1)
         on conflict (user_id) do update set seq = user_stream.seq + 1
         returning seq",
        user.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// The current position of a user's stream. A user without a stream yet is at seq 0 of the nil epoch; no row is created.
pub async fn position(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Position> {
    let found = sqlx::query_as!(
        Position,
        "select epoch, seq from user_stream where user_id = $1",
        user.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.unwrap_or(Position {
        epoch: Uuid::nil(),
        seq: 0,
    }))
}
