//! What has been committed and not yet told to the browsers.

use chrono::{DateTime, Utc};
use common::ids::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

/// Writes a message in the transaction of what it tells, and wakes the relay when that commits.
///
/// `seq` comes from [`user_stream::next_seq`](crate::user_stream::next_seq) in the same transaction, and is also in
/// `payload`, the JSON that goes out.
pub async fn enqueue(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    seq: i64,
    payload: &[u8],
    traceparent: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with message as (
             insert into outbox (user_id, seq, id, payload, traceparent, created_at)
             values ($1, $2, $3, $4, $5, $6)
         )
         select pg_notify('calwire_outbox', '')",
        user.as_str(),
        seq,
        Uuid::now_v7(),
        payload,
        traceparent,
        now,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}
