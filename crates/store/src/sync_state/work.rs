//! Work on due resources: acquire a lease, then settle with the lease as the fence. No row is locked in between.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::ResourceId;
use common::lease::{Lease, Settled};
use sqlx::PgConnection;
use uuid::Uuid;

use super::due::wake;
use super::{Cause, Kind, Pull, interval};

struct PullRow {
    resource_id: Uuid,
    kind: String,
    connection_id: Uuid,
    user_id: String,
    dirty_seq: i64,
    dirty_cause: String,
    dirty_at: Option<DateTime<Utc>>,
    sync_token: Option<String>,
    page_size: Option<i16>,
    generation: i64,
    sweep_digest: Option<Vec<u8>>,
    horizon_until: Option<DateTime<Utc>>,
    last_pull_at: Option<DateTime<Utc>>,
    rebuilt_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
    lease_token: Uuid,
    attempts: i32,
    taken_over: bool,
    steals: i32,
    traceparent: Option<String>,
}

impl TryFrom<PullRow> for Pull {
    type Error = sqlx::Error;

    fn try_from(row: PullRow) -> sqlx::Result<Self> {
        Ok(Self {
            lease: Lease::new(
                row.resource_id.into(),
                row.lease_token,
                row.attempts.unsigned_abs(),
            ),
            kind: Kind::parse(&row.kind),
            connection_id: row.connection_id.into(),
            user_id: crate::user_id(row.user_id)?,
            dirty_seq: row.dirty_seq,
            cause: Cause::parse(&row.dirty_cause),
            asked_at: row.dirty_at,
            sync_token: row.sync_token,
            page_size: row.page_size.map(i16::unsigned_abs),
            generation: row.generation,
            sweep_digest: row.sweep_digest,
            horizon_until: row.horizon_until,
            last_pull_at: row.last_pull_at,
            rebuilt_at: row.rebuilt_at,
            last_error: row.last_error,
            taken_over: row.taken_over,
            lease_losses: row.steals.unsigned_abs(),
            traceparent: row.traceparent,
        })
    }
}

/// Leases up to `limit` due resources, the longest waiting first.
///
/// The commit does not wait for the disk, since users wait for the change. If a crash of Postgres loses the lease, its holder
/// cannot settle. Must run as its own transaction.
pub async fn acquire(conn: &mut PgConnection, lease: Duration, limit: i64) -> sqlx::Result<Vec<Pull>> {
    let rows = sqlx::query_as!(
        PullRow,
        "with due as materialized (
             select resource_id, lease_token is not null as taken_over from sync_state
             where dirty_seq > synced_seq and not_before <= now()
               and (leased_until is null or leased_until < now())
             order by not_before
             limit $2
             for update skip locked
         )
         update sync_state s
         set lease_token = gen_random_uuid(), leased_until = now() + $1, attempts = attempts + 1,
             due_since = coalesce(due_since, dirty_at), steals = steals + due.taken_over::integer
         from due
         where s.resource_id = due.resource_id and set_config('synchronous_commit', 'off', true) is not null
         returning s.resource_id, kind, connection_id, user_id, dirty_seq, dirty_cause, dirty_at, sync_token, page_size,
                   generation, sweep_digest, horizon_until, last_pull_at, rebuilt_at, last_error, lease_token as \"lease_token!\", attempts,
                   due.taken_over as \"taken_over!\", steals, traceparent",
        interval(lease),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Pull::try_from).collect()
}

/// As [`acquire`], for the calendar, not in `except`, whose expansion is furthest behind `until`. Whether its pull is due
/// does not matter; the lease keeps pulls away.
pub async fn acquire_behind_horizon(
    conn: &mut PgConnection,
    until: DateTime<Utc>,
    lease: Duration,
    except: &[ResourceId],
) -> sqlx::Result<Option<Pull>> {
    let except: Vec<Uuid> = except.iter().map(|id| id.as_uuid()).collect();
    let row = sqlx::query_as!(
        PullRow,
        "update sync_state
         set lease_token = gen_random_uuid(), leased_until = now() + $1
         where resource_id in (
             -- Each range of the index by itself: with `or`, Postgres would read all of it.
             select resource_id from (
                 select resource_id from (
                     select resource_id from sync_state
                     where kind = 'events' and generation > 0 and horizon_until is null
                       and (leased_until is null or leased_until < now()) and resource_id <> all($3)
                     order by horizon_until nulls first
                     limit 1
                     for update skip locked
                 ) unexpanded
                 union all
                 select resource_id from (
                     select resource_id from sync_state
                     where kind = 'events' and generation > 0 and horizon_until < $2
                       and (leased_until is null or leased_until < now()) and resource_id <> all($3)
                     order by horizon_until nulls first
                     limit 1
                     for update skip locked
                 ) outdated
             ) behind
             limit 1
         )
         returning resource_id, kind, connection_id, user_id, dirty_seq, dirty_cause, dirty_at, sync_token, page_size,
                   generation, sweep_digest, horizon_until, last_pull_at, rebuilt_at, last_error, lease_token as \"lease_token!\", attempts,
                   false as \"taken_over!\", steals, null as traceparent",
        interval(lease),
        until,
        &except,
    )
    .fetch_optional(conn)
    .await?;
    row.map(Pull::try_from).transpose()
}

