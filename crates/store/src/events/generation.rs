//! Generations of a calendar: the sweep that a flip would make, and the deletion of stale ones.

use common::ids::CalendarId;
use sqlx::PgConnection;

/// The events that readers would lose if the new generation replaced the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Events of the old generation that are not cancelled.
    pub before: i64,
    /// How many of them are missing in the new one.
    pub lost: i64,
    /// sha256 of the ids of the lost ones, in order. Equal digests mean that two listings lack the same events.
    pub digest: Vec<u8>,
}

pub async fn sweep(conn: &mut PgConnection, calendar: CalendarId, old: i64, new: i64) -> sqlx::Result<Sweep> {
    sqlx::query_as!(
        Sweep,
        r#"select count(*) as "before!", count(*) filter (where n.event_id is null) as "lost!",
                  sha256(convert_to(coalesce(string_agg(o.event_id, ' ' order by o.event_id)
                      filter (where n.event_id is null), ''), 'UTF8')) as "digest!"
           from events o
           left join events n on n.calendar_id = $1 and n.generation = $3 and n.event_id = o.event_id
                             and n.status <> 'cancelled'
           where o.calendar_id = $1 and o.generation = $2 and o.status <> 'cancelled'"#,
        calendar.as_uuid(),
        old,
        new,
    )
    .fetch_one(conn)
    .await
}

/// Deletes up to `limit` events and the instances of as many of a generation that no reader sees. Returns the number of rows
/// deleted; 0 when no stale generation is left.
pub async fn purge_stale(conn: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let Some(stale) =
        sqlx::query!("select calendar_id, generation from stale_generations limit 1 for update skip locked")
            .fetch_optional(&mut *conn)
            .await?
    else {
        return Ok(0);
    };
    let purged = sqlx::query_scalar!(
        r#"with gone_events as (
             delete from events where (calendar_id, generation, event_id) in (
                 select calendar_id, generation, event_id from events where calendar_id = $1 and generation = $2
                 limit $3)
             returning 1
         ), gone_instances as (
             delete from instances where (calendar_id, generation, event_id) in (
                 select calendar_id, generation, event_id from instances where calendar_id = $1 and generation = $2
                 limit $3)
             returning 1
         )
         select (select count(*) from gone_events) + (select count(*) from gone_instances) as "purged!""#,
        stale.calendar_id,
        stale.generation,
        limit,
    )
    .fetch_one(&mut *conn)
    .await?;
    if purged > 0 {
        return Ok(purged.unsigned_abs());
    }
    // Nothing is left of this generation: delete its entry, so that the next call continues with the next one.
    sqlx::query!(
        "delete from stale_generations where calendar_id = $1 and generation = $2",
        stale.calendar_id,
        stale.generation,
    )
    .execute(conn)
    .await?;
    Ok(1)
}
