//! A connection's tokens, the lease on refreshing them, and the end of a grant.

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ids::{ConnectionId, UserId};
use common::lease::Lease;
use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{open, seal};
use crate::seal::{Keyring, Unsealable};
use crate::sync_state::interval;
use crate::watches;

/// The state of a connection that a call to Google needs.
#[derive(Debug)]
pub struct Tokens {
    pub user_id: UserId,
    pub google_sub: String,
    pub disconnected_at: Option<DateTime<Utc>>,
    pub grant_ended_at: Option<DateTime<Utc>>,
    /// How long ago Google first rejected the refresh token, by the database's clock. None: it did not.
    pub suspect_for: Option<Duration>,
    /// The access token and its expiry.
    pub access: Option<(Result<SecretString, Unsealable>, DateTime<Utc>)>,
    /// When the token was stored, or later.
    pub updated_at: DateTime<Utc>,
}

/// Reads a connection's access token. None: there is no such connection.
pub async fn tokens(
    conn: &mut PgConnection,
    keyring: &Keyring,
    id: ConnectionId,
) -> sqlx::Result<Option<Tokens>> {
    let Some(row) = sqlx::query!(
        "select user_id, google_sub, disconnected_at, grant_ended_at, access_token, access_expires_at, updated_at,
                extract(epoch from clock_timestamp() - grant_suspect_at)::float8 as suspect_for
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
        suspect_for: row
            .suspect_for
            .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        updated_at: row.updated_at,
    }))
}

/// The lease on refreshing a connection's token.
#[derive(Debug)]
pub struct Refresh {
    pub lease: Lease<ConnectionId>,
    pub user_id: UserId,
    pub google_sub: String,
    pub refresh_token: Result<SecretString, Unsealable>,
    /// The sealed record. Google's verdict applies to this token only.
    record: Vec<u8>,
}

struct RefreshRow {
    id: Uuid,
    user_id: String,
    google_sub: String,
    lease: Uuid,
    record: Vec<u8>,
}

impl RefreshRow {
    fn open(self, keyring: &Keyring) -> sqlx::Result<Refresh> {
        let (id, user_id) = (self.id.into(), crate::user_id(self.user_id)?);
        Ok(Refresh {
            refresh_token: open(
                keyring,
                "refresh_token",
                id,
                &user_id,
                &self.google_sub,
                &self.record,
            ),
            lease: Lease::new(id, self.lease, 1),
            user_id,
            google_sub: self.google_sub,
            record: self.record,
        })
    }
}

/// Leases the refresh. None: another process has it, or there is no refresh token.
pub async fn acquire_refresh(
    conn: &mut PgConnection,
    keyring: &Keyring,
    id: ConnectionId,
    lease: Duration,
) -> sqlx::Result<Option<Refresh>> {
    let row = sqlx::query_as!(
        RefreshRow,
        r#"update connections
           set refresh_lease = gen_random_uuid(), refresh_leased_until = clock_timestamp() + $2
           where id = $1 and grant_ended_at is null and refresh_token is not null
             and (refresh_leased_until is null or refresh_leased_until < clock_timestamp())
           returning id, user_id, google_sub, refresh_lease as "lease!", refresh_token as "record!""#,
        id.as_uuid(),
        interval(lease),
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| row.open(keyring)).transpose()
}

/// As [`acquire_refresh`], for a grant that a policy has ended and that is due to be tried again. The next try is due after
/// `every`.
pub async fn acquire_recheck(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    keyring: &Keyring,
    lease: Duration,
    every: Duration,
) -> sqlx::Result<Option<Refresh>> {
    let row = sqlx::query_as!(
        RefreshRow,
        r#"update connections
           set refresh_lease = gen_random_uuid(), refresh_leased_until = clock_timestamp() + $2,
               grant_recheck_at = $1::timestamptz + $3::interval
           where id = (
               select id from connections
               where grant_ended_reason is not null and disconnected_at is null and grant_recheck_at <= $1
               order by grant_recheck_at
               limit 1
               for update skip locked
           )
           returning id, user_id, google_sub, refresh_lease as "lease!", refresh_token as "record!""#,
        now,
        interval(lease),
        interval(every),
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| row.open(keyring)).transpose()
}

