//! Polling: the columns of `sync_state` that decide when a resource is pulled without a push.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::sync_state::interval;

/// Active resources are counted up to this.
const COUNTED_MAX: i64 = 500;

/// The number of resources that are kept current. The polling budget is divided by it. Above [`COUNTED_MAX`], Postgres's
/// estimate for all resources.
pub async fn active(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select case when counted < $1 then counted
                       else greatest(counted, (select reltuples::bigint from pg_class where oid = 'sync_state'::regclass))
                  end as "count!"
           from (
               select count(*) as counted from (
                   select from sync_state s cross join lateral (
                       select from connections n
                       where n.id = s.connection_id and n.grant_ended_at is null and n.disconnected_at is null limit 1
                   ) active
                   where s.not_before < 'infinity'
                   order by s.poll_at limit $1
               ) first
           ) few"#,
        COUNTED_MAX,
    )
    .fetch_one(conn)
    .await
}

/// Marks up to `limit` resources dirty whose poll is due, and schedules their next polls: after `watched` where a live
/// channel covers the resource, after `unwatched` elsewhere, ± 25 % to spread them. Returns how many polls were due.
pub async fn mark_due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    watched: Duration,
    unwatched: Duration,
    limit: i64,
) -> sqlx::Result<u64> {
    let polled = sqlx::query!(
        "with due as (
             select s.resource_id,
                    -- A channel that missed a change does not count.
                    s.missed_push_at is null
                        and exists (select from watches w where w.resource_id = s.resource_id and w.state = 'live'
                                    and w.expires_at > $1) as watched
             from sync_state s
             where s.poll_at <= $1
             order by s.poll_at
             limit $4
             for update skip locked
         )
         update sync_state s
         set poll_at = $1 + (case when d.watched then $2::interval else $3::interval end) * (0.75 + random() * 0.5),
             -- As in mark_dirty: a row that waits for a worker already will be listed later than now.
             dirty_seq = s.dirty_seq + (case when b.mark then 1 else 0 end),
             dirty_at = case when b.mark then $1 else s.dirty_at end,
             dirty_cause = case when b.mark then 'poll' else s.dirty_cause end
         from due d
         join sync_state c using (resource_id)
         join connections n on n.id = c.connection_id
         cross join lateral (
             select c.not_before < 'infinity' and n.grant_ended_at is null and n.disconnected_at is null
                    and not (c.dirty_seq > c.synced_seq and c.lease_token is null) as mark
         ) b
         where s.resource_id = d.resource_id",
        now,
        interval(watched),
        interval(unwatched),
        limit,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if polled > 0 {
        sqlx::query!("select pg_notify('calwire_dirty', '')")
            .fetch_one(conn)
            .await?;
    }
    Ok(polled)
}
