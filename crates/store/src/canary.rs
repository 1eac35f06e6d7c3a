//! The canary's row: the lease on its next run and the result of its last change.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, UserId};
use common::lease::Lease;
use sqlx::PgConnection;

use crate::sync_state::{Cause, interval};

/// One run of the canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub lease: Lease<UserId>,
    /// The event to change. None: it does not exist yet.
    pub event_id: Option<String>,
}

/// Leases the next run, if it is due and no other process has it.
pub async fn acquire(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    lease: Duration,
) -> sqlx::Result<Option<Turn>> {
    let row = sqlx::query!(
        r#"insert into canary as c (user_id, lease_token, leased_until, created_at)
           values ($1, gen_random_uuid(), clock_timestamp() + $2, $3)
           on conflict (user_id) do update
           set lease_token = excluded.lease_token, leased_until = excluded.leased_until
           where c.not_before <= clock_timestamp()
             and (c.leased_until is null or c.leased_until < clock_timestamp())
           returning lease_token as "lease_token!", event_id"#,
        user.as_str(),
        interval(lease),
        now,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Turn {
        lease: Lease::new(user.clone(), row.lease_token, 1),
        event_id: row.event_id,
    }))
}

/// Stores the id of the canary's event.
pub async fn keep_event(conn: &mut PgConnection, turn: &Turn, event_id: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update canary set event_id = $3 where user_id = $1 and lease_token = $2",
        turn.lease.key.as_str(),
        turn.lease.token,
        event_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a run. `by_push_at`: when its change arrived by push. None: it did not.
pub async fn settle(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    turn: &Turn,
    result: &str,
    by_push_at: Option<DateTime<Utc>>,
    next_in: Duration,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update canary
         set lease_token = null, leased_until = null, not_before = clock_timestamp() + $3, last_result = $4,
             last_at = $5, last_push_at = coalesce($6, last_push_at)
         where user_id = $1 and lease_token = $2",
        turn.lease.key.as_str(),
        turn.lease.token,
        interval(next_in),
        result,
        now,
        by_push_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// When the last change arrived by push, or the first run began. None: there was no run.
pub async fn heard_at(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"select coalesce(last_push_at, created_at) as "at!" from canary where user_id = $1"#,
        user.as_str(),
    )
    .fetch_optional(conn)
    .await
}

/// The cause of the pull that wrote a message. None: no pull did.
pub async fn cause_of(conn: &mut PgConnection, user: &UserId, seq: i64) -> sqlx::Result<Option<Cause>> {
    let cause = sqlx::query_scalar!(
        "select cause from calendars c join sync_rounds r on r.calendar_id = c.id
         where c.user_id = $1 and r.user_id = $1 and r.seq = $2",
        user.as_str(),
        seq,
    )
    .fetch_optional(conn)
    .await?;
    Ok(cause.map(|cause| Cause::parse(&cause)))
}

/// Whether Google has pushed a calendar since then.
pub async fn pushed_since(
    conn: &mut PgConnection,
    calendar: CalendarId,
    since: DateTime<Utc>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from sync_state where resource_id = $1 and last_push_at >= $2) as "pushed!""#,
        calendar.as_uuid(),
        since,
    )
    .fetch_one(conn)
    .await
}
