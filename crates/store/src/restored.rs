//! After a backup was restored: the data is older than what browsers and Google have seen since.

use chrono::{DateTime, Utc};
use common::ids::UserId;
use sqlx::PgConnection;

/// The Postgres installation that holds the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    system_identifier: String,
    database_oid: i64,
    /// Raised by a point-in-time recovery and by the promotion of a replica.
    timeline: i32,
}

/// Whether the data is still in the same installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    Same,
    /// No location is stored yet.
    New,
    /// It was written by another server, into another database, or on an earlier timeline.
    Moved,
    /// This role may not read it.
    Unknown,
}

/// Postgres's error code for a missing privilege.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// None: this role may not read it.
async fn identity(conn: &mut PgConnection) -> sqlx::Result<Option<Identity>> {
    let found = sqlx::query_as!(
        Identity,
        r#"select s.system_identifier::text as "system_identifier!", d.oid::bigint as "database_oid!",
                  c.timeline_id as "timeline!"
           from pg_control_system() s cross join pg_control_checkpoint() c
           join pg_database d on d.datname = current_database()"#,
    )
    .fetch_one(conn)
    .await;
    match found {
        Ok(identity) => Ok(Some(identity)),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub async fn location(conn: &mut PgConnection) -> sqlx::Result<Location> {
    let noted = sqlx::query_as!(
        Identity,
        "select system_identifier, database_oid, timeline from database_identity",
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(identity) = identity(conn).await? else {
        return Ok(Location::Unknown);
    };
    Ok(match noted {
        None => Location::New,
        Some(noted) if noted == identity => Location::Same,
        Some(_) => Location::Moved,
    })
}

/// Stores the current location.
pub async fn note_location(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<()> {
    let Some(identity) = identity(conn).await? else {
        return Ok(());
    };
    sqlx::query!(
        "insert into database_identity (system_identifier, database_oid, timeline, noted_at) values ($1, $2, $3, $4)
         on conflict (only_row) do update
         set system_identifier = excluded.system_identifier, database_oid = excluded.database_oid,
             timeline = excluded.timeline, noted_at = excluded.noted_at",
        identity.system_identifier,
        identity.database_oid,
        identity.timeline,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The key of the advisory lock ("calwire" in ASCII).
const LOCK: i64 = 0x0063_616c_7769_7265;

/// Excludes another `restored` command until the caller commits.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(conn)
        .await?;
    Ok(())
}

/// Every stream continues this far ahead. No browser can have seen as many messages since the backup, so the next message
/// is a gap for all of them, and after a gap they reload.
const SEQ_LEAP: i64 = 1_000_000_000;

/// Starts a new stream for every user and deletes unpublished messages, which the reload makes obsolete. Returns the users.
pub async fn restart_streams(conn: &mut PgConnection) -> sqlx::Result<Vec<UserId>> {
    sqlx::query!("delete from outbox").execute(&mut *conn).await?;
    let users = sqlx::query_scalar!(
        "update user_stream
         set epoch = gen_random_uuid(), seq = seq + $1, relay_lease = null, relay_leased_until = null,
             relay_attempts = 0, relay_not_before = '-infinity'
         returning user_id",
        SEQ_LEAP,
    )
    .fetch_all(conn)
    .await?;
    users.into_iter().map(crate::user_id).collect()
}

/// Makes every channel due for renewal, since Google may no longer have it, and ends all leases on token refreshes.
pub async fn renew_channels(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("update connections set refresh_lease = null, refresh_leased_until = null")
        .execute(&mut *conn)
        .await?;
    sqlx::query!("update watches set renew_at = $1 where state = 'live'", now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Marks every resource dirty. Returns how many.
pub async fn mark_all_dirty(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<u64> {
    let due = sqlx::query!(
        "update sync_state
         set dirty_seq = dirty_seq + 1, dirty_at = $1, dirty_cause = 'poll', lease_token = null, leased_until = null,
             attempts = 0, not_before = case when not_before < 'infinity' then '-infinity' else not_before end
         where resource_id in (select resource_id from sync_state order by resource_id for no key update)",
        now,
    )
    .execute(conn)
    .await?;
    Ok(due.rows_affected())
}
