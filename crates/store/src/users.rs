//! All that is kept of a user: told to the user, and deleted.
//!
//! What is told leaves out what nobody may have (tokens, their digests, leases) and what is worked out from the rest: the
//! instances of events (`occurrences`), and generations of a calendar that no reader sees.

use common::ids::{CalendarId, UserId};
use serde_json::value::RawValue;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// A row as JSON.
pub type Row = Box<RawValue>;

/// What there are few of: all of it at once.
#[derive(Debug, Default)]
pub struct Overview {
    pub connections: Vec<Row>,
    pub calendars: Vec<Row>,
    pub sync_state: Vec<Row>,
    pub watches: Vec<Row>,
    pub user_stream: Vec<Row>,
    pub oauth_states: Vec<Row>,
}

/// What there is of a user's accounts and calendars, and of what is under way for the user.
pub async fn overview(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Overview> {
    let user = user.as_str();
    Ok(Overview {
        connections: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) - array['refresh_token', 'access_token', 'refresh_lease', 'leave_lease']
                       as "row!: Json<Row>"
                   from connections t where user_id = $1 order by id"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
        calendars: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) as "row!: Json<Row>" from calendars t where user_id = $1 order by id"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
        sync_state: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) - array['sync_token', 'sweep_digest', 'lease_token'] as "row!: Json<Row>"
                   from sync_state t
                   where connection_id in (select id from connections where user_id = $1) and user_id = $1
                   order by resource_id"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
        watches: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) - array['token_sha256', 'lease_token'] as "row!: Json<Row>"
                   from watches t join connections n on n.id = t.connection_id
                   where n.user_id = $1 order by t.channel_id"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
        user_stream: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) - array['relay_lease'] as "row!: Json<Row>" from user_stream t where user_id = $1"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
        oauth_states: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) - array['state_sha256', 'browser_sha256', 'pkce_verifier'] as "row!: Json<Row>"
                   from oauth_states t where user_id = $1 order by expires_at"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
    })
}

fn rows(rows: Vec<Json<Row>>) -> Vec<Row> {
    rows.into_iter().map(|row| row.0).collect()
}

/// How much of a table is read at once: rows, and about how many bytes of JSON. A row that is larger comes alone.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub rows: i64,
    pub bytes: i64,
}

/// Some rows of a table in the order of its key, and the key of the last; none when there is nothing after `after`.
pub type Page<K> = Option<(Vec<Row>, K)>;

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
        r#"select calendar_id as "calendar_id!", event_id as "event_id!", row as "row!: Json<Row>" from (
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

/// What events were before their last changes.
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
        r#"select calendar_id as "calendar_id!", event_id as "event_id!", etag as "etag!", row as "row!: Json<Row>" from (
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

/// The changes that the user asked for.
pub async fn write_intents(
    conn: &mut PgConnection,
    user: &UserId,
    after: Option<Uuid>,
    bounds: Bounds,
) -> sqlx::Result<Page<Uuid>> {
    let rows = sqlx::query!(
        r#"select id as "id!", row as "row!: Json<Row>" from (
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

/// The last pulls of the user's calendars.
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
        r#"select calendar_id, number, to_jsonb(t) as "row!: Json<Row>" from sync_rounds t
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

/// Messages that are still to be sent to the user's browsers, and those that never can be.
pub async fn messages(
    conn: &mut PgConnection,
    user: &UserId,
    after: Option<(i64, Uuid)>,
    bounds: Bounds,
) -> sqlx::Result<Page<(i64, Uuid)>> {
    let (seq, id) = after.unwrap_or((i64::MIN, Uuid::nil()));
    let rows = sqlx::query!(
        r#"select seq as "seq!", id as "id!", row as "row!: Json<Row>" from (
               select *, sum(octet_length(row::text)) over (order by seq, id) - octet_length(row::text) as before
               from (
                   select seq, id,
                          jsonb_build_object('seq', seq, 'created_at', created_at, 'reason', reason,
                                             'message', convert_from(payload, 'UTF8')) as row
                   from (
                       select user_id, seq, id, payload, created_at, null as reason from outbox
                       union all
                       select user_id, seq, id, payload, created_at, reason from dead_letters
                   ) told
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

/// Whether all messages of a user have been sent.
pub async fn is_told(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select not exists (select from outbox where user_id = $1) as "told!""#,
        user.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// What is left of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Accounts whose grant Google has not taken back, or whose channels or data are being deleted.
    pub connections: i64,
    /// Rows of what was mirrored of them.
    pub calendars: i64,
}

/// Deletes what is kept of a user beside the accounts, which are to be disconnected before: messages, their order, connect
/// flows that have begun, requests, and what the canary remembers if the user is its own. Tells what is left.
///
/// In the caller's transaction. From its end on nothing is told to the user that would begin another stream, which nobody
/// would ever delete: what was being pulled or written for these accounts cannot be committed, for its row of the queue,
/// or its request, is gone.
pub async fn delete(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Left> {
    // In the order in which locks are taken: see `user_stream::next_seq`.
    sqlx::query!(
        "select id from connections where user_id = $1 order by id for no key update",
        user.as_str()
    )
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query!("delete from user_stream where user_id = $1", user.as_str())
        .execute(&mut *conn)
        .await?;
    // A statement of its own: it sees what was told while the one before waited for the stream.
    sqlx::query!(
        "with gone_messages as (delete from outbox where user_id = $1),
              gone_letters as (delete from dead_letters where user_id = $1),
              gone_flows as (delete from oauth_states where user_id = $1),
              gone_intents as (delete from write_intents where user_id = $1),
              gone_canary as (delete from canary where user_id = $1)
         delete from sync_state s using connections n
         where n.user_id = $1 and n.disconnected_at is not null and s.connection_id = n.id",
        user.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_as!(
        Left,
        r#"select (select count(*) from connections where user_id = $1) as "connections!",
                  (select count(*) from calendars where user_id = $1) as "calendars!""#,
        user.as_str(),
    )
    .fetch_one(conn)
    .await
}
