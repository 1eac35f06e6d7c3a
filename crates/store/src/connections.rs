//! Google accounts that users have connected, their sealed tokens, and the evidence about their grants.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::ids::{ConnectionId, UserId};
use common::lease::Lease;
use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::seal::{Binding, Keyring, Unsealable};
use crate::sync_state::interval;

/// One connected Google account, without its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    pub user_id: UserId,
    pub google_sub: String,
    pub email: String,
    pub scopes: Vec<String>,
    pub grant_ended_at: Option<DateTime<Utc>>,
    pub disconnected_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub progress: Progress,
}

/// What the queue tells about a connection, over its calendar list and its selected calendars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Something has never been pulled, or a calendar's first import has not ended.
    pub importing: bool,
    /// Since when the longest waiting resource has been due, among those whose last try failed.
    pub failing_since: Option<DateTime<Utc>>,
    /// Google refused a pull for want of a scope.
    pub scope_missing: bool,
}

/// The state of a connection as people see it. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Healthy,
    Importing,
    Delayed,
    ReauthRequired,
    ScopeMissing,
    Disconnected,
}

/// A failure is worth telling when it has lasted for so long; a single try that failed is not.
const DELAYED_AFTER: TimeDelta = TimeDelta::minutes(2);

impl State {
    /// The one place where evidence becomes a state. `has_calendar_access`: the granted scopes allow reading events and
    /// the calendar list, as the caller has found with `google::scopes`.
    pub fn of(connection: &Connection, has_calendar_access: bool, now: DateTime<Utc>) -> Self {
        let Progress {
            importing,
            failing_since,
            scope_missing,
        } = connection.progress;
        if connection.disconnected_at.is_some() {
            Self::Disconnected
        } else if connection.grant_ended_at.is_some() {
            Self::ReauthRequired
        } else if !has_calendar_access || scope_missing {
            Self::ScopeMissing
        } else if failing_since.is_some_and(|since| now - since > DELAYED_AFTER) {
            Self::Delayed
        } else if importing {
            Self::Importing
        } else {
            Self::Healthy
        }
    }
}

/// What a consent brought.
#[derive(Debug)]
pub struct NewGrant<'a> {
    pub user: &'a UserId,
    /// The account's identity; its address may change.
    pub google_sub: &'a str,
    pub email: &'a str,
    pub scopes: &'a [String],
    /// None when Google sent none, because the user had consented before.
    pub refresh_token: Option<&'a SecretString>,
    pub access_token: &'a SecretString,
    pub access_expires_at: DateTime<Utc>,
}

/// What became of a [`NewGrant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connected {
    /// `created`: this account was not connected before.
    Done { id: ConnectionId, created: bool },
    /// There is no refresh token, neither a new one nor one from before. The caller rolls back and asks for consent
    /// again.
    RefreshTokenMissing,
}

/// Stores a consent: one row per user and account, however often the user connects.
///
/// A connection that is on its way out is not revived: it goes with all its data, and a new one begins. Channels of
/// it that were not stopped yet push to nobody until Google ends them.
pub async fn connect(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    keyring: &Keyring,
    grant: &NewGrant<'_>,
) -> sqlx::Result<Connected> {
    sqlx::query!(
        "delete from connections where user_id = $1 and google_sub = $2 and disconnected_at is not null",
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
           returning id, xmax = 0 as "created!", refresh_token is not null as "has_refresh_token!""#,
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
    let seal = |column, secret| seal(keyring, column, id, grant.user, grant.google_sub, secret);
    sqlx::query!(
        // The lease goes too: a refresh under way is about the tokens from before and may not overwrite these.
        "update connections
         set refresh_token = coalesce($2, refresh_token), access_token = $3, access_expires_at = $4,
             grant_suspect_at = null, grant_ended_at = null, refresh_lease = null, refresh_leased_until = null
         where id = $1",
        row.id,
        grant.refresh_token.map(|token| seal("refresh_token", token)),
        seal("access_token", grant.access_token),
        grant.access_expires_at,
    )
    .execute(conn)
    .await?;
    Ok(Connected::Done {
        id,
        created: row.created,
    })
}

struct Row {
    id: Uuid,
    user_id: String,
    google_sub: String,
    email: String,
    scopes: Vec<String>,
    grant_ended_at: Option<DateTime<Utc>>,
    disconnected_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    importing: bool,
    failing_since: Option<DateTime<Utc>>,
    scope_missing: bool,
}

impl TryFrom<Row> for Connection {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id.into(),
            user_id: crate::user_id(row.user_id)?,
            google_sub: row.google_sub,
            email: row.email,
            scopes: row.scopes,
            grant_ended_at: row.grant_ended_at,
            disconnected_at: row.disconnected_at,
            created_at: row.created_at,
            progress: Progress {
                importing: row.importing,
                failing_since: row.failing_since,
                scope_missing: row.scope_missing,
            },
        })
    }
}

