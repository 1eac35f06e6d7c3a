//! The total order of what one user's browsers see.

use common::ids::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

/// Where a user's stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The stream's identity; with another one, a lower `seq` is not old news.
    pub epoch: Uuid,
    /// The last seq taken. Everything up to it is committed or about to be.
    pub seq: i64,
}

/// Takes the user's next seq, from 1. The row stays locked until the caller commits, so commit order is seq order: take
/// it late in a transaction, and only when there is something to tell.
///
/// Locks are taken in the order connections, calendars, events, watches, user_stream, sync_state, so that no two
/// transactions wait for each other: rows of the queue come last.
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

/// Where the user's stream stands. Reading writes nothing: a user to whom nothing has happened yet has a position too, the
/// beginning of a stream without identity.
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
