//! Key rotation: what is sealed with another key than the ring's first one is sealed anew, a row at a time.
//!
//! A record is replaced only while it is still the one that was read (compare and swap), so that a token which a service
//! stores meanwhile is never lost. Nothing else is remembered: what is left to do is what is sealed otherwise, so a
//! rotation that was broken off goes on where it stood.

use common::ids::ConnectionId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{open, seal};
use crate::seal::{Keyring, Unsealable};

/// A connection with a token that is sealed otherwise.
#[derive(Debug)]
pub struct Old {
    pub id: ConnectionId,
    user_id: String,
    google_sub: String,
    refresh_token: Option<Vec<u8>>,
    access_token: Option<Vec<u8>>,
}

/// How many connections have a token that is sealed otherwise.
pub async fn sealed_otherwise(conn: &mut PgConnection, keyring: &Keyring) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from connections
           where substring(refresh_token from 2 for 4) <> $1 or substring(access_token from 2 for 4) <> $1"#,
        &keyring.primary_id().to_be_bytes()[..],
    )
    .fetch_one(conn)
    .await
}

/// The next of them after `after`, in the order of ids.
pub async fn next_sealed_otherwise(
    conn: &mut PgConnection,
    keyring: &Keyring,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<Old>> {
    sqlx::query_as!(
        Old,
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

/// Seals both tokens of a connection anew. A token that was replaced meanwhile stays as it is now. `Err` inside: a token
/// cannot be opened, and nothing was changed.
pub async fn reseal(
    conn: &mut PgConnection,
    keyring: &Keyring,
    old: &Old,
) -> sqlx::Result<Result<(), Unsealable>> {
    let user = crate::user_id(old.user_id.clone())?;
    let anew = |column, record: &Option<Vec<u8>>| {
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
        anew("refresh_token", &old.refresh_token),
        anew("access_token", &old.access_token),
    ) {
        (Ok(refresh), Ok(access)) => (refresh, access),
        (Err(unsealable), _) | (_, Err(unsealable)) => return Ok(Err(unsealable)),
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
    Ok(Ok(()))
}
