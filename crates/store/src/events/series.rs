//! Stored series, and how far they are expanded.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common::ids::{CalendarId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::calendars::{self, Calendar};

/// A stored event, to be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub event_id: String,
    /// The master's id, or its own.
    pub series_id: String,
    pub raw: String,
}

/// All stored events of these series: masters with their exceptions, or single events.
pub async fn of_series(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    series_ids: &[String],
) -> sqlx::Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select event_id as "event_id!", event_id as "series_id!", raw::text as "raw!"
           from events
           where calendar_id = $1 and generation = $2 and event_id = any($3) and recurring_event_id is null
           union all
           select event_id, recurring_event_id, raw::text
           from events
           where calendar_id = $1 and generation = $2 and recurring_event_id = any($3)"#,
        calendar.as_uuid(),
        generation,
        series_ids,
    )
    .fetch_all(conn)
    .await
}

/// The ids of the series that Google has split off these: `<id>_R<start>`.
pub async fn split_off(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    series_ids: &[String],
) -> sqlx::Result<Vec<String>> {
    // As the index `events_split_off`. After `_R` in its order is `_S`.
    sqlx::query_scalar!(
        r#"select e.event_id
           from unnest($3::text[]) as s (id)
           join events e on e.event_id collate "C" >= s.id || '_R' and e.event_id collate "C" < s.id || '_S'
           where e.calendar_id = $1 and e.generation = $2 and e.recurrence is not null and e.event_id like '%\_R%'
           order by e.event_id collate "C" "#,
        calendar.as_uuid(),
        generation,
        series_ids,
    )
    .fetch_all(conn)
    .await
}

/// The series that a walk over a calendar visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Those whose instances depend on the horizon.
    Recurring,
    Everything,
}

/// The next `limit` series ids in order, after `after` (first: the empty string).
pub async fn series_after(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
    walk: Walk,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    // An exception may have no master here: a guest invited to a single instance has only that.
    sqlx::query_scalar!(
        r#"select series_id as "series_id!" from (
             (select event_id as series_id from events
              where calendar_id = $1 and generation = $2 and event_id > $3 and recurring_event_id is null
                and ($4 or recurrence is not null)
              order by event_id limit $5)
             union
             (select distinct recurring_event_id from events
              where calendar_id = $1 and generation = $2 and recurring_event_id > $3
              order by recurring_event_id limit $5)
           ) as s order by series_id limit $5"#,
        calendar.as_uuid(),
        generation,
        after,
        walk == Walk::Everything,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// How far a calendar's series are expanded into rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarHorizon {
    pub calendar: Calendar,
    pub generation: i64,
    /// None: they are being expanded from scratch.
    pub until: Option<DateTime<Utc>>,
}

/// The horizons of a user's selected calendars, or of those named.
pub async fn horizons(
    conn: &mut PgConnection,
    user: &UserId,
    calendars: Option<&[CalendarId]>,
) -> sqlx::Result<Vec<CalendarHorizon>> {
    let ids: Option<Vec<Uuid>> = calendars.map(|ids| ids.iter().map(|id| id.as_uuid()).collect());
    let known = calendars::of_user(conn, user).await?;
    let rows = sqlx::query!(
        "select s.resource_id, s.generation, s.horizon_until
         from sync_state s join calendars c on c.id = s.resource_id
         where c.user_id = $1 and c.access_lost_at is null and (c.id = any($2) or ($2::uuid[] is null and c.selected))",
        user.as_str(),
        ids.as_deref(),
    )
    .fetch_all(conn)
    .await?;
    let mut known: HashMap<_, _> = known
        .into_iter()
        .map(|calendar| (calendar.id.as_uuid(), calendar))
        .collect();
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(CalendarHorizon {
                calendar: known.remove(&row.resource_id)?,
                generation: row.generation,
                until: row.horizon_until,
            })
        })
        .collect())
}

/// All masters of a calendar, with their exceptions.
pub async fn recurring(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
) -> sqlx::Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"with masters as (
             select event_id, raw from events
             where calendar_id = $1 and generation = $2 and recurrence is not null
           )
           select event_id as "event_id!", event_id as "series_id!", raw::text as "raw!" from masters
           union all
           select e.event_id, e.recurring_event_id, e.raw::text
           from events e join masters m on m.event_id = e.recurring_event_id
           where e.calendar_id = $1 and e.generation = $2"#,
        calendar.as_uuid(),
        generation,
    )
    .fetch_all(conn)
    .await
}

/// Series with events that have no view yet: a version before this one wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconverted {
    pub user: UserId,
    pub calendar: CalendarId,
    pub generation: i64,
    /// None: all of the calendar are converted.
    pub series: Vec<String>,
}

/// The series of a user's selected calendars, or of those named, that are not converted yet.
pub async fn unconverted(
    conn: &mut PgConnection,
    user: &UserId,
    calendars: Option<&[CalendarId]>,
) -> sqlx::Result<Vec<Unconverted>> {
    let ids: Option<Vec<Uuid>> = calendars.map(|ids| ids.iter().map(|id| id.as_uuid()).collect());
    let rows = sqlx::query!(
        r#"select e.calendar_id, e.generation, array_agg(distinct coalesce(e.recurring_event_id, e.event_id)) as "series!"
           from calendars c
           join sync_state s on s.resource_id = c.id
           join unconverted u on u.calendar_id = c.id and u.generation = s.generation
           join events e on e.calendar_id = c.id and e.generation = s.generation and e.view is null
           where c.user_id = $1 and c.access_lost_at is null and (c.id = any($2) or ($2::uuid[] is null and c.selected))
           group by 1, 2"#,
        user.as_str(),
        ids.as_deref(),
    )
    .fetch_all(conn)
    .await?;
    let unconverted = rows.into_iter().map(|row| Unconverted {
        user: user.clone(),
        calendar: row.calendar_id.into(),
        generation: row.generation,
        series: row.series,
    });
    Ok(unconverted.collect())
}

/// The first calendar from this id on with events to convert, and the series of up to `limit` of them. Locks its events as
/// [`calendars::lock`] does, and passes over calendars that are locked. None: there is none.
pub async fn next_unconverted(
    conn: &mut PgConnection,
    from: CalendarId,
    limit: i64,
) -> sqlx::Result<Option<Unconverted>> {
    let locked = sqlx::query!(
        "select u.calendar_id, u.generation, c.user_id
         from unconverted u
         join sync_state s on s.resource_id = u.calendar_id and s.generation = u.generation
         join calendars c on c.id = u.calendar_id
         where u.calendar_id >= $1
         order by u.calendar_id
         limit 1
         for no key update of c skip locked",
        from.as_uuid(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = locked else {
        return Ok(None);
    };
    // A second statement, which sees what was committed before the lock was free.
    let series = sqlx::query_scalar!(
        r#"select distinct series as "series!" from (
               select coalesce(recurring_event_id, event_id) as series
               from events where calendar_id = $1 and generation = $2 and view is null
               limit $3
           ) as found"#,
        row.calendar_id,
        row.generation,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(Some(Unconverted {
        user: crate::user_id(row.user_id)?,
        calendar: row.calendar_id.into(),
        generation: row.generation,
        series,
    }))
}

/// Records that a generation is converted, if it is. The caller has locked the calendar.
pub async fn settle_unconverted(
    conn: &mut PgConnection,
    calendar: CalendarId,
    generation: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from unconverted
         where calendar_id = $1 and generation = $2
           and not exists (select from events where calendar_id = $1 and generation = $2 and view is null)",
        calendar.as_uuid(),
        generation,
    )
    .execute(conn)
    .await
    .map(drop)
}