/// Ends the end of a grant whose token Google accepts again. False: it had not ended, or the account is disconnected.
pub async fn revive_grant(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: ConnectionId,
) -> sqlx::Result<bool> {
    let revived = sqlx::query!(
        "update connections set grant_ended_at = null, grant_ended_reason = null, grant_recheck_at = null
         where id = $1 and grant_ended_reason is not null and disconnected_at is null",
        id.as_uuid(),
    )
    .execute(&mut *conn)
    .await?;
    let is_revived = revived.rows_affected() == 1;
    if is_revived {
        watches::stop_after_all(conn, now, id).await?;
    }
    Ok(is_revived)
}

/// The result of a refresh.
#[derive(Debug)]
pub struct Refreshed<'a> {
    pub access_token: &'a SecretString,
    pub expires_at: DateTime<Utc>,
    /// None: unchanged.
    pub refresh_token: Option<&'a SecretString>,
    pub scopes: Option<&'a [String]>,
}

/// Stores a new access token and ends the lease. False: the lease was lost, and nothing was stored.
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
             scopes = coalesce($6, scopes), grant_suspect_at = null, grant_suspect_reason = null,
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

/// Extends the lease to `until` from now. Does nothing if it was lost.
pub async fn extend_refresh(conn: &mut PgConnection, refresh: &Refresh, until: Duration) -> sqlx::Result<()> {
    sqlx::query!(
        "update connections set refresh_leased_until = clock_timestamp() + $3
         where id = $1 and refresh_lease = $2 and refresh_leased_until > clock_timestamp()",
        refresh.lease.key.as_uuid(),
        refresh.lease.token,
        interval(until),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the lease after an attempt that showed nothing about the grant.
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

/// The meaning of a refusal of the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the first for this refresh token, or too soon after the first.
    Suspect { since: DateTime<Utc> },
    /// Confirmed: the grant has ended. Its tokens are deleted, unless a policy ended it. `is_disconnecting`: the user had
    /// already disconnected the account.
    Ended { is_disconnecting: bool },
    /// It had ended before.
    EndedBefore,
    /// The token was replaced in the meantime: read it again.
    Outdated,
}

/// Records a refusal and ends the lease: an `invalid_grant`, or with a `reason` one by a policy. The grant ends if Google
/// refused the same refresh token in the same way at least `confirm_delay` ago, by the database's clock, since two
/// processes may have received them. A grant that has ended already stays so.
pub async fn reject_grant(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    refresh: &Refresh,
    reason: Option<&str>,
    confirm_delay: Duration,
) -> sqlx::Result<Verdict> {
    #[cfg(feature = "simulation")]
    if common::mutant!("grant_ends_at_once") {
        crate::mutants::suspect(conn, confirm_delay, refresh.lease.key).await?;
    }
    let row = sqlx::query!(
        r#"with verdict as (
               select id, grant_ended_at is not null as was_ended, same,
                      same and grant_suspect_at <= clock_timestamp() - $5::interval as ended
               from connections
               cross join lateral (
                   select grant_suspect_at is not null and grant_suspect_reason is not distinct from $6::text as same
               ) refusal
               where id = $1 and refresh_lease = $2 and refresh_token = $3
               for update of connections
           )
           update connections n
           set grant_suspect_at = case when same then grant_suspect_at else clock_timestamp() end,
               grant_suspect_reason = $6,
               grant_ended_at = case when ended then coalesce(grant_ended_at, $4::timestamptz) else grant_ended_at end,
               grant_ended_reason = case when ended then $6 else grant_ended_reason end,
               grant_recheck_at = case when ended and $6 is not null then coalesce(grant_recheck_at, $4) else grant_recheck_at end,
               refresh_token = case when not ended or $6 is not null then refresh_token end,
               access_token = case when not ended or $6 is not null then access_token end,
               access_expires_at = case when not ended or $6 is not null then access_expires_at end,
               refresh_lease = null, refresh_leased_until = null, updated_at = $4
           from verdict v where n.id = v.id
           returning ended as "ended!", was_ended as "was_ended!", grant_suspect_at as "since!",
                     disconnected_at is not null as "is_disconnecting!""#,
        refresh.lease.key.as_uuid(),
        refresh.lease.token,
        refresh.record,
        now,
        interval(confirm_delay),
        reason,
    )
    .fetch_optional(conn)
    .await?;
    Ok(match row {
        None => Verdict::Outdated,
        Some(row) if row.was_ended => Verdict::EndedBefore,
        Some(row) if row.ended => Verdict::Ended {
            is_disconnecting: row.is_disconnecting,
        },
        Some(row) => Verdict::Suspect { since: row.since },
    })
}