/// A user's connections, the oldest first; those on their way out are not among them.
pub async fn of_user(conn: &mut PgConnection, user: &UserId) -> sqlx::Result<Vec<Connection>> {
    sqlx::query_as!(
        Row,
        r#"select n.id, n.user_id, n.google_sub, n.email, n.scopes, n.grant_ended_at, n.disconnected_at, n.created_at,
                  p.importing as "importing!", p.failing_since, p.scope_missing as "scope_missing!"
           from connections n
           cross join lateral (
               select coalesce(bool_or(s.last_pull_at is null), true) as importing,
                      min(s.dirty_at) filter (where s.dirty_seq > s.synced_seq and s.last_error is not null)
                          as failing_since,
                      coalesce(bool_or(s.last_error = 'scope_missing'), false) as scope_missing
               from sync_state s left join calendars c on c.id = s.resource_id
               where s.connection_id = n.id
                 and (s.kind = 'calendar_list' or (c.selected and c.access_lost_at is null))
           ) p
           where n.user_id = $1 and n.disconnected_at is null
           order by n.created_at, n.id"#,
        user.as_str(),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Connection::try_from)
    .collect()
}

/// What a call to Google needs to know about its connection.
#[derive(Debug)]
pub struct Tokens {
    pub user_id: UserId,
    pub google_sub: String,
    pub disconnected_at: Option<DateTime<Utc>>,
    pub grant_ended_at: Option<DateTime<Utc>>,
    pub grant_suspect_at: Option<DateTime<Utc>>,
    /// The access token and when it expires, if there is one.
    pub access: Option<(Result<SecretString, Unsealable>, DateTime<Utc>)>,
    /// When it was stored, or later.
    pub updated_at: DateTime<Utc>,
}

/// Reads a connection's access token. None: there is no such connection (any more).
pub async fn tokens(
    conn: &mut PgConnection,
    keyring: &Keyring,
    id: ConnectionId,
) -> sqlx::Result<Option<Tokens>> {
    let Some(row) = sqlx::query!(
        "select user_id, google_sub, disconnected_at, grant_ended_at, grant_suspect_at, access_token,
                access_expires_at, updated_at
         from connections where id = $1",
        id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?
    else {
        return Ok(None);
    };
    let user_id = crate::user_id(row.user_id)?;
    let open = |record: Vec<u8>| open(keyring, "access_token", id, &user_id, &row.google_sub, &record);
    Ok(Some(Tokens {
        access: row.access_token.map(open).zip(row.access_expires_at),
        user_id,
        google_sub: row.google_sub,
        disconnected_at: row.disconnected_at,
        grant_ended_at: row.grant_ended_at,
        grant_suspect_at: row.grant_suspect_at,
        updated_at: row.updated_at,
    }))
}

/// The right to refresh a connection's token.
#[derive(Debug)]
pub struct Refresh {
    pub lease: Lease<ConnectionId>,
    pub user_id: UserId,
    pub google_sub: String,
    pub refresh_token: Result<SecretString, Unsealable>,
    /// The record itself: a verdict of Google's is about this token and no other.
    record: Vec<u8>,
}

/// Takes the right to refresh for `lease`. None: another process has it, or there is nothing to refresh with.
pub async fn acquire_refresh(
    conn: &mut PgConnection,
    keyring: &Keyring,
    id: ConnectionId,
    lease: Duration,
) -> sqlx::Result<Option<Refresh>> {
    let Some(row) = sqlx::query!(
        r#"update connections
           set refresh_lease = gen_random_uuid(), refresh_leased_until = clock_timestamp() + $2
           where id = $1 and grant_ended_at is null and refresh_token is not null
             and (refresh_leased_until is null or refresh_leased_until < clock_timestamp())
           returning user_id, google_sub, refresh_lease as "lease!", refresh_token as "record!""#,
        id.as_uuid(),
        interval(lease),
    )
    .fetch_optional(conn)
    .await?
    else {
        return Ok(None);
    };
    let user_id = crate::user_id(row.user_id)?;
    Ok(Some(Refresh {
        refresh_token: open(
            keyring,
            "refresh_token",
            id,
            &user_id,
            &row.google_sub,
            &row.record,
        ),
        lease: Lease::new(id, row.lease, 1),
        user_id,
        google_sub: row.google_sub,
        record: row.record,
    }))
}

/// What a refresh brought.
#[derive(Debug)]
pub struct Refreshed<'a> {
    pub access_token: &'a SecretString,
    pub expires_at: DateTime<Utc>,
    /// None: as before.
    pub refresh_token: Option<&'a SecretString>,
    pub scopes: Option<&'a [String]>,
}

