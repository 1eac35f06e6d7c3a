//! After a backup was restored: makes browsers reload and calendars pull again.
//!
//! The data has gone back in time, but browsers hold a higher `seq` and would drop new messages as old ones. So every
//! stream gets a new epoch and its `seq` jumps ahead. The next message is a gap to every browser, and after a gap it
//! reloads. The mirror catches up by pulling: an older sync token returns all changes since.

use chrono::{DateTime, Utc};
use event_model::wire::Change;
use sqlx::{PgConnection, PgPool};
use store::restored::{self, Location};

use crate::outbox;

/// The number of restarted streams and pulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restarted {
    pub users: usize,
    /// Calendars and calendar lists that were marked dirty.
    pub resources: u64,
}

/// Restarts all streams and pulls in one commit, and makes every user's browsers reload.
pub async fn restart_all(pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<Restarted> {
    let mut tx = pool.begin().await?;
    restored::lock(&mut tx).await?;
    let restarted = restart(&mut tx, now).await?;
    tx.commit().await?;
    Ok(restarted)
}

/// As [`restart_all`], if the database is not where it was written. If several processes call it at once, one of them
/// does it.
pub async fn restart_if_moved(pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<Option<Restarted>> {
    let mut tx = pool.begin().await?;
    restored::lock(&mut tx).await?;
    let restarted = match restored::location(&mut tx).await? {
        Location::Same | Location::Unknown => None,
        Location::New => {
            restored::note_location(&mut tx, now).await?;
            None
        }
        Location::Moved => Some(restart(&mut tx, now).await?),
    };
    tx.commit().await?;
    Ok(restarted)
}

async fn restart(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Restarted> {
    // Lock order: see `user_stream::next_seq`.
    restored::renew_channels(conn, now).await?;
    let users = restored::restart_streams(conn).await?;
    for user in &users {
        outbox::append(conn, now, user, Change::CalendarsChanged {}).await?;
    }
    let resources = restored::mark_all_dirty(conn, now).await?;
    restored::note_location(conn, now).await?;
    Ok(Restarted {
        users: users.len(),
        resources,
    })
}
