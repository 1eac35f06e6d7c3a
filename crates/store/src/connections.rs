//! Connected Google accounts, their sealed tokens, and the state of their grants.

mod disconnect;
mod grant;
pub mod rotate;

use chrono::{DateTime, Utc};
use common::ids::{ConnectionId, UserId};
use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::seal::{Binding, Keyring, Unsealable};
use crate::watches;

pub use disconnect::{
    Disconnecting, Mirrored, RefreshToken, account_is_shared, acquire_disconnecting, defer_disconnecting,
    disconnect, extend_disconnecting, keep_grants, keeps_grant, mirrored, purge, purge_mirror, refresh_token,
    strip,
};
pub use grant::{
    Refresh, Refreshed, Tokens, Verdict, acquire_recheck, acquire_refresh, extend_refresh, reject_grant,
    release_refresh, revive_grant, settle_refresh, tokens,
};

/// One connected Google account, without its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    pub google_sub: String,
    pub email: String,
    pub scopes: Vec<String>,
    pub grant_ended_at: Option<DateTime<Utc>>,
    /// The policy that ended it, in Google's word. None: it has not ended, or was revoked or expired.
    pub grant_ended_reason: Option<String>,
    pub disconnected_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub queue: QueueState,
}

/// The state of a connection in the queue, over its calendar list and its selected calendars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Something was never pulled, or a calendar's first import is not finished.
    pub importing: bool,
    /// Since when the longest waiting resource is due, among those whose last attempt failed.
    pub failing_since: Option<DateTime<Utc>>,
    /// A pull failed because the grant lacks a scope.
    pub scope_missing: bool,
    /// Google Calendar is turned off for the account.
    pub calendar_off: bool,
}

/// The result of a consent.
#[derive(Debug)]
pub struct NewGrant<'a> {
    pub user: &'a UserId,
    /// The account's identity. Its address may change.
    pub google_sub: &'a str,
    pub email: &'a str,
    pub scopes: &'a [String],
    /// None: Google sent none, because the user had consented before.
    pub refresh_token: Option<&'a SecretString>,
    pub access_token: &'a SecretString,
    pub access_expires_at: DateTime<Utc>,
}

/// The result of [`connect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connected {
    /// `created`: this account was not connected before.
    Done { id: ConnectionId, created: bool },
    /// There is neither a new refresh token nor an earlier one. The caller rolls back and requests consent again.
    RefreshTokenMissing,
}

/// Stores a consent. There is one row per user and account, however often the user connects.
///
/// A connection that is being disconnected is not revived: it steps aside, and a new one is created. Deleting its data
/// continues in slices. Pushes on its channels that were not stopped yet are rejected until Google ends them.
pub async fn connect(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    keyring: &Keyring,
    grant: &NewGrant<'_>,
) -> sqlx::Result<Connected> {
    sqlx::query!(
        // Its grant is the new connection's now, so it keeps no token to revoke it by.
        "with aside as (
             update connections
             set google_sub = google_sub || '#' || id, refresh_token = null, access_token = null, access_expires_at = null,
                 refresh_lease = null, refresh_leased_until = null, leave_not_before = '-infinity'
             where user_id = $1 and google_sub = $2 and disconnected_at is not null
             returning id
         )
         delete from watches using aside where connection_id = aside.id",
        grant.user.as_str(),
        grant.google_sub,
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query!(
        r#"insert into connections (id, user_id, google_sub, email, scopes, created_at, updated_at)
           values ($1, $2, $3, $4, $5, $6, $6)
           on conflict (user_id, google_sub) do update
           set email = excluded.email, scopes = excluded.scopes, updated_at = excluded.updated_at
           returning id, xmax = 0 as "created!", refresh_token is not null as "has_refresh_token!",
                     grant_ended_at is not null as "had_ended!""#,
        ConnectionId::generate().as_uuid(),
        grant.user.as_str(),
        grant.google_sub,
        grant.email,
        grant.scopes,
        now,
    )
    .fetch_one(&mut *conn)
    .await?;
    if grant.refresh_token.is_none() && !row.has_refresh_token {
        return Ok(Connected::RefreshTokenMissing);
    }
    let id = ConnectionId::from(row.id);
    if row.had_ended {
        watches::stop_after_all(conn, now, id).await?;
    }
    let seal = |column, secret| seal(keyring, column, id, grant.user, grant.google_sub, secret);
    sqlx::query!(
        // The lease goes too: a refresh under way is about the tokens from before and may not overwrite these.
        "update connections
         set refresh_token = coalesce($2, refresh_token), access_token = $3, access_expires_at = $4,
             grant_suspect_at = null, grant_suspect_reason = null, grant_ended_at = null, grant_ended_reason = null,
             grant_recheck_at = null, refresh_lease = null, refresh_leased_until = null,
             granted_at = $5
         where id = $1",
        row.id,
        grant.refresh_token.map(|token| seal("refresh_token", token)),
        seal("access_token", grant.access_token),
        grant.access_expires_at,
        now,
    )
    .execute(conn)
    .await?;
    Ok(Connected::Done {
        id,
        created: row.created,
    })
}

