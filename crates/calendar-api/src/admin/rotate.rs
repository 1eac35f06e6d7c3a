//! `rotate-keys`: reseals every token with the first key of `TOKEN_KEYS`, while the services run.

use anyhow::Context as _;
use common::ids::ConnectionId;
use sqlx::PgPool;
use store::connections::rotate::{self, Resealed};
use store::seal::Keyring;
use uuid::Uuid;

/// Rows read at once. Each is written in its own transaction, so that no service waits for more than one row.
const BATCH: i64 = 200;
/// How many times all rows are scanned: a service that still seals with the older key may add rows during a pass.
const PASSES: usize = 3;

/// The result of a rotation.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rotated {
    pub resealed: u64,
    /// Their keys are not in `TOKEN_KEYS`, or the records are damaged. They are unchanged.
    pub unreadable: Vec<ConnectionId>,
    /// Sealed with an older key by a service during the rotation.
    pub left: i64,
}

/// Reseals all accounts that are sealed with another key. Calls `progress` with the number done and the total.
pub async fn rotate_keys(
    pool: &PgPool,
    keyring: &Keyring,
    progress: &mut (dyn FnMut(u64, i64) + Send),
) -> anyhow::Result<Rotated> {
    let mut conn = pool.acquire().await?;
    let mut rotated = Rotated::default();
    for _ in 0..PASSES {
        let all = rotate::count_old(&mut conn, keyring).await?;
        rotated.left = all - i64::try_from(rotated.unreadable.len())?;
        if rotated.left <= 0 {
            break;
        }
        rotated.unreadable.clear();
        let total = i64::try_from(rotated.resealed)? + all;
        let mut after = Uuid::nil();
        loop {
            let batch = rotate::next_old(&mut conn, keyring, after, BATCH).await?;
            let Some(last) = batch.last() else {
                break;
            };
            after = last.id.as_uuid();
            for old in &batch {
                let resealed = rotate::reseal(&mut conn, keyring, old)
                    .await
                    .with_context(|| format!("cannot write connection {}", old.id))?;
                match resealed {
                    Resealed::Done => rotated.resealed += 1,
                    Resealed::Failed(unsealable) => {
                        tracing::error!(connection.id = %old.id, error = %unsealable, "Could not reseal a token; it is unchanged");
                        rotated.unreadable.push(old.id);
                    }
                }
            }
            progress(rotated.resealed, total);
        }
    }
    let left = rotate::count_old(&mut conn, keyring).await?;
    rotated.left = left - i64::try_from(rotated.unreadable.len())?;
    Ok(rotated)
}
