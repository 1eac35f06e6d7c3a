//! The calendars of the connected accounts.

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, ConnectionId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

/// One calendar of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    pub id: CalendarId,
    pub connection_id: ConnectionId,
    pub user_id: UserId,
    pub google_id: String,
    pub summary: String,
    pub description: Option<String>,
    /// An IANA name, as Google gave it.
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
    /// Since when Google no longer shows this calendar to this account. What is mirrored is kept, and shown to nobody.
    pub access_lost_at: Option<DateTime<Utc>>,
}

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
    /// Google's tick. It decides about a calendar that is new here, and about no other.
    pub selected: bool,
}

/// What [`upsert`] did to one calendar. A calendar that is the same as before does not appear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upserted {
    pub id: CalendarId,
    pub selected: bool,
    /// It was not known, or access to it was lost until now: there is something to pull.
    pub begins: bool,
    /// The zone or the role changed: what is expanded for it has to be made anew.
    pub needs_reexpansion: bool,
}

struct Row {
    id: Uuid,
    connection_id: Uuid,
    user_id: String,
    google_id: String,
    summary: String,
    description: Option<String>,
    time_zone: String,
    color_id: Option<String>,
    background_color: Option<String>,
    foreground_color: Option<String>,
    access_role: String,
    is_primary: bool,
    selected: bool,
    push_supported: bool,
    access_lost_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Calendar {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id.into(),
            connection_id: row.connection_id.into(),
            user_id: crate::user_id(row.user_id)?,
            google_id: row.google_id,
            summary: row.summary,
            description: row.description,
            time_zone: row.time_zone,
            color_id: row.color_id,
            background_color: row.background_color,
            foreground_color: row.foreground_color,
            access_role: row.access_role,
            is_primary: row.is_primary,
            selected: row.selected,
            push_supported: row.push_supported,
            access_lost_at: row.access_lost_at,
        })
    }
}

/// All calendars of a user's accounts, the primary ones first, then by name. Those that an account has lost are among them;
/// those of an account on its way out are not.
pub async fn of_user(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Vec<Calendar>> {
    sqlx::query_as!(
        Row,
        "select id, connection_id, user_id, google_id, summary, description, time_zone, color_id, background_color,
                foreground_color, access_role, is_primary, selected, push_supported, access_lost_at
         from calendars c where user_id = $1
           and exists (select from connections n where n.id = c.connection_id and n.disconnected_at is null)
         order by is_primary desc, summary, id",
        user.as_str(),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Calendar::try_from)
    .collect()
}

/// One calendar, if this user has it.
pub async fn get(
    conn: &mut PgConnection,
    user: &UserId,
    calendar: CalendarId,
) -> sqlx::Result<Option<Calendar>> {
    sqlx::query_as!(
        Row,
        "select id, connection_id, user_id, google_id, summary, description, time_zone, color_id, background_color,
                foreground_color, access_role, is_primary, selected, push_supported, access_lost_at
         from calendars where user_id = $1 and id = $2",
        user.as_str(),
        calendar.as_uuid(),
    )
    .fetch_optional(conn)
    .await?
    .map(Calendar::try_from)
    .transpose()
}

/// Lets nobody else write to a calendar's events until the caller commits: a series is expanded from all its rows, so two
/// writers that each know half of them would both be wrong. The first lock of a transaction; calendars in order of id.
pub async fn lock(conn: &mut PgConnection, calendar: CalendarId) -> sqlx::Result<()> {
    sqlx::query!(
        "select id from calendars where id = $1 for no key update",
        calendar.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

/// Whether a calendar still has the zone and the role that its events were expanded for. It keeps them until the caller
/// commits: who changes them waits, and then asks for another expansion.
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

/// Writes what Google's list says, in one statement, and tells what became of each calendar that was new or different.
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

/// The calendars of a connection with these Google ids are no longer in its list. Returns those that were until now.
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

/// As [`lose_access_by_google_id`], for the calendars that a full listing did not name.
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

/// Google refuses this calendar to its account. False: that was known.
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

/// Google shows this calendar to its account again. False: it never stopped.
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

/// Sets which of a user's calendars are mirrored and shown. Returns those for which that changed; the caller starts or
/// pauses their pulls (`sync::calendar_list::select` does all of it).
pub async fn select(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    calendars: &[CalendarId],
    selected: bool,
) -> sqlx::Result<Vec<Calendar>> {
    let ids: Vec<Uuid> = calendars.iter().map(|id| id.as_uuid()).collect();
    sqlx::query_as!(
        Row,
        "update calendars set selected = $4, updated_at = $3
         where user_id = $1 and id = any($2) and selected <> $4
         returning id, connection_id, user_id, google_id, summary, description, time_zone, color_id,
                   background_color, foreground_color, access_role, is_primary, selected, push_supported,
                   access_lost_at",
        user.as_str(),
        &ids,
        now,
        selected,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Calendar::try_from)
    .collect()
}

/// Google cannot watch this calendar: it is polled from now on.
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

/// The evidence from which `asOf` and `mode` of a calendar are derived (`sync::freshness`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub calendar_id: CalendarId,
    pub connection_id: ConnectionId,
    /// The data is as Google had it then, or later. None: never pulled.
    pub last_pull_at: Option<DateTime<Utc>>,
    pub last_push_at: Option<DateTime<Utc>>,
    /// When it became due, if it is due now.
    pub due_since: Option<DateTime<Utc>>,
    /// When the next poll is due; none if no poll is planned.
    pub poll_at: Option<DateTime<Utc>>,
    /// There is a live channel that has not expired.
    pub watched: bool,
    /// When a change was found that it has not told of, to this day.
    pub missed_push_at: Option<DateTime<Utc>>,
    pub push_supported: bool,
    /// Why the last try failed, if it failed, and when.
    pub last_error: Option<String>,
    pub last_error_at: Option<DateTime<Utc>>,
    /// Tries since the last pull that succeeded, one that is under way included.
    pub attempts: u32,
    /// Nothing is tried until somebody does something.
    pub suspended: bool,
    pub access_lost_at: Option<DateTime<Utc>>,
    pub grant_ended_at: Option<DateTime<Utc>>,
    pub disconnected_at: Option<DateTime<Utc>>,
}

/// How current a user's calendars are: the selected ones that Google shows, or those named.
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
                  c.access_lost_at, n.grant_ended_at, n.disconnected_at
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
        })
        .collect())
}