/// Stores a new access token and gives the lease back. False: the lease was lost, and nothing was stored.
pub async fn settle_refresh(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    keyring: &Keyring,
    refresh: &Refresh,
    new: &Refreshed<'_>,
) -> sqlx::Result<bool> {
    let id = refresh.lease.key;
    let seal = |column, secret| seal(keyring, column, id, &refresh.user_id, &refresh.google_sub, secret);
    let stored = sqlx::query!(
        "update connections
         set access_token = $3, access_expires_at = $4, refresh_token = coalesce($5, refresh_token),
             scopes = coalesce($6, scopes), grant_suspect_at = null,
             refresh_lease = null, refresh_leased_until = null, updated_at = $7
         where id = $1 and refresh_lease = $2",
        id.as_uuid(),
        refresh.lease.token,
        seal("access_token", new.access_token),
        new.expires_at,
        new.refresh_token.map(|token| seal("refresh_token", token)),
        new.scopes,
        now,
    )
    .execute(conn)
    .await?;
    Ok(stored.rows_affected() == 1)
}

/// Gives the right to refresh back after a try that told nothing about the grant.
pub async fn release_refresh(conn: &mut PgConnection, refresh: &Refresh) -> sqlx::Result<()> {
    sqlx::query!(
        "update connections set refresh_lease = null, refresh_leased_until = null
         where id = $1 and refresh_lease = $2",
        refresh.lease.key.as_uuid(),
        refresh.lease.token,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What an `invalid_grant` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the first one for this refresh token, or too soon after the first.
    Suspect { since: DateTime<Utc> },
    /// It is confirmed: the grant has ended, its tokens are gone.
    Ended,
    /// It was about a token that has been replaced meanwhile: read again.
    Outdated,
}

/// Takes down an `invalid_grant` and gives the lease back. The grant ends when Google said it before, of the same
/// refresh token, at least `confirm_delay` ago.
pub async fn reject_grant(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    refresh: &Refresh,
    confirm_delay: Duration,
) -> sqlx::Result<Verdict> {
    let row = sqlx::query!(
        r#"with verdict as (
               select id, grant_suspect_at is not null and grant_suspect_at <= $4::timestamptz - $5::interval as ended
               from connections where id = $1 and refresh_lease = $2 and refresh_token = $3
               for update
           )
           update connections n
           set grant_suspect_at = coalesce(grant_suspect_at, $4),
               grant_ended_at = case when ended then $4 end,
               refresh_token = case when not ended then refresh_token end,
               access_token = case when not ended then access_token end,
               access_expires_at = case when not ended then access_expires_at end,
               refresh_lease = null, refresh_leased_until = null, updated_at = $4
           from verdict v where n.id = v.id
           returning ended as "ended!", grant_suspect_at as "since!""#,
        refresh.lease.key.as_uuid(),
        refresh.lease.token,
        refresh.record,
        now,
        interval(confirm_delay),
    )
    .fetch_optional(conn)
    .await?;
    Ok(match row {
        None => Verdict::Outdated,
        Some(row) if row.ended => Verdict::Ended,
        Some(row) => Verdict::Suspect { since: row.since },
    })
}