/// Whether an account is connected and its grant is active. Locked until the caller commits, so disconnecting it waits.
pub async fn is_active(conn: &mut PgConnection, id: ConnectionId) -> sqlx::Result<bool> {
    let active = sqlx::query_scalar!(
        r#"select disconnected_at is null and grant_ended_at is null as "active!" from connections where id = $1 for share"#,
        id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(active.unwrap_or(false))
}

/// A user's connections, oldest first, without those that are being disconnected.
pub async fn of_user(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Vec<Connection>> {
    let rows = sqlx::query!(
        r#"select n.id, n.google_sub, n.email, n.scopes, n.grant_ended_at, n.grant_ended_reason, n.disconnected_at, n.created_at,
                  p.importing as "importing!", p.failing_since, p.scope_missing as "scope_missing!",
                  p.calendar_off as "calendar_off!"
           from connections n
           cross join lateral (
               select coalesce(bool_or(s.last_pull_at is null), true) as importing,
                      min(s.dirty_at) filter (where s.dirty_seq > s.synced_seq and s.last_error is not null)
                          as failing_since,
                      coalesce(bool_or(s.last_error = 'scope_missing'), false) as scope_missing,
                      coalesce(bool_or(s.last_error = 'calendar_off'), false) as calendar_off
               from sync_state s left join calendars c on c.id = s.resource_id
               where s.connection_id = n.id
                 and (s.kind = 'calendar_list' or (c.selected and c.access_lost_at is null))
           ) p
           where n.user_id = $1 and n.disconnected_at is null
           order by n.created_at, n.id"#,
        user.as_str(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Connection {
            id: row.id.into(),
            google_sub: row.google_sub,
            email: row.email,
            scopes: row.scopes,
            grant_ended_at: row.grant_ended_at,
            grant_ended_reason: row.grant_ended_reason,
            disconnected_at: row.disconnected_at,
            created_at: row.created_at,
            queue: QueueState {
                importing: row.importing,
                failing_since: row.failing_since,
                scope_missing: row.scope_missing,
                calendar_off: row.calendar_off,
            },
        })
        .collect())
}

fn seal(
    keyring: &Keyring,
    column: &'static str,
    id: ConnectionId,
    user: &UserId,
    google_sub: &str,
    secret: &SecretString,
) -> Vec<u8> {
    keyring.seal(&binding(column, &row(&id.as_uuid(), user, google_sub)), secret)
}

fn open(
    keyring: &Keyring,
    column: &'static str,
    id: ConnectionId,
    user: &UserId,
    google_sub: &str,
    record: &[u8],
) -> Result<SecretString, Unsealable> {
    keyring.open(&binding(column, &row(&id.as_uuid(), user, google_sub)), record)
}

fn row<'a>(id: &'a Uuid, user: &'a UserId, google_sub: &'a str) -> [&'a [u8]; 3] {
    [user.as_str().as_bytes(), id.as_bytes(), google_sub.as_bytes()]
}

fn binding<'a>(column: &'static str, row: &'a [&'a [u8]; 3]) -> Binding<'a> {
    Binding {
        table: "connections",
        column,
        row,
    }
}