/// Extends a lease to `until` from now. False: it was lost or has expired.
pub async fn extend_lease(
    conn: &mut PgConnection,
    lease: &Lease<ResourceId>,
    until: Duration,
) -> sqlx::Result<bool> {
    let extended = sqlx::query!(
        "update sync_state set leased_until = clock_timestamp() + $3
         where resource_id = $1 and lease_token = $2 and leased_until > clock_timestamp()",
        lease.key.as_uuid(),
        lease.token,
        interval(until),
    )
    .execute(conn)
    .await?;
    Ok(extended.rows_affected() == 1)
}

/// Starts a new generation, which no reader sees before [`settle`] names it. An unfinished one is abandoned. Its number is
/// not used by any generation that may still have rows. None: the lease was lost.
pub async fn begin_generation(
    conn: &mut PgConnection,
    lease: &Lease<ResourceId>,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "with before as (
             select resource_id, building from sync_state where resource_id = $1 and lease_token = $2
         ), given_up as (
             insert into stale_generations (calendar_id, generation)
             select resource_id, building from before where building is not null
             on conflict do nothing
         )
         update sync_state
         set building = 1 + greatest(generation, building,
                                     (select max(generation) from stale_generations where calendar_id = $1))
         where resource_id = $1 and lease_token = $2 and leased_until > clock_timestamp()
         returning building as \"building!\"",
        lease.key.as_uuid(),
        lease.token,
    )
    .fetch_optional(conn)
    .await
}

/// Stores the digest of a sweep that was held back because it would delete suspiciously many events. False: the lease was
/// lost.
pub async fn hold_sweep(
    conn: &mut PgConnection,
    lease: &Lease<ResourceId>,
    digest: &[u8],
) -> sqlx::Result<bool> {
    let held = sqlx::query!(
        "update sync_state set sweep_digest = $3
         where resource_id = $1 and lease_token = $2 and leased_until > clock_timestamp()",
        lease.key.as_uuid(),
        lease.token,
        digest,
    )
    .execute(conn)
    .await?;
    Ok(held.rows_affected() == 1)
}

/// The new value of `horizon_until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Horizon {
    Unchanged,
    Until(DateTime<Utc>),
    /// Everything has to be expanded again.
    Unknown,
}

impl Horizon {
    fn until(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Until(until) => Some(until),
            Self::Unchanged | Self::Unknown => None,
        }
    }
}

/// The result of a successful pull.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    pub sync_token: &'a str,
    /// The most events on a page of the listing that the sync token is from. None: as configured.
    pub page_size: Option<u16>,
    /// The generation that readers see from then on.
    pub generation: i64,
    /// How far series are expanded.
    pub horizon: Horizon,
    /// When the pull started. The data is at least as new as Google's at this time.
    pub pulled_at: DateTime<Utc>,
    pub changed: bool,
}