/// Begins to end a user's connection, or all of them. Returns those that were not on their way out already. Their
/// channels are to be stopped, then [`disconnected`] names them for the rest.
pub async fn disconnect(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &UserId,
    id: Option<ConnectionId>,
) -> sqlx::Result<Vec<ConnectionId>> {
    let ids = sqlx::query_scalar!(
        "update connections set disconnected_at = $3, updated_at = $3
         where user_id = $1 and ($2::uuid is null or id = $2) and disconnected_at is null
         returning id",
        user.as_str(),
        id.map(ConnectionId::as_uuid),
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ConnectionId::from).collect())
}

/// A connection whose channels are stopped, or have been given up waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    pub id: ConnectionId,
    pub user_id: UserId,
    /// Nobody else is connected to this Google account: revoking ends nobody else's tokens.
    pub last_of_account: bool,
}

/// Up to `limit` connections that were disconnected and may go now: no channel of theirs is left at Google, or they have
/// waited since before `patience`.
pub async fn disconnected(
    conn: &mut PgConnection,
    patience: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Leaving>> {
    let rows = sqlx::query!(
        r#"select n.id, n.user_id,
                  not exists (select from connections o where o.google_sub = n.google_sub and o.id <> n.id
                              and o.disconnected_at is null and o.grant_ended_at is null) as "last_of_account!"
           from connections n
           where n.disconnected_at is not null
             and (n.disconnected_at < $1
                  or not exists (select from watches w where w.connection_id = n.id and w.state <> 'stopped'))
           order by n.disconnected_at
           limit $2"#,
        patience,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Leaving {
                id: row.id.into(),
                user_id: crate::user_id(row.user_id)?,
                last_of_account: row.last_of_account,
            })
        })
        .collect()
}

/// The refresh token of a connection that leaves, for its revocation.
pub async fn refresh_token(
    conn: &mut PgConnection,
    keyring: &Keyring,
    id: ConnectionId,
) -> sqlx::Result<Option<Result<SecretString, Unsealable>>> {
    let row = sqlx::query!(
        "select user_id, google_sub, refresh_token from connections where id = $1",
        id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    let Some((row, record)) = row.and_then(|mut row| row.refresh_token.take().map(|record| (row, record)))
    else {
        return Ok(None);
    };
    let user_id = crate::user_id(row.user_id)?;
    Ok(Some(open(
        keyring,
        "refresh_token",
        id,
        &user_id,
        &row.google_sub,
        &record,
    )))
}

/// Deletes a connection that was disconnected, with all that was mirrored of it.
pub async fn purge(conn: &mut PgConnection, id: ConnectionId) -> sqlx::Result<bool> {
    let purged = sqlx::query!(
        "delete from connections where id = $1 and disconnected_at is not null",
        id.as_uuid(),
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected() == 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_what_the_evidence_supports_the_gravest_first() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let healthy = Connection {
            id: ConnectionId::generate(),
            user_id: UserId::parse("alice").expect("a user"),
            google_sub: "1".into(),
            email: "alice@example.com".into(),
            scopes: vec![],
            grant_ended_at: None,
            disconnected_at: None,
            created_at: now,
            progress: Progress::default(),
        };
        let state = |change: fn(&mut Connection, DateTime<Utc>)| {
            let mut connection = healthy.clone();
            change(&mut connection, now);
            State::of(&connection, true, now)
        };
        assert_eq!(state(|_, _| {}), State::Healthy);
        assert_eq!(state(|c, _| c.progress.importing = true), State::Importing);
        let failing = |c: &mut Connection, now: DateTime<Utc>, seconds| {
            c.progress.importing = true;
            c.progress.failing_since = Some(now - TimeDelta::seconds(seconds));
            State::of(c, true, now)
        };
        assert_eq!(failing(&mut healthy.clone(), now, 60), State::Importing);
        assert_eq!(failing(&mut healthy.clone(), now, 121), State::Delayed);
        assert_eq!(State::of(&healthy, false, now), State::ScopeMissing);
        assert_eq!(state(|c, _| c.progress.scope_missing = true), State::ScopeMissing);
        assert_eq!(
            state(|c, now| {
                c.progress.scope_missing = true;
                c.grant_ended_at = Some(now);
            }),
            State::ReauthRequired
        );
        assert_eq!(
            state(|c, now| {
                c.grant_ended_at = Some(now);
                c.disconnected_at = Some(now);
            }),
            State::Disconnected
        );
    }
}
