//! Key rotation: reseals every record that is sealed with another key than the ring's first, one row at a time.
//!
//! A record is replaced only if it is still the one that was read (compare and swap), so that a token which a service
//! stores in the meantime is not lost. No progress is stored: an interrupted rotation continues with the records that still
//! have an old key.

use common::ids::ConnectionId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{open, seal};
use crate::seal::{Keyring, Unsealable};

/// A connection with a token that is sealed with an old key.
#[derive(Debug)]
pub struct OldSealed {
    pub id: ConnectionId,
    user_id: String,
    google_sub: String,
    refresh_token: Option<Vec<u8>>,
    access_token: Option<Vec<u8>>,
}

/// Counts the connections with a token that is sealed with an old key.
pub async fn count_old(conn: &mut PgConnection, keyring: &Keyring) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from connections
           where substring(refresh_token from 2 for 4) <> $1 or substring(access_token from 2 for 4) <> $1"#,
        &keyring.primary_id().to_be_bytes()[..],
    )
    .fetch_one(conn)
    .await
}

/// The next `limit` of them after the id `after`, in order of id.
pub async fn next_old(
    conn: &mut PgConnection,
    keyring: &Keyring,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<OldSealed>> {
    sqlx::query_as!(
        OldSealed,
        r#"select id, user_id, google_sub, refresh_token, access_token from connections
           where id > $2 and (substring(refresh_token from 2 for 4) <> $1 or substring(access_token from 2 for 4) <> $1)
           order by id limit $3"#,
        &keyring.primary_id().to_be_bytes()[..],
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The result of [`reseal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resealed {
    Done,
    /// A token cannot be opened, and nothing was changed.
    Failed(Unsealable),
}

/// Seals both tokens of a connection with the current key. A token that was replaced in the meantime is left as it is.
pub async fn reseal(conn: &mut PgConnection, keyring: &Keyring, old: &OldSealed) -> sqlx::Result<Resealed> {
    let user = crate::user_id(old.user_id.clone())?;
    let resealed = |column, record: &Option<Vec<u8>>| {
        let Some(record) = record else {
            return Ok(None);
        };
        let secret = open(keyring, column, old.id, &user, &old.google_sub, record)?;
        Ok(Some(seal(
            keyring,
            column,
            old.id,
            &user,
            &old.google_sub,
            &secret,
        )))
    };
    let (refresh, access) = match (
        resealed("refresh_token", &old.refresh_token),
        resealed("access_token", &old.access_token),
    ) {
        (Ok(refresh), Ok(access)) => (refresh, access),
        (Err(unsealable), _) | (_, Err(unsealable)) => return Ok(Resealed::Failed(unsealable)),
    };
    sqlx::query!(
        "update connections
         set refresh_token = case when refresh_token = $2 then $3 else refresh_token end,
             access_token = case when access_token = $4 then $5 else access_token end
         where id = $1 and (refresh_token = $2 or access_token = $4)",
        old.id.as_uuid(),
        old.refresh_token,
        refresh,
        old.access_token,
        access,
    )
    .execute(conn)
    .await?;
    Ok(Resealed::Done)
}
