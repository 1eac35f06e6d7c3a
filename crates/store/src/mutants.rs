//! For tests: the SQL of mutants. These statements are not checked at compile time; no production build has them.

use std::time::Duration;

use common::ids::{CalendarId, ConnectionId, ResourceId};
use common::lease::Lease;
use sqlx::PgConnection;

use crate::events::NewEvent;
use crate::sync_state::interval;

/// `no_lease_fence`: a worker that commits is given the lease.
pub async fn seize(conn: &mut PgConnection, lease: &Lease<ResourceId>) -> sqlx::Result<()> {
    sqlx::query("update sync_state set lease_token = $2, leased_until = 'infinity' where resource_id = $1")
        .bind(lease.key.as_uuid())
        .bind(lease.token)
        .execute(conn)
        .await
        .map(drop)
}

/// `grant_ends_at_once`: the first refusal counts as the second.
pub async fn suspect(conn: &mut PgConnection, ago: Duration, connection: ConnectionId) -> sqlx::Result<()> {
    sqlx::query("update connections set grant_suspect_at = clock_timestamp() - $2 where id = $1")
        .bind(connection.as_uuid())
        .bind(interval(ago))
        .execute(conn)
        .await
        .map(drop)
}

/// `wipe_before_refill`: the visible generation is deleted before the new one is complete.
pub async fn wipe(conn: &mut PgConnection, calendar: CalendarId, generation: i64) -> sqlx::Result<()> {
    for table in ["delete from events", "delete from instances"] {
        let sql = format!("{table} where calendar_id = $1 and generation = $2");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(calendar.as_uuid())
            .bind(generation)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// `view_not_written`: an event is given its stored view. A space hides that from the trigger that compares the two.
pub async fn keep_view(
    conn: &mut PgConnection,
    (calendar, generation): (CalendarId, i64),
    event: &mut NewEvent,
) -> sqlx::Result<()> {
    let stored = "select view || ' ' from events
                  where calendar_id = $1 and generation = $2 and event_id = $3 and view <> ''";
    let stored: Option<String> = sqlx::query_scalar(stored)
        .bind(calendar.as_uuid())
        .bind(generation)
        .bind(&event.event_id)
        .fetch_optional(conn)
        .await?;
    if let Some(view) = stored {
        event.view = view;
    }
    Ok(())
}
