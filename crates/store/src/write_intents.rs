//! Writes to Google that users requested. The row is committed before Google is called. It is kept as the response to
//! repeated requests with the same key.
//!
//! Leases use the database's clock, as in [`sync_state`](crate::sync_state).

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, UserId};
use common::lease::Lease;
use serde_json::value::RawValue;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::sync_state::interval;

/// The state of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum State {
    /// Google was not called yet.
    Pending,
    /// Google was called, or was about to be: the write may have been applied.
    Sent,
    Done,
    Failed,
    /// Someone else changed the same fields.
    Conflict,
}

impl State {
    fn parse(text: &str) -> Self {
        // The column's check constraint allows only these.
        text.parse().unwrap_or(Self::Failed)
    }

    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Sent)
    }
}

/// A write to be started.
#[derive(Debug, Clone, Copy)]
pub struct NewIntent<'a> {
    pub id: Uuid,
    pub user: &'a UserId,
    pub idempotency_key: &'a str,
    pub request_sha256: &'a [u8],
    pub connection: ConnectionId,
    pub calendar: CalendarId,
    /// `create`, `update`, `delete`, `move` or `respond`.
    pub operation: &'a str,
    pub event_id: &'a str,
    pub work: &'a RawValue,
}

/// The stored state of a write.
#[derive(Debug, Clone)]
pub struct Known {
    pub id: Uuid,
    pub request_sha256: Vec<u8>,
    pub state: State,
    pub result: Option<Box<RawValue>>,
}

/// A leased write.
#[derive(Debug, Clone)]
pub struct Intent {
    pub lease: Lease<Uuid>,
    pub user_id: UserId,
    pub idempotency_key: String,
    pub connection_id: ConnectionId,
    pub calendar_id: CalendarId,
    pub operation: String,
    pub event_id: String,
    pub work: Box<RawValue>,
    pub state: State,
    pub created_at: DateTime<Utc>,
    /// Another worker's lease on it expired.
    pub taken_over: bool,
}

struct IntentRow {
    id: Uuid,
    lease_token: Uuid,
    attempts: i32,
    user_id: String,
    idempotency_key: String,
    connection_id: Uuid,
    calendar_id: Uuid,
    operation: String,
    event_id: String,
    work: Json<Box<RawValue>>,
    state: String,
    created_at: DateTime<Utc>,
    taken_over: bool,
}

impl TryFrom<IntentRow> for Intent {
    type Error = sqlx::Error;

    fn try_from(row: IntentRow) -> sqlx::Result<Self> {
        Ok(Self {
            lease: Lease::new(row.id, row.lease_token, row.attempts.unsigned_abs()),
            user_id: crate::user_id(row.user_id)?,
            idempotency_key: row.idempotency_key,
            connection_id: row.connection_id.into(),
            calendar_id: row.calendar_id.into(),
            operation: row.operation,
            event_id: row.event_id,
            work: row.work.0,
            state: State::parse(&row.state),
            created_at: row.created_at,
            taken_over: row.taken_over,
        })
    }
}

/// Stores and leases a write. None: the user has used this key before ([`of_key`]).
pub async fn begin(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    intent: NewIntent<'_>,
    lease: Duration,
) -> sqlx::Result<Option<Intent>> {
    let row = sqlx::query_as!(
        IntentRow,
        r#"insert into write_intents (id, user_id, idempotency_key, request_sha256, connection_id, calendar_id, operation,
                  event_id, work, state, lease_token, leased_until, attempts, created_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', gen_random_uuid(), now() + $10, 1, $11)
           on conflict (user_id, idempotency_key) do nothing
           returning id, false as "taken_over!", lease_token as "lease_token!", attempts, user_id, idempotency_key,
                     connection_id, calendar_id, operation, event_id, work as "work!: Json<Box<RawValue>>", state,
                     created_at"#,
        intent.id,
        intent.user.as_str(),
        intent.idempotency_key,
        intent.request_sha256,
        intent.connection.as_uuid(),
        intent.calendar.as_uuid(),
        intent.operation,
        intent.event_id,
        Json(intent.work) as Json<&RawValue>,
        interval(lease),
        now,
    )
    .fetch_optional(conn)
    .await?;
    row.map(Intent::try_from).transpose()
}

