//! A backup that was brought back: the data has gone back in time, and what was told and agreed since then is not known here.

use chrono::{DateTime, Utc};
use common::ids::UserId;
use sqlx::PgConnection;

/// Which Postgres the data is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    system_identifier: String,
    database_oid: i64,
    /// Raised by a recovery to a point in time, and by a replica that takes over.
    timeline: i32,
}

/// Whether the data is where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Same,
    /// Nothing is noted yet.
    New,
    /// It was written by another server, into another database, or on an earlier timeline.
    Moved,
    /// Postgres does not say it to this role.
    Unknown,
}

/// Postgres's name for "not allowed".
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// None: this role may not ask.
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

pub async fn place(conn: &mut PgConnection) -> sqlx::Result<Place> {
    let noted = sqlx::query_as!(
        Identity,
        "select system_identifier, database_oid, timeline from database_identity",
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(identity) = identity(conn).await? else {
        return Ok(Place::Unknown);
    };
    Ok(match noted {
        None => Place::New,
        Some(noted) if noted == identity => Place::Same,
        Some(_) => Place::Moved,
    })
}

/// Notes where the data is now.
pub async fn note_place(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<()> {
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

/// A number of ours for Postgres's advisory locks.
const LOCK: i64 = 0x0063_616c_7769_7265;

/// Until the caller commits, nobody else begins anew.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(conn)
        .await?;
    Ok(())
}

/// So far ahead does every stream go on that no browser can have seen so many messages since the backup: the next message is
/// a gap to all of them, and after a gap they load anew.
const SEQ_LEAP: i64 = 1_000_000_000;

/// Begins every user's stream anew, and forgets what waited to be told: it is old, and the reload shows all of it. The users.
pub async fn begin_streams_anew(conn: &mut PgConnection) -> sqlx::Result<Vec<UserId>> {
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

/// Makes every channel due for another: which of them Google still has, nobody knows. No token is being refreshed any more.
pub async fn begin_with_google_anew(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("update connections set refresh_lease = null, refresh_leased_until = null")
        .execute(&mut *conn)
        .await?;
    sqlx::query!("update watches set renew_at = $1 where state = 'live'", now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Makes all that is mirrored due, at once. How many resources that is.
pub async fn ask_for_everything(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<u64> {
    let due = sqlx::query!(
        "update sync_state
         set dirty_seq = dirty_seq + 1, dirty_at = $1, dirty_cause = 'poll', lease_token = null, leased_until = null,
             attempts = 0, not_before = case when not_before < 'infinity' then '-infinity' else not_before end",
        now,
    )
    .execute(conn)
    .await?;
    Ok(due.rows_affected())
}
