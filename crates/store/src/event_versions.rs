//! Recent earlier versions of events: the base of a three-way merge.

use chrono::{DateTime, Utc};
use common::ids::CalendarId;
use sqlx::PgConnection;

/// An earlier version of an event, as JSON. Written by [`events::upsert`](crate::events::upsert).
pub async fn get(
    conn: &mut PgConnection,
    calendar: CalendarId,
    event_id: &str,
    etag: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"select raw::text as "raw!" from event_versions
           where calendar_id = $1 and event_id = $2 and etag = $3"#,
        calendar.as_uuid(),
        event_id,
        etag,
    )
    .fetch_optional(conn)
    .await
}

/// Deletes up to `limit` versions that were replaced before `before`. Returns the number of rows deleted.
pub async fn purge(conn: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from event_versions where (calendar_id, event_id, etag) in (
             select calendar_id, event_id, etag from event_versions where replaced_at < $1 limit $2)",
        before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected())
}
