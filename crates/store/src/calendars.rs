//! The calendars of the connected accounts.

mod evidence;
mod list;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::UserIdColumn;

pub use evidence::{Evidence, evidence};
pub use list::{
    Listed, Upserted, lose_access, lose_access_by_google_id, lose_access_to_others, regain_access, upsert,
};

/// One calendar of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    pub id: CalendarId,
    pub connection_id: ConnectionId,
    pub user_id: UserId,
    pub google_id: String,
    pub summary: String,
    pub description: Option<String>,
    /// An IANA name, as Google sent it.
    pub time_zone: String,
    pub color_id: Option<String>,
    pub background_color: Option<String>,
    pub foreground_color: Option<String>,
    /// `freeBusyReader`, `reader`, `writerWithoutPrivateAccess`, `writer` or `owner`.
    pub access_role: String,
    pub is_primary: bool,
    /// Mirrored and shown.
    pub selected: bool,
    pub push_supported: bool,
    /// Since when Google no longer shows this calendar to this account. The mirror is kept but not shown.
    pub access_lost_at: Option<DateTime<Utc>>,
}

/// All calendars of a user's accounts, primary ones first, then by name. Includes those whose access was lost, but not those
/// of an account that is being disconnected.
pub async fn of_user(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Vec<Calendar>> {
    sqlx::query_as!(
        Calendar,
        r#"select id, connection_id, user_id as "user_id: UserIdColumn", google_id, summary, description,
                  time_zone, color_id, background_color, foreground_color, access_role, is_primary, selected,
                  push_supported, access_lost_at
           from calendars c where user_id = $1
             and exists (select from connections n where n.id = c.connection_id and n.disconnected_at is null)
           order by is_primary desc, summary, id"#,
        user.as_str(),
    )
    .fetch_all(conn)
    .await
}

/// One calendar of this user.
pub async fn get(
    conn: &mut PgConnection,
    user: &UserId,
    calendar: CalendarId,
) -> sqlx::Result<Option<Calendar>> {
    sqlx::query_as!(
        Calendar,
        r#"select id, connection_id, user_id as "user_id: UserIdColumn", google_id, summary, description,
                  time_zone, color_id, background_color, foreground_color, access_role, is_primary, selected,
                  push_supported, access_lost_at
           from calendars where user_id = $1 and id = $2"#,
        user.as_str(),
        calendar.as_uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Locks a calendar's events against other writers until the caller commits. A series is expanded from all its rows, so two
/// concurrent writers would each miss the other's. Take it as the first lock of a transaction, calendars in order of id.
pub async fn lock(conn: &mut PgConnection, calendar: CalendarId) -> sqlx::Result<()> {
    sqlx::query!(
        "select id from calendars where id = $1 for no key update",
        calendar.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

/// Whether a calendar still has the zone and role that its events were expanded for. Locked until the caller commits, so a
/// change waits and then invalidates the expansion.
pub async fn expansion_inputs_unchanged(conn: &mut PgConnection, calendar: &Calendar) -> sqlx::Result<bool> {
    let now = sqlx::query!(
        "select time_zone, access_role, is_primary from calendars where id = $1 for share",
        calendar.id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(now.is_some_and(|now| {
        now.time_zone == calendar.time_zone
            && now.access_role == calendar.access_role
            && now.is_primary == calendar.is_primary
    }))
}

/// Selects or deselects calendars of a user. Returns those that changed; the caller starts or pauses their pulls
/// (`sync::calendar_list::select` does both).
pub async fn select(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    calendars: &[CalendarId],
    selected: bool,
) -> sqlx::Result<Vec<Calendar>> {
    let ids: Vec<Uuid> = calendars.iter().map(|id| id.as_uuid()).collect();
    sqlx::query_as!(
        Calendar,
        r#"update calendars set selected = $4, updated_at = $3
           where user_id = $1 and id = any($2) and selected <> $4
           returning id, connection_id, user_id as "user_id: UserIdColumn", google_id, summary, description,
                     time_zone, color_id, background_color, foreground_color, access_role, is_primary, selected,
                     push_supported, access_lost_at"#,
        user.as_str(),
        &ids,
        now,
        selected,
    )
    .fetch_all(conn)
    .await
}

/// Marks a calendar that Google cannot watch. It is polled from now on.
pub async fn set_push_unsupported(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    calendar: CalendarId,
) -> sqlx::Result<bool> {
    let changed = sqlx::query!(
        "update calendars set push_supported = false, updated_at = $2 where id = $1 and push_supported",
        calendar.as_uuid(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(changed.rows_affected() == 1)
}
