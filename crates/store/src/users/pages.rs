//! The large tables of an export, page by page.

use common::ids::{CalendarId, UserId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::JsonRow;

/// Limits of one page: rows, and about how many bytes of JSON. A larger row gets a separate page.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub rows: i64,
    pub bytes: i64,
}

/// Rows of a table in the order of its key, and the key of the last. None: there are none after `after`.
pub type Page<K> = Option<(Vec<JsonRow>, K)>;

macro_rules! page {
    ($rows:expr, |$last:ident| $key:expr) => {{
        let rows = $rows;
        let key = rows.last().map(|$last| $key);
        Ok(key.map(|key| (rows.into_iter().map(|row| row.row.0).collect(), key)))
    }};
}

/// Events as Google has them, by calendar and id.
pub async fn events(
    conn: &mut PgConnection,
    user: &UserId,
    after: Option<&(CalendarId, String)>,
    bounds: Bounds,
) -> sqlx::Result<Page<(CalendarId, String)>> {
    let (calendar, event) = after
        .map(|(calendar, event)| (calendar.as_uuid(), event.as_str()))
        .unwrap_or_default();
    let rows = sqlx::query!(
        r#"select calendar_id as "calendar_id!", event_id as "event_id!", row as "row!: Json<JsonRow>" from (
               select *, sum(octet_length(row::text)) over (order by calendar_id, event_id) - octet_length(row::text)
                   as before
               from (
                   select e.calendar_id, e.event_id,
                          jsonb_build_object('calendar_id', e.calendar_id, 'event_id', e.event_id,
                                             'problem', e.problem, 'event', e.raw) as row
                   from events e
                   join calendars c on c.id = e.calendar_id
                   join sync_state s on s.resource_id = c.id and s.generation = e.generation
                   where c.user_id = $1 and (e.calendar_id, e.event_id) > ($2, $3)
                   order by e.calendar_id, e.event_id
                   limit $4
               ) few
           ) summed
           where before < $5
           order by calendar_id, event_id"#,
        user.as_str(),
        calendar,
        event,
        bounds.rows,
        bounds.bytes,
    )
    .fetch_all(conn)
    .await?;
    page!(rows, |last| (
        CalendarId::from(last.calendar_id),
        last.event_id.clone()
    ))
}

/// Earlier versions of events.
pub async fn event_versions(
    conn: &mut PgConnection,
    user: &UserId,
    after: Option<&(CalendarId, String, String)>,
    bounds: Bounds,
) -> sqlx::Result<Page<(CalendarId, String, String)>> {
    let (calendar, event, etag) = after
        .map(|(calendar, event, etag)| (calendar.as_uuid(), event.as_str(), etag.as_str()))
        .unwrap_or_default();
    let rows = sqlx::query!(
        r#"select calendar_id as "calendar_id!", event_id as "event_id!", etag as "etag!", row as "row!: Json<JsonRow>" from (
               select *, sum(octet_length(row::text)) over (order by calendar_id, event_id, etag)
                         - octet_length(row::text) as before
               from (
                   select v.calendar_id, v.event_id, v.etag,
                          jsonb_build_object('calendar_id', v.calendar_id, 'event_id', v.event_id, 'etag', v.etag,
                                             'replaced_at', v.replaced_at, 'event', v.raw) as row
                   from event_versions v join calendars c on c.id = v.calendar_id
                   where c.user_id = $1 and (v.calendar_id, v.event_id, v.etag) > ($2, $3, $4)
                   order by v.calendar_id, v.event_id, v.etag
                   limit $5
               ) few
           ) summed
           where before < $6
           order by calendar_id, event_id, etag"#,
        user.as_str(),
        calendar,
        event,
        etag,
        bounds.rows,
        bounds.bytes,
    )
    .fetch_all(conn)
    .await?;
    page!(rows, |last| (
        CalendarId::from(last.calendar_id),
        last.event_id.clone(),
        last.etag.clone()
    ))
}

/// The changes that the user requested.
pub async fn write_intents(
    conn: &mut PgConnection,
    user: &UserId,
    after: Option<Uuid>,
    bounds: Bounds,
) -> sqlx::Result<Page<Uuid>> {
    let rows = sqlx::query!(
        r#"select id as "id!", row as "row!: Json<JsonRow>" from (
               select *, sum(octet_length(row::text)) over (order by id) - octet_length(row::text) as before
               from (
                   select id, to_jsonb(t) - array['request_sha256', 'lease_token'] as row
                   from write_intents t where user_id = $1 and id > $2 order by id limit $3
               ) few
           ) summed
           where before < $4
           order by id"#,
        user.as_str(),
        after.unwrap_or_default(),
        bounds.rows,
        bounds.bytes,
    )
    .fetch_all(conn)
    .await?;
    page!(rows, |last| last.id)
}

/// The pull log of the user's calendars.
pub async fn sync_rounds(
    conn: &mut PgConnection,
    user: &UserId,
    after: Option<(CalendarId, i64)>,
    bounds: Bounds,
) -> sqlx::Result<Page<(CalendarId, i64)>> {
    let (calendar, number) = after.map_or((Uuid::nil(), i64::MIN), |(calendar, number)| {
        (calendar.as_uuid(), number)
    });
    let rows = sqlx::query!(
        r#"select calendar_id, number, to_jsonb(t) as "row!: Json<JsonRow>" from sync_rounds t
           where user_id = $1 and (calendar_id, number) > ($2, $3)
           order by calendar_id, number
           limit $4"#,
        user.as_str(),
        calendar,
        number,
        bounds.rows,
    )
    .fetch_all(conn)
    .await?;
    page!(rows, |last| (CalendarId::from(last.calendar_id), last.number))
}

/// Unpublished messages and dead letters.
pub async fn messages(
    conn: &mut PgConnection,
    user: &UserId,
    after: Option<(i64, Uuid)>,
    bounds: Bounds,
) -> sqlx::Result<Page<(i64, Uuid)>> {
    let (seq, id) = after.unwrap_or((i64::MIN, Uuid::nil()));
    let rows = sqlx::query!(
        r#"select seq as "seq!", id as "id!", row as "row!: Json<JsonRow>" from (
               select *, sum(octet_length(row::text)) over (order by seq, id) - octet_length(row::text) as before
               from (
                   select seq, id,
                          jsonb_build_object('seq', seq, 'created_at', created_at, 'reason', reason,
                                             'message', convert_from(payload, 'UTF8')) as row
                   from (
                       select user_id, seq, id, payload, created_at, null as reason from outbox
                       union all
                       select user_id, seq, id, payload, created_at, reason from dead_letters
                   ) messages
                   where user_id = $1 and (seq, id) > ($2, $3)
                   order by seq, id
                   limit $4
               ) few
           ) summed
           where before < $5
           order by seq, id"#,
        user.as_str(),
        seq,
        id,
        bounds.rows,
        bounds.bytes,
    )
    .fetch_all(conn)
    .await?;
    page!(rows, |last| (last.seq, last.id))
}
