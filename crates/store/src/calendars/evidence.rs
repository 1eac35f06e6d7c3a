//! The evidence from which the freshness of a calendar is derived.

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

/// The evidence from which `asOf` and `mode` of a calendar are derived (`sync::freshness`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub calendar_id: CalendarId,
    pub connection_id: ConnectionId,
    /// The data is at least as new as Google's at this time. None: never pulled.
    pub last_pull_at: Option<DateTime<Utc>>,
    pub last_push_at: Option<DateTime<Utc>>,
    /// Since when it is due. None: it is not.
    pub due_since: Option<DateTime<Utc>>,
    /// When the next poll is due. None: no poll is scheduled.
    pub poll_at: Option<DateTime<Utc>>,
    /// It has a live channel that has not expired.
    pub watched: bool,
    /// When a pull found a change for which no push has arrived since.
    pub missed_push_at: Option<DateTime<Utc>>,
    pub push_supported: bool,
    /// Why and when the last attempt failed. None: it succeeded.
    pub last_error: Option<String>,
    pub last_error_at: Option<DateTime<Utc>>,
    /// Attempts since the last successful pull, including one in progress.
    pub attempts: u32,
    /// Not pulled until the user or an operator acts.
    pub suspended: bool,
    pub access_lost_at: Option<DateTime<Utc>>,
    pub grant_ended_at: Option<DateTime<Utc>>,
    pub disconnected_at: Option<DateTime<Utc>>,
    /// From when on a series within the horizon may lack instances. None: all are complete.
    pub cut_at: Option<DateTime<Utc>>,
}

/// The evidence of a user's calendars: of the selected ones that Google shows, or of those named.
pub async fn evidence(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    calendars: Option<&[CalendarId]>,
) -> sqlx::Result<Vec<Evidence>> {
    let ids: Option<Vec<Uuid>> = calendars.map(|ids| ids.iter().map(|id| id.as_uuid()).collect());
    let rows = sqlx::query!(
        r#"select c.id, c.connection_id, s.last_pull_at as "last_pull_at?", s.last_push_at as "last_push_at?",
                  case when s.dirty_seq > s.synced_seq then coalesce(s.due_since, s.dirty_at) end
                      as "due_since?",
                  case when isfinite(s.poll_at) then s.poll_at end as "poll_at?",
                  exists (select from watches w where w.resource_id = c.id and w.state = 'live' and w.expires_at > $3)
                      as "watched!",
                  s.missed_push_at as "missed_push_at?",
                  c.push_supported, s.last_error as "last_error?", s.last_error_at as "last_error_at?",
                  s.attempts as "attempts?",
                  coalesce(s.not_before = 'infinity', true) as "suspended!",
                  c.access_lost_at, n.grant_ended_at, n.disconnected_at,
                  (select min(cut_at) from instances i where i.calendar_id = c.id and i.generation = s.generation
                      and cut_at is not null)
                      as "cut_at?"
           from calendars c
           join connections n on n.id = c.connection_id
           left join sync_state s on s.resource_id = c.id
           where c.user_id = $1 and n.disconnected_at is null
             and (c.id = any($2) or ($2::uuid[] is null and c.selected and c.access_lost_at is null))
           order by c.id"#,
        user.as_str(),
        ids.as_deref(),
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Evidence {
            calendar_id: row.id.into(),
            connection_id: row.connection_id.into(),
            last_pull_at: row.last_pull_at,
            last_push_at: row.last_push_at,
            due_since: row.due_since,
            poll_at: row.poll_at,
            watched: row.watched,
            missed_push_at: row.missed_push_at,
            push_supported: row.push_supported,
            last_error: row.last_error,
            last_error_at: row.last_error_at,
            attempts: row.attempts.unwrap_or_default().unsigned_abs(),
            suspended: row.suspended,
            access_lost_at: row.access_lost_at,
            grant_ended_at: row.grant_ended_at,
            disconnected_at: row.disconnected_at,
            cut_at: row.cut_at,
        })
        .collect())
}
