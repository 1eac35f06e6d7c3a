//! Export and deletion of all data of a user.
//!
//! The export omits secrets and internals (tokens, their digests, leases) and derived data: the instances of events
//! (`occurrences`) and generations of a calendar that no reader sees.

mod pages;

use common::ids::UserId;
use serde_json::value::RawValue;
use sqlx::PgConnection;
use sqlx::types::Json;

pub use pages::{Bounds, Page, event_versions, events, messages, sync_rounds, write_intents};

/// A row as JSON.
pub type JsonRow = Box<RawValue>;

/// The small tables, read at once.
#[derive(Debug, Default)]
pub struct SmallTables {
    pub connections: Vec<JsonRow>,
    pub calendars: Vec<JsonRow>,
    pub sync_state: Vec<JsonRow>,
    pub watches: Vec<JsonRow>,
    pub user_stream: Vec<JsonRow>,
    pub oauth_states: Vec<JsonRow>,
}

/// A user's accounts, calendars, channels, stream position and connect flows.
pub async fn small_tables(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<SmallTables> {
    let user = user.as_str();
    Ok(SmallTables {
        connections: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) - array['refresh_token', 'access_token', 'refresh_lease', 'leave_lease']
                       as "row!: Json<JsonRow>"
                   from connections t where user_id = $1 order by id"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
        calendars: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) as "row!: Json<JsonRow>" from calendars t where user_id = $1 order by id"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
        sync_state: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) - array['sync_token', 'sweep_digest', 'lease_token'] as "row!: Json<JsonRow>"
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
                r#"select to_jsonb(t) - array['token_sha256', 'lease_token'] as "row!: Json<JsonRow>"
                   from watches t join connections n on n.id = t.connection_id
                   where n.user_id = $1 order by t.channel_id"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
        user_stream: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) - array['relay_lease'] as "row!: Json<JsonRow>" from user_stream t where user_id = $1"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
        oauth_states: rows(
            sqlx::query_scalar!(
                r#"select to_jsonb(t) - array['state_sha256', 'browser_sha256', 'pkce_verifier'] as "row!: Json<JsonRow>"
                   from oauth_states t where user_id = $1 order by expires_at"#,
                user,
            )
            .fetch_all(&mut *conn)
            .await?,
        ),
    })
}

fn rows(rows: Vec<Json<JsonRow>>) -> Vec<JsonRow> {
    rows.into_iter().map(|row| row.0).collect()
}

/// Whether all messages of a user are published.
pub async fn is_published(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select not exists (select from outbox where user_id = $1) as "published!""#,
        user.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// The rest of a user's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Accounts whose grant is not revoked yet, or whose channels or data are being deleted.
    pub connections: i64,
    /// Their mirrored calendars.
    pub calendars: i64,
}

/// Deletes a user's data except the accounts, which have to be disconnected before: messages, the stream, connect flows,
/// writes, and the canary's row. Returns what remains.
///
/// Afterwards no message can start another stream, which would never be deleted: pulls and writes in progress for these
/// accounts cannot commit, because their row in the queue or their intent is gone.
pub async fn delete(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Remaining> {
    // For the order of locks see `user_stream::next_seq`.
    sqlx::query!(
        "select id from connections where user_id = $1 order by id for no key update",
        user.as_str()
    )
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query!("delete from user_stream where user_id = $1", user.as_str())
        .execute(&mut *conn)
        .await?;
    // A separate statement: it sees messages that were appended while the previous one waited for the stream.
    sqlx::query!(
        "with gone_messages as (delete from outbox where user_id = $1),
              gone_letters as (delete from dead_letters where user_id = $1),
              gone_flows as (delete from oauth_states where user_id = $1),
              gone_intents as (delete from write_intents where user_id = $1),
              gone_canary as (delete from canary where user_id = $1)
         delete from sync_state where resource_id in (
             select s.resource_id from sync_state s join connections n on s.connection_id = n.id
             where n.user_id = $1 and n.disconnected_at is not null
             order by s.resource_id
             for update of s
         )",
        user.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_as!(
        Remaining,
        r#"select (select count(*) from connections where user_id = $1) as "connections!",
                  (select count(*) from calendars where user_id = $1) as "calendars!""#,
        user.as_str(),
    )
    .fetch_one(conn)
    .await
}
