//! Applying Google's calendar list.

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A calendar as Google's calendar list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub google_id: String,
    pub summary: String,
    pub description: Option<String>,
    pub time_zone: String,
    pub color_id: Option<String>,
    pub background_color: Option<String>,
    pub foreground_color: Option<String>,
    pub access_role: String,
    pub is_primary: bool,
    /// Ticked in Google Calendar. Only used for calendars that are new here.
    pub selected: bool,
}

/// A calendar that [`upsert`] inserted or changed. Unchanged calendars are not returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upserted {
    pub id: CalendarId,
    pub selected: bool,
    /// It is new, or access to it was regained: it has to be pulled.
    pub begins: bool,
    /// The zone or the role changed: its series have to be expanded again.
    pub needs_reexpansion: bool,
}

/// Writes the entries of Google's calendar list in one statement. Returns the calendars that are new or changed.
pub async fn upsert(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    connection: ConnectionId,
    user: &UserId,
    listed: &[Listed],
) -> sqlx::Result<Vec<Upserted>> {
    let text =
        |field: fn(&Listed) -> &str| -> Vec<String> { listed.iter().map(|c| field(c).to_owned()).collect() };
    let maybe = |field: fn(&Listed) -> &Option<String>| -> Vec<Option<String>> {
        listed.iter().map(|c| field(c).clone()).collect()
    };
    let flag = |field: fn(&Listed) -> bool| -> Vec<bool> { listed.iter().map(field).collect() };
    let ids: Vec<Uuid> = listed.iter().map(|_| CalendarId::generate().as_uuid()).collect();
    let rows = sqlx::query!(
        r#"with listed as (
             select * from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                                  $11::text[], $12::text[], $13::boolean[], $14::boolean[])
               as l (id, google_id, summary, description, time_zone, color_id, background_color, foreground_color,
                     access_role, is_primary, selected)
         ), before as (
             select c.* from calendars c join listed l using (google_id) where c.connection_id = $1
         )
         insert into calendars as c (id, connection_id, user_id, google_id, summary, description, time_zone, color_id,
                background_color, foreground_color, access_role, is_primary, selected, created_at, updated_at)
         select id, $1, $2, google_id, summary, description, time_zone, color_id, background_color, foreground_color,
                access_role, is_primary, selected, $3, $3
         from listed
         on conflict (connection_id, google_id) do update
         set summary = excluded.summary, description = excluded.description, time_zone = excluded.time_zone,
             color_id = excluded.color_id, background_color = excluded.background_color,
             foreground_color = excluded.foreground_color, access_role = excluded.access_role,
             is_primary = excluded.is_primary, access_lost_at = null, updated_at = excluded.updated_at
         where (c.summary, c.description, c.time_zone, c.color_id, c.background_color, c.foreground_color,
                c.access_role, c.is_primary, c.access_lost_at)
             is distinct from
               (excluded.summary, excluded.description, excluded.time_zone, excluded.color_id,
                excluded.background_color, excluded.foreground_color, excluded.access_role, excluded.is_primary,
                null::timestamptz)
         returning c.id, c.selected,
             not exists (select from before b where b.id = c.id and b.access_lost_at is null) as "begins!",
             exists (select from before b where b.id = c.id
                     and (b.time_zone, b.access_role, b.is_primary)
                         is distinct from (c.time_zone, c.access_role, c.is_primary))
                 as "needs_reexpansion!""#,
        connection.as_uuid(),
        user.as_str(),
        now,
        &ids,
        &text(|c| &c.google_id),
        &text(|c| &c.summary),
        &maybe(|c| &c.description) as _,
        &text(|c| &c.time_zone),
        &maybe(|c| &c.color_id) as _,
        &maybe(|c| &c.background_color) as _,
        &maybe(|c| &c.foreground_color) as _,
        &text(|c| &c.access_role),
        &flag(|c| c.is_primary),
        &flag(|c| c.selected),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Upserted {
            id: row.id.into(),
            selected: row.selected,
            begins: row.begins,
            needs_reexpansion: row.needs_reexpansion,
        })
        .collect())
}

/// Marks the calendars with these Google ids as lost: they are no longer in the connection's list. Returns those that were
/// not lost before.
pub async fn lose_access_by_google_id(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    connection: ConnectionId,
    google_ids: &[String],
) -> sqlx::Result<Vec<CalendarId>> {
    let lost = sqlx::query_scalar!(
        "update calendars set access_lost_at = $2, updated_at = $2
         where connection_id = $1 and google_id = any($3) and access_lost_at is null
         returning id",
        connection.as_uuid(),
        now,
        google_ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(lost.into_iter().map(CalendarId::from).collect())
}

/// As [`lose_access_by_google_id`], for the calendars that a full listing does not contain.
pub async fn lose_access_to_others(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    connection: ConnectionId,
    listed_google_ids: &[String],
) -> sqlx::Result<Vec<CalendarId>> {
    let lost = sqlx::query_scalar!(
        "update calendars set access_lost_at = $2, updated_at = $2
         where connection_id = $1 and google_id <> all($3) and access_lost_at is null
         returning id",
        connection.as_uuid(),
        now,
        listed_google_ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(lost.into_iter().map(CalendarId::from).collect())
}

/// Marks a calendar as lost: Google denies it to its account. False: it was marked already.
pub async fn lose_access(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    calendar: CalendarId,
) -> sqlx::Result<bool> {
    let lost = sqlx::query!(
        "update calendars set access_lost_at = $2, updated_at = $2 where id = $1 and access_lost_at is null",
        calendar.as_uuid(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(lost.rows_affected() == 1)
}

/// Marks a calendar as accessible again. False: it was not lost.
pub async fn regain_access(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    calendar: CalendarId,
) -> sqlx::Result<bool> {
    let regained = sqlx::query!(
        "update calendars set access_lost_at = null, updated_at = $2 where id = $1 and access_lost_at is not null",
        calendar.as_uuid(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(regained.rows_affected() == 1)
}
