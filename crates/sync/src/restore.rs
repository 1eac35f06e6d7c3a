//! After a backup was brought back: nobody goes on from what is no longer so.
//!
//! The data has gone back in time, and browsers have not: they hold a higher `seq` and would take all that is told from now on
//! for old news. So every stream gets a new epoch and leaps ahead in `seq`; the next message is a gap to every browser, and
//! after a gap it loads anew. The mirror itself is made current by Google: an older sync token brings all that changed since.

use chrono::{DateTime, Utc};
use event_model::wire::Change;
use sqlx::{PgConnection, PgPool};
use store::restored::{self, Place};

use crate::outbox;

/// What was begun anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    pub users: usize,
    /// Calendars and lists of calendars that are asked for now.
    pub resources: u64,
}

/// Begins anew, in one commit, and tells every user's browsers to load.
pub async fn begin_anew(pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<Begun> {
    let mut tx = pool.begin().await?;
    restored::lock(&mut tx).await?;
    let begun = begin(&mut tx, now).await?;
    tx.commit().await?;
    Ok(begun)
}

/// As [`begin_anew`], if the data is not where it was written. Of several processes that ask at once, one does it.
pub async fn begin_anew_if_moved(pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<Option<Begun>> {
    let mut tx = pool.begin().await?;
    restored::lock(&mut tx).await?;
    let begun = match restored::place(&mut tx).await? {
        Place::Same | Place::Unknown => None,
        Place::New => {
            restored::note_place(&mut tx, now).await?;
            None
        }
        Place::Moved => Some(begin(&mut tx, now).await?),
    };
    tx.commit().await?;
    Ok(begun)
}

async fn begin(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Begun> {
    // In the order in which locks are taken: see `user_stream::next_seq`.
    restored::begin_with_google_anew(conn, now).await?;
    let users = restored::begin_streams_anew(conn).await?;
    for user in &users {
        outbox::append(conn, now, user, Change::CalendarsChanged {}).await?;
    }
    let resources = restored::ask_for_everything(conn, now).await?;
    restored::note_place(conn, now).await?;
    Ok(Begun {
        users: users.len(),
        resources,
    })
}
