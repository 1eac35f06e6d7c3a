//! Working on what is due: take it, let go of the row, and settle with the lease as the fence.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::ResourceId;
use common::lease::{Lease, Settled};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Cause, Kind, Pull, interval};

/// A row as [`acquire`] returns it.
struct Taken {
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
    rebuilt_at: Option<DateTime<Utc>>,
    lease_token: Uuid,
    attempts: i32,
    stolen: bool,
    steals: i32,
    traceparent: Option<String>,
}

impl TryFrom<Taken> for Pull {
    type Error = sqlx::Error;

    fn try_from(row: Taken) -> sqlx::Result<Self> {
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
            rebuilt_at: row.rebuilt_at,
            taken_over: row.stolen,
            lease_losses: row.steals.unsigned_abs(),
            traceparent: row.traceparent,
        })
    }
}

/// Takes up to `limit` due resources for `lease`, the longest untouched first. None of them is touched by anybody else
/// until then.
///
/// The commit is not waited for: a lease that a crash of Postgres forgets is a lost one, whose holder cannot settle, and
/// somebody's change is on its way to the screen. So this is a transaction of its own.
pub async fn acquire(conn: &mut PgConnection, lease: Duration, limit: i64) -> sqlx::Result<Vec<Pull>> {
    let rows = sqlx::query_as!(
        Taken,
        "with due as materialized (
             select resource_id, lease_token is not null as stolen from sync_state
             where dirty_seq > synced_seq and not_before <= now()
               and (leased_until is null or leased_until < now())
             order by not_before
             limit $2
             for update skip locked
         )
         update sync_state s
         set lease_token = gen_random_uuid(), leased_until = now() + $1, attempts = attempts + 1,
             due_since = coalesce(due_since, dirty_at), steals = steals + due.stolen::integer
         from due
         where s.resource_id = due.resource_id and set_config('synchronous_commit', 'off', true) is not null
         returning s.resource_id, kind, connection_id, user_id, dirty_seq, dirty_cause, dirty_at, sync_token, page_size,
                   generation, sweep_digest, horizon_until, rebuilt_at, lease_token as \"lease_token!\", attempts,
                   due.stolen as \"stolen!\", steals, traceparent",
        interval(lease),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Pull::try_from).collect()
}

/// As [`acquire`], for one calendar whose series are not expanded up to `until`, and none of `except`: the furthest
/// behind. Its pull may be due or not; the lease keeps it away meanwhile.
pub async fn acquire_behind_horizon(
    conn: &mut PgConnection,
    until: DateTime<Utc>,
    lease: Duration,
    except: &[ResourceId],
) -> sqlx::Result<Option<Pull>> {
    let except: Vec<Uuid> = except.iter().map(|id| id.as_uuid()).collect();
    let row = sqlx::query_as!(
        Taken,
        "update sync_state
         set lease_token = gen_random_uuid(), leased_until = now() + $1
         where resource_id in (
             select resource_id from sync_state
             where kind = 'events' and generation > 0 and (horizon_until is null or horizon_until < $2)
               and (leased_until is null or leased_until < now()) and resource_id <> all($3)
             order by horizon_until nulls first
             limit 1
             for update skip locked
         )
         returning resource_id, kind, connection_id, user_id, dirty_seq, dirty_cause, dirty_at, sync_token, page_size,
                   generation, sweep_digest, horizon_until, rebuilt_at, lease_token as \"lease_token!\", attempts,
                   false as \"stolen!\", steals, null as traceparent",
        interval(lease),
        until,
        &except,
    )
    .fetch_optional(conn)
    .await?;
    row.map(Pull::try_from).transpose()
}

/// Prolongs a lease to `until` from now. False: somebody else has the row, or the lease ran out.
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

/// Begins a new generation, which no reader sees before [`settle`] names it; one that was begun and not finished is
/// given up. Its number is that of no other whose rows may still be there. None: the lease was lost.
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

/// Gives up the generation that was begun, because its flip would sweep suspiciously much, and remembers what it would
/// have swept. False: the lease was lost.
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

/// What becomes of `horizon_until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Horizon {
    AsBefore,
    Until(DateTime<Utc>),
    /// Everything has to be expanded anew, by whoever extends the horizon.
    Unknown,
}

impl Horizon {
    fn until(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Until(until) => Some(until),
            Self::AsBefore | Self::Unknown => None,
        }
    }
}

/// What a pull that succeeded leaves behind.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    pub sync_token: &'a str,
    /// The most events on a page of the listing that the sync token is from. None: as configured.
    pub page_size: Option<u16>,
    /// The generation that readers see from now on.
    pub generation: i64,
    /// How far series are expanded.
    pub horizon: Horizon,
    /// When the pull began: the data is as Google had it then, or later.
    pub pulled_at: DateTime<Utc>,
    pub changed: bool,
}

/// Ends a pull that succeeded, in the transaction that holds its events.
///
/// `Again` when a push came meanwhile, which then wakes the workers; `Lost` when the lease did not hold: then the caller
/// rolls back. Call it last: it holds the row that notifications bump.
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
             -- Of generation 0, too: a write may have kept an event before anything was listed.
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
             -- A channel lived when the last pull was made, and did not tell of what changed since. A push that came
             -- while this pull was due is dated to ten seconds.
             missed_push_at = case when $10 and (last_push_at is null or last_push_at < $11::timestamptz - interval '10 seconds')
                                    and exists (select from watches w where w.resource_id = $1 and w.state = 'live'
                                                and w.expires_at > $7 and w.created_at < last_pull_at)
                                   then coalesce(missed_push_at, $7) else missed_push_at end,
             page_size = $12,
             lease_token = null, leased_until = null, attempts = 0, steals = 0,
             -- The order in which due rows are taken: who was served last waits longest.
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
        progress.horizon == Horizon::AsBefore,
        progress.changed && progress.generation == pull.generation && pull.cause.is_unprompted(),
        pull.asked_at.unwrap_or(progress.pulled_at),
        progress.page_size.and_then(|size| i16::try_from(size).ok()),
    )
    .fetch_optional(&mut *conn)
    .await?;
    Ok(match due_again {
        Some(true) => {
            // Whoever was woken meanwhile found it taken.
            super::wake(conn).await?;
            Settled::Again
        }
        Some(false) => Settled::Done,
        None => Settled::Lost,
    })
}

/// Ends a try that did not succeed: the resource stays due, not before `delay` has passed. `error` is a word for people
/// and programs (`rate_limited`, `transient`), never a body. False: the lease was lost already.
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

/// Ends a try that will not succeed until a person or another part does something: the resource is not taken again
/// before [`resume`](super::resume) or [`resume_connection`](super::resume_connection).
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

/// Gives a lease back untouched, at a stop or after work that was no pull. The try does not count.
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

/// Ends the work begun by [`acquire_behind_horizon`]: the lease goes, and whether a pull is due is as before. `Again`
/// when one is, which then wakes the workers; `Lost` when the lease did not hold.
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
        horizon == Horizon::AsBefore,
    )
    .fetch_optional(&mut *conn)
    .await?;
    Ok(match due {
        Some(true) => {
            // Whoever was woken meanwhile found it taken.
            super::wake(conn).await?;
            Settled::Again
        }
        Some(false) => Settled::Done,
        None => Settled::Lost,
    })
}