/// The write that a user requested with a key.
pub async fn of_key(conn: &mut PgConnection, user: &UserId, key: &str) -> sqlx::Result<Option<Known>> {
    let row = sqlx::query!(
        r#"select id, request_sha256, state, result as "result: Json<Box<RawValue>>"
           from write_intents where user_id = $1 and idempotency_key = $2"#,
        user.as_str(),
        key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Known {
        id: row.id,
        request_sha256: row.request_sha256,
        state: State::parse(&row.state),
        result: row.result.map(|result| result.0),
    }))
}

/// Requests that the outcome of a write is published to the user's browsers, unless it is finished.
pub async fn announce(conn: &mut PgConnection, user: &UserId, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "update write_intents set announce = true where user_id = $1 and id = $2 and state in ('pending', 'sent')",
        user.as_str(),
        id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Leases up to `limit` unfinished writes that no worker holds, the longest waiting first.
pub async fn acquire(conn: &mut PgConnection, lease: Duration, limit: i64) -> sqlx::Result<Vec<Intent>> {
    let rows = sqlx::query_as!(
        IntentRow,
        r#"with due as materialized (
               select id, lease_token is not null as taken_over from write_intents
               where state in ('pending', 'sent') and not_before <= now()
                 and (leased_until is null or leased_until < now())
               order by not_before, created_at
               limit $2
               for update skip locked
           )
           update write_intents w
           set lease_token = gen_random_uuid(), leased_until = now() + $1, attempts = attempts + 1
           from due where w.id = due.id
           returning w.id, due.taken_over as "taken_over!", lease_token as "lease_token!", attempts, user_id, idempotency_key, connection_id, calendar_id,
                     operation, event_id, work as "work!: Json<Box<RawValue>>", state, created_at"#,
        interval(lease),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Intent::try_from).collect()
}

/// Stores the progress before Google is called, and extends the lease. False: the lease was lost.
pub async fn mark(
    conn: &mut PgConnection,
    lease: &Lease<Uuid>,
    state: State,
    work: &RawValue,
    until: Duration,
) -> sqlx::Result<bool> {
    let marked = sqlx::query!(
        "update write_intents set state = $3, work = $4, leased_until = clock_timestamp() + $5
         where id = $1 and lease_token = $2 and leased_until > clock_timestamp() and state in ('pending', 'sent')",
        lease.key,
        lease.token,
        state.into_str(),
        Json(work) as Json<&RawValue>,
        interval(until),
    )
    .execute(conn)
    .await?;
    Ok(marked.rows_affected() == 1)
}

/// Ends the lease; the write is due again after `delay`. Does nothing if the lease was lost.
pub async fn defer(conn: &mut PgConnection, lease: &Lease<Uuid>, delay: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        "update write_intents
         set lease_token = null, leased_until = null, not_before = clock_timestamp() + $3
         where id = $1 and lease_token = $2",
        lease.key,
        lease.token,
        interval(delay),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Finishes a write, in the transaction of its effects. Returns whether to announce the outcome. None: the lease was lost,
/// and the caller must roll back.
pub async fn finish(
    conn: &mut PgConnection,
    lease: &Lease<Uuid>,
    state: State,
    result: &RawValue,
) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar!(
        "update write_intents
         set state = $3, result = $4, lease_token = null, leased_until = null
         where id = $1 and lease_token = $2 and state in ('pending', 'sent')
         returning announce",
        lease.key,
        lease.token,
        state.into_str(),
        Json(result) as Json<&RawValue>,
    )
    .fetch_optional(conn)
    .await
}

/// Deletes up to `limit` finished writes created before `before`. Returns the number of rows deleted.
pub async fn purge(conn: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from write_intents where id in (
             select id from write_intents where created_at < $1 and state in ('done', 'failed', 'conflict')
             limit $2 for update skip locked)",
        before,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected())
}