/// Settles a successful pull, in the transaction of its events.
///
/// `Again`: a push arrived during the pull, and the workers are notified. `Lost`: the lease was lost, and the caller must
/// roll back. Call it last, since it locks the row that pushes update.
pub async fn settle(conn: &mut PgConnection, pull: &Pull, progress: Progress<'_>) -> sqlx::Result<Settled> {
    #[cfg(feature = "simulation")]
    if common::mutant!("no_lease_fence") {
        crate::mutants::seize(conn, &pull.lease).await?;
    }
    let due_again = sqlx::query_scalar!(
        "with before as (
             select resource_id, generation, building from sync_state where resource_id = $1
         ), replaced as (
             insert into stale_generations (calendar_id, generation)
             -- Also generation 0: a write may have stored an event before the first listing.
             select resource_id, generation from before where generation <> $5
             union all
             select resource_id, building from before where building <> $5
             on conflict do nothing
         )
         update sync_state
         set synced_seq = $3, sync_token = $4, generation = $5, building = null, sweep_digest = null,
             horizon_until = case when $9 then horizon_until else $6 end,
             last_pull_at = $7, last_change_at = case when $8 then $7 else last_change_at end,
             rebuilt_at = case when generation <> $5 and generation > 0 then $7 else rebuilt_at end,
             due_since = null, traceparent = case when dirty_seq > $3 then traceparent end,
             -- A channel was live during the last pull and delivered no push for this change. The time of a push that
             -- arrived while this pull was due is exact to ten seconds.
             missed_push_at = case when $10 and (last_push_at is null or last_push_at < $11::timestamptz - interval '10 seconds')
                                    and exists (select from watches w where w.resource_id = $1 and w.state = 'live'
                                                and w.expires_at > $7 and w.created_at < last_pull_at)
                                   then coalesce(missed_push_at, $7) else missed_push_at end,
             page_size = $12,
             lease_token = null, leased_until = null, attempts = 0, steals = 0,
             -- Due rows are leased in this order: the one pulled last comes last.
             not_before = clock_timestamp(),
             last_error = null, last_error_at = null
         where resource_id = $1 and lease_token = $2 and leased_until > clock_timestamp()
         returning dirty_seq > synced_seq as \"due_again!\"",
        pull.lease.key.as_uuid(),
        pull.lease.token,
        pull.dirty_seq,
        progress.sync_token,
        progress.generation,
        progress.horizon.until(),
        progress.pulled_at,
        progress.changed,
        progress.horizon == Horizon::Unchanged,
        progress.changed && progress.generation == pull.generation && pull.cause.is_unprompted(),
        pull.asked_at.unwrap_or(progress.pulled_at),
        progress.page_size.and_then(|size| i16::try_from(size).ok()),
    )
    .fetch_optional(&mut *conn)
    .await?;
    Ok(match due_again {
        Some(true) => {
            // Workers notified during the pull found the row leased; notify again.
            wake(conn).await?;
            Settled::Again
        }
        Some(false) => Settled::Done,
        None => Settled::Lost,
    })
}

/// Ends a failed attempt: the resource stays due, after `delay`. `error` is a short identifier (`rate_limited`,
/// `transient`), never a message or a body. False: the lease was lost.
pub async fn defer(
    conn: &mut PgConnection,
    lease: &Lease<ResourceId>,
    delay: Duration,
    error: &str,
) -> sqlx::Result<bool> {
    let deferred = sqlx::query!(
        "update sync_state
         set lease_token = null, leased_until = null, not_before = clock_timestamp() + $3,
             last_error = $4, last_error_at = clock_timestamp()
         where resource_id = $1 and lease_token = $2",
        lease.key.as_uuid(),
        lease.token,
        interval(delay),
        error,
    )
    .execute(conn)
    .await?;
    Ok(deferred.rows_affected() == 1)
}

/// Ends an attempt that cannot succeed without intervention: the resource is not leased again before
/// [`resume`](super::resume) or [`resume_connection`](super::resume_connection).
pub async fn suspend(conn: &mut PgConnection, lease: &Lease<ResourceId>, error: &str) -> sqlx::Result<bool> {
    let suspended = sqlx::query!(
        "update sync_state
         set lease_token = null, leased_until = null, not_before = 'infinity',
             last_error = $3, last_error_at = clock_timestamp()
         where resource_id = $1 and lease_token = $2",
        lease.key.as_uuid(),
        lease.token,
        error,
    )
    .execute(conn)
    .await?;
    Ok(suspended.rows_affected() == 1)
}

/// Ends a lease without a result, at shutdown or after work that was no pull. The attempt does not count.
pub async fn release(conn: &mut PgConnection, lease: &Lease<ResourceId>) -> sqlx::Result<bool> {
    let released = sqlx::query!(
        "update sync_state
         set lease_token = null, leased_until = null, attempts = greatest(attempts - 1, 0)
         where resource_id = $1 and lease_token = $2",
        lease.key.as_uuid(),
        lease.token,
    )
    .execute(conn)
    .await?;
    Ok(released.rows_affected() == 1)
}

/// Settles the work of [`acquire_behind_horizon`]. `Again`: a pull is due, and the workers are notified. `Lost`: the lease
/// was lost.
pub async fn settle_horizon(
    conn: &mut PgConnection,
    lease: &Lease<ResourceId>,
    horizon: Horizon,
) -> sqlx::Result<Settled> {
    let due = sqlx::query_scalar!(
        "update sync_state
         set horizon_until = case when $4 then horizon_until else $3 end, lease_token = null, leased_until = null
         where resource_id = $1 and lease_token = $2 and leased_until > clock_timestamp()
         returning dirty_seq > synced_seq as \"due!\"",
        lease.key.as_uuid(),
        lease.token,
        horizon.until(),
        horizon == Horizon::Unchanged,
    )
    .fetch_optional(&mut *conn)
    .await?;
    Ok(match due {
        Some(true) => {
            // Workers notified during the pull found the row leased; notify again.
            wake(conn).await?;
            Settled::Again
        }
        Some(false) => Settled::Done,
        None => Settled::Lost,
    })
}
