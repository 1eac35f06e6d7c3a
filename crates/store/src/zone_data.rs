//! The version of the tz database by which instances are expanded.

use sqlx::PgConnection;
use uuid::Uuid;

/// None: no service has started with this schema.
pub async fn version(conn: &mut PgConnection) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select version from zone_data")
        .fetch_optional(conn)
        .await
}

/// Records the version, unless another service has recorded a newer one in the meantime.
pub async fn set_version(conn: &mut PgConnection, version: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into zone_data (version) values ($1)
         on conflict (only_row) do update set version = excluded.version
         where zone_data.version !~ '^[0-9]' or excluded.version !~ '^[0-9]' or zone_data.version < excluded.version",
        version,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks up to `limit` calendars to be expanded again, in order of their ids after this one. The last of them; none at the
/// end.
pub async fn invalidate_expansions_after(
    conn: &mut PgConnection,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Option<Uuid>> {
    let marked = sqlx::query_scalar!(
        "update sync_state set horizon_until = null
         where resource_id in (
             select resource_id from sync_state
             where kind = 'events' and generation > 0 and resource_id > $1
             order by resource_id
             limit $2
             for update
         )
         returning resource_id",
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(marked.into_iter().max())
}
