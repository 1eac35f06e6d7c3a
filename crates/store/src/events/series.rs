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
    // One by one: a join would depend on how well the planner knows a table that shrinks.
    let mut place = (from.as_uuid(), -1);
    while let Some(next) = unconverted_after(conn, place).await? {
        place = next;
        let (calendar, generation) = next;
        let locked = sqlx::query_scalar!(
            "select c.user_id from calendars c join sync_state s on s.resource_id = c.id
             where c.id = $1 and s.generation = $2
             for no key update of c skip locked",
            calendar,
            generation,
        );
        if let Some(user) = locked.fetch_optional(&mut *conn).await? {
            return Ok(Some(Unconverted {
                user: crate::user_id(user)?,
                calendar: calendar.into(),
                generation,
                // After the lock, to see what was committed before it was free.
                series: unconverted_series(conn, next, limit).await?,
            }));
        }
    }
    Ok(None)
}

async fn unconverted_after(
    conn: &mut PgConnection,
    (calendar, generation): (Uuid, i64),
) -> sqlx::Result<Option<(Uuid, i64)>> {
    let next = sqlx::query!(
        "select calendar_id, generation from unconverted where (calendar_id, generation) > ($1, $2)
         order by calendar_id, generation limit 1",
        calendar,
        generation,
    );
    let next = next.fetch_optional(conn).await?;
    Ok(next.map(|row| (row.calendar_id, row.generation)))
}

async fn unconverted_series(
    conn: &mut PgConnection,
    (calendar, generation): (Uuid, i64),
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select distinct series as "series!" from (
               select coalesce(recurring_event_id, event_id) as series
               from events where calendar_id = $1 and generation = $2 and view is null
               limit $3
           ) as found"#,
        calendar,
        generation,
        limit,
    )
    .fetch_all(conn)
    .await
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

/// Removes the records of generations that no reader uses or will use. Returns how many there were.
pub async fn forget_unconverted(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let forgotten = sqlx::query!(
        "delete from unconverted u
         where not exists (select from sync_state s
                           where s.resource_id = u.calendar_id and u.generation in (s.generation, s.building))"
    )
    .execute(conn)
    .await?;
    Ok(forgotten.rows_affected())
}
